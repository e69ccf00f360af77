"""Where the page begins: at a right answer, for only that can be turned into a wrong one."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from influence_core.predictions import Predictions
from pages._common.question import Answer
from pages._shell import results
from pages._shell.address import View, go_to


def right_answer(view: View) -> View:
    """The view, about the right answer that turns most easily where it names no picture."""
    view.check()
    if view.test or view.picture:
        return view
    known = results.load_predictions(results.load_study(view))
    return replace(view, test=_first(known))


def offer_right(asked: Answer) -> None:
    """Where the answer asked about is wrong as it is, the way to one that is right."""
    one = asked.explanation
    if one.true_label is None or int(one.probabilities.argmax()) == one.true_label:
        return
    st.info("This answer is wrong without any poison. An attack shows more where the answer is right.")
    to = _first(asked.known)
    st.button("Begin with a right answer", key="poison_right", on_click=lambda: go_to(test=to))


def _first(known: Predictions) -> str:
    return str(known.ids[known.first_right()])
