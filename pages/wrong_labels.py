"""Which labels are wrong?"""

import streamlit as st

from pages._parts import wrong_labels
from pages._shell import results
from pages._shell.catalogue import WRONG_LABELS
from pages._shell.page import heading, open_page

with open_page(WRONG_LABELS) as (view, params):
    heading("Which labels are wrong?", WRONG_LABELS)
    view.check()
    study, settings = results.load_study(view), wrong_labels.settings(params)
    answer = st.container()
    result = wrong_labels.stored(study, settings)
    wrong_labels.choose(params, begun=result is not None or params.retrain)
    if result is None and params.retrain:
        result = wrong_labels.load(study, params)
    with answer:
        if result is None:
            wrong_labels.show_plan(study, settings)
        else:
            wrong_labels.show_answer(study, result)
            wrong_labels.show_trust(result)
    if result is not None:
        wrong_labels.show_curves(params, result)
        wrong_labels.show_table(study, result)
        wrong_labels.show_origin(study, result)
    wrong_labels.show_way_on(view)
