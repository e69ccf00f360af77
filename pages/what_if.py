"""What if these training examples were different?"""

import streamlit as st

from pages._common import footer, question, table
from pages._parts import what_if
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    what_if.check(view)
    asked = question.load(view)
    study, explanation = asked.study, asked.explanation
    st.title(f"What if these {explanation.examples} were different?")
    st.markdown(
        "Choose a group and what happens to it. The forecast comes at once; training again shows the truth."
    )
    question.bar(view, asked)
    at, change = what_if.choose(study, view, explanation)
    if not len(at):
        st.info(f"No {explanation.examples} are chosen yet.")
    elif not change.changes(explanation.labels[at]):
        st.info("This would change nothing: choose another label or weight.")
    else:
        what_if.show_group(study, view, explanation, at)
        what_if.show_forecast(study, view, explanation, at, change)
    table.download(study, explanation)
    footer.show(study, view, explanation)
