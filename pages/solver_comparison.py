"""Which solver can I trust here?"""

import streamlit as st

from pages._common import question
from pages._parts import solver_comparison
from pages._shell.catalogue import SOLVER_COMPARISON
from pages._shell.page import heading, open_page

with open_page(SOLVER_COMPARISON) as (view, params):
    heading("Which solver can I trust here?", SOLVER_COMPARISON)
    chosen = solver_comparison.names(view.spec, params)
    asked = solver_comparison.load_question(view)
    answer = st.container()
    question.bar(view, asked)
    solver_comparison.choose(chosen)
    result = solver_comparison.load(view, asked, chosen)
    with answer:
        solver_comparison.show_answer(result)
    solver_comparison.show_table(asked.study, result)
    solver_comparison.show_convergence(result)
    solver_comparison.show_agreement(asked.study, result)
    solver_comparison.show_eigenvalues(view, asked.study)
