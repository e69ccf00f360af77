"""Solvers beside the exact answer: how fast they come to it, and how well their scores agree with it."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from influence_core.agreement import strongest
from influence_core.experiments.solver_comparison import EXACT_RESIDUAL, Attempt, SolverComparison
from influence_core.figures.palette import GREY, by_sign
from influence_core.words import nats

STRONGEST = 300
SAMPLE = 300
FEW = 8
"""Of a curve with fewer points each is marked, else the last alone."""
SMALLEST = 1e-17
"""Where a residual of 0 is drawn."""
TICKS = (0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)
CLEAR = "rgba(0,0,0,0)"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "x",
    "star",
    "hexagon",
    "cross",
    "triangle-down",
    "pentagon",
    "hourglass",
    "bowtie",
)


def convergence(result: SolverComparison) -> go.Figure:
    """Relative residual over products with the curvature; a solver without steps is one point at 0.

    Filled symbols claim the exact answer, open ones an approximation; below the dotted line an answer counts as exact.
    Across, the first products have more room than the later ones: the axis is that of ``log(1 + products)``.
    """
    attempts = [one for one in result.attempts if len(one.history)]
    figure = go.Figure([_curve(one, at) for at, one in enumerate(attempts)])
    figure.add_hline(y=EXACT_RESIDUAL, line={"color": GREY.both, "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=0,
        xref="paper",
        xanchor="left",
        y=math.log10(EXACT_RESIDUAL),
        yanchor="top",
        text="exact below this line",
        font={"color": GREY.both},
        showarrow=False,
    )
    longest = max((float(one.history[:, 0].max()) for one in attempts), default=1.0)
    ticks = [one for one in TICKS if one <= longest] or [0]
    figure.update_xaxes(
        title="Products for this question",
        tickvals=np.log1p(ticks),
        ticktext=[f"{one:,}" for one in ticks],
        zeroline=False,
    )
    figure.update_yaxes(
        title="Relative residual", type="log", exponentformat="power", dtick=2, zeroline=False
    )
    return _quiet(figure, 420).update_layout(
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    )


def _curve(attempt: Attempt, at: int) -> go.Scatter:
    products, residuals = attempt.history.T
    last = np.arange(len(products)) == len(products) - 1
    alone = len(products) == 1
    return go.Scatter(
        x=np.log1p(products),
        y=np.maximum(residuals, SMALLEST),
        customdata=products,
        mode="markers" if alone else "lines+markers",
        name=attempt.title,
        line={"color": GREY.both, "width": 2, "dash": DASHES[at % len(DASHES)]},
        marker={
            "size": np.where(last, 11, 7),
            "opacity": np.where(last | (len(products) < FEW), 1, 0),
            "symbol": SYMBOLS[at % len(SYMBOLS)] + ("" if attempt.exact else "-open"),
            "color": GREY.both,
            "line": {"width": 2, "color": GREY.both},
        },
        hovertemplate=f"{attempt.title}<br>%{{customdata:.0f}} products<br>residual %{{y:.1e}}<extra></extra>",
    )


def agreement(result: SolverComparison, attempt: Attempt) -> go.Figure:
    """A solver's ``D`` over the exact ``D``: on the dashed diagonal they are the same.

    The strongest examples of either and a sample of the others; blue where the exact ``D`` is positive, else orange.
    """
    assert result.exact is not None
    truth, ours = result.exact.scores, attempt.scores
    at = _shown(truth, ours)
    reach = 1.1 * max(float(np.abs(truth).max()), 1e-300)
    figure = go.Figure(
        go.Scatter(
            x=[-reach, reach],
            y=[-reach, reach],
            mode="lines",
            line={"color": GREY.both, "width": 1.2, "dash": "dash"},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scattergl(
            x=truth[at].astype(np.float32),
            y=ours[at].astype(np.float32),
            mode="markers",
            marker={
                "size": 6,
                "opacity": 0.8,
                **by_sign(truth[at]),
            },
            hovertext=[
                f"exact {nats(float(truth[i]))}<br>{attempt.title} {nats(float(ours[i]))}" for i in at
            ],
            hoverinfo="text",
        )
    )
    tall = 1.1 * max(reach / 1.1, float(np.abs(ours).max()))
    figure.update_xaxes(
        title="Exact, nats", range=[-reach, reach], zerolinecolor=GREY.both, nticks=5, exponentformat="e"
    )
    figure.update_yaxes(
        title="This solver, nats", range=[-tall, tall], zerolinecolor=GREY.both, nticks=6, exponentformat="e"
    )
    return _quiet(figure, 260).update_layout(showlegend=False)


def _shown(truth: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Positions of the strongest in either, and of a fixed sample of the rest."""
    drawn = np.random.default_rng(0).permutation(len(truth))[:SAMPLE]
    return np.unique(np.concatenate([strongest(truth, STRONGEST), strongest(ours, STRONGEST), drawn]))


def _quiet(figure: go.Figure, height: int) -> go.Figure:
    return figure.update_layout(
        height=height,
        margin={"l": 64, "r": 12, "t": 8, "b": 44},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
    )
