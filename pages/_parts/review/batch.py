"""Several suspects at a time: a page of cards, and one verdict for all that are ticked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from influence_core.experiments import review
from influence_core.experiments.review import Kind, Review, Suspect
from influence_core.sessions import Said
from influence_core.sessions.verdicts import say
from influence_core.studies import Study
from influence_core.words import percent
from pages._common import judge
from pages._common.cards import show_grid, training_card
from pages._common.picture_grid import Picture
from pages._parts.review.session import record
from pages._shell.escape import escaped
from pages._shell.widgets import bound

SHOWN = 24
"""Cards at a time."""
VERDICTS: dict[Kind, str] = {"remove": "Remove", "keep": "Keep", "unsure": "Unsure"}
_TICKED = "review_ticked"


def switch(cards: bool) -> None:
    """One after another, or several at a time."""
    bound(st.toggle, "cards", cards, "Several at a time, as cards", key="review_cards")


def show(study: Study, now: Review) -> None:
    """The next suspects; what is ticked gets one verdict, in one step that can be undone."""
    shown = [
        one for at in now.queue[:SHOWN] if (one := review.suspect(study, now, int(now.ids[at]))) is not None
    ]
    ticked = [one for one in shown if one.train_id in _ticked()]
    st.markdown(
        f"The next {len(shown):,} of {len(now.queue):,} suspects. Tick those that share a verdict; a click on a picture shows it "
        "large, with its evidence."
    )
    _verdicts(study, now, ticked)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.button(
            "Tick all", key="tick_all", on_click=_tick_only, args=(shown,), disabled=len(ticked) == len(shown)
        )
        st.button("Tick none", key="tick_none", on_click=_tick_only, args=((),), disabled=not ticked)
        st.caption(f"{len(ticked):,} ticked", width="content")
    show_grid(
        study,
        [_card(study, one) for one in shown],
        key="batch",
        width=104,
        on_select=_toggle,
        selected=[str(one.train_id) for one in ticked],
        select_label="choose for a verdict",
        marked=False,
    )
    st.caption(
        "Under each picture: the likeliest other label, in colour where the model says it, though it was trained on these labels."
    )


def proposal(one: Suspect) -> int:
    """The label that the model holds for the likeliest beside its own."""
    others = (at for at in range(len(one.probabilities)) if at != one.label)
    return max(others, key=one.probabilities.__getitem__)


def _card(study: Study, one: Suspect) -> Picture:
    other = proposal(one)
    says = f"{study.data.class_names[other]} {percent(one.probabilities[other])}"
    return training_card(
        study, one.position, (says,), "harmful" if one.answer == other else "", words=f", {says}"
    )


def _verdicts(study: Study, now: Review, ticked: Sequence[Suspect]) -> None:
    """One for all that are ticked."""
    names, none = escaped(study.data.class_names), not ticked
    ids = [one.train_id for one in ticked]
    give = partial(_give, study, now)
    with st.container(horizontal=True, key="batch_verdicts", gap="xsmall", vertical_alignment="center"):
        proposed = [say(now, "relabel", one.train_id, proposal(one)) for one in ticked]
        title = "Wrong label → as the model says" if len(names) > 2 else "Wrong label → the other"
        judge.button(title, "batch_relabel", "relabel", give, *proposed, disabled=none)
        for kind, words in VERDICTS.items():
            said = [say(now, kind, one) for one in ids]
            judge.button(words, f"batch_{kind}", kind, give, *said, disabled=none)
    if len(names) > 2:
        st.selectbox(
            "All ticked are",
            range(len(names)),
            index=None,
            key="batch_label",
            format_func=study.data.class_names.__getitem__,
            placeholder="All ticked are …",
            label_visibility="collapsed",
            disabled=none,
            on_change=_relabel,
            args=(study, now, ids),
        )


def _relabel(study: Study, now: Review, ids: Sequence[int]) -> None:
    label = st.session_state["batch_label"]
    st.session_state["batch_label"] = None
    if label is not None:
        _give(study, now, *(say(now, "relabel", one, label) for one in ids))


def _give(study: Study, now: Review, *said: Said) -> None:
    record(study, now, *said)
    st.session_state[_TICKED] = ()


def _ticked() -> Sequence[int]:
    ticked: Sequence[int] = st.session_state.get(_TICKED, ())
    return ticked


def _toggle(train_id: str) -> None:
    one = int(train_id)
    st.session_state[_TICKED] = (
        [at for at in _ticked() if at != one] if one in _ticked() else [*_ticked(), one]
    )


def _tick_only(ticked: Sequence[Suspect]) -> None:
    st.session_state[_TICKED] = [one.train_id for one in ticked]
