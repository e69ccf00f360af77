"""All training images in one picture."""

from __future__ import annotations

from typing import Any

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import Number
from influence_core.figures.explain import Unit, influence_against_distance
from influence_core.studies import Study
from pages._shell.address import View, choose_also, go_to
from pages._shell.charts import show_chart


def show_distance(
    study: Study, view: View, explanation: Explanation, number: Number, unit: Unit, height: int = 460
) -> None:
    """Influence, or another number, against distance; points can be opened and chosen."""
    figure = influence_against_distance(
        explanation, view.opened, view.chosen, number, unit, height, study.file_name
    )
    show_points(figure, "scatter", several=True, alt="effect against distance")


def show_points(figure: Any, key: str, several: bool = False, **options: Any) -> None:
    """A chart in which a click on a point opens its example, and a lasso chooses ``several`` where it may."""
    show_chart(figure, key=key, on_select=lambda: _on_points(key, several), **options)


def _on_points(key: str, several: bool) -> None:
    selection = st.session_state[key].selection
    ids = [str(point["customdata"][0]) for point in selection.points if point.get("customdata")]
    if several and (selection.box or selection.lasso):
        choose_also(ids)
    elif ids:
        go_to(open=ids[0])
