"""What if these training examples were different?"""

import streamlit as st

from pages._common import footer, question
from pages._parts.what_if import group, version, workshop
from pages._shell.catalogue import WHAT_IF
from pages._shell.page import open_page

with open_page(WHAT_IF) as (view, params):
    unchanged = workshop.unchanged(view)
    answer = question.load(unchanged)
    if unchanged is view:
        st.title(f"What if these {answer.explanation.examples} were different?")
        group.show(view, params, answer)
        workshop.add(view, answer)
    else:
        version.show(view, params, answer)
    footer.show(answer.study, unchanged, answer.explanation, unit="")
