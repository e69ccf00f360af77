"""Flipped labels found and repaired, against what was checked (the paper's Figure 6)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence_core.experiments.suspects import METHODS
from influence_core.experiments.wrong_labels import WrongLabels, standard_deviation, standard_error
from influence_core.figures.palette import GREY

Bars = Literal["error", "deviation"]
BARS: dict[Bars, str] = {"error": "one standard error of the mean", "deviation": "one standard deviation"}
CLEAR = "rgba(0,0,0,0)"

LOOKS: dict[str, dict[str, Any]] = {
    "exact": {"line": {"width": 3.5}, "marker": {"size": 10, "symbol": "circle"}},
    "published": {"line": {"width": 2}, "marker": {"size": 9, "symbol": "circle-open"}},
    "proven": {"line": {"width": 2.5, "dash": "dashdot"}, "marker": {"size": 10, "symbol": "diamond"}},
    "corrected": {
        "line": {"width": 2.5, "dash": "dashdot"},
        "marker": {"size": 10, "symbol": "diamond-open"},
    },
    "loss": {"line": {"width": 2, "dash": "dash"}, "marker": {"size": 9, "symbol": "square"}},
    "random": {"line": {"width": 2, "dash": "dot"}, "marker": {"size": 9, "symbol": "x-thin-open"}},
}
"""Told apart by shape: in this product colour is for the sign of an influence."""
UNSEEN = "#7b3fa0"
PAPER = {
    "exact": "#1f3fbf",
    "published": "#5b9bd5",
    "proven": UNSEEN,
    "corrected": UNSEEN,
    "loss": "#2a9d3c",
    "random": "#d62728",
}
"""The paper's own colours; its "Influence" in two shades of blue, and violet for what it has not."""


def accuracy(result: WrongLabels, bars: Bars = "error") -> go.Figure:
    """Test accuracy after repair over the share of training examples checked; dashed: with no label flipped.

    Every point is the mean of the repeats; the bars are named above the legend.
    """
    figure = go.Figure()
    _draw_accuracy(figure, result, bars, paper=False)
    return _alone(figure, result, bars)


def found(result: WrongLabels, bars: Bars = "error") -> go.Figure:
    """Share of the flipped labels found over the share of training examples checked; else as ``accuracy``."""
    figure = go.Figure()
    _draw_found(figure, result, bars, paper=False)
    return _alone(figure, result, bars)


def paper_figure(result: WrongLabels, bars: Bars = "error", title: str = "") -> go.Figure:
    """Both panels side by side in the paper's colours on white.

    Args:
        result: What each way of looking found.
        bars: Which error bars.
        title: For a figure that stands alone.
    """
    figure = make_subplots(cols=2, horizontal_spacing=0.11)
    _draw_accuracy(figure, result, bars, paper=True, row=1, col=1)
    _draw_found(figure, result, bars, paper=True, row=1, col=2)
    figure.update_layout(
        template="simple_white",
        title={"text": title, "x": 0.01, "yref": "container", "y": 0.97, "yanchor": "top"},
    )
    return _lay_out(figure, result, bars, top=120, height=480)


def _draw_accuracy(figure: go.Figure, result: WrongLabels, bars: Bars, paper: bool, **at: int) -> None:
    before = result.flipped_accuracy[:, None]
    for row, method in enumerate(result.methods):
        values = np.concatenate([before, result.accuracy[:, row]], axis=1)
        figure.add_trace(_line(result, values, method, bars, _looks(method, paper)), **at)
    _draw_clean(figure, result, paper, at)
    _name_axes(figure, "Test accuracy after repair", at)


def _draw_found(figure: go.Figure, result: WrongLabels, bars: Bars, paper: bool, **at: int) -> None:
    before = np.zeros((len(result.fixed), 1))
    for row, method in enumerate(result.methods):
        values = np.concatenate([before, result.fixed[:, row]], axis=1)
        line = _line(result, values, method, bars, _looks(method, paper))
        figure.add_trace(line.update(showlegend=not at), **at)
    _name_axes(figure, "Share of the flipped labels found", at)
    figure.update_yaxes(range=[-0.02, 1.02], **at)


def _name_axes(figure: go.Figure, title: str, at: dict[str, int]) -> None:
    figure.update_xaxes(
        title="Share of the training set checked",
        tickformat=".0%",
        range=[-0.012, 0.312],
        zeroline=False,
        ticks="outside",
        **at,
    )
    figure.update_yaxes(title=title, zeroline=False, ticks="outside", tickformat=".1~%", **at)


def _looks(method: str, paper: bool) -> dict[str, Any]:
    colour = PAPER[method] if paper else GREY.both
    looks = LOOKS[method]
    return {
        "line": {**looks["line"], "color": colour},
        "marker": {**looks["marker"], "color": colour, "line": {"width": 2, "color": colour}},
    }


def _line(
    result: WrongLabels, values: np.ndarray, method: str, bars: Bars, looks: dict[str, Any]
) -> go.Scatter:
    """The mean of ``values (r, 1 + b)``, from nothing checked on."""
    spread = (standard_error if bars == "error" else standard_deviation)(values)
    return go.Scatter(
        x=np.concatenate([[0.0], result.budgets]),
        y=values.mean(0),
        error_y={"array": spread, "thickness": 1.2, "width": 4, "color": looks["line"]["color"]},
        mode="lines+markers",
        name=METHODS[method],
        legendgroup=method,
        customdata=spread[:, None],
        hovertemplate=f"{METHODS[method]}<br>%{{x:.0%}} checked: %{{y:.1%}} ± %{{customdata[0]:.1%}}<extra></extra>",
        **looks,
    )


def _draw_clean(figure: go.Figure, result: WrongLabels, paper: bool, at: dict[str, int]) -> None:
    line = {"color": "black" if paper else GREY.both, "width": 1.5, "dash": "longdash"}
    ends, height = [0.0, float(result.budgets[-1])], [result.clean_accuracy] * 2
    words = f"no label flipped: {result.clean_accuracy:.1%}"
    figure.add_trace(
        go.Scatter(x=ends, y=height, mode="lines", line=line, name=words, hoverinfo="name", showlegend=False),
        **at,
    )
    figure.add_annotation(
        text=words, x=0, y=result.clean_accuracy, xanchor="left", yanchor="bottom", showarrow=False, **at
    )


def _alone(figure: go.Figure, result: WrongLabels, bars: Bars) -> go.Figure:
    figure.update_layout(paper_bgcolor=CLEAR, plot_bgcolor=CLEAR)
    return _lay_out(figure, result, bars, top=84, height=440)


def _lay_out(figure: go.Figure, result: WrongLabels, bars: Bars, top: int, height: int) -> go.Figure:
    times = f"{result.settings.repeats} repeat{'s' if result.settings.repeats > 1 else ''}"
    return figure.update_layout(
        height=height,
        margin={"l": 62, "r": 12, "t": top, "b": 56},
        hovermode="closest",
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.03,
            "yanchor": "bottom",
            "title": {"text": f"Mean of {times}; bars: {BARS[bars]}", "side": "top"},
        },
    )
