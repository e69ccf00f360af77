"""Which training images made the model say that?"""

import streamlit as st

from influence_core.errors import InfluenceError
from pages._shared import (
    access,
    answer,
    charts,
    chooser,
    evidence,
    example,
    footer,
    intro,
    ranking,
    retraining,
    sidebar,
)
from pages._shared.front import enter
from pages._shared.messages import show_error
from pages._shared.view import read_view, start_over

enter()
view = read_view()
sidebar.show(view)
try:
    view.check()
    study = access.load_study(view)
    known = access.load_predictions(study)
    question = access.find_question(study, view, known)
    explanation = access.load_explanation(study, view, question)
    view.check_ids(explanation)
    answer.headline(study, explanation)
    intro.show(view)
    chooser.show(study, view, known, explanation)
    answer.show(study, view, explanation)
    evidence.show(study, view, explanation)
    chart, opened = charts.places(view)
    with chart:
        charts.show(study, view, explanation)
    with opened:
        example.show(study, view, explanation)
    retraining.show(study, view, explanation)
    ranking.show(study, explanation)
    footer.show(study, view, explanation)
except InfluenceError as error:
    show_error(error)
    st.button("Start over with the first test image", key="start_over", on_click=start_over)
