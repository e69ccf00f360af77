"""One model's reasons: what it says, the scatter, and the strongest for and against."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.reasons import Reasons
from influence_core.figures.two_models import scatter
from influence_core.studies import Study
from influence_core.words import UNIT, percent, signed
from pages._common.cards import show_grid, training_card
from pages._common.picture_grid import Picture
from pages._common.scatter import show_points
from pages._shell.address import View
from pages._shell.escape import escape_markdown

TOP = 4


def says(one: Reasons) -> str:
    """The answer, and how sure the model is of the label asked about."""
    sure = percent(one.certainty) if one.unit == UNIT else f"margin {signed(one.certainty)}"
    asked = "" if one.answer == one.label else f"{escape_markdown(one.label_name)}: "
    return f"Says **{escape_markdown(one.class_names[one.answer])}** ({asked}{sure})."


def show_scatter(
    one: Reasons,
    opened: int | None,
    key: str,
    distance: str,
    across: tuple[float, float] | None = None,
) -> None:
    """The forecasts against a distance; a click on a point opens its example."""
    show_points(scatter(one, opened, distance, across), f"scatter_{key}")


def show_sides(study: Study, one: Reasons, view: View, key: str) -> None:
    """The strongest for and against the label asked about."""
    asked = escape_markdown(one.label_name)
    for tone, colour, words, at in (
        ("helpful", "blue", "for", one.helpful(TOP)),
        ("harmful", "orange", "against", one.harmful(TOP)),
    ):
        st.markdown(f"**:{colour}[Speak {words} {asked}]**")
        show_grid(
            study,
            [_card(study, one, int(i), tone, rank) for rank, i in enumerate(at, 1)],
            key=f"{key}_{tone}",
            chosen=[view.open],
        )


def _card(study: Study, one: Reasons, at: int, tone: str, rank: int) -> Picture:
    change = f"{signed(float(one.scores[at]))} {one.unit}"
    lines = (change, f"distance {one.distance[at]:.4g}")
    return training_card(study, at, lines, tone, f"{rank}. {one.class_names[one.labels[at]]}", f", {change}")
