"""Named bars from one line of zero to the right and to the left; what other figures are made of."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from influence_core.figures.palette import GREY
from influence_core.words import visible

CLEAR = "rgba(0,0,0,0)"
PALE = 0.42
LONGEST_NAME = 34
FEW_TICKS = 8
"""Up to so many whole numbers there is room for each; beyond, the drawing chooses whole ones itself."""


def escape_html(text: str, most: int = LONGEST_NAME) -> str:
    """Somebody else's text as Plotly shows it to the letter, not too long: no markup, maths or placeholder comes alive."""
    text = " ".join(visible(text).split())
    escaped = html.escape(text if len(text) <= most else text[: most - 1] + "…", quote=False)
    return escaped.replace("$", "&#36;").replace("{", "&#123;")


def whole_ticks(most: int) -> dict[str, int]:
    """An axis of counts up to ``most`` without halves."""
    return {"dtick": 1} if most <= FEW_TICKS else {}


def bars(
    names: Sequence[str],
    values: np.ndarray,
    colours: Sequence[str],
    strong: Sequence[bool] | np.ndarray,
    hover: Sequence[str],
    title: str,
    texts: Sequence[str] = (),
) -> go.Figure:
    """One horizontal bar a name, the first on top; the strong ones are full, the others pale.

    Args:
        names: ``(k,)`` what stands at the left; it need not be different.
        values: ``(k,)`` the lengths.
        colours: ``(k,)``.
        strong: ``(k,)`` which bars stand out.
        hover: ``(k,)`` what a pointer reads, escaped.
        title: Of the axis.
        texts: ``(k,)`` what stands behind the bars, escaped; () for nothing.
    """
    at = np.arange(len(values))
    figure = go.Figure(
        go.Bar(
            x=values,
            y=at,
            orientation="h",
            marker={
                "color": list(colours),
                "opacity": [1.0 if one else PALE for one in strong],
                "line": {"width": 0},
            },
            hovertext=list(hover),
            hoverinfo="text",
            text=list(texts) or None,
            textposition="outside",
            cliponaxis=False,
            showlegend=False,
        )
    )
    figure.update_xaxes(
        title=title, zeroline=True, zerolinecolor=GREY.both, fixedrange=True, nticks=6, automargin=True
    )
    figure.update_yaxes(
        tickvals=at,
        ticktext=[
            f"<b>{escape_html(name)}</b>" if one else escape_html(name)
            for name, one in zip(names, strong, strict=True)
        ],
        range=[len(values) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        ticks="",
        fixedrange=True,
        automargin=True,
    )
    return quiet(figure, 22 * len(values) + 62)


def quiet(figure: go.Figure, height: int) -> go.Figure:
    """No frame, no background, small margins."""
    return figure.update_layout(
        height=height,
        margin={"l": 8, "r": 14, "t": 6, "b": 48},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        bargap=0.28,
    )
