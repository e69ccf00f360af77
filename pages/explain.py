"""Which training images made the model say that?"""

from pages._shared import (
    answer,
    badge,
    charts,
    chooser,
    evidence,
    example,
    footer,
    intro,
    question,
    ranking,
    retraining,
    sidebar,
)
from pages._shared.front import enter, errors_shown
from pages._shared.view import read_view

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    asked = question.load(view)
    study, explanation = asked.study, asked.explanation
    answer.headline(study, explanation)
    badge.show(study, view, explanation)
    intro.show(view)
    chooser.show(study, view, asked.known, explanation)
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
