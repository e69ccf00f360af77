"""Room for the toolbar that a chart has in a browser."""

from __future__ import annotations

import plotly.graph_objects as go

ROOM = 34
"""Pixels above the drawing that the toolbar takes."""


def has_toolbar(figure: go.Figure) -> bool:
    """Whether there is an axis along which the drawing can be moved, which is what the tools are for."""
    axes = (*figure.select_xaxes(), *figure.select_yaxes())
    return not axes or not all(axis.fixedrange for axis in axes)


def make_room(figure: go.Figure) -> None:
    """Give a figure that was just drawn, as high, so much more margin at the top that the toolbar covers nothing of it.

    A legend or a title of a subplot moves down with the drawing. The figure itself is changed, for a copy would hold all points
    once more.
    """
    top = figure.layout.margin.t
    figure.layout.margin.t = ROOM + (100 if top is None else top)
