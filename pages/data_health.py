"""Is anything wrong with the data?"""

from pages._parts.data_health import answer, findings, model
from pages._shell import results
from pages._shell.catalogue import DATA_HEALTH
from pages._shell.page import heading, open_page

with open_page(DATA_HEALTH) as (view, params):
    heading(DATA_HEALTH.question, DATA_HEALTH)
    view.check()
    findings.follow(view)
    study = results.load_study(view)
    asked = model.load(study, view, params)
    found = findings.left(study, (*answer.load(study), *asked.findings))
    answer.show(study, found, asked.looking)
    answer.elsewhere(view)
    model.show_work(study, asked)
    findings.show(study, view, found)
    answer.show_classes(study)
    answer.show_origin(study)
