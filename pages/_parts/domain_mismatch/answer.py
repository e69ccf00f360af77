"""How the group fares, whether its own rows make it so, and the choice of column, group and test row."""

from __future__ import annotations

from types import MappingProxyType

import streamlit as st

from influence_core.data.readers.tables import EMPTY
from influence_core.data.sets.hospital import PAPERS_CHILD
from influence_core.words import percent
from pages._common import verdict
from pages._parts.domain_mismatch.case import Case
from pages._shell.address import View
from pages._shell.escape import escape_markdown, escaped
from pages._shell.widgets import bound

RARE = 0.05
"""A group with a smaller share of the training rows has "only" so many."""
ANY_TEST = MappingProxyType({"test": ""})
"""Another group is told by its own test row."""


def show(case: Case) -> None:
    """The page's answer: how the group fares, and whether its own rows make it so."""
    st.markdown("  \n".join(_fares(case) + [_makes_it_so(case)]))


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
