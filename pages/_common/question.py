"""What every page about one test example begins with: its question and answer, and a bar to change them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from influence_core.experiments import explain, questions
from influence_core.experiments.explain import Explanation
from influence_core.experiments.questions import Question
from influence_core.predictions import Predictions
from influence_core.studies import Study
from pages._common import chooser, pictures, test_label, verdict
from pages._common.cards import asked_name, beginning, name_of, says, show_large
from pages._common.number import unbroken
from pages._shell import my_changes, proving, results
from pages._shell.address import OF_THE_QUESTION, View
from pages._shell.escape import escape_markdown


@dataclass(frozen=True)
class Answer:
    """A study, what its model says about the test examples, the view's question, and the answer to it."""

    study: Study
    known: Predictions
    question: Question
    explanation: Explanation


def load(view: View) -> Answer:
    """The study and the answer that the view asks for."""
    view.check()
    study = results.load_study(view)
    known = results.load_predictions(study)
    question = _find(study, view, known)
    explanation = load_explanation(study, view, question)
    view.check_ids(explanation)
    my_changes.note_question(view, explanation.test_id)
    return Answer(study, known, question, explanation)


def load_explanation(study: Study, view: View, question: Question) -> Explanation:
    """The answer to a question, computed as the view asks, with the best numbers that are at hand."""
    title = f"Asking every training {study.data.kind}"
    first = results.load(title, explain.run, study, question, view.settings)
    return proving.improved(study, first)


def _find(study: Study, view: View, known: Predictions) -> Question:
    """The question a view asks; where it names no test image, a confident mistake is taken."""
    if view.picture:
        question = _about_picture(study, pictures.recall(view.picture))
    else:
        asked = int(known.ids[known.first()]) if view.test_id is None else view.test_id
        question = questions.ask(study, asked)
    if view.ask == "model":
        return question
    label = question.true_label if view.ask == "true" else int(view.ask)
    return question if label is None else questions.with_label(study, question, label)


def _about_picture(study: Study, kept: np.ndarray) -> Question:
    if study.data.pictures is not None and kept.ndim == 3:
        return questions.ask_about_photo(study, kept)
    return questions.ask_about(study, study.data.test.x.new_tensor(kept))


def bar(view: View, answer: Answer, then: View | None = None) -> None:
    """The test example in one line, its badge, and a way to choose another; *Explain it* asks the model of ``then``."""
    study, explanation = answer.study, answer.explanation
    with st.container(border=True, key="question"):
        words = st.container()
        if study.data.pictured:
            look, words = st.columns([1, 6], gap="medium")
            with look:
                show_large(
                    study, explanation.x, explanation.test_id, name_of(explanation), 112, explanation.photo
                )
        with words:
            icon = "" if study.data.pictured else _icon(study)
            st.markdown(unbroken(_sentence(study, explanation, icon)))
            with verdict.show(study, view, explanation):
                folded = st.popover("Choose another", on_change="rerun", key="choose_another")
                st.page_link(
                    "pages/explain.py",
                    label="Explain it",
                    icon=":material/arrow_forward:",
                    query_params=_named(then or view, explanation),
                    width="content",
                )
                test_label.show(study, explanation)
        if folded.open:
            with folded:
                chooser.show(study, view, answer.known, explanation)


def _named(view: View, explanation: Explanation) -> dict[str, str]:
    """The question for a link; the test example by its id, for the first one offered differs from model to model."""
    test = {} if explanation.test_id is None else {"test": str(explanation.test_id)}
    return view.query(*OF_THE_QUESTION) | test


def _icon(study: Study) -> str:
    """In the place of a picture, where there is none."""
    return ":material/mail: " if study.data.worded else ":material/table_rows: "


def _sentence(study: Study, explanation: Explanation, icon: str) -> str:
    name, asked = beginning(asked_name(study, explanation)), escape_markdown(explanation.label_name)
    said = says(explanation, test_label.set_right(study, explanation.test_id))
    return f"{icon}**{name}**: {said}. Asked about: **{asked}**."
