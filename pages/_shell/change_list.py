"""The list *My changes* in the sidebar: what was said, undo and redo, and the model with and without it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from influence_core.errors import InfluenceError
from influence_core.sessions import Said, State
from influence_core.studies import Study
from influence_core.studies.changes import Change, settled
from pages._shell import my_changes, results, whole_list
from pages._shell.address import View, another_version, link_to_version
from pages._shell.catalogue import WHAT_IF
from pages._shell.escape import escape_markdown, show_error
from pages._shell.whole_list import ShownList, changes_words, file_of

SHOWN = 5
"""Lines of the list; more of them are folded, so that the menu below stays where it is."""
KEYS = {"relabel": "L", "remove": "X", "keep": "K", "unsure": "U", "undo": "Z", "redo": "Y"}
"""On every page, wherever something is said of a training example; each stands on its button."""
MOVED = {"undo": "Undone", "redo": "Done again"}
_PAST = {"remove": "removed", "keep": "kept", "unsure": "unsure", "note": "has a note"}


def show(view: View, undo_elsewhere: bool = False) -> None:
    """The list of the study on show; nothing before the first change.

    Args:
        view: What is on show.
        undo_elsewhere: Whether the page has the keys of undo and redo itself.
    """
    st.session_state["study_shown"] = view.study
    trouble, told = my_changes.trouble(), st.session_state.pop("changes_told", "")
    if trouble:
        st.error(escape_markdown(trouble))
    elif told:
        st.toast(escape_markdown(told))
    try:
        shown = _load(view)
    except InfluenceError as error:
        show_error(error)
        return
    if shown is not None:
        with st.container(key="my_changes", gap="xsmall"):
            st.markdown("**My changes**")
            _switch(shown)
            compare_link(shown.address if shown.count else "", "Before and after")
            _lines(shown)
            _undo_and_redo(shown, not undo_elsewhere)
            with st.expander("Versions, link, delete"):
                whole_list.show(shown)


def compare_link(address: str, label: str = "Before and after, every answer") -> None:
    """The way to every answer before and after the changes of a version; nothing where its address is empty."""
    if address:
        st.page_link(
            WHAT_IF.script,
            label=label,
            icon=":material/compare_arrows:",
            query_params=link_to_version(address),
        )


def banner(view: View) -> None:
    """On every page of a version, that it is one, and the way back."""
    try:
        counted = settled(view.spec.changes)
    except InfluenceError:  # the page says so
        return
    if not counted:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="version_banner", gap="small"):
        badge = f":violet-badge[:material/edit: With {changes_words(len(counted))}]"
        st.markdown(f"{badge} {_by_kind(counted)}", width="content")
        st.button(
            "Back to the original",
            key="to_original",
            type="tertiary",
            on_click=another_version,
            args=(view.spec.unchanged.address,),
        )


def in_words(said: Said, labels: tuple[str, ...], called: str = "") -> str:
    """One line of the list; ``called`` in the place of the example's number."""
    called = called or str(said.example)
    if isinstance(said, Change) and said.label is not None:
        name = label_name(said, labels)
        words = {"relabel": f"{called} → {name}", "retest": f"test {called} is {name}"}
        return words.get(said.kind, f"{called} added as {name}")
    if isinstance(said, Change) and said.weight is not None:
        return f"{called} weighs {said.weight:g}"
    return f"{called} {_PAST[said.kind]}"


def label_name(said: Change, labels: Sequence[str]) -> str:
    """What the label of a change is called; its number where the study has no such label."""
    label = said.label or 0
    return labels[label] if label < len(labels) else str(label)


def _load(view: View) -> ShownList | None:
    try:
        spec = view.spec
    except InfluenceError:  # the page says so
        return None
    session = my_changes.find(spec)
    state = session.state() if session is not None else State(())
    if session is None or not (state.entries or state.can_redo):
        return None
    return ShownList(view, session, state, my_changes.address_of(session), len(settled(state.changes)))


def _switch(shown: ShownList) -> None:
    """The model without and with the changes; the address alone knows which."""
    if not shown.count:
        return
    titles = {shown.session.study: "Original", shown.address: f"With my changes ({shown.count})"}
    if shown.view.study not in titles:
        titles[shown.view.study] = "Another version"
    st.session_state["changes_switch"] = shown.view.study
    st.radio(
        "Which model",
        list(titles),
        key="changes_switch",
        format_func=titles.__getitem__,
        label_visibility="collapsed",
        on_change=lambda: another_version(st.session_state["changes_switch"]),
    )


def _lines(shown: ShownList) -> None:
    """The last verdict on each example with its note, the newest first; what only stays as it is comes last."""
    verdicts, notes = shown.state.verdicts, shown.state.notes
    newest = list(dict.fromkeys(one.said.example for one in reversed(shown.state.entries)))
    newest.sort(key=lambda one: one in verdicts and verdicts[one].kind == "keep" and one not in notes)
    lines, by, study = [], _by(shown), results.opened(shown.view)
    for example in newest:
        words = _called(study, example)
        if example in verdicts:
            words = _line(study, verdicts[example], shown.session.labels)
        note = f": “{notes[example]}”" if example in notes else ""
        lines.append(escape_markdown(words + by.get(example, "") + note))
    st.caption("  \n".join(lines[:SHOWN]))
    if len(lines) > SHOWN:
        with st.expander(f"and {len(lines) - SHOWN:,} more"):
            st.caption("  \n".join(lines[SHOWN:]))
    if shown.state.second_opinions:
        st.caption(
            f"{shown.state.second_opinions:,} judged otherwise in a second review: settle it on *Review*."
        )


def _by(shown: ShownList) -> dict[int, str]:
    """Who said of each example what stands; nothing where all of it is the owner's."""
    people, owner = shown.state.people, shown.session.who or "you"
    named = {example: list(dict.fromkeys(one or owner for one in names)) for example, names in people.items()}
    if all(names == [owner] for names in named.values()):
        return {}
    return {example: f", by {' and '.join(names)}" for example, names in named.items()}


def _undo_and_redo(shown: ShownList, keyed: bool) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        for key, title, there in (
            ("undo", "Undo", shown.state.can_undo),
            ("redo", "Redo", shown.state.can_redo),
        ):
            st.button(
                title,
                key=f"changes_{key}",
                icon=f":material/{key}:",
                disabled=not there,
                shortcut=KEYS[key] if keyed else None,
                on_click=_move,
                args=(shown, key),
            )


def _move(shown: ShownList, key: str) -> None:
    """Undo or redo a step; the next run says which it was."""
    session = shown.session

    def work() -> None:
        before = session.state().entries
        step = session.undo if key == "undo" else session.redo
        if step():
            after = session.state().entries
            more, fewer = (before, after) if key == "undo" else (after, before)
            known = {one.number for one in fewer}
            of_step = [one.said for one in more if one.number not in known]
            st.session_state["changes_told"] = f"{MOVED[key]}: {_step_words(shown, of_step)}"

    my_changes.amend(session, work)


def _step_words(shown: ShownList, of_step: list[Said]) -> str:
    """What was said at once, by the first of it."""
    first = of_step[0]
    more = f", and {len(of_step) - 1:,} more" if len(of_step) > 1 else ""
    return f"{_line(results.opened(shown.view), first, shown.session.labels)}{more}"


def _called(study: Study | None, example: int) -> str:
    """By its file where somebody brought it, and its number."""
    file = file_of(study, example)
    return f"{file} ({example})" if file else str(example)


def _line(study: Study | None, said: Said, labels: tuple[str, ...]) -> str:
    """One line; a test example that keeps its label is said to be one."""
    words = in_words(said, labels, _called(study, said.example))
    kept = isinstance(said, Change) and said.kind == "keep"
    return f"test {words}" if kept and _is_test(study, said.example) else words


def _is_test(study: Study | None, example: int) -> bool:
    """Whether an id is that of a test example and of no training example, if the study is open."""
    if study is None:
        return False
    train, test = study.data.train.ids, study.data.test.ids
    return bool((test == example).any()) and not bool((train == example).any())


def _by_kind(counted: tuple[Change, ...]) -> str:
    kinds = [one.kind for one in counted]
    tested = (
        f"test label{'s' * (kinds.count('retest') != 1)} set right by hand, by which the answers are judged"
    )
    past = {
        "remove": "removed",
        "relabel": "relabelled",
        "reweight": "reweighted",
        "add": "added",
        "retest": tested,
    }
    return ", ".join(f"{kinds.count(kind):,} {word}" for kind, word in past.items() if kind in kinds)
