"""The anatomy of a score: its factors left out in turn (the paper's Figure 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence_core.agreement import strongest
from influence_core.experiments.anatomy import Anatomy
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY
from influence_core.words import UNIT

LIMIT = 4_000
"""Up to so many training examples are all drawn."""
EXTREMES = 300
"""So many of the largest values of each score are drawn in any case."""
CLEAR = "rgba(0,0,0,0)"
GREEN, RED = "#2a9d3c", "#d62728"
"""The paper's own colours."""

PANELS = {
    "without_loss": "without the training loss",
    "without_curvature": "without the Hessian",
    "without_both": "without both",
}
"""The score left of the full one, and its words."""


def anatomy(result: Anatomy, label_name: str = "", paper: bool = False, title: str = "") -> go.Figure:
    """Three panels: the full score ``n D`` upward, against the score without one or both of its factors.

    ``customdata`` of every point is ``[training id]``. Filled points bear the label asked about; in the paper's look
    they are green, and the others red.

    Args:
        result: The scores of all training examples.
        label_name: The label asked about, for the legend.
        paper: The paper's colours on white, instead of greys on whatever lies below.
        title: For a figure that stands alone.
    """
    figure = make_subplots(cols=3, shared_yaxes=True, horizontal_spacing=0.025)
    drawn = _drawn(result)
    same = result.same_label[drawn]
    for column, field in enumerate(PANELS, 1):
        other = _points(result, field, "another label", drawn[~same], _marker(False, paper))
        asked = f"labelled {escape_html(label_name)}" if label_name else "the label asked about"
        figure.add_trace(other.update(showlegend=column == 1), row=1, col=column)
        alike = _points(result, field, asked, drawn[same], _marker(True, paper))
        figure.add_trace(alike.update(showlegend=column == 1), row=1, col=column)
        figure.update_xaxes(title=f"Score {PANELS[field]}{_unit(field)}", col=column)
    _draw_zero_lines(figure)
    figure.update_yaxes(title=f"Full score, n × D, {UNIT}", ticks="outside", col=1)
    if len(drawn) < len(result.ids):
        _note(
            figure, f"{len(drawn):,} of {len(result.ids):,} training images: the extremes and a fixed sample"
        )
    return _lay_out(figure, paper, title)


def _unit(field: str) -> str:
    """A score without the Hessian is no loss change any more: it has no unit."""
    return f", {UNIT}" if field == "without_loss" else ", no unit"


def _drawn(result: Anatomy) -> np.ndarray:
    """Positions of what is drawn: everything, or the extremes of every score and a fixed sample of the rest."""
    n = len(result.ids)
    if n <= LIMIT:
        return np.arange(n)
    scores = (result.full, *(getattr(result, field) for field in PANELS))
    extreme = np.unique([strongest(one, EXTREMES) for one in scores])
    rest = np.setdiff1d(np.arange(n), extreme)
    return np.sort(
        np.append(extreme, np.random.default_rng(0).choice(rest, LIMIT - len(extreme), replace=False))
    )


def _marker(same: bool, paper: bool) -> dict[str, Any]:
    if paper:
        return {"size": 6, "color": GREEN if same else RED, "opacity": 0.6}
    shape = {"symbol": "circle", "opacity": 0.55} if same else {"symbol": "circle-open", "opacity": 0.85}
    return {"size": 6, "color": GREY.both, "line": {"width": 1.2, "color": GREY.both}, **shape}


def _points(result: Anatomy, field: str, kind: str, at: np.ndarray, marker: dict[str, Any]) -> go.Scattergl:
    return go.Scattergl(
        x=getattr(result, field)[at].astype(np.float32),
        y=result.full[at].astype(np.float32),
        mode="markers",
        name=kind,
        legendgroup=kind,
        marker=marker,
        customdata=result.ids[at][:, None].tolist(),
        hovertemplate=f"training image %{{customdata[0]}}, {kind}<br>full score %{{y:+.3g}} {UNIT}"
        f"<br>{PANELS[field]} %{{x:+.3g}}{_unit(field)}<extra></extra>",
    )


def _draw_zero_lines(figure: go.Figure) -> None:
    figure.add_hline(y=0, line_width=1, line_color=GREY.both, opacity=0.6, layer="below")
    figure.add_vline(x=0, line_width=1, line_color=GREY.both, opacity=0.6, layer="below")
    figure.update_xaxes(showgrid=False, zeroline=False, ticks="outside", nticks=7)
    figure.update_yaxes(showgrid=False, zeroline=False, ticks="", nticks=7)


def _note(figure: go.Figure, words: str) -> None:
    at = {"xref": "paper", "yref": "paper", "x": 1, "y": 1.02, "xanchor": "right", "yanchor": "bottom"}
    figure.add_annotation(text=words, showarrow=False, **at)


def _lay_out(figure: go.Figure, paper: bool, title: str) -> go.Figure:
    background = "white" if paper else CLEAR
    if paper:
        figure.update_layout(template="simple_white")
    if title:
        figure.update_layout(
            title={"text": title, "x": 0.01, "yref": "container", "y": 0.96, "yanchor": "top"}
        )
    top = 96 if title else 44
    return figure.update_layout(
        height=356 + top,
        margin={"l": 70, "r": 12, "t": top, "b": 56},
        paper_bgcolor=background,
        plot_bgcolor=background,
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"},
    )
