"""A poisoned training picture: what was changed, what it did step by step, and how often it works (Figure 5)."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from influence_core.experiments.poison import Poisoned
from influence_core.experiments.poison_many import PAPER_SHARES, Shares
from influence_core.figures.bars import escape_html
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL
from influence_core.words import percent

CLEAR = "rgba(0,0,0,0)"
MIDDLE = 127.5
TITLES = ("original", "difference", "poisoned")


def amplified(result: Poisoned, at: int) -> np.ndarray:
    """The change of picture ``at`` around grey, ``(side, side, 3)`` uint8: the whole box fills the whole scale."""
    change = (result.poisoned[at] - result.original[at]) / result.attack.box
    return np.rint(MIDDLE * (1 + change)).clip(0, 255).astype(np.uint8)


def triptych_pictures(result: Poisoned, at: int) -> list[np.ndarray]:
    """Original, amplified difference and poisoned picture ``at``, each ``(side, side, 3)`` uint8, as screens show them."""
    shown = (result.original[at], amplified(result, at), result.poisoned[at])
    return [np.rint(one).clip(0, 255).astype(np.uint8) for one in shown]


def triptych(result: Poisoned, at: int) -> go.Figure:
    """These three beside each other."""
    figure = make_subplots(cols=3, subplot_titles=TITLES, horizontal_spacing=0.02)
    for column, picture in enumerate(triptych_pictures(result, at), 1):
        figure.add_trace(go.Image(source=_png(picture), hoverinfo="skip", zsmooth="fast"), row=1, col=column)
    figure.update_xaxes(visible=False, fixedrange=True, constrain="domain")
    figure.update_yaxes(visible=False, fixedrange=True, constrain="domain", constraintoward="top")
    return _lay_out(figure, 290, top=26)


def steps(result: Poisoned, class_names: tuple[str, ...]) -> go.Figure:
    """The probability of the asked label after each step's real retraining; dashed: random signs instead.

    Of many test images each has a pale line, and their mean a strong one.
    """
    figure, across = go.Figure(), np.arange(len(result.probabilities))
    many = result.probabilities.shape[1] > 1
    name = escape_html(class_names[int(result.asked[0])])
    for values in result.probabilities.T if many else ():
        line = {"color": GREY.both, "width": 1}
        figure.add_trace(
            go.Scatter(x=across, y=values, mode="lines", line=line, opacity=0.35, hoverinfo="skip")
        )
    figure.add_trace(
        go.Scatter(
            x=across,
            y=result.probabilities.mean(1),
            mode="lines+markers",
            line={"color": HARMFUL.both, "width": 2.5},
            marker={"size": 6},
            hovertemplate="%{y:.2%} after step %{x}<extra></extra>",
        )
    )
    _line(figure, float(result.control.mean()), "dash", "random signs of the same size", "bottom")
    if len(class_names) == 2:
        _line(figure, 0.5, "dot", "below this line the answer turns", "top")
    figure.update_xaxes(title="Step", rangemode="tozero", fixedrange=True, dtick=5 if len(across) > 12 else 1)
    figure.update_yaxes(
        title=f"{'Mean p' if many else 'P'}robability of “{name}”",
        tickformat=".0%",
        range=[-0.02, 1.08],
        fixedrange=True,
    )
    return _lay_out(figure.update_traces(showlegend=False), 300)


def flips(shares: Mapping[str, Shares], paper: bool = False) -> go.Figure:
    """Share of test images turned by at most so many poisoned pictures, beside the paper's; one colour a run.

    Args:
        shares: Runs by their name in the legend.
        paper: Whether to draw on white.
    """
    figure = go.Figure()
    sizes = sorted({*PAPER_SHARES, *(size for one in shares.values() for size in one.sizes)})
    names = [f"{size} picture{'s' if size > 1 else ''}" for size in sizes]
    theirs = [PAPER_SHARES.get(size) for size in sizes]
    figure.add_trace(_share_bars("the paper, Inception v3", names, theirs, GREY.both))
    for (name, run), colour in zip(shares.items(), (HARMFUL.both, HELPFUL.both) * len(shares), strict=False):
        mine = [run.flipped(size) if size in run.sizes else None for size in sizes]
        figure.add_trace(_share_bars(name, names, mine, colour))
    figure.update_yaxes(title="Test images turned", tickformat=".0%", range=[0, 1.12], fixedrange=True)
    figure.update_xaxes(fixedrange=True)
    figure = _lay_out(figure, 340, top=60)
    return figure.update_layout(
        barmode="group", legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    ).update_layout(**({"template": "simple_white", "paper_bgcolor": "white"} if paper else {}))


def _share_bars(name: str, names: list[str], values: list[float | None], colour: str) -> go.Bar:
    return go.Bar(
        x=names,
        y=values,
        name=name,
        marker={"color": colour},
        text=["" if one is None else percent(one) for one in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate=f"{name}: %{{y:.1%}} with %{{x}}<extra></extra>",
    )


def _line(figure: go.Figure, height: float, dash: str, words: str, side: str) -> None:
    figure.add_hline(
        y=height,
        line={"color": GREY.both, "width": 1.5, "dash": dash},
        annotation={"text": words, "yanchor": side, "font": {"size": 11}},
        annotation_position="bottom left" if side == "top" else "top right",
        opacity=1,
    )


def _png(picture: np.ndarray) -> str:
    held = io.BytesIO()
    Image.fromarray(picture).save(held, format="PNG")
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")


def _lay_out(figure: go.Figure, height: int, top: int = 12) -> go.Figure:
    shape: dict[str, Any] = {"l": 0, "r": 8, "t": top, "b": 0}
    return figure.update_layout(height=height, margin=shape, paper_bgcolor=CLEAR, plot_bgcolor=CLEAR)
