"""Two reviewers of one study: how often they say the same, and the way to settle where they do not."""

from __future__ import annotations

import math

import streamlit as st

from influence_core.experiments.review import Review, Verdict
from influence_core.sessions import reviews, two_reviewers
from influence_core.sessions.two_reviewers import TwoReviewers
from influence_core.studies import Study
from influence_core.words import ratio
from pages._common.cards import example_card, show_grid
from pages._parts.review.session import in_words, record
from pages._shell import results
from pages._shell.escape import escape_markdown

SHOWN = 6
"""Disagreements at a time."""
FEW = 20
"""Examples below which the number says little."""


def show(study: Study, now: Review) -> None:
    """Beside another review of the same list; nothing where no example was judged in two."""
    listed = reviews.state(results.get_store(), now)
    names = two_reviewers.others(now, listed)
    if not names:
        return
    with st.container(border=True, key="agreement"):
        st.header("Two reviewers")
        other = names[0]
        if len(names) > 1:
            other = st.selectbox("Beside the review", names, key="review_beside")
        found = two_reviewers.compare(now, listed, other)
        st.markdown(_sentence(study, found))
        for one, two in found.open[:SHOWN]:
            _disagreement(study, now, found, one, two)
        if len(found.open) > SHOWN:
            st.caption(f"{len(found.open) - SHOWN:,} more come once these are settled.")


def _sentence(study: Study, found: TwoReviewers) -> str:
    k, kind = len(found.first), study.data.kind
    mine, other = (f"“{escape_markdown(one)}”" for one in found.names)
    few = f" Of so few (under {FEW}) it says little." if k < FEW else ""
    differ = k - found.alike
    told = (
        f"Settled: {differ - len(found.open):,} of {differ:,} difference{'s' * (differ != 1)}."
        if differ
        else ""
    )
    unsure = f" On {found.unsure:,} more one of the two is unsure." if found.unsure else ""
    return (
        f"The reviews {mine} and {other} have both judged **{k:,}** {kind}{'s' * (k != 1)}: **{found.alike:,} alike**. "
        f"{_kappa(found.kappa)}{few} {told}{unsure} In *My changes* the first verdict counts until a difference is settled."
    )


def _kappa(kappa: float) -> str:
    if math.isnan(kappa):
        return "All verdicts are the same one, so chance would agree as often (no Cohen's kappa)."
    return (
        f"Cohen's kappa is **{ratio(kappa)}**: 1 would be always alike, 0 as often as two who keep, relabel and remove as many, "
        "but at random."
    )


def _disagreement(study: Study, now: Review, found: TwoReviewers, one: Verdict, two: Verdict) -> None:
    """The example, both verdicts, and a button for each."""
    train, names, at = study.data.train, study.data.class_names, one.train_id
    face, words = st.columns([1, 3], vertical_alignment="center")
    with face:
        title = f"{at}: {names[one.old]}"
        card = example_card(study, train, now.position(at), f", labelled {names[one.old]}", title, ())
        show_grid(study, [card], key=f"differ_{at}", width=84, marked=False)
    with words, st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for verdict, name in zip((one, two), found.names, strict=True):
            st.button(
                f"{escape_markdown(in_words(verdict, names))} (“{escape_markdown(name)}”)",
                key=f"settle_{at}_{name}",
                on_click=record,
                args=(study, now, two_reviewers.settle(verdict, found.names)),
                help="The last word: it counts in both reviews and in the list.",
            )
