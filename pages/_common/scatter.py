"""All training images in one picture."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments import anatomy
from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import Number
from influence_core.figures.anatomy import anatomy as draw_anatomy
from influence_core.figures.explain import influence_against_distance
from influence_core.studies import Study
from influence_core.words import percent
from pages._shell import results
from pages._shell.address import MAX_CHOSEN, View, choose_also, go_to
from pages._shell.escape import escape_markdown
from pages._shell.widgets import choice


def columns(view: View) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Where the chart and the opened example stand: side by side, or below a chart that needs the whole width."""
    if view.chart == "anatomy":
        return st.container(), st.container()
    chart, opened = st.columns([1.7, 1], gap="medium")
    return chart, opened


def show(study: Study, view: View, explanation: Explanation) -> None:
    """Influence against distance, or the anatomy of the score."""
    titles = {"distance": "Influence against distance"}
    if explanation.number != "influence":
        titles["best"] = f"{explanation.number.capitalize()} against distance"
    titles["anatomy"] = "Anatomy"
    chart = choice("chart", view.chart, f"All {explanation.examples}", titles)
    if chart == "anatomy":
        _anatomy(study, explanation)
    else:
        _distance(study, view, explanation, explanation.number if chart == "best" else "influence")


def _distance(study: Study, view: View, explanation: Explanation, number: Number) -> None:
    show_distance(view, explanation, number)
    asked = escape_markdown(explanation.label_name)
    st.caption(
        f"Each point is a training {explanation.kind}. :blue[Blue, above the line]: speaks for {asked}. "
        f":orange[Orange, below]: speaks against. Filled: labelled {asked}; open: another label. Grey: how "
        "all of them lie. Click a point to open it; lasso or box select (top right of the chart) to choose several "
        f"for retraining as well (at most {MAX_CHOSEN} in all, the strongest first)."
    )


def show_distance(view: View, explanation: Explanation, number: Number = "influence") -> None:
    """Influence, or another number, against distance; points can be opened and chosen."""
    figure = influence_against_distance(explanation, view.opened, view.chosen, number)
    show_points(figure, "scatter", several=True, alt="loss change against distance")


def show_points(figure: Any, key: str, several: bool = False, **options: Any) -> None:
    """A chart in which a click on a point opens its example, and a lasso chooses ``several`` where it may."""
    st.plotly_chart(figure, key=key, on_select=lambda: _on_points(key, several), **options)


def _on_points(key: str, several: bool) -> None:
    selection = st.session_state[key].selection
    ids = [str(point["customdata"][0]) for point in selection.points if point.get("customdata")]
    if several and (selection.box or selection.lasso):
        choose_also(ids)
    elif ids:
        go_to(open=ids[0])


def _anatomy(study: Study, explanation: Explanation) -> None:
    result = results.load("Taking the score apart", anatomy.run, study, explanation)
    st.plotly_chart(draw_anatomy(result, explanation.label_name), key="anatomy")
    helps, harms = result.agreement()
    same, eye = (
        escape_markdown(explanation.label_name),
        f"likeness of the {explanation.kind}s to the model's eye",
    )
    st.caption(
        f"The score of every training {explanation.kind} (upward) against what is left of it when a factor is dropped. "
        "**Without the training loss**, examples that the model already fits well would seem to matter. **Without the "
        f"curvature**, {percent(helps)} of those labelled {same} would help and {percent(harms)} of the others would harm: "
        f"little but the label is left. **Without both**, only the {eye}. Filled: the label asked about."
    )
