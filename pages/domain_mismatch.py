"""Why does it fail on this group?"""

import streamlit as st

from pages._common import footer, question, table, upload
from pages._parts import domain_mismatch
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    st.title("Why does it fail on this group?")
    upload.show(view)
    question.only_for(
        view,
        domain_mismatch.fits,
        "Groups are told apart by the columns of a table. Open a study on a table, or use a table of your own.",
        domain_mismatch.OFFERED,
    )
    told = domain_mismatch.load(view)
    domain_mismatch.answer(told)
    domain_mismatch.choose(view, told)
    domain_mismatch.errors(told)
    domain_mismatch.rows(view, told)
    domain_mismatch.reasons(view, told)
    domain_mismatch.proof(view, told)
    table.download(told.study, told.explanation)
    footer.show(told.study, view, told.explanation)
