"""A kink smoothed: the loss, the forecast against the truth, and how well they agree (the paper's Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence_core.experiments.hinge_curves import Curves
from influence_core.experiments.smooth_hinge import PANELS, SmoothHinge
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY, by_sign
from influence_core.words import ratio, signed

CLEAR = "rgba(0,0,0,0)"
DASHES = ("solid", "dot", "dash", "dashdot", "longdash")
PAPER_LINES = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd")
"""The colours of the paper's plotting library."""
UNIT = "hinge units"


def name(temperature: float) -> str:
    """A temperature in words."""
    return f"t = {temperature:g}" if temperature else "t = 0 (hinge)"


def loss_curves(result: Curves, opened: float | None = None, paper: bool = False) -> go.Figure:
    """The loss against the margin, one line a temperature; the opened one is thick."""
    figure = go.Figure(_curves(result, opened, paper))
    figure.update_xaxes(title="Margin of an example", range=[result.margins[0], result.margins[-1]])
    figure.update_yaxes(title=f"Loss, {UNIT}", rangemode="tozero")
    return _lay_out(figure, 320, paper)


def scatters(
    result: SmoothHinge, temperatures: Sequence[float] = PANELS, paper: bool = False, title: str = ""
) -> go.Figure:
    """The forecast upward against the truth, one panel a temperature, the same examples in all.

    ``customdata`` of every point is ``[training id]``. Filled points bear the test example's label. On the diagonal
    the forecast is the truth. Smoothed panels have equal axes; that of the hinge itself has its own upward.
    """
    names = [_panel_name(result, one) for one in temperatures]
    figure = make_subplots(cols=len(temperatures), subplot_titles=names, horizontal_spacing=0.09)
    for column, temperature in enumerate(temperatures, 1):
        _add_panel(figure, result, temperature, column, paper)
    figure.update_yaxes(title=f"Forecast, {UNIT}", title_standoff=4, col=1)
    return _lay_out(figure, 380, paper, title)


def agreement(result: SmoothHinge, opened: float | None = None, paper: bool = False) -> go.Figure:
    """Correlation of forecast and truth against the temperature; the hinge itself, at 0, lies left of the axis's gap."""
    figure = go.Figure()
    smooth = result.temperatures > 0
    for words, values, dash in (
        ("correlation r (Pearson)", result.pearson, "solid"),
        ("rank correlation (Spearman)", result.spearman, "dot"),
    ):
        line = {"color": PAPER_LINES[0] if paper else GREY.both, "width": 2, "dash": dash}
        figure.add_trace(
            go.Scatter(
                x=result.temperatures[smooth],
                y=values[smooth],
                mode="lines+markers",
                name=words,
                line=line,
                marker={"size": 5},
                hovertemplate=f"{words} %{{y:.3f}}<br>t = %{{x:.3g}}<extra></extra>",
            )
        )
    hinge = float(result.pearson[0])
    figure.add_hline(
        y=hinge,
        line={"color": GREY.both, "width": 1, "dash": "dash"},
        annotation={"text": f"r of the hinge itself, {ratio(hinge)}", "yanchor": "bottom"},
        annotation_position="bottom right",
        opacity=1,
    )
    if opened:
        figure.add_vline(x=opened, line={"color": GREY.both, "width": 4}, opacity=0.45, layer="below")
    figure.update_xaxes(title="Temperature t", type="log", dtick=1, tickformat="~g")
    figure.update_yaxes(title="Agreement with the truth", range=[min(0.0, hinge - 0.1), 1.03])
    return _lay_out(figure, 320, paper)


def paper_figure(loss: Curves, result: SmoothHinge, title: str = "") -> go.Figure:
    """The paper's row of four: the loss curves and the three scatters, in its look."""
    names = ["SmoothHinge", *(_panel_name(result, one) for one in PANELS)]
    figure = make_subplots(cols=4, subplot_titles=names, horizontal_spacing=0.055)
    for curve in _curves(loss, None, paper=True):
        figure.add_trace(curve, row=1, col=1)
    figure.update_xaxes(title="s", range=[loss.margins[0], loss.margins[-1]], col=1)
    figure.update_yaxes(title="SmoothHinge(s, t)", range=[0, 0.3], title_standoff=4, col=1)
    for column, temperature in enumerate(PANELS, 2):
        _add_panel(figure, result, temperature, column, paper=True)
    figure.update_yaxes(title="Predicted diff in loss", title_standoff=4, col=2)
    figure.update_xaxes(title="Actual diff in loss", selector=lambda axis: axis.title.text != "s")
    figure = _lay_out(figure, 400, paper=True, title=title)
    return figure.update_layout(legend={"x": 0.2, "y": 0.97, "xanchor": "right", "yanchor": "top"})


def _panel_name(result: SmoothHinge, temperature: float) -> str:
    return f"{name(temperature)}, r = {ratio(float(result.pearson[result.index(temperature)]))}"


def _curves(result: Curves, opened: float | None, paper: bool) -> list[go.Scatter]:
    lines = []
    for at, temperature in enumerate(result.temperatures):
        thick = {"width": 5, "dash": "solid"} if temperature == opened else {}
        look: dict[str, Any] = {"color": PAPER_LINES[at % 5]} if paper else {"dash": DASHES[at % 5]}
        lines.append(
            go.Scatter(
                x=result.margins,
                y=result.values[at],
                mode="lines",
                name=name(float(temperature)),
                line={"color": GREY.both, "width": 1.6, **look, **thick},
                opacity=0.5 if thick else 1,
                hovertemplate=f"{name(float(temperature))}: %{{y:.4f}} at margin %{{x:.3f}}<extra></extra>",
            )
        )
    return lines


def _add_panel(figure: go.Figure, result: SmoothHinge, temperature: float, column: int, paper: bool) -> None:
    predicted = result.predicted[result.index(temperature)]
    across, upward = _reaches(result, temperature, predicted)
    ends = np.array([-1.0, 1.0]) * min(across, upward)
    figure.add_trace(_diagonal(ends), row=1, col=column)
    same = result.labels == result.label
    for members, filled in ((~same, False), (same, True)):
        points = _points(result, predicted, members, filled, paper)
        figure.add_trace(points, row=1, col=column)
    zero = {"zeroline": True, "zerolinecolor": "rgba(128,135,144,0.35)", "nticks": 5, "showgrid": False}
    figure.update_xaxes(title=f"Truth, {UNIT}", range=[-across, across], **zero, row=1, col=column)
    figure.update_yaxes(range=[-upward, upward], **zero, row=1, col=column)


def _reaches(result: SmoothHinge, temperature: float, predicted: np.ndarray) -> tuple[float, float]:
    """Half of each axis: equal ones for a smoothed hinge, its own upward for the hinge itself."""
    truth, forecast = (1.08 * float(np.abs(one).max()) for one in (result.actual, predicted))
    if temperature == 0:
        return truth, forecast
    return max(truth, forecast), max(truth, forecast)


def _diagonal(ends: np.ndarray) -> go.Scatter:
    line = {"color": GREY.both, "width": 1.5, "dash": "dash"}
    return go.Scatter(x=ends, y=ends, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _points(
    result: SmoothHinge, predicted: np.ndarray, members: np.ndarray, filled: bool, paper: bool
) -> go.Scatter:
    at = np.flatnonzero(members)
    look = {"color": PAPER_LINES[0]} if paper else by_sign(predicted[at])
    hover = [
        f"training image {result.ids[i]}, a {escape_html(result.class_names[result.labels[i]])}, margin {result.margins[i]:.2f}"
        f"<br>truth {signed(float(result.actual[i]))}<br>forecast {signed(float(predicted[i]))}"
        for i in at
    ]
    return go.Scatter(
        x=result.actual[at],
        y=predicted[at],
        mode="markers",
        marker={
            "size": 7,
            "opacity": 0.85,
            "symbol": "circle" if filled or paper else "circle-open",
            "line": {"width": 0 if filled or paper else 1.5},
            **look,
        },
        customdata=result.ids[at][:, None].tolist(),
        hovertext=hover,
        hoverinfo="text",
        showlegend=False,
    )


def _lay_out(figure: go.Figure, height: int, paper: bool, title: str = "") -> go.Figure:
    background = "white" if paper else CLEAR
    if paper:
        figure.update_layout(template="simple_white")
    if title:
        figure.update_layout(
            title={"text": title, "x": 0.01, "yref": "container", "y": 0.96, "yanchor": "top"}
        )
    return figure.update_layout(
        height=height + (60 if title else 0),
        margin={"l": 64, "r": 12, "t": 100 if title else 40, "b": 50},
        paper_bgcolor=background,
        plot_bgcolor=background,
        hovermode="closest",
        legend={"orientation": "h" if not title else "v", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
