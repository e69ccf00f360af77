"""Which solver can I trust here?"""

import streamlit as st

from pages._common import question
from pages._parts import solver_comparison
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    solver_comparison.names(view)
    asked = solver_comparison.load_question(view)
    st.title("Which solver can I trust here?")
    answer = st.container()
    question.bar(view, asked)
    solver_comparison.choose(view)
    result = solver_comparison.load(view, asked)
    with answer:
        solver_comparison.show_answer(result)
    solver_comparison.show_table(asked.study, result)
    solver_comparison.show_convergence(result)
    solver_comparison.show_agreement(asked.study, result)
    solver_comparison.show_eigenvalues(view, asked.study)
