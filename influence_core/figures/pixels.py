"""The per-pixel influence of a training example, drawn over the example."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.pixels import PixelMap
from influence_core.figures.palette import HARMFUL, HELPFUL

INK_LEVEL = 0.35


def pixel_map(result: PixelMap, label_name: str) -> go.Figure:
    """Blue: ink added here would lower the test loss (speak for the label); orange: it would raise it.

    The example's own strokes are outlined. Hover shows the predicted loss change of each pixel from blank to ink.
    """
    change = result.loss_change
    limit = float(np.abs(change).max()) or 1.0
    heat = go.Heatmap(
        z=change,
        zmin=-limit,
        zmax=limit,
        colorscale=[[0, HELPFUL.both], [0.5, "rgba(128,135,144,0.08)"], [1, HARMFUL.both]],
        showscale=False,
        hovertemplate=f"ink here: %{{z:+.2e}} nats for “{label_name}”<extra></extra>",
    )
    strokes = go.Contour(
        z=result.picture,
        contours={"start": INK_LEVEL, "end": INK_LEVEL, "size": 1, "coloring": "none"},
        line={"color": "#808790", "width": 2},
        showscale=False,
        hoverinfo="skip",
    )
    figure = go.Figure([heat, strokes])
    figure.update_xaxes(visible=False, constrain="domain", fixedrange=True)
    figure.update_yaxes(
        visible=False, autorange="reversed", scaleanchor="x", constrain="domain", fixedrange=True
    )
    return figure.update_layout(
        height=210,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
