"""What made it so, for many test examples, or another quantity than one answer?"""

import streamlit as st

from pages._parts.ask import answer, choose, taken_out
from pages._shell.catalogue import ASK
from pages._shell.page import open_page

with open_page(ASK) as (view, params):
    study = answer.open_study(view)
    place = st.container()
    choose.show(study, params)
    with place:
        asked = answer.load(study, view, params)
        answer.headline(asked)
    answer.examples(asked, view)
    answer.ranking(asked, view)
    answer.opened(asked, view)
    taken_out.show(asked, view, params)
    answer.reasons(asked, params)
    answer.origin(asked)
