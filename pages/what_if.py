"""What if these training examples were different?"""

import streamlit as st

from pages._common import footer, question, table
from pages._parts import what_if
from pages._shell.catalogue import WHAT_IF
from pages._shell.page import open_page

with open_page(WHAT_IF) as (view, params):
    answer = question.load(view)
    study, explanation = answer.study, answer.explanation
    st.title(f"What if these {explanation.examples} were different?")
    st.markdown(
        "Choose a group and what happens to it. The forecast comes at once; training again shows the truth."
    )
    question.bar(view, answer)
    at, change = what_if.choose(study, view, params, explanation)
    if not len(at):
        st.info(f"No {explanation.examples} are chosen yet.")
    elif not change.changes(explanation.labels[at]):
        st.info("This would change nothing: choose another label or weight.")
    else:
        what_if.show_group(study, explanation, at)
        what_if.show_forecast(study, params, explanation, at, change)
    table.download(study, explanation)
    footer.show(study, view, explanation)
