"""The training images that speak for and against, side by side."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.studies import Study
from influence_core.words import nats, percent, points, sign_rule
from pages._common.cards import show_grid, training_card
from pages._common.picture_grid import Picture
from pages._common.verdict import NAMES
from pages._shell.address import View, toggle_chosen
from pages._shell.escape import escape_markdown

TOP = 6


def show(study: Study, view: View, explanation: Explanation) -> None:
    """For and against, by the best number at hand, which is named."""
    asked = escape_markdown(explanation.label_name)
    sides = (
        ("helpful", f"Speak for {asked}", explanation.helpful(TOP), "blue"),
        ("harmful", f"Speak against {asked}", explanation.harmful(TOP), "orange"),
    )
    for column, (tone, title, at, colour) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.header(f":{colour}[{title}]")
            if not len(at):
                st.caption(f"No training {explanation.kind} is on this side.")
            show_grid(
                study,
                [_card(study, explanation, int(one), tone, rank) for rank, one in enumerate(at, 1)],
                key=f"side_{tone}",
                width=128,
                chosen=[view.open],
                selected=[str(one) for one in view.chosen],
                on_select=toggle_chosen,
            )
    st.caption(
        f"The numbers are each {explanation.kind}'s {NAMES[explanation.number]}. {sign_rule(explanation.kind)} Click a card "
        "to open it; tick it to choose it for retraining."
    )


def _card(study: Study, explanation: Explanation, at: int, tone: str, rank: int) -> Picture:
    name = study.data.class_names[explanation.labels[at]]
    effects = explanation.effects
    change = nats(float(effects.loss[at]))
    lines = (
        change,
        f"{points(float(effects.probability[at]))} for {explanation.label_name}",
        f"model p({name}) {percent(float(explanation.own_probability[at]))}",
        f"distance {explanation.distance[at]:.1f}",
    )
    return training_card(study, at, lines, tone, f"{rank}. labelled {name}", f", {change}")
