"""What if these training examples were different?"""

import streamlit as st

from pages._shared import footer, question, ranking, sidebar, what_if
from pages._shared.front import enter, errors_shown
from pages._shared.view import read_view

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
    ranking.download(study, explanation)
    footer.show(study, view, explanation)
