"""How to read the numbers: one picture, a glossary, the formulas."""

import streamlit as st

from influence_core.words import sign_rule
from pages._common import word_meanings
from pages._parts import tour
from pages._parts.guide_texts import DIAGRAM, FORMULAS, LIMITS, MINUS, PLUS, SUMMARY, TRUST, pages
from pages._shell.address import read_address
from pages._shell.catalogue import GUIDE
from pages._shell.page import enter

enter()
read_address(GUIDE.params)  # it shows nothing of the question, but whoever goes on from here takes it along
st.title("How do I read an influence?")
st.markdown(SUMMARY)
st.header("From a question to a number")
st.graphviz_chart(DIAGRAM, width="stretch")
for column, words in zip(st.columns(2, gap="large"), (PLUS, MINUS), strict=True):
    with column, st.container(border=True, height="stretch"):
        st.markdown(words)
st.caption(sign_rule("example"))
for heading, words in (
    ("May I trust it?", TRUST),
    ("Which page answers what", pages()),
    ("Words", word_meanings.table()),
    ("When not to believe it", LIMITS),
):
    st.header(heading)
    st.markdown(words)
tour.show()
with st.expander("The formulas"):
    for words, formula in FORMULAS:
        st.markdown(words)
        st.latex(formula)
    st.markdown(
        "Koh & Liang, *Understanding Black-box Predictions via Influence Functions*, ICML 2017, arXiv 1703.04730."
    )
st.page_link("pages/explain.py", label="Back to the test examples")
