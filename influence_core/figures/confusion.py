"""How often each true label gets each answer; a cell can be clicked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY

CLEAR = "rgba(0,0,0,0)"
CELL = 34
MARGIN = 64
LONGEST = 12


def confusion(
    counts: np.ndarray,
    class_names: Sequence[str],
    kept: tuple[int | None, int | None] = (None, None),
    given: str = "true label",
) -> go.Figure:
    """The confusion matrix; the mistakes are grey, the darker the more there are, and right answers have no colour.

    ``customdata`` of every cell with examples is ``[true label, answer]``.

    Args:
        counts: ``(classes, classes)`` as `Predictions.confusion` has them: rows are true labels, columns answers.
        class_names: What the labels mean.
        kept: True label and answer of the cell that is open.
        given: What the labels that the data have are called.
    """
    names = [escape_html(name, LONGEST) for name in class_names]
    mistakes = counts * ~np.eye(len(counts), dtype=bool)
    colours = [[0, "rgba(128,135,144,0)"], [1, GREY.both]]
    shade = go.Heatmap(
        z=np.sqrt(mistakes), colorscale=colours, showscale=False, hoverinfo="skip", xgap=2, ygap=2
    )
    figure = go.Figure([shade, _cells(counts, names)])
    true, said = kept
    if true is not None and said is not None:
        edge = {"color": GREY.both, "width": 2}
        figure.add_shape(type="rect", x0=said - 0.5, x1=said + 0.5, y0=true - 0.5, y1=true + 0.5, line=edge)
    at, span = list(range(len(names))), [-0.5, len(names) - 0.5]
    axis = {"tickvals": at, "ticktext": names, "zeroline": False, "showgrid": False, "fixedrange": True}
    figure.update_xaxes(title="the model says", side="top", range=span, **axis)
    figure.update_yaxes(title=given, range=span[::-1], **axis)
    side = CELL * len(names)
    return figure.update_layout(
        height=side + MARGIN + 10,
        margin={"l": MARGIN, "r": 8, "t": MARGIN, "b": 4},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        showlegend=False,
    )


def _cells(counts: np.ndarray, names: Sequence[str]) -> go.Scatter:
    """A square that can be clicked, with its count, where there is an example."""
    true, said = np.nonzero(counts)
    return go.Scatter(
        x=said,
        y=true,
        mode="markers+text",
        text=[f"{counts[cell]:,}" for cell in zip(true.tolist(), said.tolist(), strict=True)],
        customdata=np.stack([true, said], 1).tolist(),
        hovertext=[
            f"{counts[t, s]:,} of “{names[t]}”<br>of which the model says “{names[s]}”"
            for t, s in zip(true.tolist(), said.tolist(), strict=True)
        ],
        hoverinfo="text",
        marker={"symbol": "square", "size": CELL - 4, "color": CLEAR},
        selected={"marker": {"color": CLEAR}},
        unselected={"marker": {"color": CLEAR, "opacity": 1}, "textfont": {"color": GREY.both}},
    )
