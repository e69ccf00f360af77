"""The training examples that speak for and against, side by side."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.studies import Study
from influence_core.words import UNIT
from pages._common.cards import SNIPPET_LETTERS, show_grid, training_card
from pages._common.number import effect, rule
from pages._common.picture_grid import Picture
from pages._common.word_meanings import explained
from pages._shell.address import View, toggle_chosen
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import bound

TOP, FEWER = 6, 3
"""So many on each side: pictures, and words, of which one fills a row of its own."""
SNIPPET_LINES = 3
WIDTH = 74
"""Of the narrowest card, pixels: three fit beside each other where the window is small."""


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """For and against, by the best number at hand, which is named."""
    asked = escape_markdown(explanation.label_name)
    top = TOP if study.data.pictured else FEWER
    sides = (
        ("helpful", f"Speak for {asked}", explanation.helpful(top), "blue", None),
        ("harmful", f"Speak against {asked}", explanation.harmful(top), "orange", _why_against(explanation)),
    )
    with st.container(key="sides", gap="xsmall"):
        for column, (tone, title, at, colour, why) in zip(st.columns(2, gap="small"), sides, strict=True):
            with column:
                st.header(f":{colour}[{title}]", help=why)
                if not len(at):
                    st.caption(f"No training {explanation.kind} is on this side.")
                show_grid(
                    study,
                    [_card(study, explanation, int(one), tone, params.unit) for one in at],
                    key=f"side_{tone}",
                    width=WIDTH,
                    chosen=[view.open],
                    selected=[str(one) for one in view.chosen],
                    on_select=toggle_chosen,
                    snippet_lines=SNIPPET_LINES,
                )
        _rule(params, explanation)


def _why_against(explanation: Explanation) -> str:
    """Why an example of the very label may be among those against it."""
    asked = escape_markdown(explanation.label_name)
    return (
        f"Without any one of these the model would be surer of {asked}. Why one that is itself labelled {asked}? If it looks "
        f"unlike the others with its label, it pulls the model's idea of {asked} towards itself, and away from here; or its "
        "label is wrong."
    )


def _rule(params: ExplainParams, explanation: Explanation) -> None:
    """What the numbers are, once, and the way to the other unit."""
    words, unit = st.columns([4.4, 1], gap="xsmall")
    said = f"{rule(explanation, params.unit)} Click to open, tick to take out."
    words.caption(said, help=explained(said))
    with unit:
        write = {True: UNIT, False: ""}.__getitem__
        bound(st.toggle, "unit", params.unit == UNIT, "nats", write=write, help=explained("nats"))


def _card(study: Study, explanation: Explanation, at: int, tone: str, unit: str) -> Picture:
    name = study.data.class_names[explanation.labels[at]]
    said = effect(explanation, at, unit)
    card = training_card(study, at, (said,), tone, f"label {name}", f", {said}")
    return replace(card, snippet=" · ".join(card.snippet.splitlines())[:SNIPPET_LETTERS])
