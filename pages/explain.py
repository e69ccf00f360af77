"""Which training images made the model say that?"""

from pages._common import chooser, footer, question, retraining, take_home
from pages._parts.explain import answer, evidence, flip, likeness, opened, panels, screen, sure
from pages._shell.catalogue import EXPLAIN
from pages._shell.page import open_page

with open_page(EXPLAIN) as (view, params):
    found = question.load(view)
    study, explanation = found.study, found.explanation
    line, dock, beside = screen.lay_out(study, view, params, explanation)
    with line:
        flip.headline(study, view, explanation)
    with dock:
        answer.show(study, view, params, explanation)
        opened.show(study, view, params, explanation)
        likeness.warning(study, view, explanation)
    with beside:
        evidence.show(study, view, params, explanation)
        chooser.show(study, view, found.known, explanation)
        panels.show(study, view, params, explanation)
        sure.show(study, params, explanation)
        retraining.show(study, view, explanation, params.retrain, params.unit)
    take_home.button(view, study, explanation)
    footer.show(study, view, explanation, params.unit)
