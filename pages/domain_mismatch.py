"""Why does it fail on this group?"""

from pages._common import footer, table, upload
from pages._parts.domain_mismatch import answer, proof, rows
from pages._parts.domain_mismatch.case import load
from pages._shell.catalogue import DOMAIN_MISMATCH
from pages._shell.page import heading, open_page, require_study

with open_page(DOMAIN_MISMATCH, any_study=True) as (view, params):
    heading("Why does it fail on this group?", DOMAIN_MISMATCH)
    upload.show()
    require_study(view, DOMAIN_MISMATCH)
    case = load(view, params)
    answer.show(case)
    answer.choose(view, case)
    rows.show_errors(case)
    rows.show(view, case)
    rows.show_reasons(view, case)
    proof.show(params, case)
    table.download(case.study, case.explanation)
    footer.show(case.study, view, case.explanation)
