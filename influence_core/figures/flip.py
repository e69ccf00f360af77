"""An answer's probabilities while the examples of a flip set go."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from influence_core.experiments.flip_curve import FlipCurve
from influence_core.figures.bars import escape_html, whole_ticks
from influence_core.figures.palette import GREY, HELPFUL
from influence_core.words import percent

HEIGHT = 260


def flip_curve(
    curve: FlipCurve, class_names: Sequence[str], said: int, says: int, done: str = "taken out"
) -> go.Figure:
    """The label that was said (solid) and the one that is said at the end (dashed), against how many are edited.

    Args:
        curve: Models with ever more of the set edited.
        class_names: What labels mean.
        said: The answer before.
        says: The answer at the end.
        done: What happens to the examples.
    """
    figure = go.Figure()
    sides = ((said, HELPFUL.both, "solid"), (says, GREY.both, "dash"))
    for label, colour, dash in sides if said != says else sides[:1]:
        name, values = escape_html(class_names[label]), curve.probabilities[:, label]
        figure.add_trace(
            go.Scatter(
                x=curve.counts,
                y=values,
                name=name,
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 8},
                text=[percent(float(one)) for one in values],
                hovertemplate=f"{name}: %{{text}} with %{{x:,}} {done}<extra></extra>",
            )
        )
    figure.update_xaxes(
        title=f"training examples {done}, the strongest first",
        fixedrange=True,
        zeroline=False,
        **whole_ticks(int(max(curve.counts))),
    )
    figure.update_yaxes(
        title="probability", tickformat=".0%", rangemode="tozero", fixedrange=True, gridcolor=_faint()
    )
    return figure.update_layout(
        height=HEIGHT,
        margin={"l": 24, "r": 12, "t": 6, "b": 34},
        legend={"orientation": "h", "y": 1.15},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )


def _faint() -> str:
    return f"{GREY.both}40"
