"""How the model gets better, or not, while labels are reviewed."""

from __future__ import annotations

import plotly.graph_objects as go

from influence_core.experiments.review import Review
from influence_core.figures.palette import GREY

MIN_VERDICTS = 10
"""How many verdicts fit on the axis from the start."""
MARGIN = 0.01


def accuracy(review: Review) -> go.Figure:
    """Test accuracy after each training, over the number of verdicts given by then; dotted: not trained again since."""
    done, now = review.trainings, len(review.verdicts)
    heights = [one.accuracy for one in done]
    line = go.Scatter(
        x=[one.verdicts for one in done],
        y=heights,
        mode="lines+markers",
        line={"color": GREY.both, "width": 2, "shape": "hv"},
        marker={"size": 8, "color": GREY.both},
        customdata=[[one.relabelled] for one in done],
        hovertemplate="%{x} verdicts, %{customdata[0]} labels changed<br>test accuracy %{y:.2%}<extra></extra>",
        showlegend=False,
    )
    since = go.Scatter(
        x=[done[-1].verdicts, now],
        y=[heights[-1]] * 2,
        mode="lines",
        line={"color": GREY.both, "width": 2, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
    figure = go.Figure([since, line])
    figure.update_xaxes(
        title="Verdicts given",
        range=[-0.03 * max(now, MIN_VERDICTS), 1.05 * max(now, MIN_VERDICTS)],
        tickformat=",d",
        nticks=6,
        fixedrange=True,
        zeroline=False,
    )
    figure.update_yaxes(
        title="Test accuracy",
        range=[min(heights) - MARGIN, max(heights) + MARGIN],
        tickformat=".1%",
        nticks=5,
        fixedrange=True,
        zeroline=False,
    )
    return figure.update_layout(
        height=220,
        margin={"l": 60, "r": 12, "t": 8, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
