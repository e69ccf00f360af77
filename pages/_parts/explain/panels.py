"""The views of all training examples, of which one is open: a row here, and a part that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from influence_core.experiments import additions
from influence_core.experiments import foils as other_rankings
from influence_core.experiments.explain import Explanation
from influence_core.studies import Study, StudySpec
from pages._common import table
from pages._parts.explain import charts, flip, foils, groups, missing, plane
from pages._shell.address import View
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import choice

Show = Callable[[Study, View, ExplainParams, Explanation], None]


@dataclass(frozen=True)
class Panel:
    """One view.

    Attributes:
        title: In the control.
        show: Draws it; only the open one is drawn.
        supports: Whether there is anything to show of this answer.
    """

    title: str
    show: Show
    supports: Callable[[Study, Explanation], bool] = lambda study, explanation: True


def _can(supports: Callable[[StudySpec], str | None]) -> Callable[[Study, Explanation], bool]:
    """Whether a study can be asked what an experiment asks."""
    return lambda study, explanation: supports(study.spec) is None


PANELS: dict[str, Panel] = {
    "groups": Panel("Groups", groups.show),
    "distance": Panel("Influence against distance", charts.distance),
    "map": Panel("Map", plane.show),
    "table": Panel("Table", table.panel),
    "anatomy": Panel("Anatomy", charts.anatomy),
    "flip": Panel("What flips it", flip.show),
    "foils": Panel("Other rankings", foils.show, _can(other_rankings.supports)),
    "missing": Panel("What is missing?", missing.show, _can(additions.supports)),
}
"""In the order of the control, by what the address's ``chart`` calls them."""
ALSO = {"best": "distance"}
"""Other words of ``chart``, and the panel that each of them opens."""


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The control, and the panel that is open."""
    offered = {name: panel for name, panel in PANELS.items() if panel.supports(study, explanation)}
    titles = {name: panel.title for name, panel in offered.items()}
    with st.container(key="panels"):
        label = f"All {explanation.examples}"
        shown = choice("chart", ALSO.get(view.chart, view.chart), label, titles, label_visibility="collapsed")
        offered[shown].show(study, view, params, explanation)
