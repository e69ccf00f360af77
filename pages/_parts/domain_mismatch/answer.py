"""How the group fares, whether its own rows make it so, and the choice of column, group and test row."""

from __future__ import annotations

from types import MappingProxyType

import streamlit as st

from influence_core.data.readers.tables import EMPTY
from influence_core.data.sets.hospital import PAPERS_CHILD
from influence_core.experiments.group_fails import MATTERS, Fared
from influence_core.words import percent, tenths
from pages._common import verdict
from pages._parts.domain_mismatch.case import Case
from pages._shell.address import View
from pages._shell.escape import escape_markdown, escaped
from pages._shell.widgets import bound

RARE = 0.05
"""A group with a smaller share of the training rows has "only" so many."""
ANY_TEST = MappingProxyType({"test": ""})
"""Another group is told by its own test row."""


FIRST = {
    "more": "Yes, it **fails more** on {group}",
    "less": "No, it **fails less** on {group}",
    "not more": "No, it does **not fail more** on {group}",
    "too few": "**Too few to tell** whether it fails more on {group}",
}
ALL_BUT_ALWAYS = 0.99


def show(case: Case) -> None:
    """The page's answer: whether it fails on the group at all, how it fares, and whether its own rows make it so."""
    st.markdown("  \n".join([_fails(case.fared, case.group.name)] + _fares(case) + [_makes_it_so(case)]))
    st.caption(_how_sure(case.fared))


def _fails(fared: Fared, group: str) -> str:
    first = FIRST[fared.fails].format(group=f"**{escape_markdown(group)}**")
    return f"{first}: wrong on **{fared.group.share}** of its test rows, on {fared.elsewhere.share} of all others."


def _how_sure(fared: Fared) -> str:
    """The interval, the test, and what they allow for."""
    low, high = map(tenths, fared.interval)
    looks = f", for all {fared.looks:,} groups of the column together" if fared.looks > 1 else ""
    at = f"one of the {fared.looks:,} groups" if fared.looks > 1 else "it"
    how_often = (
        "all but always"
        if fared.chance > ALL_BUT_ALWAYS
        else f"with a chance of up to {percent(fared.chance)}"
    )
    words = (
        f"Group less others: {low} to {high} (95 %{looks}). If all were alike, so large a difference would come up at {at} "
        f"{how_often} (Fisher's exact test)."
    )
    if fared.fails == "too few":
        words += (
            " With so few rows the model may fail on the group or not; what follows is about single rows."
        )
    if fared.fails == "not more":
        words += f" A difference of more than {tenths(MATTERS)} is ruled out."
    return words


def _fares(case: Case) -> list[str]:
    counts, whole = case.story.counts, case.story.whole
    if whole is None:
        return []
    gone = int((whole.train - counts.train).sum())
    return [
        f"With the **{gone:,}** training rows put back that are missing here, it is wrong on **{whole.errors.share}**."
    ]


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


def choose(view: View, case: Case) -> None:
    """Which column, which group, which test row."""
    with st.container(border=True, key="question"):
        first, second, third = st.columns(3, gap="medium")
        with first:
            _column(case)
        with second:
            _group(case)
        with third:
            _test(case)
        st.markdown(_test_sentence(case))
        verdict.show(case.study, view, case.explanation)


def _column(case: Case) -> None:
    label, now = "Groups by column", case.group.column
    bound(st.selectbox, "group", now, label, case.columns, key="group_column", also=ANY_TEST)


def _group(case: Case) -> None:
    groups = {one.group.value: one for one in case.groups}
    bound(
        st.selectbox,
        "group",
        case.group.value,
        "Group",
        [value for value, one in groups.items() if one.errors.rows],
        key="group_value",
        format_func=lambda value: f"{value or EMPTY}: wrong on {groups[value].errors}",
        write=lambda value: f"{case.group.column}={value}",
        also=ANY_TEST,
    )


def _test(case: Case) -> None:
    label, now = "Test row of the group", case.explanation.test_id
    bound(st.selectbox, "test", now, label, case.tests, key="group_test", format_func=_test_name)


def _test_name(test_id: int) -> str:
    name = f"row {test_id}"
    return f"{name} (the paper's child 1742)" if test_id == PAPERS_CHILD else name


def _test_sentence(case: Case) -> str:
    answer, story = case.explanation, case.story
    names = escaped(answer.class_names)
    said = names[answer.predicted_label]
    words = (
        f"**Test row {answer.test_id}** is **{names[answer.label]}**; the model says **{said}** "
        f"({percent(float(answer.probabilities.max()))})."
    )
    if story.whole_probabilities is not None:
        before = story.whole_probabilities
        words += (
            f" Trained with the missing rows it says **{names[int(before.argmax())]}** "
            f"({percent(float(before.max()))})."
        )
    return words
