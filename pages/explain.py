"""Which training images made the model say that?"""

from pages._common import badge, chooser, footer, question, retraining, scatter, table
from pages._parts.explain import answer, evidence, intro, opened
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

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
    chart, beside = scatter.places(view)
    with chart:
        scatter.show(study, view, explanation)
    with beside:
        opened.show(study, view, explanation)
    retraining.show(study, view, explanation)
    table.show(study, explanation)
    footer.show(study, view, explanation)
