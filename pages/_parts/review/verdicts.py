"""The last verdicts, the way out, and where the numbers come from."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.review import Review
from influence_core.experiments.suspects import METHODS
from influence_core.studies import Study
from pages._common import footer
from pages._common.cards import card_face
from pages._common.table import face_column, number
from pages._shell.address import go_to
from pages._shell.escape import escape_markdown

SHOWN = 8
"""Verdicts in the table."""


def show(study: Study, now: Review) -> None:
    """The last verdicts, and the way out."""
    if now.verdicts:
        st.markdown("**Your last verdicts**")
        _table(study, now)
    st.button("Leave this review (it stays kept)", key="review_leave", on_click=lambda: go_to(review=""))


def _table(study: Study, now: Review) -> None:
    last = now.verdicts[: -SHOWN - 1 : -1]
    names, kind = study.data.class_names, study.data.kind
    faces = [card_face(study, study.data.train, now.position(one.train_id)) for one in last]
    st.dataframe(
        {
            kind: [one["src"] or one["snippet"].replace("\n", " · ") for one in faces],
            "training id": [one.train_id for one in last],
            "verdict": [
                f"{names[one.old]} → {names[one.new]}" if one.relabels else f"keep {names[one.old]}"
                for one in last
            ],
            "time": [one.time for one in last],
        },
        hide_index=True,
        column_config=face_column(study) | {"training id": number(format="%d")},
    )


def show_origin(study: Study, now: Review) -> None:
    """What the ranking and the accuracy mean."""
    practice = (
        f" {now.flipped:,} labels were flipped at the start, to practise on." if now.flips is not None else ""
    )
    footer.show_origin(
        f"**Ranking.** {METHODS[now.method].capitalize()}: self-influence is the predicted rise of an example's own loss, in "
        "nats, if it were not there; labels that nothing else supports have most. No test example is used."
        f"{practice}  \n"
        f"**Accuracy.** On {len(study.data.test):,} test {study.data.kind}s as they are labelled; wrong labels "
        "among them are not looked for.  \n"
        f"**Kept.** Every verdict is written to the store of this machine under the name “{escape_markdown(now.session)}”, "
        "at once. The store forgets what was used longest ago when it is full: download what must last."
    )
