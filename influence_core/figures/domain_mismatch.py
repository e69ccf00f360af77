"""Pictures of a group that the model fails on: errors, strongest rows, coefficients, real removals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.domain_mismatch import DomainMismatch
from influence_core.experiments.groups import Group, GroupCounts
from influence_core.experiments.take_out import TakeOut
from influence_core.figures.bars import bars, escape_html, quiet
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL
from influence_core.words import nats, signed


def group_errors(counts: Sequence[GroupCounts], chosen: Group | None = None) -> go.Figure:
    """The share of wrong answers in each group of a column; the chosen group is full, the others pale."""
    return bars(
        [one.group.name for one in counts],
        np.array([one.errors.rate for one in counts]),
        [GREY.both] * len(counts),
        [one.group == chosen for one in counts],
        [
            f"{escape_html(one.group.name, 90)}<br>wrong on {one.errors.share} of its test rows"
            f"<br>{int(one.train.sum()):,} training rows"
            for one in counts
        ],
        "Wrong answers on test rows",
        [str(one.errors) if one.errors.rows else "no test row" for one in counts],
    ).update_xaxes(tickformat=".0%", range=[0, 1.5 * max(max(one.errors.rate for one in counts), 0.01)])


def before_and_after(story: DomainMismatch) -> go.Figure:
    """The share of wrong answers in the group and elsewhere: open with all training rows, filled without some."""
    figure = go.Figure()
    before = story.whole or story.counts
    pairs = {
        story.counts.group.name: (before.errors, story.counts.errors),
        "all other rows": (before.elsewhere, story.counts.elsewhere),
    }
    for at, (name, (first, last)) in enumerate(pairs.items()):
        marker = {
            "size": 13,
            "symbol": ["circle-open", "circle"],
            "color": GREY.both,
            "line": {"width": 2, "color": GREY.both},
        }
        figure.add_trace(
            go.Scatter(
                x=[first.rate, last.rate],
                y=[at, at],
                mode="lines+markers",
                line={"color": GREY.both, "width": 2},
                marker=marker,
                hovertext=[
                    f"{escape_html(name, 90)}, trained on {what}: wrong on {one.share}"
                    for what, one in (("all rows", first), ("fewer rows", last))
                ],
                hoverinfo="text",
                showlegend=False,
            )
        )
    top = max(one.rate for pair in pairs.values() for one in pair) or 0.01
    figure.update_xaxes(
        title="Wrong answers on test rows",
        tickformat=".0%",
        range=[-0.05 * top, 1.1 * top],
        fixedrange=True,
        zeroline=False,
    )
    figure.update_yaxes(
        tickvals=[0, 1],
        ticktext=[f"<b>{escape_html(story.counts.group.name)}</b>", "all other rows"],
        range=[1.5, -0.5],
        showgrid=True,
        zeroline=False,
        fixedrange=True,
        automargin=True,
    )
    return quiet(figure, 150)


def strongest_rows(story: DomainMismatch, k: int = 10) -> go.Figure:
    """The ``k`` most harmful training rows above the ``k`` most helpful, sorted; rows of the group are full.

    Orange: without the row the loss would fall; blue: it would rise.
    """
    answer = story.explanation
    at = np.concatenate([answer.harmful(k), answer.helpful(k)[::-1]])
    scores = answer.shown[at]
    names = [answer.class_names[label] for label in answer.labels[at]]
    return bars(
        [f"{answer.kind} {answer.ids[i]}: {name}" for i, name in zip(at, names, strict=True)],
        scores,
        [HELPFUL.both if one > 0 else HARMFUL.both for one in scores],
        story.in_group[at],
        [
            f"training {answer.kind} {answer.ids[i]}, labelled {escape_html(name)}<br>{nats(float(answer.shown[i]))}"
            + (f"<br>{escape_html(story.counts.group.name, 90)}" if story.in_group[i] else "")
            for i, name in zip(at, names, strict=True)
        ],
        f"Loss change of “{escape_html(answer.label_name, 20)}”<br>without the row, nats",
    )


def coefficients(story: DomainMismatch, k: int = 20) -> go.Figure:
    """The ``k`` features with the largest coefficients; those that tell the group are full."""
    at = story.largest_coefficients(k)
    tells = set(story.group_features)
    return bars(
        [story.feature_names[i] for i in at],
        story.coefficients[at],
        [GREY.both] * len(at),
        [i in tells for i in at],
        [
            f"{escape_html(story.feature_names[i], 90)}: {signed(float(story.coefficients[i]))}<br>rank {rank:,} by size"
            for rank, i in enumerate(at, 1)
        ],
        f"Coefficient, plus = speaks<br>for “{escape_html(story.coefficient_label, 20)}”",
    )


def removals(found: Sequence[TakeOut]) -> go.Figure:
    """For each training row taken out on its own: its influence (open) and what training without it gave (filled)."""
    figure = go.Figure()
    for at, one in enumerate(found):
        colour = HELPFUL.both if one.actual > 0 else HARMFUL.both
        figure.add_trace(
            go.Scatter(
                x=[one.forecast.alone, one.actual],
                y=[at, at],
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={
                    "size": 12,
                    "symbol": ["circle-open", "circle"],
                    "color": colour,
                    "line": {"width": 2, "color": colour},
                },
                hovertext=[
                    f"influence {nats(one.forecast.alone)}",
                    f"after real training {nats(one.actual)}",
                ],
                hoverinfo="text",
                showlegend=False,
            )
        )
    figure.update_xaxes(
        title="Change of the loss without the row, nats",
        zeroline=True,
        zerolinecolor=GREY.both,
        fixedrange=True,
    )
    figure.update_yaxes(
        tickvals=list(range(len(found))),
        ticktext=[f"row {one.train_ids[0]}" for one in found],
        range=[len(found) - 0.5, -0.5],
        zeroline=False,
        fixedrange=True,
        automargin=True,
    )
    return quiet(figure, 34 * len(found) + 70)
