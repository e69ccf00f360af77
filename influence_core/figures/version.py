"""What the changes of a version do to one answer: forecast and truth, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from influence_core.figures.bars import escape_html, quiet
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL
from influence_core.words import points

PALE_BARS = 0.6
"""So that the circles are seen on them."""


def changed_answer(
    before: np.ndarray, forecast: np.ndarray | None, after: np.ndarray, class_names: Sequence[str], label: int
) -> go.Figure:
    """A bar a label, the true change of its probability; an open circle is the forecast.

    Args:
        before: ``(classes,)`` probabilities of the unchanged model.
        forecast: ``(classes,)`` as they were forecast; ``None`` where they were not.
        after: ``(classes,)`` of the changed model.
        class_names: What the labels mean.
        label: The one asked about, whose name is bold.
    """
    names = [escape_html(name) for name in class_names]
    names[label] = f"<b>{names[label]}</b>"
    rise, at = 100 * (after - before), np.arange(len(names))
    colours = [(HELPFUL if value > 0 else HARMFUL).both for value in rise]
    hover = [
        f"{name}: {points(float(value) / 100)} after training"
        for name, value in zip(names, rise, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            x=rise,
            y=at,
            orientation="h",
            marker={"color": colours, "opacity": PALE_BARS},
            name="truth",
            hovertext=hover,
            hoverinfo="text",
        )
    )
    if forecast is not None:
        foreseen = 100 * (forecast - before)
        words = [
            f"{name}: {points(float(value) / 100)} forecast"
            for name, value in zip(names, foreseen, strict=True)
        ]
        marker = {"symbol": "circle-open", "size": 11, "color": GREY.both, "line": {"width": 2}}
        figure.add_trace(
            go.Scatter(
                x=foreseen,
                y=at,
                mode="markers",
                marker=marker,
                name="forecast",
                hovertext=words,
                hoverinfo="text",
            )
        )
    title = "Change of the probability, percentage points"
    figure.update_xaxes(title=title, zeroline=True, zerolinecolor=GREY.both, fixedrange=True, automargin=True)
    figure.update_yaxes(
        tickvals=at,
        ticktext=names,
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        ticks="",
        fixedrange=True,
        automargin=True,
    )
    return quiet(figure, 24 * len(names) + 70).update_layout(showlegend=False)
