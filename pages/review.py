"""Is this label right?"""

import streamlit as st

from pages._common import verdict
from pages._parts.review import agreement, batch, evidence, people, progress, session, suspect
from pages._shell.catalogue import REVIEW
from pages._shell.page import heading, open_page

with open_page(REVIEW) as (view, params):
    heading("Is this label right?", REVIEW)
    view.check()
    study, params, kept = session.find(view, params)
    if not params.review:
        session.begin(study, params)
        st.stop()
    now = session.load(study, params, kept)
    people.show_whose(now)
    tests = evidence.tests_set_right(study, now)
    several = params.cards and view.opened is None and now.current is not None
    found = None if several else evidence.find(study, now, view.opened, tests)
    if not several:
        suspect.show_answer(study, now, view.opened, found)
    left, right = st.columns([2, 1], gap="medium")
    with left:
        batch.switch(params.cards)
        if not several:
            suspect.show(study, now, view.opened, found)
        verdict.show_judged(suspect.TRUST)
        if several:
            batch.show(study, now)
        else:
            evidence.show(study, now, view.opened, tests, found)
    with right:
        progress.show(study, now, tests)
    agreement.show(study, now)
    session.end(study, now)
    session.show_origin(study, now)
