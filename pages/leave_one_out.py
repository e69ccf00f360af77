"""Do the forecasts come true?"""

import streamlit as st

from influence_core import studies
from pages._common import footer, question
from pages._parts.leave_one_out import linear, network
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    question.only_for(view, linear.fits, linear.WHY, linear.OFFERED)
    is_network = studies.find(view.study).is_network
    (network if is_network else linear).check(view)
    asked = question.load(view)
    study, explanation = asked.study, asked.explanation
    st.title("Do the forecasts come true?")
    answer = st.container()
    question.bar(view, asked)
    k = 0 if is_network else linear.choose(view, explanation)
    if is_network:
        network.show(study, view, explanation)
    elif view.retrain:
        left_out = linear.load(study, view, explanation, k)
        with answer:
            linear.show_answer(explanation, left_out)
        linear.show_forecasts(study, view, explanation, left_out)
        linear.show_table(study, explanation, left_out)
    else:
        linear.offer(explanation, k)
    footer.show(study, view, explanation)
