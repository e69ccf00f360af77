"""Which labels are wrong?"""

import streamlit as st

from pages._common import question
from pages._parts import wrong_labels
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    question.only_for(view, wrong_labels.fits, wrong_labels.WHY, wrong_labels.OFFERED)
    settings = wrong_labels.settings(view)
    study = wrong_labels.load_study(view)
    st.title("Which labels are wrong?")
    answer = st.container()
    result = wrong_labels.kept(study, settings)
    wrong_labels.choose(view, asked=result is not None or bool(view.retrain))
    if result is None and view.retrain:
        result = wrong_labels.load(study, view, settings)
    with answer:
        wrong_labels.show_answer(study, settings, result)
        if result is not None:
            wrong_labels.show_trust(result)
    if result is not None:
        wrong_labels.show_curves(view, result)
        wrong_labels.show_table(study, result)
        wrong_labels.show_origin(study, result)
    wrong_labels.show_way_on(view)
