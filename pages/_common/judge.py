"""The verdict on a training example: a wrong label, to be removed, kept, or not sure; kept in *My changes* at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import streamlit as st

from influence_core.experiments import second_opinion
from influence_core.experiments.second_opinion import SecondOpinion
from influence_core.sessions import LONGEST_NOTE, Remark, Said
from influence_core.studies import Study
from influence_core.studies.changes import Change, settled
from influence_core.words import percent
from pages._shell import change_list, my_changes, results
from pages._shell.escape import escape_markdown, escaped
from pages._shell.whole_list import changes_words

Say = Callable[..., None]
"""Keeps what it is given: changes and remarks."""


def show(study: Study, train_id: int) -> None:
    """The buttons, and what was said of this example before."""
    say = partial(_record, study)
    with st.container(key="judge", gap="xsmall"):
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            if any(one.kind == "add" and one.example == train_id for one in study.spec.changes):
                button("Take it out again", "judge_remove", "remove", say, Change("keep", train_id))
            else:
                _relabel(study, train_id)
                button("Remove", "judge_remove", "remove", say, Change("remove", train_id))
                button("Keep", "judge_keep", "keep", say, Change("keep", train_id))
            button("Unsure", "judge_unsure", "unsure", say, Remark("unsure", train_id))
            note(train_id, say)
        _said(study, train_id)


def button(title: str, key: str, verdict: str, say: Say, *said: Said, **options: Any) -> None:
    """A verdict: its button bears the key that it has on every page."""
    st.button(title, key=key, shortcut=change_list.KEYS[verdict], on_click=say, args=said, **options)


def note(train_id: int, say: Say) -> None:
    """A field for a note on an example; it closes once the note is kept."""
    key, box = f"judge_note_{train_id}", f"judge_note_box_{train_id}"

    def keep() -> None:
        text = st.session_state[key].strip()
        if text:
            say(Remark("note", train_id, why=text))
            st.session_state[box] = False

    with st.popover("Note", key=box, on_change="rerun"):
        st.text_area(
            "Note", key=key, max_chars=LONGEST_NOTE, label_visibility="collapsed", placeholder="Why?"
        )
        st.button("Keep the note", key="judge_keep_note", on_click=keep)


def remove_all(study: Study, train_ids: Iterable[int], key: str) -> None:
    """A button that removes all of a group in one step."""
    _all(study, [Change("remove", int(one)) for one in train_ids], "Remove", key)


def relabel_all(study: Study, labels: dict[int, int], key: str) -> None:
    """A button that gives each of a group its new label in one step."""
    _all(study, [Change("relabel", one, label=label) for one, label in labels.items()], "Relabel", key)


def _all(study: Study, said: list[Change], verb: str, key: str) -> None:
    st.button(
        f"{verb} all {len(said):,}" if len(said) > 1 else f"{verb} it",
        key=key,
        help="Goes into *My changes*, as one step that can be undone.",
        on_click=_record,
        args=(study, *said),
    )


def _record(study: Study, *said: Said) -> None:
    my_changes.record(study.spec, study.data.class_names, *said)


def _relabel(study: Study, train_id: int) -> None:
    """The most likely other label first, then the others."""
    job = results.attempt("Asking the model without this one", second_opinion.run, study, train_id)
    if job.result is None:
        return
    names, proposals = escaped(study.data.class_names), job.result.proposals
    first, rest = proposals[0], proposals[1:]
    change = Change("relabel", train_id, label=first)
    title, why = f"Wrong label → {names[first]}", _why(study, job.result, names[first])
    button(title, "judge_relabel", "relabel", partial(_record, study), change, help=why)
    if rest:
        with st.popover("Another label"):
            for label in rest:
                title = f"→ {names[label]} ({percent(float(job.result.probabilities[label]))})"
                said = Change("relabel", train_id, label=label)
                st.button(
                    title, key=f"judge_label_{label}", on_click=_record, args=(study, said), width="stretch"
                )


def model_name(study: Study) -> str:
    """The model on show, told apart from the other one where this browser has changes of the study."""
    count = len(settled(study.spec.changes))
    if count:
        return f"the model with {changes_words(count)}"
    return "the original model" if my_changes.changed_address(study.spec) else "the model"


def _why(study: Study, opinion: SecondOpinion, name: str) -> str:
    says, model = percent(float(opinion.probabilities[opinion.proposals[0]])), model_name(study)
    if opinion.unseen:
        return f"Of the other labels the most likely: {model}, without this one, gives {name} {says} (corrected forecast)."
    return f"Of the other labels the most likely: {model} gives {name} {says}, though it was trained on this one."


def _said(study: Study, train_id: int) -> None:
    """What was said of it."""
    state = my_changes.state(study.spec)
    words = []
    if train_id in state.verdicts:
        words.append(change_list.in_words(state.verdicts[train_id], study.data.class_names))
    if train_id in state.notes:
        words.append(f"“{state.notes[train_id]}”")
    if words:
        st.caption(f":material/check: In my changes: {escape_markdown(', '.join(words))}")
