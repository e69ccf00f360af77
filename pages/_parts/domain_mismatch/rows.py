"""Errors and rows of the group: how many there are, which training rows matter most, and why."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.experiments import features
from influence_core.experiments.domain_mismatch import DomainMismatch
from influence_core.experiments.explanation import NUMBER_WORDS
from influence_core.figures import domain_mismatch as drawn
from influence_core.figures.features import feature_bars
from influence_core.words import nats
from pages._common.cards import show_record
from pages._common.table import open_row
from pages._parts.domain_mismatch.case import Case
from pages._shell.address import View
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown
from pages._shell.widgets import bound

MAX_ROWS = 8
"""Rows of the group that are listed and, on request, taken out one by one."""


def show_errors(case: Case) -> None:
    """Errors and training rows of the group, and of the column's other groups."""
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Rows of the group")
        st.dataframe(_counts(case), hide_index=True, width="stretch")
        st.caption("How many rows of the group there are to learn from and to test on, by their true label.")
        if case.whole is not None:
            show_chart(drawn.before_and_after(case.story), key="before_after")
            st.caption("Open: trained with the missing rows; filled: without them.")
    with right:
        st.header("Errors of every group")
        show_chart(drawn.group_errors(case.groups, case.group), key="group_errors")


def _counts(case: Case) -> dict[str, list[str]]:
    """Training and test rows of the group by label, as columns of a table."""
    story, names = case.story, case.study.data.class_names
    rows = {"training": story.counts.train, "test": story.counts.test}
    if story.whole is not None:
        rows = {"training, none missing": story.whole.train} | rows
    columns: dict[str, list[str]] = {"rows": list(rows)}
    columns |= {name: [f"{int(one[label]):,}" for one in rows.values()] for label, name in enumerate(names)}
    return columns | {"in all": [f"{int(one.sum()):,}" for one in rows.values()]}


def show(view: View, case: Case) -> None:
    """The training rows that matter most to the test row, and those of the group; an opened one in full."""
    chart, table = st.columns(2, gap="large")
    with chart:
        _strongest(case)
    with table:
        _of_the_group(case)
        _opened(view, case)


def _strongest(case: Case) -> None:
    st.header("The training rows that matter most")
    show_chart(drawn.strongest_rows(case.story), key="strongest_rows")
    st.caption(
        f"Full: of the group; pale: others. :orange[Minus]: without it the loss of "
        f"“{escape_markdown(case.explanation.label_name)}” falls, so it harms. :blue[Plus]: it helps."
    )


def _of_the_group(case: Case) -> None:
    answer, story = case.explanation, case.story
    st.header("The group's training rows")
    if not story.in_group.any():
        st.caption("There is none.")
        return
    at = story.group_rows()[:MAX_ROWS]
    ids = answer.ids[at]
    picked = st.dataframe(
        {
            "row": ids,
            "label": [answer.class_names[one] for one in answer.labels[at]],
            "loss change": [nats(float(one)) for one in answer.shown[at]],
            "rank": answer.ranks()[at],
            "times others": [f"{story.times_next(int(one)):.2g}" for one in at],
        },
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"group_rows_{answer.test_id}",
    )
    open_row(picked.selection.rows, ids, "group_row_opened")
    st.caption(
        "The box at the left of a row opens it below. **Loss change**: how the loss of test row "
        f"{answer.test_id} changes if the training row is taken out; plus, the row helps ({NUMBER_WORDS[answer.number]}). "
        f"**Rank**: its place among all {len(answer.ids):,} training rows by size of that. **Times others**: how many times as "
        "much as the strongest row of any other group."
    )
    more = int(story.in_group.sum()) - len(at)
    if more:
        st.caption(f"And {more:,} more of the group that matter less.")
    with st.expander(f"Test row {answer.test_id} as it is in the table"):
        show_record(case.study.data.record(int(answer.test_id or 0)), "row")


def _opened(view: View, case: Case) -> None:
    if view.opened is not None:
        answer = case.explanation
        label = answer.class_names[answer.labels[answer.position(view.opened)]]
        st.markdown(f"**Training row {view.opened} in full**, labelled {escape_markdown(label)}")
        show_record(case.study.data.record(view.opened), "row")


def show_reasons(view: View, case: Case) -> None:
    """What the coefficients say, and what in one training row makes it matter."""
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Would the coefficients have told?")
        show_chart(drawn.coefficients(case.story), key="coefficients")
        st.caption(f"Full: {_full(case.story)}. {_coefficient_rank(case.story)}")
    with right:
        st.header("What in a row makes it matter?")
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
    show_chart(feature_bars(found, 10, case.story.group_features), key="row_features")
    st.caption(
        f"The change of the loss of “{escape_markdown(case.explanation.label_name)}” for each unit by which a feature of "
        f"this row rose. Full: {_full(case.story)}."
    )


def _offered_rows(story: DomainMismatch) -> np.ndarray:
    """The group's rows, the one that helps most first; the strongest of all where the group has none."""
    at = story.group_rows()[:MAX_ROWS]
    if not len(at):
        return story.top(MAX_ROWS)
    return at[np.argsort(-story.explanation.shown[at], kind="stable")]


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
