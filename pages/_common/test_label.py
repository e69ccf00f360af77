"""A test example whose label is wrong: answers are judged by another one from then on, and nothing is learnt from it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.studies import Study, is_brought
from influence_core.studies.changes import Change
from pages._shell import change_list, my_changes
from pages._shell.escape import escape_markdown, escaped

MOST = 9
"""Labels that have a button each; the others are in a list."""


def given(study: Study) -> str:
    """What the label of a test example is called: nobody but the visitor knows whether that of their own files is true."""
    return "label in your files" if is_brought(study.spec) else "true label"


def set_right(study: Study, at: int | None) -> str:
    """Which label a test example bore, and which it was given since, in Markdown; "" where nobody set it right."""
    old = None if at is None else study.data.given.get(at)
    if at is None or old is None:
        return ""
    names, test = escaped(study.data.class_names), study.data.test
    where = "your files" if is_brought(study.spec) else "the data"
    return f"labelled **{names[old]}** in {where}; now **{names[int(test.y[test.position(at)])]}**"


def bears(study: Study, at: int, label: int) -> str:
    """The label of a test example on its card: of the visitor's own files it is where they filed it, until they say more."""
    test, name = study.data.test, study.data.class_names[label]
    filed = study.data.given.get(at, int(test.y[test.position(at)]))
    return f"filed as {name}" if is_brought(study.spec) and filed == label else f"is {name}"


def show(study: Study, explanation: Explanation) -> None:
    """Says that the label of the test example of a question is wrong; nothing where it has no true label."""
    at, true = explanation.test_id, explanation.true_label
    if at is not None and true is not None:
        offer(study, at, true, explanation.probabilities)


def offer(study: Study, at: int, true: int, probabilities: np.ndarray, of: str = "") -> None:
    """Says that the label of a test example is wrong, and which is right.

    Args:
        study: Whose test example it is.
        at: Its id.
        true: The label that it bears.
        probabilities: ``(classes,)`` what the model says of it; the most likely label is offered first.
        of: Tells the buttons of several on one page apart.
    """
    names = escaped(study.data.class_names)
    others = [int(one) for one in np.argsort(-probabilities, kind="stable") if one != true]
    said = my_changes.state(study.spec).verdicts.get(at)
    keep = partial(my_changes.record, study.spec, study.data.class_names)
    with st.popover("Its label is wrong", type="tertiary", key=f"test_label{of}"):
        labelled = set_right(study, at) or f"labelled {names[true]}"
        st.caption(
            f"It is {labelled}. What you say is a line of *My changes*: the model with my changes is judged by it, "
            "its pages say so, and nothing is learnt from it."
        )
        for label in others[:MOST]:
            change, key = Change("retest", at, label=label), f"retest{of}_{label}"
            st.button(f"It is {names[label]}", key=key, on_click=keep, args=(change,), width="stretch")
        if len(others) > MOST:
            _list(study, at, others[MOST:], f"retest_other{of}")
        if said is not None and said.kind == "retest":
            right(study, at, "Its label was right", f"retest_back{of}")
    if isinstance(said, Change) and said.kind == "retest" and said.label != true:
        name = escape_markdown(change_list.label_name(said, study.data.class_names))
        st.caption(f":material/check: In my changes: it is {name}", width="content")


def right(study: Study, at: int, title: str, key: str, **options: Any) -> None:
    """A button that says that the label of a test example is right, which the next run confirms."""
    st.button(title, key=key, on_click=_keep, args=(study, at), **options)


def _keep(study: Study, at: int) -> None:
    file = study.data.file(at)
    example = f"test {study.data.kind} {at}" + (f" ({file})" if file else "")
    told = f"The label of {example} is kept: My changes and the report say so."
    my_changes.record(study.spec, study.data.class_names, Change("keep", at), told=told)


def _list(study: Study, at: int, others: list[int], key: str) -> None:
    def chosen() -> None:
        label = st.session_state[key]
        if label is not None:
            my_changes.record(study.spec, study.data.class_names, Change("retest", at, label=label))

    st.selectbox(
        "It is",
        others,
        index=None,
        key=key,
        format_func=study.data.class_names.__getitem__,
        placeholder="It is …",
        label_visibility="collapsed",
        on_change=chosen,
    )
