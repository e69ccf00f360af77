"""Do the forecasts come true?"""

import streamlit as st

from influence_core import studies
from pages._shared import footer, leave_one_out, network_check, question, sidebar
from pages._shared.front import enter, errors_shown
from pages._shared.view import read_view

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    question.only_for(view, leave_one_out.fits, leave_one_out.WHY, leave_one_out.OFFERED)
    is_network = studies.find(view.study).is_network
    (network_check if is_network else leave_one_out).check(view)
    asked = question.load(view)
    study, explanation = asked.study, asked.explanation
    st.title("Do the forecasts come true?")
    answer = st.container()
    question.bar(view, asked)
    k = 0 if is_network else leave_one_out.choose(view, explanation)
    if is_network:
        network_check.show(study, view, explanation)
    elif view.retrain:
        left_out = leave_one_out.load(study, view, explanation, k)
        with answer:
            leave_one_out.show_answer(explanation, left_out)
        leave_one_out.show_forecasts(study, view, explanation, left_out)
        leave_one_out.show_table(study, explanation, left_out)
    else:
        leave_one_out.offer(explanation, k)
    footer.show(study, view, explanation)
