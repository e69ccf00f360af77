"""Two models' reasons as scatters: forecast against distance (the paper's Figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence_core.agreement import strongest
from influence_core.experiments.reasons import Reasons
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY, by_sign
from influence_core.words import signed

CLEAR = "rgba(0,0,0,0)"
MAX_POINTS = 2_500
"""Up to so many points all are drawn; of more, the strongest and a fixed sample."""
STRONGEST = 500
PAPER_SAME, PAPER_OTHER = "#2ca02c", "#d62728"
"""The paper's green for the asked-about class and red for the other."""
PIXEL_DISTANCE = "Pixel distance to the test image (Euclidean)"


def scatter(
    reasons: Reasons,
    opened: int | None = None,
    distance: str = PIXEL_DISTANCE,
    across: tuple[float, float] | None = None,
) -> go.Figure:
    """The forecast upward against the distance, on a scale of its own; ``customdata`` of a point is ``[training id]``.

    Args:
        reasons: One model's.
        opened: Training id to ring, if the model has it.
        distance: What the distance is, in words.
        across: Ends of the axis of distances, where another chart has the same.
    """
    figure = go.Figure(_traces(reasons, paper=False))
    figure.add_trace(_ring(reasons, opened))
    figure.update_xaxes(title=distance, range=across)
    figure.update_yaxes(title=f"Predicted change of the loss, {reasons.unit}", title_standoff=4)
    return _lay_out(figure, 360, {"l": 64, "r": 12, "t": 10, "b": 50})


def reach(many: Sequence[Reasons]) -> tuple[float, float]:
    """The ends of an axis that holds the distances of all."""
    distances = np.concatenate([one.distance for one in many])
    room = 0.03 * float(np.ptp(distances))
    return float(distances.min()) - room, float(distances.max()) + room


def paper_figure(many: Sequence[Reasons], title: str = "") -> go.Figure:
    """The paper's scatters side by side, in its colours: green bears the label asked about, red another."""
    figure = make_subplots(
        cols=len(many), subplot_titles=[one.model for one in many], horizontal_spacing=0.12
    )
    for column, one in enumerate(many, 1):
        for trace in _traces(one, paper=True):
            figure.add_trace(trace, row=1, col=column)
        figure.update_yaxes(title=f"D, {one.unit}", title_standoff=4, row=1, col=column)
    figure.update_xaxes(title="Euclidean distance", range=reach(many))
    figure.update_layout(template="simple_white")
    figure.update_yaxes(zeroline=True, zerolinecolor=GREY.both, exponentformat="e")
    title_at = {"text": title, "x": 0.01, "yref": "container", "y": 0.96, "yanchor": "top"}
    return _lay_out(figure, 460, {"l": 70, "r": 12, "t": 100, "b": 50}, "white").update_layout(title=title_at)


def _traces(reasons: Reasons, paper: bool) -> list[go.Scattergl]:
    drawn = _drawn(reasons)
    return [_points(reasons, drawn & (reasons.same == same), same, paper) for same in (False, True)]


def _drawn(reasons: Reasons) -> np.ndarray:
    """``(n,)`` whether an example is drawn."""
    n = len(reasons.ids)
    drawn = np.full(n, n <= MAX_POINTS)
    drawn[strongest(reasons.scores, STRONGEST)] = True
    drawn[np.random.default_rng(0).choice(n, min(n, MAX_POINTS - STRONGEST), replace=False)] = True
    return drawn


def _points(reasons: Reasons, members: np.ndarray, same: bool, paper: bool) -> go.Scattergl:
    at = np.flatnonzero(members)
    scores = reasons.scores[at]
    colour: dict[str, Any] = {"color": PAPER_SAME if same else PAPER_OTHER} if paper else by_sign(scores)
    hover = [
        f"training {reasons.kind} {reasons.ids[i]}, labelled {escape_html(reasons.class_names[reasons.labels[i]])}"
        f"<br>{signed(float(reasons.scores[i]))} {reasons.unit}<br>distance {reasons.distance[i]:.4g}"
        for i in at
    ]
    return go.Scattergl(
        x=reasons.distance[at].astype(np.float32),
        y=scores.astype(np.float32),
        mode="markers",
        marker={
            "size": 6,
            "opacity": 0.8,
            **colour,
            "symbol": "circle" if same or paper else "circle-open",
            "line": {"width": 0 if same or paper else 1.3, **colour},
        },
        customdata=reasons.ids[at][:, None].tolist(),
        hovertext=hover,
        hoverinfo="text",
        unselected={"marker": {"opacity": 0.8}},
        showlegend=False,
    )


def _ring(reasons: Reasons, opened: int | None) -> go.Scatter:
    at = np.flatnonzero(reasons.ids == opened)
    return go.Scatter(
        x=reasons.distance[at],
        y=reasons.scores[at],
        mode="markers",
        hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 18, "color": GREY.both, "line": {"width": 2.5}},
        showlegend=False,
    )


def _lay_out(figure: go.Figure, height: int, margin: dict[str, int], background: str = CLEAR) -> go.Figure:
    figure.update_xaxes(zeroline=False, showgrid=False)
    if background == CLEAR:
        figure.update_yaxes(zeroline=True, zerolinecolor=GREY.both, exponentformat="e", nticks=6)
    return figure.update_layout(
        height=height,
        margin=margin,
        paper_bgcolor=background,
        plot_bgcolor=background,
        showlegend=False,
        hovermode="closest",
    )
