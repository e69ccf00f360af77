"""Can one picture poison the answer?"""

import streamlit as st

from pages._common import footer, question
from pages._parts import poison
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    question.only_for(view, poison.fits, poison.WHY)
    poison.check(view)
    asked = question.load(view)
    st.title("Can one picture poison the answer?")
    answer = st.container()
    question.bar(view, asked)
    panel = poison.choose_panel(view)
    if panel == "guard":
        poison.show_guard(asked)
    else:
        poison.choose_box(view)
        if panel == "share":
            poison.show_share(view, asked)
        else:
            known = poison.load_candidates(view, asked, panel)
            chosen = poison.choose_pictures(view, asked, panel, known)
            poison.show_run(view, asked, panel, chosen, answer)
    poison.show_purpose(answer, view)
    footer.show(asked.study, view, asked.explanation)
