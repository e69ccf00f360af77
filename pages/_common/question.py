"""What every page about one test example begins with: its question and answer, and a bar to change them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.experiments.predictions import Predictions
from influence_core.studies import CATALOGUE, Study
from influence_core.words import percent
from pages._common import badge, chooser
from pages._common.cards import name_of, show_large
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown


@dataclass(frozen=True)
class Asked:
    """A study, what its model says about the test examples, and the answer to the view's question."""

    study: Study
    known: Predictions
    explanation: Explanation


def load(view: View) -> Asked:
    """The study and the answer that the view asks for."""
    view.check()
    study = results.load_study(view)
    known = results.load_predictions(study)
    question = results.find_question(study, view, known)
    explanation = results.load_explanation(study, view, question)
    view.check_ids(explanation)
    return Asked(study, known, explanation)


def bar(view: View, asked: Asked) -> None:
    """The test example in one line, its badge, and a way to choose another."""
    study, explanation = asked.study, asked.explanation
    with st.container(border=True, key="question"):
        look, words, change = st.columns([0.5, 4, 1.3], vertical_alignment="center", gap="medium")
        with look:
            if study.data.pictured:
                show_large(
                    study,
                    explanation.x,
                    explanation.test_id,
                    name_of(explanation),
                    84,
                    explanation.photo,
                )
            else:
                st.markdown("#### ✉️" if study.data.kind == "e-mail" else "#### 🧾")
        with words:
            st.markdown(_sentence(study, explanation))
            badge.show(study, view, explanation)
        with change:
            folded = st.popover("Choose another", width="stretch", on_change="rerun", key="choose_another")
            st.page_link(
                "pages/explain.py",
                label="Explain it",
                query_params={
                    name: value
                    for name, value in view.query().items()
                    if name in ("study", "test", "picture", "ask")
                },
            )
        if folded.open:
            with folded:
                chooser.show(study, view, asked.known, explanation)


def _sentence(study: Study, explanation: Explanation) -> str:
    names = [escape_markdown(one) for one in study.data.class_names]
    said = names[explanation.predicted_label]
    words = (
        f"**{name_of(explanation).capitalize()}**: the model says **{said}** "
        f"({percent(float(explanation.probabilities.max()))})"
    )
    if explanation.true_label is not None and explanation.true_label != explanation.predicted_label:
        words += f", but it is **{names[explanation.true_label]}**"
    return f"{words}. Asked about: **{escape_markdown(explanation.label_name)}**."


def only_for(view: View, fits: Callable[[str], bool], why: str, offered: Sequence[str] = ()) -> None:
    """Ends the page, with a way out, where the view's study cannot answer its question.

    Args:
        view: What is asked.
        fits: Whether a study, by its name, can answer.
        why: One sentence saying what the page needs.
        offered: Studies to offer; the fitting ones of the catalogue where none are named.
    """
    if fits(view.study):
        return
    st.info(why)
    for name in offered or [one for one in CATALOGUE if fits(one)]:
        title = f"Use “{CATALOGUE[name].title}”"
        st.button(title, key=f"use_{name}", on_click=lambda name=name: go_to(study=name))
    st.stop()
