"""How often the same training examples come out on top, by each way to rank them."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.foils import TITLES, TOP, Often
from influence_core.figures.bars import quiet, whole_ticks
from influence_core.figures.palette import GREY

DRAWN = 50
"""So many of the most frequent examples of each ranking."""
DASHES = {
    "influence": "solid",
    "relative": "dash",
    "nearest": "dot",
    "dot": "dashdot",
    "cosine": "longdash",
    "representer": "longdashdot",
}
SYMBOLS = {
    "influence": "circle",
    "relative": "square",
    "nearest": "triangle-up",
    "dot": "x",
    "cosine": "diamond",
    "representer": "cross",
}


def often_on_top(result: Often) -> go.Figure:
    """A line a ranking: its most frequent examples from left to right, and the share of the questions that have them on top.

    A line that begins high names the same few examples whatever is asked. Told apart by dashes and marks, since colour is sign.

    Args:
        result: The counts of every ranking.
    """
    figure = go.Figure()
    for name, counts in zip(result.names, result.counts, strict=True):
        share = 100 * np.sort(counts)[::-1][:DRAWN] / result.questions
        figure.add_trace(
            go.Scatter(
                x=np.arange(1, len(share) + 1),
                y=share,
                mode="lines+markers",
                name=TITLES[name],
                line={"color": GREY.both, "dash": DASHES[name], "width": 3 if name == "influence" else 1.6},
                marker={"symbol": SYMBOLS[name], "size": 7, "maxdisplayed": 10},
                hovertemplate=f"{TITLES[name]}<br>number %{{x}} is on top of %{{y:.1f}} % of the questions<extra></extra>",
            )
        )
    ticks = whole_ticks(min(DRAWN, result.counts.shape[1]))
    figure.update_xaxes(
        title="Training examples, the most frequent first", zeroline=False, showgrid=False, **ticks
    )
    figure.update_yaxes(title=f"Questions with it in the first {TOP}, %", rangemode="tozero", zeroline=False)
    return quiet(figure, 340).update_layout(
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}, margin_t=70
    )
