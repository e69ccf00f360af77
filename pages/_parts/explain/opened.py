"""The inspector: the opened training example beside the test example, its numbers, and the way through the ranking."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.agreement import strongest
from influence_core.experiments import neighbours
from influence_core.experiments.explain import Explanation
from influence_core.experiments.word_edit import answers
from influence_core.studies import Study
from influence_core.words import percent
from pages._common import judge
from pages._common.cards import beginning, called, show_grid, training_card
from pages._common.number import SHORT, effect, unbroken
from pages._parts.explain import side_by_side, word_edit
from pages._shell import results
from pages._shell.address import View, go_to, toggle_chosen
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import step_button

ALIKE = 6


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The opened example; nothing while none is open."""
    if view.opened is None:
        return
    train_id, at = view.opened, explanation.position(view.opened)
    with st.container(key="example", gap="xsmall"):
        _head(study, view, params, explanation, train_id, at)
        judge.show(study, train_id)
        if study.data.pictured:
            side_by_side.pictures(study, params, explanation, train_id)
        elif answers(study):
            word_edit.show(study, params, explanation, train_id)
        else:
            side_by_side.records(study, explanation, train_id)
        _numbers(study, params, explanation, at)
        _alike(study, params, explanation, train_id)


def _head(
    study: Study, view: View, params: ExplainParams, explanation: Explanation, train_id: int, at: int
) -> None:
    """What it is and does; the strongest before and after it; choose it; close it."""
    name = escape_markdown(explanation.class_names[explanation.labels[at]])
    colour = "blue" if explanation.shown[at] > 0 else "orange"
    does = unbroken(effect(explanation, at, params.unit))
    st.markdown(
        f"**{beginning(called(study, train_id, 'training'))}**, labelled {name}: :{colour}[**{does}**] "
        f"for {escape_markdown(explanation.label_name)}"
    )
    order = strongest(explanation.shown, len(explanation.shown))
    rank = int(explanation.ranks()[at])
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for key, way, shortcut in (("open_before", -1, "Left"), ("open_after", 1, "Right")):
            to = rank - 1 + way
            one = str(explanation.ids[order[to]]) if 0 <= to < len(order) else ""
            words = f"Number {to + 1:,} by size of effect"
            step_button(key, way, one, words, lambda one: go_to(open=one), shortcut=shortcut)
        chosen = train_id in view.chosen
        st.button(
            "Put it back" if chosen else "Choose for retraining",
            key="choose_opened",
            on_click=lambda: toggle_chosen(str(train_id)),
        )
        st.button("Close", key="close_example", type="tertiary", on_click=lambda: go_to(open=""))


def _numbers(study: Study, params: ExplainParams, explanation: Explanation, at: int) -> None:
    """Every number that is known of it, named."""
    asked, name = (
        escape_markdown(one)
        for one in (explanation.label_name, explanation.class_names[explanation.labels[at]])
    )
    model = judge.model_name(study)
    known = "; ".join(
        f"{SHORT[number]} **{effect(explanation, at, params.unit, number)}**"
        for number in explanation.numbers
    )
    what = f"Without this one alone the loss of {asked} changes"
    if not params.unit:
        what = f"This one alone does for the probability of {asked}"
    st.caption(f"{what}, in {model}: {known}.")
    st.caption(
        f"Number {explanation.ranks()[at]:,} of {len(explanation.ids):,} by size. Distance to the test {explanation.kind} "
        f"{explanation.distance[at]:.2f}. {model[0].upper()}{model[1:]}, trained on it, gives its label "
        f"{name} {percent(float(explanation.own_probability[at]))}."
    )


def _alike(study: Study, params: ExplainParams, explanation: Explanation, train_id: int) -> None:
    """More like it, with their labels."""
    folded = st.expander("More like this", key="alike_folded", on_change="rerun")
    if not folded.open:
        return
    found = results.load("Looking for more like it", neighbours.run, study, train_id, ALIKE)
    with folded:
        titles = {"by_features": _seen_by_model(study), "by_pixels": "Nearest in its pixels"}
        for key, title in titles.items():
            ids = getattr(found, key)
            if ids is not None:
                st.caption(title)
                _strip(study, params, explanation, ids, f"alike_{key}")


def _seen_by_model(study: Study) -> str:
    return "Nearest in the model's features" if study.backbone else "Nearest in what the model is given"


def _strip(study: Study, params: ExplainParams, explanation: Explanation, ids: np.ndarray, key: str) -> None:
    cards = []
    for one in ids:
        at = explanation.position(int(one))
        tone = "helpful" if explanation.shown[at] > 0 else "harmful"
        name = study.data.class_names[explanation.labels[at]]
        cards.append(training_card(study, at, (effect(explanation, at, params.unit),), tone, f"label {name}"))
    show_grid(study, cards, key=key, width=62, strip=True)
