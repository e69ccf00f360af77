"""The suspect on show: what the model says about it, and a button for every verdict."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments import review
from influence_core.experiments.review import Review, Suspect, SuspectEvidence, copies
from influence_core.sessions import reviews
from influence_core.sessions.verdicts import say
from influence_core.studies import Study
from influence_core.trust import Verdict
from influence_core.words import percent, points, signed, three_digits
from pages._common import judge
from pages._common.cards import beginning, called, show_large
from pages._parts.review.session import in_words, record
from pages._parts.review.words import PLAIN, model_name, term
from pages._shell import results
from pages._shell.address import go_to
from pages._shell.escape import escape_markdown, escaped

IN_NATS = ("exact", "proven", "corrected", "loss", "harm")
MAX_KEYS = 9
PROPOSED = ":material/lightbulb:"
ROW_PIXELS = 35
PICTURE_PIXELS = 260
RECORD_PIXELS = 250
"""As high as leaves the verdicts above the fold of a small screen."""

TRUST = Verdict(
    "amber",
    "A ranking says where to look first, not what is wrong: that is for you to see. How many wrong labels such rankings "
    "find is measured on the page Wrong labels.",
)
"""Of every queue, because nobody knows the true labels."""


def show_answer(study: Study, now: Review, opened: int | None, found: SuspectEvidence | None) -> None:
    """The page's question for the suspect on show, answered by the model that never saw it, where that is at hand."""
    one = review.suspect(study, now, opened)
    if one is None:
        st.success(
            f"All {len(now.ids):,} labels have a verdict. *Before and after*, in *My changes*, says what your changes do; the "
            "verdicts are a download on the right."
        )
        return
    names = escaped(study.data.class_names)
    with st.container(key="review_answer"):
        st.markdown(
            f"Suspect {one.rank:,} of {len(now.ids):,} is labelled **{names[one.label]}**; "
            f"{_says(study, now, one, found)}. You decide."
        )


def _says(study: Study, now: Review, one: Suspect, found: SuspectEvidence | None) -> str:
    """What the model says, and whether it has learnt from this very label."""
    names, kind = escaped(study.data.class_names), study.data.kind
    if found is not None:
        unseen, seen = found.proposal, int(found.seen.argmax())
        return (
            f"trained again without this {kind}, {model_name(study, now)} {'agrees:' if unseen == one.label else 'says'} "
            f"**{names[unseen]}** ({percent(found.unseen[unseen])}); having learnt from this label it says {names[seen]} "
            f"({percent(found.seen[seen])})"
        )
    says = f"says **{names[one.answer]}** ({percent(one.probabilities[one.answer])})"
    if one.position in now.removed and now.up_to_date:
        return f"{model_name(study, now)}, which has not seen it since it was removed, {says}"
    return f"{_as_of(study, now)} {says}, but it was trained on this very label"


def _as_of(study: Study, now: Review) -> str:
    """The model of the last training, which may not know the last verdicts."""
    if now.up_to_date:
        return model_name(study, now)
    known, given = now.trainings[-1].verdicts, len(now.verdicts)
    verdicts = f"{known:,} of your {given:,} verdict{'s' * (given != 1)}"
    job = st.session_state.get("review_job")
    again = "" if job is not None and job.error is not None else " (it is training again)"
    return f"the model, which knows {verdicts} so far{again},"


def show(study: Study, now: Review, opened: int | None, found: SuspectEvidence | None) -> None:
    """The example, with a button for every verdict; the label that the model proposes without it is marked."""
    one = review.suspect(study, now, opened)
    if one is None:
        return
    names = escaped(study.data.class_names)
    with st.container(border=True, key="suspect"):
        look, words = _halves(study)
        with words:
            name = beginning(called(study, one.train_id, "training"))
            st.markdown(f"## {name}, labelled {names[one.label]}")
            if study.data.file(one.train_id):
                st.caption(f":material/draft: {escape_markdown(study.data.file(one.train_id))}")
            ranked = f"Ranked by “{PLAIN[now.method]}”: {_score(now.method, one.score)}."
            st.caption(ranked, help=term(now.method))
            _said(study, now, one.train_id)
            judge.note(one.train_id, partial(record, study, now))
        with look:
            _large(study, one)
    if opened is not None:
        st.button("Back to the queue", key="review_back", type="tertiary", on_click=lambda: go_to(open=""))
    _buttons(study, now, one, found)
    st.caption("The keys in the buttons work as long as no text field has the cursor.")


def _halves(study: Study) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Where the example is shown, and where its name stands: beside a picture, above anything else."""
    if study.data.pictured:
        look, words = st.columns(2, gap="medium")
        return look, words
    words = st.container()
    return st.container(), words


def _score(method: str, score: float) -> str:
    if method == "gain":
        return points(score)
    if method == "copies":
        there, others = copies.counts(score)
        return (
            f"{there:,} cop{'y' if there == 1 else 'ies'}, {others:,} under another label"
            if there
            else "none of this one, nor of any after it"
        )
    return (
        f"{signed(score) if method == 'harm' else three_digits(score)}{' nats' if method in IN_NATS else ''}"
    )


def _large(study: Study, one: Suspect) -> None:
    if study.data.worded:
        _letter(study.data.record(one.train_id))
    elif not study.data.pictured:
        _row(study.data.record(one.train_id))
    else:
        show_large(study, one.x, one.train_id, f"training {study.data.kind} {one.train_id}", PICTURE_PIXELS)


def _letter(record: Mapping[str, str]) -> None:
    with st.container(height=RECORD_PIXELS, border=False, key="suspect_text"):
        if "subject" in record:
            st.markdown(f"**{escape_markdown(record['subject']) or 'no subject'}**")
        st.text(record.get("text", "") or "no text")


def _row(record: Mapping[str, str]) -> None:
    height = min(ROW_PIXELS * (len(record) + 1) + 3, RECORD_PIXELS)
    columns = {"column": list(record), "value": list(record.values())}
    st.dataframe(columns, hide_index=True, height=height, width="stretch")


def _said(study: Study, now: Review, train_id: int) -> None:
    """What was said of it before."""
    said, notes = now.verdict_on(train_id), reviews.state(results.get_store(), now).notes
    words = [] if said is None else [f"You said of it: {in_words(said, study.data.class_names)}."]
    words += [f"“{notes[train_id]}”"] if train_id in notes else []
    if words:
        st.info(escape_markdown(" ".join(words)))


def _buttons(study: Study, now: Review, one: Suspect, found: SuspectEvidence | None) -> None:
    """The verdicts of every page, and each other label by its own key; the buttons' keys name the suspect, so that no click
    meets another one."""
    names, at = escaped(study.data.class_names), one.train_id
    others = [label for label in range(len(names)) if label != one.label]
    with st.container(horizontal=True, key="verdicts", gap="xsmall", vertical_alignment="center"):
        if found is not None or len(others) == 1:
            _relabel(study, now, one, others[0] if found is None else _other(one, found), found)
        keep = partial(record, study, now)
        judge.button("Remove", f"remove_{at}", "remove", keep, say(now, "remove", at))
        marks = _mark(found, one.label)
        judge.button(f"Keep {names[one.label]}", f"keep_{at}", "keep", keep, say(now, "keep", at), **marks)
        judge.button("Unsure", f"unsure_{at}", "unsure", keep, say(now, "unsure", at))
    if len(others) > MAX_KEYS:
        _list(study, now, one, others, found)
    elif len(others) > 1:
        _keys(study, now, one, others)


def _relabel(study: Study, now: Review, one: Suspect, label: int, found: SuspectEvidence | None) -> None:
    """Its most likely other label, by the model that never saw it."""
    title, at = f"Wrong label → {escaped(study.data.class_names)[label]}", one.train_id
    key = f"relabel_{at}_{label}" if len(study.data.class_names) == 2 else f"proposed_{at}"
    said = say(now, "relabel", at, label)
    judge.button(title, key, "relabel", partial(record, study, now), said, **_mark(found, label))


def _other(one: Suspect, found: SuspectEvidence) -> int:
    """The other label that is offered first; of an example that was relabelled, the one that it has got."""
    return found.other if found.label == one.label else found.label


def _mark(found: SuspectEvidence | None, label: int) -> dict[str, Any]:
    """How a button looks: the label proposed by the model that never saw the example stands out."""
    if found is None or found.proposal != label:
        return {"type": "secondary"}
    return {"type": "primary", "icon": PROPOSED}


def _keys(study: Study, now: Review, one: Suspect, others: list[int]) -> None:
    """Every other label by a key of its own."""
    with st.container(horizontal=True, key="labels", gap="xsmall"):
        for label in others:
            st.button(
                f"It is {escaped(study.data.class_names)[label]}",
                key=f"relabel_{one.train_id}_{label}",
                shortcut=_shortcut(study.data.class_names, label),
                on_click=record,
                args=(study, now, say(now, "relabel", one.train_id, label)),
            )


def _list(study: Study, now: Review, one: Suspect, others: list[int], found: SuspectEvidence | None) -> None:
    """The other labels where there are more than keys; the proposed one comes first."""
    if found is not None:
        others = sorted(others, key=lambda label: label != _other(one, found))
    key = f"relabel_{one.train_id}"

    def chosen() -> None:
        label = st.session_state[key]
        if label is not None:
            record(study, now, say(now, "relabel", one.train_id, label))

    st.selectbox(
        "Another label",
        others,
        index=None,
        key=key,
        format_func=study.data.class_names.__getitem__,
        placeholder="It is …",
        label_visibility="collapsed",
        on_change=chosen,
    )


def _shortcut(names: tuple[str, ...], label: int) -> str:
    """The key for a label: its name where that is one digit, else its place counted from 1."""
    digits = all(len(name) == 1 and name.isdigit() for name in names)
    return names[label] if digits else str((label + 1) % 10)
