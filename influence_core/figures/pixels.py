"""The per-pixel influence of a training example, drawn over the example."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.pixels import PixelMap
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import HARMFUL, HELPFUL

INK_LEVEL = 0.35
CELL = 8
"""Rows and columns of a photograph's pixels that are drawn as one, their changes added up."""
FULL_COLOUR = 0.98
"""Share of the cells that stay within the colour scale: a few strong ones do not make the rest pale."""


def photo_map(result: PixelMap, label_name: str, opacity: float) -> go.Figure:
    """A photograph, greyed, under the map: blue where more light would lower the test loss, orange where it would raise it.

    Args:
        result: Of a photograph.
        label_name: The label asked about.
        opacity: Of the map, 0 to 1.
    """
    h, w = (CELL * (side // CELL) for side in result.loss_change.shape)
    cells = result.loss_change[:h, :w].reshape(h // CELL, CELL, w // CELL, CELL).sum((1, 3))
    grey = np.repeat(result.picture[:h, :w].mean(2, keepdims=True), 3, axis=2).astype(np.uint8)
    limit = float(np.quantile(np.abs(cells), FULL_COLOUR)) or 1.0
    centre = (CELL - 1) / 2
    heat = go.Heatmap(
        z=cells,
        x0=centre,
        dx=CELL,
        y0=centre,
        dy=CELL,
        zmin=-limit,
        zmax=limit,
        colorscale=[[0, HELPFUL.both], [0.5, "rgba(128,135,144,0)"], [1, HARMFUL.both]],
        opacity=opacity,
        zsmooth="best",
        showscale=False,
        hovertemplate=f"light here: %{{z:+.2e}} nats for “{escape_html(label_name)}”<extra></extra>",
    )
    figure = go.Figure([go.Image(z=grey, hoverinfo="skip"), heat])
    figure.update_xaxes(visible=False, range=[-0.5, w - 0.5], constrain="domain", fixedrange=True)
    figure.update_yaxes(
        visible=False, range=[h - 0.5, -0.5], scaleanchor="x", constrain="domain", fixedrange=True
    )
    return figure.update_layout(
        height=230,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )


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
        hovertemplate=f"ink here: %{{z:+.2e}} nats for “{escape_html(label_name)}”<extra></extra>",
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
