"""Why: what the coefficients say, and what in one training row makes it matter."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.experiments import features
from influence_core.experiments.domain_mismatch import DomainMismatch
from influence_core.figures import domain_mismatch as drawn
from influence_core.figures.features import feature_bars
from pages._parts.domain_mismatch.case import Case
from pages._parts.domain_mismatch.rows import MAX_ROWS
from pages._shell.address import View
from pages._shell.escape import escape_markdown
from pages._shell.widgets import bound


def show(view: View, case: Case) -> None:
    """What the coefficients say, and what in one training row makes it matter."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Would the coefficients have told?")
        st.plotly_chart(drawn.coefficients(case.story), key="coefficients")
        st.caption(f"Full: {_full(case.story)}. {_coefficient_rank(case.story)}")
    with right:
        st.subheader("What in a row makes it matter?")
        _features(case, _choose_row(view, case))


def _choose_row(view: View, case: Case) -> int:
    answer = case.explanation
    offered = [int(one) for one in answer.ids[_offered_rows(case.story)]]
    if view.opened is not None and view.opened not in offered:
        answer.position(view.opened)  # refuses in words what there is not
        offered.append(view.opened)
    row = offered[0] if view.opened is None else view.opened

    def name(one: int) -> str:
        return f"row {one}: {answer.class_names[answer.labels[answer.position(one)]]}"

    bound(st.selectbox, "open", row, "Training row", offered, key="group_row", format_func=name)
    return row


def _features(case: Case, row: int) -> None:
    found = features.run(case.study, case.explanation, row)
    st.plotly_chart(feature_bars(found, 10, case.story.group_features), key="row_features")
    st.caption(
        f"The change of the loss of “{escape_markdown(case.explanation.label_name)}” for each unit by which a feature of "
        f"this row rose. Full: {_full(case.story)}."
    )


def _offered_rows(story: DomainMismatch) -> np.ndarray:
    """The group's rows, the one that helps most first; the strongest of all where the group has none."""
    at = story.group_rows()[:MAX_ROWS]
    if not len(at):
        return story.top(MAX_ROWS)
    return at[np.argsort(-story.explanation.scores[at], kind="stable")]


def _full(story: DomainMismatch) -> str:
    """What the full bars are."""
    names = [story.feature_names[at] for at in story.group_features]
    return (
        escape_markdown(names[0])
        if len(names) == 1
        else f"features of the column “{escape_markdown(story.counts.group.column)}”"
    )


def _coefficient_rank(story: DomainMismatch) -> str:
    name = story.counts.group.name
    if name not in story.feature_names:
        return ""
    at = story.feature_names.index(name)
    larger = int((np.abs(story.coefficients) > abs(story.coefficients[at])).sum())
    return f"{larger:,} of {len(story.coefficients):,} coefficients are larger than that of {escape_markdown(name)}."
