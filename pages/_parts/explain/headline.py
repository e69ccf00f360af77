"""The page's question and its answer in a sentence, and the welcome of a first visit."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import SMALL
from influence_core.studies import UPLOADED, Study
from influence_core.words import percent
from pages._common import test_label
from pages._common.cards import asked_name, beginning, says
from pages._common.number import SHORT, effect, unbroken
from pages._shell.address import View
from pages._shell.escape import escape_markdown
from pages._shell.own_params import ExplainParams


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """Title, sentence, and what speaks against believing either."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(_title(study, explanation), width="content")
        with st.popover("New here?", type="tertiary"):
            _welcome()
    st.markdown(unbroken(_sentence(study, explanation, params.unit)))
    _notices(study)


def _title(study: Study, explanation: Explanation) -> str:
    said = escape_markdown(study.data.class_names[explanation.predicted_label])
    if explanation.label == explanation.predicted_label:
        return f"Which {explanation.examples} made the model say {said}?"
    asked = escape_markdown(explanation.label_name)
    return f"Which {explanation.examples} speak for {asked}, when the model says {said}?"


def _sentence(study: Study, explanation: Explanation, unit: str) -> str:
    asked, kind = escape_markdown(explanation.label_name), explanation.kind
    parts, proven = [], explanation.number == "proven"
    pulled = "pulled" if proven else "would pull"
    for at in explanation.helpful(1):
        parts.append(
            f"training {kind} {_named(study, explanation, at)} {pulled} most :blue[**for {asked}**] "
            f"({effect(explanation, at, unit)})"
        )
    for at in explanation.harmful(1):
        parts.append(
            f"{kind} {_named(study, explanation, at)}{'' if parts else f' {pulled}'} most :orange[**against {asked}**] "
            f"({effect(explanation, at, unit)})"
        )
    small = f" {_small(explanation)}" if explanation.small else ""
    source = "" if proven else f", by the {SHORT[explanation.number]}"
    found = (
        f" Of {len(explanation.ids):,} {explanation.examples}{source}, {', '.join(parts)}." if parts else ""
    )
    said = says(explanation, test_label.set_right(study, explanation.test_id))
    return f"{beginning(asked_name(study, explanation))}: {said}.{found}{small}"


def _named(study: Study, explanation: Explanation, at: int) -> str:
    label = escape_markdown(study.data.class_names[explanation.labels[at]])
    number, file = explanation.ids[at], study.file_name(int(explanation.ids[at]))
    return f"{escape_markdown(file)} ({number}, labelled {label})" if file else f"{number} (labelled {label})"


def _small(explanation: Explanation) -> str:
    """That every single effect is small, measured by this answer's own loss."""
    kind = explanation.kind
    return (
        f"**Each of them alone does little**: no single training {kind} moves this answer's loss "
        f"by more than {percent(SMALL)} of it; many {kind}s together hold the answer up."
    )


def _notices(study: Study) -> None:
    """What is odd about the data, and what speaks against having learnt anything from texts or a table of one's own."""
    for notice in study.data.notices:
        st.caption(escape_markdown(notice))
    if study.data.worded or study.spec.name.startswith(UPLOADED):
        doubts = (*study.data.warnings, study.predictions.no_signal(study.data.class_names))
        for doubt in doubts:
            if doubt:
                st.warning(escape_markdown(doubt))


def _welcome() -> None:
    """A short explanation of what the page answers."""
    st.markdown(
        "A model learnt from examples. When it answers, some of those examples pulled it **towards** the answer and "
        "some pulled it **away**. This page finds them.\n\n"
        "1. **Choose a test image** in the strip. Mistakes come first, because those are what people ask about.\n"
        "2. Look at the training images that :blue[**speak for**] the answer and those that :orange[**speak "
        "against**] it. The number under each says how much having that one image in the training set does to the "
        "probability of the answer: :blue[plus] raises it, :orange[minus] lowers it.\n"
        "3. **Do not take our word for it.** Tick a few images and press *Take out and retrain*: the model is "
        "really trained again without them, and you see forecast and truth side by side.\n\n"
        "An image that harms is often mislabelled, badly written, or simply unusual. Look at it and judge.\n\n"
        "**The formula.** With training loss "
        "$R(\\theta)=\\frac1n\\sum_i \\ell_i(\\theta)+\\frac{\\lambda}{2}\\|\\theta\\|^2$, "
        "its minimiser $\\hat\\theta$ and curvature $H=\\nabla^2R(\\hat\\theta)$, the predicted change of the test "
        "loss on removal of training image $i$ is"
    )
    st.latex(r"D_i=\tfrac1n\,\nabla\ell_{\rm test}(\hat\theta)^\top H^{-1}\,\nabla\ell_i(\hat\theta)")
    st.markdown("(Koh & Liang 2017; in their notation $D_i=-\\frac1n\\,\\mathcal I_{\\rm up,loss}$.)")
