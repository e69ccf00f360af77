"""Two models, two reasons?"""

import streamlit as st

from pages._common import footer, question
from pages._parts import two_models
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    if two_models.fits(view.study):
        view, kernel = two_models.choose_test(view)
        asked = question.load(view)
        result = two_models.load(asked, kernel)
        st.title("Two models, two reasons?")
        two_models.show_answer(result)
        question.bar(view, asked)
        two_models.show_reasons(asked.study, view, result)
        two_models.show_table(asked.study, result)
        two_models.show_pinned(view, asked)
        two_models.show_origin(kernel, result)
    else:
        st.title("Two models, two reasons?")
        two_models.offer(view)
        asked = question.load(view)
        question.bar(view, asked)
        two_models.show_pinned(view, asked)
    footer.show(asked.study, view, asked.explanation)
