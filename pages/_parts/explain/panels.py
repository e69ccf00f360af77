"""The views of all training examples, of which one is open: a row here, and a part that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from influence_core.experiments import additions
from influence_core.experiments import foils as other_rankings
from influence_core.experiments.explain import Explanation
from influence_core.studies import Study
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


PANELS: dict[str, Panel] = {
    "groups": Panel("Groups", groups.show),
    "flip": Panel("What flips it", flip.show),
    "distance": Panel("Influence against distance", charts.distance),
    "map": Panel("Map", plane.show),
    "table": Panel("Table", table.panel),
    "missing": Panel(
        "What is missing", missing.show, lambda study, _: additions.supports(study.spec) is None
    ),
    "foils": Panel(
        "Other rankings", foils.show, lambda study, _: other_rankings.supports(study.spec) is None
    ),
    "anatomy": Panel("Anatomy", charts.anatomy),
}
"""In the order of the control, by what the address's ``chart`` calls them."""
OPENING = "distance"
"""Open where the address names none that there is."""
ALSO = {"best": "distance"}
"""Other words of ``chart``, and the panel that each of them opens."""


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The control, and the panel that is open."""
    offered = {name: panel for name, panel in PANELS.items() if panel.supports(study, explanation)}
    titles = {name: panel.title for name, panel in offered.items()}
    with st.container(key="panels"):
        label = f"All {explanation.examples}"
        asked = ALSO.get(view.chart, view.chart)
        known = asked if asked in offered else OPENING
        shown = choice("chart", known, label, titles, label_visibility="collapsed")
        offered[shown].show(study, view, params, explanation)
