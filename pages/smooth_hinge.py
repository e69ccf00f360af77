"""What if the loss has a kink?"""

import streamlit as st

from pages._parts import smooth_hinge
from pages._shell.catalogue import SMOOTH_HINGE
from pages._shell.page import heading, open_page

with open_page(SMOOTH_HINGE) as (view, params):
    heading("What if the loss has a kink?", SMOOTH_HINGE)
    study, result = smooth_hinge.load(view)
    smooth_hinge.show_answer(result, params.t)
    smooth_hinge.show_trust(result, params.t)
    smooth_hinge.show_test(study, view, result)
    loss, agreement = st.columns(2, gap="large")
    with loss:
        smooth_hinge.show_loss(params.t)
    with agreement:
        smooth_hinge.show_agreement(result, params.t)
    smooth_hinge.show_forecasts(study, result, params.t)
    smooth_hinge.show_table(study, result, params.t)
    smooth_hinge.show_origin(study, result)
