"""One model's reasons: what it says, the scatter, and the strongest for and against."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.reasons import Reasons
from influence_core.figures.two_models import scatter
from influence_core.studies import Study
from influence_core.words import UNIT, percent, signed
from pages._common.cards import card_face
from pages._common.picture_grid import Picture, picture_grid
from pages._shell.address import View, go_to
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
    st.plotly_chart(
        scatter(one, opened, distance, across),
        key=f"scatter_{key}",
        on_select=lambda: _on_point(f"scatter_{key}"),
    )


def _on_point(key: str) -> None:
    points = st.session_state[key].selection.points
    if points and points[0].get("customdata"):
        go_to(open=str(points[0]["customdata"][0]))


def show_sides(study: Study, one: Reasons, view: View, key: str) -> None:
    """The strongest for and against the label asked about."""
    asked = escape_markdown(one.label_name)
    for tone, colour, words, at in (
        ("helpful", "blue", "for", one.helpful(TOP)),
        ("harmful", "orange", "against", one.harmful(TOP)),
    ):
        st.markdown(f"**:{colour}[Speak {words} {asked}]**")
        picture_grid(
            [_card(study, one, int(i), tone, rank) for rank, i in enumerate(at, 1)],
            key=f"{key}_{tone}",
            chosen=[view.open],
            on_click=lambda train_id: go_to(open=train_id),
            columns_min_px=92 if study.data.pictured else 170,
        )


def _card(study: Study, one: Reasons, at: int, tone: str, rank: int) -> Picture:
    name, train_id = one.class_names[one.labels[at]], one.ids[at]
    change = f"{signed(float(one.scores[at]))} {one.unit}"
    return Picture(
        id=str(train_id),
        **card_face(study, study.data.train, at),
        alt=f"training {one.kind} {train_id}, labelled {name}, {change}",
        title=f"{rank}. {name}",
        lines=(change, f"distance {one.distance[at]:.4g}"),
        tone=tone,
    )
