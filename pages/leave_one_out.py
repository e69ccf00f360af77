"""Do the forecasts come true?"""

import streamlit as st

from pages._common import footer, question
from pages._parts.leave_one_out import all_or_few, every, network, strongest
from pages._shell.catalogue import LEAVE_ONE_OUT
from pages._shell.page import heading, open_page

with open_page(LEAVE_ONE_OUT) as (view, params):
    is_network = view.spec.is_network
    (network if is_network else strongest).check(params)
    heading("Do the forecasts come true?", LEAVE_ONE_OUT)
    answer = question.load(view)
    study, explanation = answer.study, answer.explanation
    verdict = st.container()
    question.bar(view, answer)
    if is_network:
        network.show(study, view, params, explanation)
    elif params.retrain == "1":
        all_or_few.choose(params, explanation)
        strongest.show(study, view, params, explanation, verdict)
    elif left_out := all_or_few.at_hand(study, params):
        all_or_few.choose(params, explanation)
        every.show(study, view, explanation, left_out, verdict)
    else:
        few = all_or_few.offer(study, explanation)
        strongest.offer(params, explanation, few)
    footer.show(study, view, explanation)
