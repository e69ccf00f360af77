"""Pictures of an explanation: what the model says, and influence against distance (the paper's Figure 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from influence_core.agreement import strongest
from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import SHORT_WORDS, Number
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY, HELPFUL, by_sign
from influence_core.words import UNIT, having, nats, percent

TOP = 300
SAMPLE = 500
BINS = (90, 60)
CLEAR = "rgba(0,0,0,0)"
CIRCLE, CIRCLE_OPEN = 0, 100
"""Plotly's numbers for them, which it reads faster than names."""
UPWARDS: dict[Number, str] = {
    "proven": "Proven change of the loss",
    "corrected": "Corrected forecast of the loss",
    "influence": "Influence: predicted change of the loss",
}
HAVING: dict[Number, str] = {
    "proven": "Proven effect of having it",
    "corrected": "Corrected forecast of having it",
    "influence": "Influence: predicted effect of having it",
}
Unit = Literal["pp", "nats"]
A_CLASS = 21
"""Height of a bar."""
BEHIND = 1.75
"""The axis ends so far behind a certain answer: its number stands there."""


def probabilities(explanation: Explanation) -> go.Figure:
    """The model's probabilities as bars; the label asked about is blue, the others grey."""
    values = explanation.probabilities
    colours = [HELPFUL.both if label == explanation.label else GREY.both for label in range(len(values))]
    bars = go.Bar(
        x=values,
        y=[escape_html(name) for name in explanation.class_names],
        orientation="h",
        marker_color=colours,
        text=[percent(float(value)) for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_xaxes(visible=False, range=[0, BEHIND], fixedrange=True)
    figure.update_yaxes(type="category", autorange="reversed", fixedrange=True, ticks="", showgrid=False)
    return _quiet(figure, height=A_CLASS * len(values) + 14, left=24)


def influence_against_distance(
    explanation: Explanation,
    opened: int | None = None,
    chosen: Collection[int] = (),
    number: Number = "influence",
    unit: Unit = "nats",
    height: int = 460,
    file: Callable[[int], str] = lambda _: "",
) -> go.Figure:
    """Every training example's effect over distance; the strongest and a sample can be clicked.

    ``customdata`` of every clickable point is ``[training id]``. Filled points bear the label asked about.

    Args:
        explanation: With the numbers at hand.
        opened: Training id to ring.
        chosen: Training ids to mark as chosen for retraining.
        number: What is drawn upwards; the paper's is the influence.
        unit: The change of the loss when it is taken out, nats, as in the paper; or the effect on the probability of having
            it, percentage points. Both are plus where it speaks for the label.
        height: Of the figure.
        file: What gives the file of each training id, which its point names first; "" where there is none.
    """
    explanation = explanation.by(number)
    figure = go.Figure(_density(explanation, unit))
    for at in clickable(explanation):
        if len(at):
            figure.add_trace(_points(explanation, at, unit, file))
    figure.add_trace(_rings(explanation, unit, chosen, "square-open", 15, "chosen for retraining"))
    figure.add_trace(
        _rings(explanation, unit, [] if opened is None else [opened], "circle-open", 20, "opened")
    )
    figure.update_xaxes(title=_distance_title(explanation.kind), zeroline=False)
    figure.update_yaxes(
        title=_upward_title(explanation, unit), zerolinewidth=1, zerolinecolor=GREY.both, exponentformat="e"
    )
    return _quiet(figure, height=height, left=70, bottom=50)


def _upwards(explanation: Explanation, unit: Unit) -> np.ndarray:
    """``(n,)`` what is drawn upwards."""
    return explanation.shown if unit == UNIT else 100 * explanation.having


def _upward_title(explanation: Explanation, unit: Unit) -> str:
    asked = f"“{escape_html(explanation.label_name)}”"
    if unit == UNIT:
        return f"{UPWARDS[explanation.number]} of {asked}, nats"
    return f"{HAVING[explanation.number]}<br>on the probability of {asked}, pp"


def _distance_title(kind: str) -> str:
    measured = {"image": "pixels, 0 to 1", "row": "numbers in standard deviations"}.get(kind, "word counts")
    return f"Distance between the {kind}s (Euclidean, {measured})"


def _density(explanation: Explanation, unit: Unit) -> go.Heatmap:
    """All examples as a grey cloud, log-shaded, drawn from counts so that its size does not grow with n."""
    counts, x, y = np.histogram2d(explanation.distance, _upwards(explanation, unit), bins=BINS)
    shade = np.where(counts > 0, np.log1p(counts), np.nan).T
    return go.Heatmap(
        x=(x[:-1] + x[1:]) / 2,
        y=(y[:-1] + y[1:]) / 2,
        z=shade.astype(np.float32),
        colorscale=[[0, "rgba(128,135,144,0.12)"], [1, "rgba(128,135,144,0.75)"]],
        showscale=False,
        hoverinfo="skip",
        name="all training examples",
    )


def clickable(explanation: Explanation) -> tuple[np.ndarray, np.ndarray]:
    """The strongest examples and a fixed sample of the others, each example in one of the two."""
    order = strongest(explanation.shown, len(explanation.shown))
    top, rest = order[:TOP], order[TOP:]
    sample = np.random.default_rng(0).choice(rest, min(SAMPLE, len(rest)), replace=False)
    return top, sample


def _points(explanation: Explanation, at: np.ndarray, unit: Unit, file: Callable[[int], str]) -> go.Scattergl:
    scores, same = explanation.shown[at], explanation.labels[at] == explanation.label
    change = explanation.effects.probability[at]
    names = [escape_html(name) for name in explanation.class_names]
    asked, number = names[explanation.label], SHORT_WORDS[explanation.number]
    in_nats = [f"<br>taken out, its loss changes by {nats(float(d))}" if unit == UNIT else "" for d in scores]
    named = (escape_html(file(int(one))) for one in explanation.ids[at])
    files = [f"{one}<br>" if one else "" for one in named]
    hover = [
        f"{first}training {explanation.kind} {explanation.ids[i]}, labelled {names[explanation.labels[i]]}"
        f"<br>{number}: {having(float(c))} for “{asked}”{loss}<br>distance {explanation.distance[i]:.2f}"
        for i, first, loss, c in zip(at, files, in_nats, change, strict=True)
    ]
    return go.Scattergl(
        x=explanation.distance[at].astype(np.float32),
        y=_upwards(explanation, unit)[at].astype(np.float32),
        mode="markers",
        customdata=explanation.ids[at][:, None].tolist(),
        hovertext=hover,
        hoverinfo="text",
        marker={
            "size": 8,
            "symbol": np.where(same, CIRCLE, CIRCLE_OPEN),
            "line": {"width": 1.5, **by_sign(scores)},
            **by_sign(scores),
        },
        unselected={"marker": {"opacity": 0.75}},
        selected={"marker": {"opacity": 1.0}},
        showlegend=False,
    )


def _rings(
    explanation: Explanation, unit: Unit, ids: Collection[int], symbol: str, size: int, name: str
) -> go.Scatter:
    at = [explanation.position(one) for one in ids]
    return go.Scatter(
        x=explanation.distance[at],
        y=_upwards(explanation, unit)[at],
        mode="markers",
        hoverinfo="skip",
        marker={"symbol": symbol, "size": size, "color": GREY.both, "line": {"width": 2.5}},
        name=name,
        showlegend=False,
    )


def _quiet(figure: go.Figure, height: int, left: int = 10, bottom: int = 8) -> go.Figure:
    """No frame, no background, small margins."""
    return figure.update_layout(
        height=height,
        margin={"l": left, "r": 12, "t": 10, "b": bottom},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        showlegend=False,
        bargap=0.25,
    )
