"""The forecast against the truth of every left-out example (the paper's Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LeaveOneOut
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY, by_sign
from influence_core.words import UNIT, nats

CLEAR = "rgba(0,0,0,0)"
PAPER_BLUE = "#1f77b4"
PAPER_LIMIT = 0.05
"""Half of each of the paper's axes, nats."""
ROOM = 1.08


@dataclass(frozen=True, eq=False)
class Panel:
    """What one panel of the paper's figure shows.

    Attributes:
        title: Above the panel.
        left_out: The truth.
        predicted: ``(k,)`` the forecasts upward, nats, in the order of ``left_out``.
    """

    title: str
    left_out: LeaveOneOut
    predicted: np.ndarray


def forecast_and_truth(
    left_out: LeaveOneOut,
    explanation: Explanation,
    predicted: np.ndarray | None = None,
    opened: int | None = None,
    height: int = 520,
) -> go.Figure:
    """Each left-out example as its forecast upward over the true change; on the diagonal the forecast came true.

    ``customdata`` of every point is ``[training id]``. Blue was forecast to help, orange to harm; filled points bear
    the label asked about. Both axes are the same.

    Args:
        left_out: The truth.
        explanation: The question, for labels.
        predicted: ``(k,)`` other forecasts than ``D``, nats.
        opened: Training id to ring.
        height: In pixels.
    """
    forecast = left_out.predicted if predicted is None else predicted
    ends = ends_of(left_out.actual, forecast)
    figure = go.Figure(diagonal(ends))
    at = np.array([explanation.position(int(one)) for one in left_out.train_ids])
    same = explanation.labels[at] == explanation.label
    for members, symbol in ((~same, "circle-open"), (same, "circle")):
        rows = np.flatnonzero(members)
        if len(rows):
            figure.add_trace(_points(left_out, explanation, forecast, rows, symbol))
    figure.add_trace(ring(left_out.train_ids, left_out.actual, forecast, opened))
    return square(figure, ends, f"Forecast, {UNIT}", height)


def ring(ids: np.ndarray, truth: np.ndarray, forecast: np.ndarray, opened: int | None) -> go.Scatter:
    """A ring around the point of the example that is open, if it is among ``ids (k,)``."""
    at = np.flatnonzero(ids == opened)
    marker = {"symbol": "circle-open", "size": 20, "color": GREY.both, "line": {"width": 2.5}}
    return go.Scatter(
        x=truth[at], y=forecast[at], mode="markers", marker=marker, hoverinfo="skip", name="opened"
    )


def square(figure: go.Figure, ends: Sequence[float], title: str, height: int) -> go.Figure:
    """The truth to the right and a forecast upward, on axes of one scale and one range, with a quiet look."""
    zero = {"zeroline": True, "zerolinecolor": "rgba(128,135,144,0.35)", "showgrid": False, "nticks": 7}
    common = {"range": ends, "constrain": "domain", "exponentformat": "power", **zero}
    figure.update_xaxes(title=f"After training again without it, {UNIT}", **common)
    figure.update_yaxes(title=title, scaleanchor="x", **common)
    return figure.update_layout(
        height=height,
        margin={"l": 64, "r": 20, "t": 12, "b": 50},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        hovermode="closest",
        showlegend=False,
    )


def paper_panels(panels: Sequence[Panel], limit: float | None = PAPER_LIMIT, title: str = "") -> go.Figure:
    """The paper's row of panels in its look: equal axes, a thin black diagonal, blue dots.

    Args:
        panels: From left to right.
        limit: Half of every axis, nats; ``None`` takes what the points need.
        title: For a figure that stands alone.
    """
    reach = limit or max(float(np.abs(ends_of(one.left_out.actual, one.predicted)).max()) for one in panels)
    figure = make_subplots(
        cols=len(panels),
        shared_yaxes=True,
        subplot_titles=[one.title for one in panels],
        horizontal_spacing=0.03,
    )
    for column, panel in enumerate(panels, 1):
        figure.add_trace(diagonal([-reach, reach], paper=True), row=1, col=column)
        figure.add_trace(_paper_points(panel), row=1, col=column)
    axis: dict[str, Any] = {"range": [-reach, reach], "showgrid": False, "zeroline": False, "mirror": True}
    if limit:
        axis |= {"tickvals": [-0.6 * limit, 0, 0.6 * limit]}
    figure.update_xaxes(title="Actual diff in loss", scaleanchor="y", constrain="domain", **axis)
    figure.update_yaxes(constrain="domain", **axis)
    figure.update_yaxes(title="Predicted diff in loss", title_standoff=4, col=1)
    top = 110 if title else 40
    return figure.update_layout(
        template="simple_white",
        title={"text": title, "x": 0.01, "yref": "container", "y": 0.96, "yanchor": "top"},
        width=90 + 330 * len(panels),
        height=340 + top,
        margin={"l": 70, "r": 16, "t": top, "b": 54},
        showlegend=False,
        hovermode="closest",
    )


def ends_of(*values: np.ndarray) -> list[float]:
    """The ends of both axes: around all values, and around 0."""
    everything = np.concatenate([*values, [0.0]])
    low, high = everything.min(), everything.max()
    middle, half = (high + low) / 2, ROOM * (high - low) / 2
    return [float(middle - half), float(middle + half)]


def diagonal(ends: Sequence[float], paper: bool = False) -> go.Scatter:
    """Where a forecast came true."""
    line = (
        {"color": "rgba(0,0,0,0.35)", "width": 1}
        if paper
        else {"color": GREY.both, "width": 1.5, "dash": "dash"}
    )
    return go.Scatter(x=list(ends), y=list(ends), mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _points(
    left_out: LeaveOneOut, explanation: Explanation, forecast: np.ndarray, rows: np.ndarray, symbol: str
) -> go.Scatter:
    colours = by_sign(left_out.predicted[rows])
    hover = []
    for row in rows:
        train_id = int(left_out.train_ids[row])
        label = escape_html(explanation.class_names[explanation.labels[explanation.position(train_id)]])
        hover.append(
            f"training {explanation.kind} {train_id}, a {label}<br>forecast {nats(float(forecast[row]))}"
            f"<br>truth {nats(float(left_out.actual[row]))}"
        )
    return go.Scatter(
        x=left_out.actual[rows],
        y=forecast[rows],
        mode="markers",
        marker={
            "size": 8,
            "opacity": 0.85,
            **colours,
            "symbol": symbol,
            "line": {"width": 1.5 if symbol == "circle-open" else 0, **colours},
        },
        customdata=left_out.train_ids[rows][:, None].tolist(),
        hovertext=hover,
        hoverinfo="text",
        unselected={"marker": {"opacity": 0.85}},
        selected={"marker": {"opacity": 1.0}},
        showlegend=False,
    )


def _paper_points(panel: Panel) -> go.Scatter:
    return go.Scatter(
        x=panel.left_out.actual,
        y=panel.predicted,
        mode="markers",
        marker={"size": 6, "color": PAPER_BLUE},
        customdata=panel.left_out.train_ids[:, None].tolist(),
        hovertemplate=f"training example %{{customdata[0]}}<br>predicted %{{y:+.3g}} {UNIT}"
        f"<br>actual %{{x:+.3g}} {UNIT}<extra></extra>",
        showlegend=False,
    )
