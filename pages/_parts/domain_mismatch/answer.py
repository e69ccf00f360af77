"""How the group fares, and whether its own rows make it so."""

from __future__ import annotations

import streamlit as st

from pages._parts.domain_mismatch.case import Case
from pages._shell.escape import escape_markdown

RARE = 0.05
"""A group with a smaller share of the training rows has "only" so many."""


def show(case: Case) -> None:
    """The page's answer: how the group fares, and whether its own rows make it so."""
    st.markdown("  \n".join(_fares(case) + [_makes_it_so(case)]))
    if case.study.data.stand_in:
        st.caption(case.study.data.stand_in)


def _fares(case: Case) -> list[str]:
    counts, whole = case.story.counts, case.story.whole
    lines = [
        f"On test rows with **{escape_markdown(counts.group.name)}** the model is wrong on **{counts.errors.share}**; on all "
        f"others on {counts.elsewhere.share}."
    ]
    if whole is not None:
        gone = int((whole.train - counts.train).sum())
        lines.append(
            f"With the **{gone:,}** training rows put back that are missing here, it is wrong on **{whole.errors.share}**."
        )
    return lines


def _makes_it_so(case: Case) -> str:
    story, row = case.story, case.explanation.test_id
    mine, all_, leading = int(story.in_group.sum()), len(story.in_group), story.leading
    if not mine:
        return "No training row is of this group: the model has never seen one."
    seen = f"{'Only ' if mine < RARE * all_ else ''}**{mine:,}** of {all_:,} training rows {'is' if mine == 1 else 'are'} of it"
    times = f"**{story.times_next(int(story.top(1)[0])):.1f} times** as much as any row of another group"
    if not leading:
        return f"{seen}; the row that matters most to test row {row} is not among them."
    if leading == 1:
        return f"{seen}; the row that matters most to test row {row} is among them and counts {times}."
    return f"{seen}; the **{leading}** rows that matter most to test row {row} are all among them, and the first counts {times}."
