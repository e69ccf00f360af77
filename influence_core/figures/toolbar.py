"""Room for the toolbar that a chart has in a browser."""

from __future__ import annotations

import plotly.graph_objects as go

ROOM = 34
"""Pixels above the drawing that the toolbar takes."""


def has_toolbar(figure: go.Figure) -> bool:
    """Whether there is an axis along which the drawing can be moved, which is what the tools are for."""
    axes = (*figure.select_xaxes(), *figure.select_yaxes())
    return not axes or not all(axis.fixedrange for axis in axes)


def with_room(figure: go.Figure) -> go.Figure:
    """The same figure, as high, with so much more margin at the top that the toolbar covers nothing of the drawing.

    A legend or a title of a subplot moves down with the drawing.
    """
    top = figure.layout.margin.t
    return go.Figure(figure).update_layout(margin_t=ROOM + (100 if top is None else top))
