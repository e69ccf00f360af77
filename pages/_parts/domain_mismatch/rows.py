"""Errors and rows of the group: how many there are, and which training rows matter most."""

from __future__ import annotations

import streamlit as st

from influence_core.figures import domain_mismatch as drawn
from influence_core.words import nats
from pages._common.cards import show_record
from pages._parts.domain_mismatch.case import Case
from pages._shell.escape import escape_markdown

MAX_ROWS = 8
"""Rows of the group that are listed and, on request, taken out one by one."""


def show_errors(case: Case) -> None:
    """Errors and training rows of the group, and of the column's other groups."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Rows of the group")
        st.dataframe(_counts(case), hide_index=True, width="stretch")
        if case.whole is not None:
            st.plotly_chart(drawn.before_and_after(case.story), key="before_after")
            st.caption("Open: trained with the missing rows; filled: without them.")
    with right:
        st.subheader("Errors of every group")
        st.plotly_chart(drawn.group_errors(case.groups, case.group), key="group_errors")


def _counts(case: Case) -> dict[str, list[str]]:
    """Training and test rows of the group by label, as columns of a table."""
    story, names = case.story, case.study.data.class_names
    rows = {"training": story.counts.train, "test": story.counts.test}
    if story.whole is not None:
        rows = {"training, none missing": story.whole.train} | rows
    columns: dict[str, list[str]] = {"rows": list(rows)}
    columns |= {name: [f"{int(one[label]):,}" for one in rows.values()] for label, name in enumerate(names)}
    return columns | {"in all": [f"{int(one.sum()):,}" for one in rows.values()]}


def show(case: Case) -> None:
    """The training rows that matter most to the test row, and those of the group."""
    chart, table = st.columns(2, gap="large")
    with chart:
        _strongest(case)
    with table:
        _of_the_group(case)


def _strongest(case: Case) -> None:
    st.subheader("The training rows that matter most")
    st.plotly_chart(drawn.strongest_rows(case.story), key="strongest_rows")
    st.caption(
        f"Full: of the group; pale: others. :orange[Minus]: without it the loss of "
        f"“{escape_markdown(case.explanation.label_name)}” falls, so it harms. :blue[Plus]: it helps."
    )


def _of_the_group(case: Case) -> None:
    answer, story = case.explanation, case.story
    st.subheader("The group's training rows")
    if not story.in_group.any():
        st.caption("There is none.")
        return
    at = story.group_rows()[:MAX_ROWS]
    st.dataframe(
        {
            "row": answer.ids[at],
            "label": [answer.class_names[one] for one in answer.labels[at]],
            "loss change": [nats(float(one)) for one in answer.scores[at]],
            "rank": answer.ranks()[at],
            "times others": [f"{story.times_next(int(one)):.2g}" for one in at],
        },
        hide_index=True,
        width="stretch",
    )
    more = int(story.in_group.sum()) - len(at)
    if more:
        st.caption(f"And {more:,} more of the group that matter less.")
    with st.expander(f"Test row {answer.test_id} as it is in the table"):
        show_record(case.study.data.record(int(answer.test_id or 0)), "row")
