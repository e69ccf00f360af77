"""Two models, two reasons?"""

from pages._common import footer, question
from pages._parts.two_models import comparison, reasons
from pages._shell.catalogue import TWO_MODELS
from pages._shell.page import heading, open_page

with open_page(TWO_MODELS, any_study=True) as (view, _):
    heading("Two models, two reasons?", TWO_MODELS)
    reason = TWO_MODELS.supports(view.spec)
    if reason is None:
        view, kernel = comparison.choose_test(view)
        asked = question.load(view)
        study, explanation = asked.study, asked.explanation
        result = comparison.load(study, kernel, explanation)
        comparison.show_answer(result)
        question.bar(view, asked)
        comparison.show_reasons(study, view, result)
        comparison.show_table(study, result)
        reasons.show(study, view, explanation)
        comparison.show_origin(kernel, result)
    else:
        reasons.offer(reason)
        asked = question.load(view)
        study, explanation = asked.study, asked.explanation
        question.bar(view, asked)
        reasons.show(study, view, explanation)
    footer.show(study, view, explanation)
