"""What the model says, and the label asked about."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.explain import NOTICEABLE, NOTICEABLE_NATS, Explanation
from influence_core.figures.explain import probabilities
from influence_core.studies import Study
from influence_core.words import percent, points
from pages._common.cards import name_of, show_large
from pages._parts.explain import word_edit
from pages._shell.address import View
from pages._shell.escape import escape_markdown
from pages._shell.widgets import choice


def headline(study: Study, explanation: Explanation) -> None:
    """The page's question, and its answer in one sentence."""
    said = escape_markdown(study.data.class_names[explanation.predicted_label])
    asked = escape_markdown(explanation.label_name)
    if explanation.label == explanation.predicted_label:
        st.title(f"Which {explanation.examples} made the model say {said}?")
    else:
        st.title(f"Which {explanation.examples} speak for {asked}, when the model says {said}?")
    st.markdown(_sentence(study, explanation))
    if study.data.stand_in:
        st.caption(study.data.stand_in)


def _sentence(study: Study, explanation: Explanation) -> str:
    names, asked = (
        [escape_markdown(one) for one in study.data.class_names],
        escape_markdown(explanation.label_name),
    )
    which = name_of(explanation).capitalize()
    says = f"{which}: the model says **{names[explanation.predicted_label]}** ({percent(float(explanation.probabilities.max()))})"
    if explanation.true_label is not None and explanation.true_label != explanation.predicted_label:
        says += f", but it is **{names[explanation.true_label]}**"
    if not explanation.matters:
        return f"{says}. No single training {explanation.kind} matters much to this answer."
    for_, against = explanation.helpful(1), explanation.harmful(1)
    parts = []
    if len(for_):
        at = for_[0]
        parts.append(
            f"training {explanation.kind} {explanation.ids[at]} (labelled {names[explanation.labels[at]]}) "
            f"speaks most :blue[**for {asked}**]: without it the probability would change by "
            f"{points(float(explanation.probability_change[at]))}"
        )
    if len(against):
        at = against[0]
        parts.append(
            f"{explanation.kind} {explanation.ids[at]} (labelled {names[explanation.labels[at]]}) speaks most "
            f":orange[**against {asked}**] ({points(float(explanation.probability_change[at]))})"
        )
    return f"{says}. Of {len(explanation.ids):,} {explanation.examples}, {'; '.join(parts)}."


def show(study: Study, view: View, explanation: Explanation) -> None:
    """The picture, the probabilities, and which label is asked about."""
    with st.container(border=True, key="answer"):
        shape = [1.1, 2, 1.6] if study.data.pictured else [2, 1.6, 1.5]
        picture, bars, label = st.columns(shape, vertical_alignment="center", gap="medium")
        with picture:
            show_large(
                study, explanation.x, explanation.test_id, name_of(explanation), photo=explanation.photo
            )
        with bars:
            st.markdown("**What the model says**")
            st.plotly_chart(
                probabilities(explanation),
                key="probabilities",
            )
        with label:
            _label_toggle(study, view, explanation)
        word_edit.show_asked(study, explanation)


def _label_toggle(study: Study, view: View, explanation: Explanation) -> None:
    names, asked = (
        [escape_markdown(one) for one in study.data.class_names],
        escape_markdown(explanation.label_name),
    )
    titles = {"model": f"the model's answer: {names[explanation.predicted_label]}"}
    if explanation.true_label is not None:
        titles["true"] = f"the true label: {names[explanation.true_label]}"
    if view.ask not in titles:
        titles[view.ask] = f"label {asked}"
    choice("ask", view.ask, "**Ask about**", titles, widget=st.radio)
    st.caption(
        f"The model gives **{asked}** a probability of {percent(explanation.probability)}. Below: "
        f"which {explanation.examples} raised or lowered it. Changes under {100 * NOTICEABLE:g} percentage points "
        f"(and {NOTICEABLE_NATS:g} nats) count as nothing."
    )
