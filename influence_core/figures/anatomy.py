"""The anatomy of a score: each factor left out in turn (the paper's Figure 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from influence_core.experiments.anatomy import Anatomy
from influence_core.figures.palette import GREY
from influence_core.words import UNIT

LIMIT = 4_000
"""Up to so many training examples are all drawn."""
EXTREMES = 300
"""So many of the largest values of each score are drawn in any case."""
CLEAR = "rgba(0,0,0,0)"

PANELS = {
    "without_loss": "without the training loss",
    "without_curvature": "without the Hessian",
    "without_both": "without both",
}


@dataclass(frozen=True)
class _Group:
    """How the examples of one kind of label are drawn."""

    name: str
    phrase: str
    marker: dict[str, object]


def anatomy(result: Anatomy, label_name: str = "", paper: bool = False) -> go.Figure:
    """Three panels: the full score ``n D`` upward, against the score without one or both of its factors.

    ``customdata`` of every point is ``[training id]``. Filled points bear the label asked about; as in the paper they
    are green, and the others red.

    Args:
        result: The four scores of all training examples.
        label_name: The label asked about, for the legend.
        paper: The paper's colours on white, instead of the app's greys on its own background.
    """
    figure = make_subplots(cols=3, shared_yaxes=True, horizontal_spacing=0.025)
    drawn = _drawn(result)
    for column, (field, words) in enumerate(PANELS.items(), 1):
        for group, members in _groups(result, label_name, paper):
            points = _points(result, field, words, group, drawn[members[drawn]])
            figure.add_trace(points.update(showlegend=column == 1), row=1, col=column)
        figure.update_xaxes(title=f"Score {words}, {UNIT}", col=column)
    figure.add_hline(y=0, line_width=1, line_color=GREY.both)
    figure.add_vline(x=0, line_width=1, line_color=GREY.both)
    figure.update_xaxes(showgrid=False, zeroline=False, ticks="outside", nticks=7)
    figure.update_yaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(title=f"Full score, n × D, {UNIT}", ticks="outside", col=1)
    return _laid_out(figure, len(drawn), len(result.ids), paper)


def _drawn(result: Anatomy) -> np.ndarray:
    """Positions of what is drawn: everything, or the extremes of every score and a fixed sample of the rest."""
    n = len(result.ids)
    if n <= LIMIT:
        return np.arange(n)
    scores = (result.full, *(getattr(result, field) for field in PANELS))
    extreme = np.unique(
        np.concatenate([np.argsort(-np.abs(one), kind="stable")[:EXTREMES] for one in scores])
    )
    rest = np.setdiff1d(np.arange(n), extreme)
    sample = np.random.default_rng(0).choice(rest, LIMIT - len(extreme), replace=False)
    return np.sort(np.concatenate([extreme, sample]))


def _groups(result: Anatomy, label_name: str, paper: bool) -> tuple[tuple[_Group, np.ndarray], ...]:
    """The two kinds of labels with the training examples of each, the ones drawn first first."""
    asked = f"labelled {label_name}" if label_name else "the label asked about"
    same, other = ("#2a9d3c", "#d62728") if paper else (GREY.both, GREY.both)
    filled = {"symbol": "circle", "size": 6, "color": same, "opacity": 0.6}
    open_ = {"symbol": "circle-open", "size": 6, "color": other, "opacity": 0.75, "line": {"width": 1.2}}
    if paper:
        open_ = {"symbol": "circle", "size": 6, "color": other, "opacity": 0.6}
    return (
        (_Group("another label", "another label", open_), ~result.same_label),
        (_Group(asked, asked, filled), result.same_label),
    )


def _points(result: Anatomy, field: str, words: str, group: _Group, at: np.ndarray) -> go.Scattergl:
    return go.Scattergl(
        x=getattr(result, field)[at].astype(np.float32),
        y=result.full[at].astype(np.float32),
        mode="markers",
        name=group.name,
        legendgroup=group.name,
        marker=group.marker,
        customdata=result.ids[at][:, None].tolist(),
        hovertemplate=f"training image %{{customdata[0]}}, {group.phrase}<br>full score %{{y:+.3g}} {UNIT}"
        f"<br>{words} %{{x:+.3g}} {UNIT}<extra></extra>",
    )


def _laid_out(figure: go.Figure, drawn: int, n: int, paper: bool) -> go.Figure:
    if drawn < n:
        words = f"{drawn:,} of {n:,} training images drawn: the extreme ones and a fixed sample of the others"
        figure.add_annotation(
            text=words,
            showarrow=False,
            xref="paper",
            yref="paper",
            x=1,
            y=1.03,
            xanchor="right",
            yanchor="bottom",
        )
    if paper:
        return _style(figure).update_layout(
            template="simple_white", paper_bgcolor="white", plot_bgcolor="white"
        )
    return _style(figure)


def _style(figure: go.Figure) -> go.Figure:
    return figure.update_layout(
        height=400,
        margin={"l": 70, "r": 12, "t": 44, "b": 56},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"},
    )
