"""What each group of training examples does to an answer: the forecast, and the truth where it was asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.targets import Target
from influence_core.figures.bars import bars, escape_html
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL


def cause_bars(
    target: Target, names: Sequence[str], having: np.ndarray, proven: Sequence[float | None]
) -> go.Figure:
    """A bar a group, what having it does: blue for the better, orange for the worse; a diamond where it was proven.

    Args:
        target: What is asked about.
        names: ``(k,)`` of the groups.
        having: ``(k,)`` the forecast of having each group, in the quantity's unit.
        proven: ``(k,)`` the same after real training, ``None`` where that was not done.
    """
    scale = 100 if target.is_probability else 1
    colours = [(HELPFUL if target.good * one > 0 else HARMFUL).both for one in having]
    told = [
        f"{escape_html(name)}: {target.change_text(one)}" for name, one in zip(names, having, strict=True)
    ]
    unit = "percentage points" if target.is_probability else "nats"
    strong = np.ones(len(names), dtype=bool)
    figure = bars(names, scale * having, colours, strong, told, f"what having the group does, {unit}")
    at = [i for i, one in enumerate(proven) if one is not None]
    figure.add_trace(
        go.Scatter(
            x=[scale * float(proven[i] or 0) for i in at],
            y=at,
            mode="markers",
            marker={"symbol": "diamond", "size": 11, "color": GREY.both, "line": {"width": 1}},
            hovertext=[f"after real training: {target.change_text(float(proven[i] or 0))}" for i in at],
            hoverinfo="text",
            showlegend=False,
        )
    )
    return figure
