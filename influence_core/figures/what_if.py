"""How far the forecast of a group may be believed: forecast against truth for groups of one size."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.what_if import Calibration
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL
from influence_core.words import nats

CLEAR = "rgba(0,0,0,0)"


def calibration(result: Calibration) -> go.Figure:
    """Each point is a group; on the dashed diagonal the forecast is the truth, the solid line is the fitted slope."""
    predicted, actual = result.forecast, result.actual
    ends = 1.08 * max(float(np.abs(actual).max(initial=0.0)), 1e-12) * np.array([-1.0, 1.0])
    figure = go.Figure()
    _line(figure, ends, ends, "dash", "forecast = truth")
    slope = result.agreement.slope
    if np.isfinite(slope):
        _line(figure, ends, predicted.mean() + slope * (ends - actual.mean()), "solid", "fitted")
    colours = [HELPFUL.both if one > 0 else HARMFUL.both for one in predicted]
    hover = [
        f"forecast {nats(float(p))}<br>truth {nats(float(a))}" for p, a in zip(predicted, actual, strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=actual,
            y=predicted,
            mode="markers",
            marker={"size": 10, "color": colours},
            hovertext=hover,
            hoverinfo="text",
            showlegend=False,
        )
    )
    figure.update_xaxes(title="After training again, nats", zeroline=True, zerolinecolor=GREY.both)
    figure.update_yaxes(title="Forecast for the group, nats", zeroline=True, zerolinecolor=GREY.both)
    return figure.update_layout(
        height=360,
        margin={"l": 70, "r": 12, "t": 10, "b": 50},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )


def _line(figure: go.Figure, x: np.ndarray, y: np.ndarray, dash: str, name: str) -> None:
    line = {"color": GREY.both, "width": 1.5, "dash": dash}
    figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name=name, line=line, hoverinfo="skip"))
