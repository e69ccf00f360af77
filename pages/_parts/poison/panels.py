"""Which part of the page is open, how large the change is, and the attack that both come to."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.errors import DataError
from influence_core.experiments import poison
from influence_core.experiments.explain import Explanation
from influence_core.experiments.poison import ANSWERS, BOX, BOXES, Attack
from influence_core.experiments.questions import Question
from influence_core.studies import Study
from pages._shell.own_params import PoisonParams
from pages._shell.widgets import choice, number_choice

PANELS = {
    "one": "This test image",
    "together": "Many like it at once",
    "share": "How often it works",
    "guard": "Images to guard",
}
TOGETHER = 30
TOGETHER_STEPS, TOGETHER_STRIDE = 60, 0.05
"""Many answers turn one after the other; in larger steps, of a share of the box, they turn back and forth."""


@dataclass(frozen=True, eq=False)
class Asking:
    """The test images that are attacked, and how."""

    questions: list[Question]
    attack: Attack

    @property
    def label(self) -> int:
        """The label asked about."""
        return self.questions[0].label


def choose(params: PoisonParams) -> str:
    """Which part of the page is open."""
    return choice("panel", params.panel, "What to look at", PANELS, key="poison_panel", also={"out": ""})


def choose_box(params: PoisonParams) -> None:
    """The size of the change."""
    label = "How far each brightness may move (of 255 steps)"
    number_choice("box", params.box, label, BOXES, _box_words, key="poison_box")


def _box_words(box: float) -> str:
    return "½ (the paper's: rounds away)" if box == BOX else f"± {box:g}"


def ask(study: Study, explanation: Explanation, panel: str, box: float) -> Asking:
    """The test image that the page is about, or many like it."""
    if panel != "together":
        return Asking([poison.question_of(explanation)], Attack(box=box))
    if explanation.test_id is None:
        raise DataError(
            "“Many like it” needs a test image of the study: choose one, or another part of the page."
        )
    questions = poison.similar_tests(study, explanation.test_id, TOGETHER)
    return Asking(questions, Attack(box, TOGETHER_STRIDE * box, TOGETHER_STEPS, goal=ANSWERS))


def introduce(answer: DeltaGenerator, params: PoisonParams) -> None:
    """Before anything is changed, what can be done here, in ``answer``; always, what it is good for."""
    if not params.retrain or params.panel in ("share", "guard"):
        answer.markdown(
            "A training image can be changed by less than a screen shows and still turn the answer about another "
            "image. Choose how far and how many, and see it proved by real retraining."
        )
    st.info(
        "What this is for: to know a risk, and to defend against it. Keep training images as 8-bit files with checksums, "
        "look first at the “images to guard”, and train on more examples: the attack lives where the model has few. "
        "(Koh & Liang 2017, section 5.2.)"
    )
