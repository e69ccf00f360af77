"""Labels that the model contradicts: the way into Review, and a verdict on a test label beside its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from influence_core.experiments import suspects
from influence_core.studies import Study
from pages._common import test_label
from pages._common.cards import show_grid
from pages._common.picture_grid import Picture
from pages._shell.address import OF_THE_QUESTION, View
from pages._shell.catalogue import REVIEW

SHOWN = 8
"""Test examples that are shown at first."""
MORE = 40
"""The same once it is unfolded."""
WIDTH = 150


def review(study: Study, view: View) -> None:
    """To the queue in which they come first."""
    st.page_link(
        REVIEW.script,
        label="Review them, one after the other",
        icon=":material/rule:",
        query_params=view.query(*OF_THE_QUESTION) | {"score": suspects.first_queue(study)},
    )


def mend(study: Study, cards: Sequence[Picture], on_click: Callable[[str], None]) -> None:
    """Test examples, each with the way to give it another label, or to say that it has the right one."""
    _row(study, cards[:SHOWN], on_click)
    if len(cards) > SHOWN:
        folded = st.expander("More of them", key="more_contradicted_tests", on_change="rerun")
        if folded.open:
            with folded:
                _row(study, cards[SHOWN:MORE], on_click)


def _row(study: Study, cards: Sequence[Picture], on_click: Callable[[str], None]) -> None:
    known = study.predictions
    with st.container(horizontal=True, gap="small"):
        for card in cards:
            at = study.data.test.position(int(card.id))
            with st.container(width=WIDTH, gap=None):
                show_grid(study, [card], key=f"tested_{card.id}", on_click=on_click, width=WIDTH - 10)
                true, of = int(known.labels[at]), f"_{card.id}"
                test_label.offer(study, int(card.id), true, known.probabilities[at], of)
                test_label.right(study, int(card.id), "It is right", f"right_{card.id}", type="tertiary")
