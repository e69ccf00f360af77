"""Any two explanations side by side: one is pinned, the other is open."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.experiments.reasons import Reasons
from influence_core.experiments.two_models import supports
from influence_core.studies import CATALOGUE, Study
from influence_core.trust import judge
from influence_core.words import sign_rule
from pages._common import badge, question
from pages._common.cards import name_of, show_large
from pages._parts.two_models.reasons import says, show_scatter, show_sides
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown


def offer(reason: str) -> None:
    """What the page needs, and that any two explanations can be put side by side all the same."""
    st.info(f"{reason} Below, the explanation of this study can be put beside any other.")
    for name, spec in CATALOGUE.items():
        if supports(spec) is None:
            st.button(f"Use “{spec.title}”", key=f"use_{name}", on_click=lambda name=name: go_to(study=name))


def show(study: Study, view: View, explanation: Explanation) -> None:
    """The explanation that is pinned beside the one that is open, or how to pin one."""
    st.subheader("Any two explanations side by side")
    here, kind = f"{view.study}:{explanation.test_id}", study.data.kind
    if explanation.test_id is None and not view.beside:
        st.markdown(f"A test {kind} of the study can be pinned here; a picture of your own cannot.")
    elif view.pinned is None or view.beside == here:
        _how(view, explanation, here)
    else:
        st.button("Unpin", key="unpin", on_click=lambda: go_to(beside=""))
        _side_by_side(study, view, explanation, *view.pinned)
        st.caption(f"{sign_rule(kind)} Unit: nats. Mind the two scales.")


def _how(view: View, explanation: Explanation, here: str) -> None:
    words, button = st.columns([4, 1.3], vertical_alignment="center", gap="medium")
    kind = explanation.kind
    words.markdown(
        f"Test {kind} {explanation.test_id} is pinned. Now **choose another** test {kind} above, or another "
        "study at the left, and both stand here side by side."
        if view.beside
        else f"Pin this test {kind}, then choose another one or another study: both stand here side by side."
    )
    with button:
        if view.beside:
            st.button("Unpin", key="unpin", width="stretch", on_click=lambda: go_to(beside=""))
        else:
            st.button("Pin this one", key="pin", width="stretch", on_click=lambda: go_to(beside=here))


def _side_by_side(study: Study, view: View, explanation: Explanation, name: str, test_id: int) -> None:
    other = View(study=name, test=str(test_id), device=view.device)
    pinned = question.load(other)
    if pinned.study is study:
        other = replace(other, open=view.open)
    here, there = st.columns(2, gap="large")
    with here:
        _show_explanation(study, view, explanation, "here")
    with there:
        _show_explanation(pinned.study, other, pinned.explanation, "pinned")


def _show_explanation(study: Study, view: View, explanation: Explanation, key: str) -> None:
    """One whole explanation in a column: the test example, the answer, the scatter, and the strongest."""
    one, name = Reasons.of(explanation, study.spec.title), name_of(explanation)
    st.markdown(f"**{escape_markdown(one.model)}**, {name}")
    show_large(study, explanation.x, one.test_id, name, 130, explanation.photo)
    st.markdown(says(one))
    badge.show_judged(judge(explanation.provenance))
    show_scatter(one, view.opened, key, f"Distance to the test {one.kind} (Euclidean)")
    show_sides(study, one, view, key)
