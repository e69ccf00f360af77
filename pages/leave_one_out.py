"""Do the forecasts come true?"""

import streamlit as st

from pages._common import footer, question
from pages._parts.leave_one_out import linear, network
from pages._shell.catalogue import LEAVE_ONE_OUT
from pages._shell.page import heading, open_page

with open_page(LEAVE_ONE_OUT) as (view, params):
    is_network = view.spec.is_network
    (network if is_network else linear).check(params)
    answer = question.load(view)
    study, explanation = answer.study, answer.explanation
    heading("Do the forecasts come true?", LEAVE_ONE_OUT)
    verdict = st.container()
    question.bar(view, answer)
    k = 0 if is_network else linear.choose(params, explanation)
    if is_network:
        network.show(study, view, params, explanation)
    elif params.retrain:
        left_out = linear.load(study, explanation, k)
        with verdict:
            linear.show_answer(explanation, left_out)
        linear.show_forecasts(study, view, params, explanation, left_out)
        linear.show_table(study, explanation, left_out)
    else:
        linear.offer(explanation, k)
    footer.show(study, view, explanation)
