"""The training examples that speak for and against, side by side."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.studies import Study
from influence_core.words import UNIT
from pages._common.cards import show_grid, training_card
from pages._common.number import effect, rule
from pages._common.picture_grid import Picture
from pages._shell.address import View, toggle_chosen
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import bound

TOP = 6
WIDTH = 74
"""Of the narrowest card, pixels: three fit beside each other where the window is small."""


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """For and against, by the best number at hand, which is named."""
    asked = escape_markdown(explanation.label_name)
    sides = (
        ("helpful", f"Speak for {asked}", explanation.helpful(TOP), "blue"),
        ("harmful", f"Speak against {asked}", explanation.harmful(TOP), "orange"),
    )
    with st.container(key="sides", gap="xsmall"):
        for column, (tone, title, at, colour) in zip(st.columns(2, gap="small"), sides, strict=True):
            with column:
                st.subheader(f":{colour}[{title}]")
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
                )
        _rule(params, explanation)


def _rule(params: ExplainParams, explanation: Explanation) -> None:
    """What the numbers are, once, and the way to the other unit."""
    words, unit = st.columns([4.4, 1], gap="xsmall")
    words.caption(f"{rule(explanation, params.unit)} Click to open, tick to take out.")
    with unit:
        write = {True: UNIT, False: ""}.__getitem__
        bound(st.toggle, "unit", params.unit == UNIT, "loss, nats", write=write)


def _card(study: Study, explanation: Explanation, at: int, tone: str, unit: str) -> Picture:
    name = study.data.class_names[explanation.labels[at]]
    said = effect(explanation, at, unit)
    return training_card(study, at, (said,), tone, f"label {name}", f", {said}")
