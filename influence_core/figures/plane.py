"""A map of the examples: colour is label, size is effect on this answer, the rim is its sign."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from influence_core.agreement import strongest
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.plane import Plane
from influence_core.figures.bars import escape_html, quiet
from influence_core.figures.explain import Unit
from influence_core.figures.palette import GREY, by_number, by_sign
from influence_core.words import UNIT, having, nats, percent

POINTS = 2_000
"""So many training examples are drawn at most: the strongest, and a fixed sample of the others ..."""
STRONGEST = 300
TESTS = 500
"""... and so many test examples, a fixed sample."""
RIMMED = 60
"""So many of the strongest show by their rim which side they are on; more rims would hide the labels."""
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
    unit: Unit = "nats",
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
        unit: Of the effects under the pointer: nats of loss without an example, or percentage points by having it.
    """
    figure = go.Figure()
    tests = _sample(len(result.test), TESTS)
    for label, name in enumerate(explanation.class_names):
        few = tests[test_labels[tests] == label]
        figure.add_trace(_crosses(result.test[few], label, escape_html(name)))
    figure.add_trace(_discs(result, explanation, unit))
    positions = [explanation.position(one) for one in chosen]
    figure.add_trace(_marks(result.train[positions], "square-open", 18, "chosen for retraining"))
    open_ = [] if opened is None else [explanation.position(opened)]
    figure.add_trace(_marks(result.train[open_], "circle-open", 30, "opened"))
    figure.add_trace(_marks(here[None], "star", 22, f"the test {explanation.kind} asked about"))
    for axis, share in zip((figure.update_xaxes, figure.update_yaxes), result.share, strict=True):
        title = f"Principal direction that shows {percent(share)} of the variance"
        axis(title=title, zeroline=False, showgrid=False, showticklabels=False)
    return quiet(figure, 520).update_layout(
        hovermode="closest", legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"},
        margin_t=80,
    )  # fmt: skip


def drawn(explanation: Explanation) -> np.ndarray:
    """Positions of the training examples that are drawn: the strongest, the first first, and a fixed sample of the rest."""
    order = strongest(explanation.shown, len(explanation.shown))
    rest = order[STRONGEST:]
    return np.concatenate([order[:STRONGEST], rest[_sample(len(rest), POINTS - STRONGEST)]])


def _sample(n: int, most: int) -> np.ndarray:
    """Positions ``(<= most,)`` of a fixed sample of ``n``."""
    return np.random.default_rng(0).permutation(n)[:most]


def _colour(label: int) -> str:
    return LABELS[label] if label < len(LABELS) else GREY.both


def _discs(result: Plane, explanation: Explanation, unit: Unit) -> go.Scattergl:
    """One trace of all that are drawn, so that a lasso names the strongest first, and faint ones lie above large ones."""
    at = drawn(explanation)
    effects, places = explanation.shown[at], result.train[at]
    names = [escape_html(name) for name in explanation.class_names]
    if unit == UNIT:
        told = [nats(float(one)) for one in effects]
    else:
        told = [having(float(one)) for one in explanation.effects.probability[at]]
    largest = max(float(np.abs(effects).max()), np.finfo(float).tiny)
    size = np.sqrt(SMALLEST**2 + (LARGEST**2 - SMALLEST**2) * np.abs(effects) / largest)
    return go.Scattergl(
        x=places[:, 0].astype(np.float32),
        y=places[:, 1].astype(np.float32),
        mode="markers",
        showlegend=False,
        customdata=explanation.ids[at][:, None].tolist(),
        hovertext=[
            f"training {explanation.kind} {one}, labelled {names[label]}<br>{word}"
            for one, label, word in zip(explanation.ids[at], explanation.labels[at], told, strict=True)
        ],
        hoverinfo="text",
        marker={
            "size": size.round(1),
            "opacity": 0.75,
            "line": {"width": np.where(np.arange(len(at)) < RIMMED, 2.0, 0.0), **by_sign(effects)},
            **by_number(np.minimum(explanation.labels[at], len(LABELS)), (*LABELS, GREY.both)),
        },
        unselected={"marker": {"opacity": 0.5}},
    )


def _crosses(at: np.ndarray, label: int, name: str) -> go.Scattergl:
    """The test examples of one label; they name its colour in the legend."""
    return go.Scattergl(
        x=at[:, 0].astype(np.float32),
        y=at[:, 1].astype(np.float32),
        mode="markers",
        name=name,
        hoverinfo="skip",
        marker={"size": 6, "symbol": "x-thin-open", "color": _colour(label), "opacity": 0.6},
    )


def _marks(at: np.ndarray, symbol: str, size: int, name: str) -> go.Scattergl:
    return go.Scattergl(
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
