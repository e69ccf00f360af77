"""The suspect on show: what the model says about it, and a button for every verdict."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from influence_core.experiments import review
from influence_core.experiments.review import Memorised, Review, Suspect
from influence_core.experiments.suspects import METHODS
from influence_core.progress import Progress
from influence_core.studies import Study
from influence_core.trust import Verdict
from influence_core.words import percent, three_digits
from pages._common.cards import show_large
from pages._parts.review.session import amend
from pages._shell import results
from pages._shell.escape import escape_markdown, escaped
from pages._shell.jobs import background, job_status

IN_NATS = ("exact", "proven", "corrected", "loss")
MAX_KEYS = 9
ROW_PIXELS = 35

TRUST = Verdict(
    "amber",
    "A ranking says where to look first, not what is wrong: that is for you to see. How many wrong labels such rankings "
    "find is measured on the page Wrong labels.",
)
"""Of every queue, because nobody knows the true labels."""


def show_answer(study: Study, now: Review) -> None:
    """The page's question for the suspect on show, answered as far as the model can."""
    one = review.suspect(study, now)
    if one is None:
        st.success(f"All {len(now.ids):,} labels have a verdict. Download them on the right.")
        return
    names = escaped(study.data.class_names)
    says = f"the model says **{names[one.answer]}** ({percent(one.probabilities[one.answer])})"
    if one.answer == one.label:
        says = f"the model agrees ({percent(one.probabilities[one.label])}), but it was trained on this very label"
    st.markdown(
        f"Suspect {one.rank:,} of {len(now.ids):,} is labelled **{names[one.label]}**; {says}. You decide."
    )


def show(study: Study, now: Review) -> None:
    """The example, large, with a button for every verdict."""
    one = review.suspect(study, now)
    if one is None:
        return
    names, kind = escaped(study.data.class_names), study.data.kind
    with st.container(border=True, key="suspect"):
        st.markdown(f"### Training {kind} {one.train_id}, labelled {names[one.label]}")
        _large(study, one)
    _buttons(study, now, one)
    if now.up_to_date:  # else there is no model of these labels yet
        _memorised(study, now, one)
    st.caption(
        f"{METHODS[now.method].capitalize()}: {three_digits(one.score)}{' nats' if now.method in IN_NATS else ''}. "
        "The keys in the buttons work as long as no text field has the cursor."
    )


def _memorised(study: Study, now: Review, one: Suspect) -> None:
    """What the model says of the suspect's label having seen it, and when it never did: trained again beside the page."""
    asked = study, now.labels, one.train_id, now.theta
    key, running = review.memorised.key(*asked), st.session_state.get("review_unseen")
    if running is not None and running.state == "running" and running.key != key:
        job_status(running)  # one at a time: who reviews fast leaves no line of them behind
        return

    def train(progress: Progress) -> Memorised:
        return review.memorised.run(results.context(progress), *asked)

    job = st.session_state["review_unseen"] = background(key, "Training once without this one", train)
    found = job.result
    if found is None:
        job_status(job)
        return
    name = escaped(study.data.class_names)[one.label]
    st.markdown(
        f"The model gives the label {name} **{percent(found.seen)}** having seen this {study.data.kind}, and "
        f"**{percent(found.unseen)}** when it never did (proven: trained again without it)."
    )


def _large(study: Study, one: Suspect) -> None:
    if study.data.worded:
        _letter(study.data.record(one.train_id))
    elif not study.data.pictured:
        _row(study.data.record(one.train_id))
    else:
        show_large(study, one.x, one.train_id, f"training {study.data.kind} {one.train_id}", 340)


def _letter(record: Mapping[str, str]) -> None:
    with st.container(height=380, border=False, key="suspect_text"):
        if "subject" in record:
            st.markdown(f"**{escape_markdown(record['subject']) or 'no subject'}**")
        st.text(record.get("text", "") or "no text")
    if record.get("file"):
        st.caption(escape_markdown(record["file"]))


def _row(record: Mapping[str, str]) -> None:
    height = min(ROW_PIXELS * (len(record) + 1) + 3, 420)
    columns = {"column": list(record), "value": list(record.values())}
    st.dataframe(columns, hide_index=True, height=height, width="stretch")


def _buttons(study: Study, now: Review, one: Suspect) -> None:
    """Keep, and one button for every other label; their keys name the suspect, so that no click meets another one."""
    names = escaped(study.data.class_names)
    others = [label for label in range(len(names)) if label != one.label]
    with st.container(horizontal=True, key="verdicts"):
        st.button(
            f"Keep {names[one.label]}",
            key=f"keep_{one.train_id}",
            type="primary",
            shortcut="K",
            on_click=_judge,
            args=(study, now, one.train_id, one.label),
        )
        if len(names) > MAX_KEYS + 1:
            _list(study, now, one, others)
            return
        for label in others:
            st.button(
                f"It is {names[label]}",
                key=f"relabel_{one.train_id}_{label}",
                shortcut=_shortcut(study.data.class_names, label),
                on_click=_judge,
                args=(study, now, one.train_id, label),
            )


def _list(study: Study, now: Review, one: Suspect, others: list[int]) -> None:
    """The other labels where there are more than keys."""
    key = f"relabel_{one.train_id}"
    st.selectbox(
        "Another label",
        others,
        index=None,
        key=key,
        format_func=study.data.class_names.__getitem__,
        placeholder="It is …",
        label_visibility="collapsed",
        on_change=lambda: _judge(study, now, one.train_id, st.session_state[key]),
    )


def _shortcut(names: tuple[str, ...], label: int) -> str:
    """The key for a label: its name where that is one digit, else its place counted from 1."""
    digits = all(len(name) == 1 and name.isdigit() for name in names)
    return names[label] if digits else str((label + 1) % 10)


def _judge(study: Study, shown: Review, train_id: int, label: int | None) -> None:
    """A verdict on the suspect that was on show; a second press on the same one changes nothing."""
    if label is None:
        return

    def change(now: Review) -> Review:
        if any(one.train_id == train_id for one in now.verdicts):
            return now
        return review.relabel(now, train_id, label)

    amend(study, shown, change)
