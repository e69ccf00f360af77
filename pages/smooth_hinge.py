"""What if the loss has a kink?"""

import streamlit as st

from pages._common import question
from pages._parts import smooth_hinge
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    question.only_for(view, smooth_hinge.fits, smooth_hinge.WHY, smooth_hinge.OFFERED)
    temperature = smooth_hinge.temperature(view)
    study, result = smooth_hinge.load(view)
    st.title("What if the loss has a kink?")
    smooth_hinge.show_answer(result, temperature)
    smooth_hinge.show_trust(result, temperature)
    smooth_hinge.show_test(study, view, result)
    loss, agreement = st.columns(2, gap="large")
    with loss:
        smooth_hinge.show_loss(result, temperature)
    with agreement:
        smooth_hinge.show_agreement(result, temperature)
    smooth_hinge.show_forecasts(study, result, temperature)
    smooth_hinge.show_table(study, result, temperature)
    smooth_hinge.show_origin(study, result)
