"""One model's reasons, and any two explanations side by side: one is pinned, the other is open."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.experiments.reasons import Reasons
from influence_core.figures.two_models import scatter
from influence_core.studies import Study
from influence_core.studies.changes import settled
from influence_core.words import UNIT, percent, sign_rule, signed
from pages._common import question, verdict
from pages._common.cards import asked_name, name_of, show_grid, show_large, training_card
from pages._common.picture_grid import Picture
from pages._common.scatter import show_points
from pages._shell import change_list, my_changes
from pages._shell.address import View, go_to
from pages._shell.catalogue import TWO_MODELS
from pages._shell.escape import escape_markdown
from pages._shell.page import offer_studies
from pages._shell.whole_list import changes_words

TOP = 4


def offer(reason: str) -> None:
    """What the page needs, and that any two explanations can be put side by side all the same."""
    st.info(f"{reason} Below, the explanation of this study can be put beside any other.")
    offer_studies(TWO_MODELS)


def show(study: Study, view: View, explanation: Explanation) -> None:
    """The explanation that is pinned beside the one that is open, or how to pin one."""
    st.header("Any two explanations side by side")
    here, kind = f"{view.study}:{explanation.test_id}", study.data.kind
    with st.container(horizontal=True, vertical_alignment="center"):
        if view.pinned is not None and view.beside != here:
            st.button("Unpin", key="unpin", on_click=lambda: go_to(beside=""))
        _offer_changes(study, view, explanation)
    if explanation.test_id is None and not view.beside:
        st.markdown(f"A test {kind} of the study can be pinned here; a picture of your own cannot.")
    elif view.pinned is None or view.beside == here:
        _how(view, explanation, here)
    else:
        _side_by_side(study, view, explanation, *view.pinned)
        st.caption(f"{sign_rule(kind)} Unit: nats. Mind the two scales.")


def _offer_changes(study: Study, view: View, explanation: Explanation) -> None:
    """The same question to the model with this visitor's changes, or to the one without, where there are any."""
    mine, test = my_changes.changed_address(study.spec), explanation.test_id
    if not mine or test is None:
        return
    changed = bool(settled(study.spec.changes))
    beside = f"{study.spec.unchanged.address if changed else mine}:{test}"
    if view.beside != beside:
        title = "Beside the original" if changed else "Beside the model with my changes"
        st.button(title, key="beside_changes", on_click=lambda: go_to(beside=beside))
    change_list.compare_link(mine)


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
    counted = len(settled(study.spec.changes))
    model = f"{study.spec.title}, with {changes_words(counted)}" if counted else study.spec.title
    one, name = Reasons.of(explanation, model), name_of(explanation)
    st.markdown(f"**{escape_markdown(one.model)}**, {asked_name(study, explanation)}")
    show_large(study, explanation.x, one.test_id, name, 130, explanation.photo)
    st.markdown(says(one))
    if explanation.number != "influence":
        st.caption(
            "By the paper's influence, the same number for both; *Explain* has a better one. Of influence:"
        )
    verdict.show_judged(verdict.of(study, explanation.by("influence")))
    show_scatter(one, view.opened, key, f"Distance to the test {one.kind} (Euclidean)")
    show_sides(study, one, view, key)


def says(one: Reasons) -> str:
    """The answer, and how sure the model is of the label asked about."""
    sure = percent(one.certainty) if one.unit == UNIT else f"margin {signed(one.certainty)}"
    asked = "" if one.answer == one.label else f"{escape_markdown(one.label_name)}: "
    return f"Says **{escape_markdown(one.class_names[one.answer])}** ({asked}{sure})."


def show_scatter(
    one: Reasons, opened: int | None, key: str, distance: str, across: tuple[float, float] | None = None
) -> None:
    """The forecasts against a distance; a click on a point opens its example."""
    show_points(scatter(one, opened, distance, across), f"scatter_{key}")


def show_sides(study: Study, one: Reasons, view: View, key: str) -> None:
    """The strongest for and against the label asked about."""
    asked = escape_markdown(one.label_name)
    for tone, colour, words, at in (
        ("helpful", "blue", "for", one.helpful(TOP)),
        ("harmful", "orange", "against", one.harmful(TOP)),
    ):
        st.markdown(f"**:{colour}[Speak {words} {asked}]**")
        show_grid(
            study,
            [_card(study, one, int(i), tone, rank) for rank, i in enumerate(at, 1)],
            key=f"{key}_{tone}",
            chosen=[view.open],
        )


def _card(study: Study, one: Reasons, at: int, tone: str, rank: int) -> Picture:
    change = f"{signed(float(one.scores[at]))} {one.unit}"
    lines = (change, f"distance {one.distance[at]:.4g}")
    return training_card(study, at, lines, tone, f"{rank}. {one.class_names[one.labels[at]]}", f", {change}")
