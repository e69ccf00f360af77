"""The training images that speak for and against, side by side."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.explain import NOTICEABLE, Explanation
from influence_core.studies import Study
from influence_core.words import nats, percent, points, sign_rule
from pages._common.cards import show_grid, training_card
from pages._common.picture_grid import Picture
from pages._shell.address import View, toggle_chosen
from pages._shell.escape import escape_markdown

TOP = 6
PLUS = "+"


def show(study: Study, view: View, explanation: Explanation) -> None:
    """For and against; or, where nothing matters, that."""
    if explanation.matters or st.toggle("Show the ranking all the same", key="show_noise"):
        _side_by_side(study, view, explanation)
    else:
        st.info(
            f"**Nothing matters much here.** Taking out any one of the {len(explanation.ids):,} {explanation.examples} would "
            f"change the probability of {escape_markdown(explanation.label_name)} by less than "
            f"{100 * NOTICEABLE:g} percentage points (at most {points(explanation.largest_change).lstrip(PLUS)}): "
            f"many {explanation.kind}s together hold this answer up. A ranking would only order noise."
        )


def _side_by_side(study: Study, view: View, explanation: Explanation) -> None:
    asked = escape_markdown(explanation.label_name)
    sides = (
        ("helpful", f"Speak for {asked}", explanation.helpful(TOP), "blue"),
        ("harmful", f"Speak against {asked}", explanation.harmful(TOP), "orange"),
    )
    for column, (tone, title, at, colour) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.subheader(f":{colour}[{title}]")
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
    st.caption(sign_rule(explanation.kind) + " Click a card to open it; tick it to choose it for retraining.")


def _card(study: Study, explanation: Explanation, at: int, tone: str, rank: int) -> Picture:
    name = study.data.class_names[explanation.labels[at]]
    change = nats(float(explanation.scores[at]))
    lines = (
        change,
        f"{points(float(explanation.probability_change[at]))} for {explanation.label_name}",
        f"model p({name}) {percent(float(explanation.own_probability[at]))}",
        f"distance {explanation.distance[at]:.1f}",
    )
    return training_card(study, at, lines, tone, f"{rank}. labelled {name}", f", {change}")
