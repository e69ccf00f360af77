"""Is this label right?"""

import streamlit as st

from pages._common import badge, question
from pages._parts import review, wrong_labels
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    question.only_for(view, wrong_labels.fits, review.WHY, wrong_labels.OFFERED)
    review.check(view)
    study = wrong_labels.load_study(view)
    st.title("Is this label right?")
    if not view.review:
        review.begin(study, view)
        st.stop()
    now = review.load(study, view)
    review.show_answer(study, now)
    badge.show_judged(review.TRUST)
    suspect, progress = st.columns([2, 1], gap="medium")
    with suspect:
        review.show_suspect(study, view, now)
    with progress:
        review.show_progress(study, view, now)
    review.show_verdicts(study, view, now)
    review.show_origin(study, now)
