"""Can one picture poison the answer?"""

import streamlit as st

from pages._common import footer, question
from pages._parts.poison import attack, candidates, panels, share, start
from pages._shell.catalogue import POISON
from pages._shell.page import heading, open_page

with open_page(POISON) as (view, params):
    heading("Can one picture poison the answer?", POISON)
    view = start.right_answer(view)
    asked = question.load(view)
    study, explanation = asked.study, asked.explanation
    answer = st.container()
    question.bar(view, asked)
    start.offer_right(asked)
    panel = panels.choose(params)
    if panel == "guard":
        candidates.show_guard(study)
    else:
        panels.choose_box(params)
        if panel == "share":
            share.show(study, params)
        else:
            asking = panels.ask(study, explanation, panel, params.box)
            chosen = candidates.choose(study, view, params, asking)
            attack.show(study, params, asking, chosen, answer)
    panels.introduce(answer, params)
    footer.show(study, view, explanation)
