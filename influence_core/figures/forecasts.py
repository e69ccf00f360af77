"""Both forecasts of every training example against its true effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.explain import Explanation
from influence_core.experiments.forecasts import Forecasts
from influence_core.figures.bars import escape_html
from influence_core.figures.leave_one_out import diagonal, ends_of, ring, square
from influence_core.figures.palette import GREY, by_sign
from influence_core.words import UNIT

TITLES = {"influence": "Influence", "corrected": "Corrected forecast"}
SMALLEST, LARGEST = 5, 18
"""Widths in pixels of the points of leverage 0 and 1."""


def every_forecast(
    found: Forecasts,
    explanation: Explanation,
    by: Literal["influence", "corrected"],
    numbered: Sequence[int] = (),
    opened: int | None = None,
    height: int = 420,
    drawn: np.ndarray | None = None,
) -> go.Figure:
    """Every training example as a forecast upward over its true change; on the diagonal the forecast came true.

    Both ways of forecasting have the same axes, so that two of these can be laid side by side. The higher an example's
    leverage, the larger its point; ``customdata`` is ``[training id, leverage in per cent]``. Blue truly helps, orange truly
    harms; filled points bear the label asked about.

    Args:
        found: Forecasts and truth.
        explanation: The question, for labels.
        by: The forecast.
        numbered: Positions to number from 1, each with its way to the diagonal.
        opened: Training id to ring.
        height: In pixels.
        drawn: Positions of the examples that are drawn; all of them where none are given. The axes are those of all.
    """
    truth = found.proven.loss
    forecast = found.influence.loss if by == "influence" else found.corrected.loss
    ends = ends_of(truth, found.influence.loss, found.corrected.loss)
    figure = go.Figure(diagonal(ends))
    shown = np.arange(len(found.ids)) if drawn is None else drawn
    for members, symbol in ((~explanation.same, "circle-open"), (explanation.same, "circle")):
        if len(at := shown[members[shown]]):
            figure.add_trace(_points(found, explanation, forecast, at, symbol))
    at = np.asarray(numbered, dtype=int)
    figure.add_trace(_misses(truth[at], forecast[at]))
    figure.add_trace(_numbers(truth[at], forecast[at], _sizes(found)[at]))
    figure.add_trace(ring(found.ids, truth, forecast, opened))
    return square(figure, ends, f"{TITLES[by]}, {UNIT}", height)


def _points(
    found: Forecasts, explanation: Explanation, forecast: np.ndarray, at: np.ndarray, symbol: str
) -> go.Scattergl:
    """The largest first, so that none hides a smaller one."""
    at = at[np.argsort(-found.leverage[at], kind="stable")]
    truth, names = found.proven.loss[at], [escape_html(name) for name in explanation.class_names]
    colours = by_sign(truth)
    shares = np.round(100 * found.leverage[at], 1)
    return go.Scattergl(
        x=truth.astype(np.float32),
        y=forecast[at].astype(np.float32),
        mode="markers",
        customdata=list(zip(found.ids[at].tolist(), shares.tolist(), strict=True)),
        hovertext=[names[label] for label in explanation.labels[at]],
        hovertemplate=f"training {explanation.kind} %{{customdata[0]}}, labelled %{{hovertext}}<br>truth %{{x:+.3g}} {UNIT}"
        f"<br>forecast %{{y:+.3g}} {UNIT}<br>leverage %{{customdata[1]}} %<extra></extra>",
        marker={
            "size": _sizes(found)[at],
            **colours,
            "symbol": symbol,
            "opacity": 0.7,
            "line": {"width": 1.5 if symbol == "circle-open" else 0, **colours},
        },
        unselected={"marker": {"opacity": 0.7}},
        selected={"marker": {"opacity": 1.0}},
        showlegend=False,
    )


def _misses(truth: np.ndarray, forecast: np.ndarray) -> go.Scatter:
    """From each forecast to the diagonal."""
    gaps = np.full(len(truth), np.nan)
    return go.Scatter(
        x=np.stack([truth, truth, gaps], 1).ravel(),
        y=np.stack([forecast, truth, gaps], 1).ravel(),
        mode="lines",
        line={"color": GREY.both, "width": 1},
        hoverinfo="skip",
        name="misses",
    )


def _numbers(truth: np.ndarray, forecast: np.ndarray, sizes: np.ndarray) -> go.Scatter:
    """Beside the points, from 1; of neighbours in height one to the left and one to the right, so that both can be read."""
    left = np.argsort(np.argsort(forecast, kind="stable"), kind="stable") % 2 == 0
    return go.Scatter(
        x=truth,
        y=forecast,
        mode="markers+text",
        marker={"size": sizes, "opacity": 0},  # keeps the text off the point
        text=[f"<b>{one}</b>" for one in range(1, len(truth) + 1)],
        textposition=["middle left" if one else "middle right" for one in left],
        cliponaxis=False,
        hoverinfo="skip",
        name="numbers",
    )


def _sizes(found: Forecasts) -> np.ndarray:
    """``(n,)`` widths of the points, pixels."""
    return (SMALLEST + (LARGEST - SMALLEST) * found.leverage).astype(np.float32)
