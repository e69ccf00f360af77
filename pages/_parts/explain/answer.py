"""What the model says, the label asked about, and the welcome of a first visit."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import SMALL
from influence_core.figures.explain import probabilities
from influence_core.studies import Study
from influence_core.words import percent, points, three_digits
from pages._common.cards import name_of, says, show_large
from pages._parts.explain import word_edit
from pages._shell.address import View
from pages._shell.escape import escape_markdown, escaped
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
    for notice in study.data.notices:
        st.caption(escape_markdown(notice))
    if study.data.worded:
        _doubts(study)


def _doubts(study: Study) -> None:
    """What speaks against having learnt anything from these texts."""
    for doubt in (*study.data.warnings, study.predictions.no_signal(study.data.class_names)):
        if doubt:
            st.warning(escape_markdown(doubt))


def _sentence(study: Study, explanation: Explanation) -> str:
    names, asked = escaped(study.data.class_names), escape_markdown(explanation.label_name)
    said = f"{name_of(explanation).capitalize()}: {says(explanation)}"
    change = explanation.effects.probability
    for_, against = explanation.helpful(1), explanation.harmful(1)
    parts, changes = [], "changes" if explanation.number == "proven" else "would change"
    if len(for_):
        at = for_[0]
        parts.append(
            f"training {explanation.kind} {explanation.ids[at]} (labelled {names[explanation.labels[at]]}) "
            f"speaks most :blue[**for {asked}**]: without it the probability {changes} by {points(float(change[at]))}"
        )
    if len(against):
        at = against[0]
        parts.append(
            f"{explanation.kind} {explanation.ids[at]} (labelled {names[explanation.labels[at]]}) speaks most "
            f":orange[**against {asked}**] ({points(float(change[at]))})"
        )
    small = f" {_small(explanation)}" if explanation.small else ""
    return f"{said}. Of {len(explanation.ids):,} {explanation.examples}, {'; '.join(parts)}.{small}"


def _small(explanation: Explanation) -> str:
    """That every single effect is small, measured by this answer's own loss."""
    kind = explanation.kind
    return (
        f"**Each of them alone does little**: no single training {kind} moves this answer's loss "
        f"({three_digits(explanation.own_loss)} nats) by more than {100 * SMALL:g} % of it; many "
        f"{kind}s together hold the answer up."
    )


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
            st.plotly_chart(probabilities(explanation), key="probabilities")
        with label:
            _label_toggle(study, view, explanation)
        word_edit.show_asked(study, explanation)


def _label_toggle(study: Study, view: View, explanation: Explanation) -> None:
    names, asked = escaped(study.data.class_names), escape_markdown(explanation.label_name)
    titles = {"model": f"the model's answer: {names[explanation.predicted_label]}"}
    if explanation.true_label is not None:
        titles["true"] = f"the true label: {names[explanation.true_label]}"
    if view.ask not in titles:
        titles[view.ask] = f"label {asked}"
    choice("ask", view.ask, "**Ask about**", titles, widget=st.radio)
    st.caption(
        f"The model gives **{asked}** a probability of {percent(explanation.probability)}. Below: "
        f"which {explanation.examples} raised or lowered it."
    )


def welcome(view: View) -> None:
    """A short explanation; folded away for whoever comes by a link or has read it."""
    fresh = not view.query() and not st.session_state.get("intro_read")
    with st.expander("New here? What this page answers, and how to read it", expanded=fresh):
        st.markdown(
            "A model learnt from examples. When it answers, some of those examples pulled it **towards** the answer and "
            "some pulled it **away**. This page finds them.\n\n"
            "1. **Choose a test image** below. Mistakes come first, because those are what people ask about.\n"
            "2. Look at the training images that :blue[**speak for**] the answer and those that :orange[**speak "
            "against**] it. The number under each says how much the model's error on your image would change if that "
            "one training image had never been there: :blue[plus] means the error would grow, so the image helps; "
            ":orange[minus] means it would shrink, so the image harms.\n"
            "3. **Do not take our word for it.** Tick a few images and press *Take out and retrain*: the model is "
            "really trained again without them, and you see forecast and truth side by side.\n\n"
            "An image that harms is often mislabelled, badly written, or simply unusual. Look at it and judge."
        )
        with st.popover("The formula"):
            st.markdown(
                "With training loss $R(\\theta)=\\frac1n\\sum_i \\ell_i(\\theta)+\\frac{\\lambda}{2}\\|\\theta\\|^2$, "
                "its minimiser $\\hat\\theta$ and curvature $H=\\nabla^2R(\\hat\\theta)$, the predicted change of the test "
                "loss on removal of training image $i$ is"
            )
            st.latex(r"D_i=\tfrac1n\,\nabla\ell_{\rm test}(\hat\theta)^\top H^{-1}\,\nabla\ell_i(\hat\theta)")
            st.markdown("(Koh & Liang 2017; in their notation $D_i=-\\frac1n\\,\\mathcal I_{\\rm up,loss}$.)")
