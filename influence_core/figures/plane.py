"""A map of the examples: colour is label, size is effect on this answer, the rim is its sign."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from influence_core.agreement import strongest
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.plane import Plane
from influence_core.figures.bars import escape_html, quiet
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL
from influence_core.words import nats

POINTS = 2_000
"""So many training examples are drawn at most: the strongest, and a fixed sample of the others ..."""
STRONGEST = 300
TESTS = 500
"""... and so many test examples, a fixed sample."""
SMALLEST, LARGEST = 5.0, 26.0
"""Diameters of an effect of nothing and of the largest, in pixels; the area between grows with the effect."""
LABELS = (
    "#3a923a", "#8b62b8", "#b0486a", "#17858f", "#8c6d31", "#c05fa8", "#6f9a1f", "#5b5f9e", "#9c4f4f", "#4f8f6f",
)  # fmt: skip
"""Of the labels in their order, told apart from the blue and orange of a sign; of more labels the rest is grey."""


def plane(
    result: Plane,
    explanation: Explanation,
    here: np.ndarray,
    test_labels: np.ndarray,
    opened: int | None = None,
    chosen: Collection[int] = (),
) -> go.Figure:
    """Training examples as discs, test examples as small crosses, the test example asked about as a star.

    ``customdata`` of every training example is ``[training id]``.

    Args:
        result: Where all of them lie.
        explanation: The answer, with the number that is shown.
        here: ``(2,)`` where the test example asked about lies.
        test_labels: ``(t,)`` true labels.
        opened: Training id to ring.
        chosen: Training ids to mark as chosen for retraining.
    """
    figure = go.Figure()
    tests = _sample(len(result.test), TESTS)
    at = drawn(explanation)
    for label, name in enumerate(explanation.class_names):
        named = escape_html(name)
        few = tests[test_labels[tests] == label]
        if len(few):
            figure.add_trace(_crosses(result.test[few], label, named))
        mine = at[explanation.labels[at] == label]
        if len(mine):
            figure.add_trace(_discs(result.train[mine], explanation, mine, label, named))
    positions = [explanation.position(one) for one in chosen]
    figure.add_trace(_marks(result.train[positions], "square-open", 18, "chosen for retraining"))
    open_ = [] if opened is None else [explanation.position(opened)]
    figure.add_trace(_marks(result.train[open_], "circle-open", 30, "opened"))
    figure.add_trace(_marks(here[None], "star", 18, f"the test {explanation.kind} asked about"))
    for axis, share in zip((figure.update_xaxes, figure.update_yaxes), result.share, strict=True):
        title = f"Principal direction that shows {100 * share:.0f} % of the variance"
        axis(title=title, zeroline=False, showgrid=False, showticklabels=False)
    return quiet(figure, 520).update_layout(
        hovermode="closest", legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"},
        margin_t=80,
    )  # fmt: skip


def drawn(explanation: Explanation) -> np.ndarray:
    """Positions of the training examples that are drawn: the strongest, and a fixed sample of the rest; faint ones first."""
    order = strongest(explanation.shown, len(explanation.shown))
    rest = order[STRONGEST:]
    return np.concatenate([rest[_sample(len(rest), POINTS - STRONGEST)], order[:STRONGEST][::-1]])


def _sample(n: int, most: int) -> np.ndarray:
    """Positions ``(<= most,)`` of a fixed sample of ``n``."""
    return np.random.default_rng(0).permutation(n)[:most]


def _colour(label: int) -> str:
    return LABELS[label] if label < len(LABELS) else GREY.both


def _discs(at: np.ndarray, explanation: Explanation, mine: np.ndarray, label: int, name: str) -> go.Scattergl:
    effects = explanation.shown[mine]
    largest = max(float(np.abs(explanation.shown).max()), np.finfo(float).tiny)
    size = np.sqrt(SMALLEST**2 + (LARGEST**2 - SMALLEST**2) * np.abs(effects) / largest)
    return go.Scattergl(
        x=at[:, 0].astype(np.float32),
        y=at[:, 1].astype(np.float32),
        mode="markers",
        name=name,
        legendgroup=name,
        customdata=explanation.ids[mine][:, None].tolist(),
        hovertext=[
            f"training {explanation.kind} {one}, labelled {name}<br>{nats(float(effect))}"
            for one, effect in zip(explanation.ids[mine], effects, strict=True)
        ],
        hoverinfo="text",
        marker={
            "size": size.round(1),
            "color": _colour(label),
            "opacity": 0.75,
            "line": {"width": 1.6, "color": [(HELPFUL if one > 0 else HARMFUL).both for one in effects]},
        },
        unselected={"marker": {"opacity": 0.5}},
    )


def _crosses(at: np.ndarray, label: int, name: str) -> go.Scattergl:
    return go.Scattergl(
        x=at[:, 0].astype(np.float32),
        y=at[:, 1].astype(np.float32),
        mode="markers",
        name=f"{name}, test",
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
        marker={"size": 5, "symbol": "x-thin-open", "color": _colour(label), "opacity": 0.5},
    )


def _marks(at: np.ndarray, symbol: str, size: int, name: str) -> go.Scatter:
    return go.Scatter(
        x=at[:, 0],
        y=at[:, 1],
        mode="markers",
        name=name,
        hoverinfo="name",
        showlegend=bool(len(at)),
        marker={
            "symbol": symbol,
            "size": size,
            "color": GREY.both,
            "line": {"width": 2.5, "color": GREY.both},
        },
    )
