"""The forecast beside the truth after retraining."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from influence_core.experiments.take_out import TakeOut
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY, HELPFUL
from influence_core.words import percent


def before_and_after(result: TakeOut, class_names: Sequence[str], label: int) -> go.Figure:
    """Each label's probability before (open) and after (filled) retraining; the label asked about is blue."""
    figure = go.Figure()
    for at, name in enumerate(map(escape_html, class_names)):
        colour = HELPFUL.both if at == label else GREY.both
        before, after = float(result.before[at]), float(result.after[at])
        figure.add_trace(
            go.Scatter(
                x=[before, after],
                y=[name, name],
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={
                    "size": 11,
                    "symbol": ["circle-open", "circle"],
                    "color": colour,
                    "line": {"width": 2},
                },
                hovertemplate=f"{name}: {percent(before)} before, {percent(after)} after<extra></extra>",
                showlegend=False,
            )
        )
    top = max(float(result.before.max()), float(result.after.max()))
    figure.update_xaxes(
        tickformat=".0%", range=[-0.02, min(1.02, 1.1 * top)], fixedrange=True, zeroline=False
    )
    figure.update_yaxes(type="category", autorange="reversed", fixedrange=True, showgrid=True, ticks="")
    return figure.update_layout(
        height=24 * len(class_names) + 50,
        margin={"l": 24, "r": 12, "t": 6, "b": 34},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
