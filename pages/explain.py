"""Which training images made the model say that?"""

from pages._common import chooser, footer, question, retraining, scatter, table, verdict
from pages._parts.explain import answer, evidence, foils, likeness, missing, opened, plane, sure
from pages._shell.catalogue import EXPLAIN
from pages._shell.page import open_page

with open_page(EXPLAIN) as (view, params):
    found = question.load(view)
    study, explanation = found.study, found.explanation
    answer.headline(study, explanation)
    verdict.show(study, view, explanation)
    answer.welcome(view)
    chooser.show(study, view, found.known, explanation)
    answer.show(study, view, explanation)
    likeness.warning(study, view, explanation)
    evidence.show(study, view, explanation)
    sure.show(study, view, explanation)
    plane.show(study, view, params, explanation)
    foils.show(study, view, params, explanation)
    missing.show(study, view, params, explanation)
    chart, beside = scatter.columns(view)
    with chart:
        scatter.show(study, view, explanation)
    with beside:
        opened.show(study, view, params, explanation)
    retraining.show(study, view, explanation, params.retrain)
    table.show(study, explanation)
    footer.show(study, view, explanation)
