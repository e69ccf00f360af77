"""The list *My changes* in the sidebar: what was said, undo and redo, and the model with and without it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from influence_core import studies
from influence_core.errors import InfluenceError
from influence_core.sessions import Said, Session, State, packed
from influence_core.studies.changes import Change, settled
from pages._shell import my_changes, results
from pages._shell.address import DEFAULT_STUDY, View, another_version
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import escape_markdown, show_error

SHOWN = 6
"""Lines of the list that are not folded."""
ANOTHER = "another"
KEYS = {"relabel": "L", "remove": "X", "keep": "K", "unsure": "U", "undo": "Z", "redo": "Y"}
"""On every page, wherever something is said of a training example; each stands on its button."""
MOVED = {"undo": "Undone", "redo": "Done again"}
_PAST = {"remove": "removed", "keep": "kept", "unsure": "unsure", "note": "has a note"}


@dataclass(frozen=True)
class _Shown:
    """A list as the sidebar shows it: ``address`` is that of the study with its changes, ``count`` how many those are."""

    view: View
    session: Session
    state: State
    address: str
    count: int


def show(view: View, undo_elsewhere: bool = False) -> None:
    """The list of the study on show; nothing before the first change.

    Args:
        view: What is on show.
        undo_elsewhere: Whether the page has the keys of undo and redo itself.
    """
    st.session_state["study_shown"] = view.study
    trouble, moved = my_changes.trouble(), st.session_state.pop("changes_moved", "")
    if trouble:
        st.error(escape_markdown(trouble))
    elif moved:
        st.toast(escape_markdown(moved))
    try:
        shown = _load(view)
    except InfluenceError as error:
        show_error(error)
        return
    if shown is not None:
        with st.container(key="my_changes", gap="xsmall"):
            st.markdown("**My changes**")
            _switch(shown)
            _lines(shown)
            _undo_and_redo(shown, not undo_elsewhere)
            with st.expander("Versions, link, delete"):
                _versions(shown)
                _link(shown)
                _questions(shown)
                _delete(shown)


def banner(view: View) -> None:
    """On every page of a version, that it is one, and the way back."""
    try:
        counted = settled(view.spec.changes)
    except InfluenceError:  # the page says so
        return
    if not counted:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="version_banner", gap="small"):
        badge = f":violet-badge[:material/edit: With {_changes(len(counted))}]"
        st.markdown(f"{badge} {_by_kind(counted)}", width="content")
        st.button(
            "Back to the original",
            key="to_original",
            type="tertiary",
            on_click=another_version,
            args=(view.spec.unchanged.address,),
        )


def in_words(said: Said, labels: tuple[str, ...]) -> str:
    """One line of the list."""
    if isinstance(said, Change) and said.label is not None:
        name = labels[said.label] if said.label < len(labels) else str(said.label)
        words = {"relabel": f"{said.example} → {name}", "retest": f"test {said.example} is {name}"}
        return words.get(said.kind, f"{said.example} added as {name}")
    if isinstance(said, Change) and said.weight is not None:
        return f"{said.example} weighs {said.weight:g}"
    return f"{said.example} {_PAST[said.kind]}"


def _load(view: View) -> _Shown | None:
    try:
        spec = view.spec
    except InfluenceError:  # the page says so
        return None
    session = my_changes.find(spec)
    state = session.state() if session is not None else State(())
    if session is None or not (state.entries or state.can_redo):
        return None
    return _Shown(view, session, state, my_changes.address_of(session), len(settled(state.changes)))


def _switch(shown: _Shown) -> None:
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


def _lines(shown: _Shown) -> None:
    """The last verdict on each example with its note, the newest first; what only stays as it is comes last."""
    verdicts, notes = shown.state.verdicts, shown.state.notes
    newest = list(dict.fromkeys(one.said.example for one in reversed(shown.state.entries)))
    newest.sort(key=lambda one: one in verdicts and verdicts[one].kind == "keep" and one not in notes)
    lines, file = [], results.file_names(shown.view)
    for example in newest:
        words = in_words(verdicts[example], shown.session.labels) if example in verdicts else f"{example}"
        named = f" ({file(example)})" if file(example) else ""
        note = f": “{notes[example]}”" if example in notes else ""
        lines.append(escape_markdown(words + named + note))
    st.caption("  \n".join(lines[:SHOWN]))
    if len(lines) > SHOWN:
        with st.expander(f"{len(lines) - SHOWN} more"):
            st.caption("  \n".join(lines[SHOWN:]))
    if shown.state.second_opinions:
        st.caption(
            f"{shown.state.second_opinions:,} judged otherwise in a second review: settle it on *Review*."
        )


def _undo_and_redo(shown: _Shown, keyed: bool) -> None:
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


def _move(shown: _Shown, key: str) -> None:
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
            st.session_state["changes_moved"] = f"{MOVED[key]}: {_step_words(shown, of_step)}"

    my_changes.amend(session, work)


def _step_words(shown: _Shown, of_step: list[Said]) -> str:
    """What was said at once, by the first of it."""
    file, first = results.file_names(shown.view), of_step[0]
    named = f" ({file(first.example)})" if file(first.example) else ""
    more = f", and {len(of_step) - 1:,} more" if len(of_step) > 1 else ""
    return f"{in_words(first, shown.session.labels)}{named}{more}"


def _versions(shown: _Shown) -> None:
    """Versions that have a name, each a way there, and a name for this one."""
    for at, (name, address) in enumerate(shown.session.versions().items()):
        count = len(settled(studies.find(address, results.get_store()).changes))
        st.button(
            f"{escape_markdown(name)} ({_changes(count)})",
            key=f"version_{at}",
            on_click=another_version,
            args=(address,),
            disabled=address == shown.view.study,
            width="stretch",
        )
    if shown.count:
        st.text_input(
            "Save the model with my changes as",
            key="version_name",
            placeholder="a name, then Enter",
            max_chars=60,
            on_change=partial(_save, shown),
        )


def _save(shown: _Shown) -> None:
    name, st.session_state["version_name"] = st.session_state["version_name"], ""
    if name.strip():
        my_changes.amend(shown.session, lambda: shown.session.save_version(name, shown.address))


def _link(shown: _Shown) -> None:
    query = shown.view.query() | {"study": shown.address}
    name = f"changes-{shown.session.study}.json"
    content = partial(packed, shown.session)
    st.download_button(
        "Take the list along", content, name, "application/json", key="changes_take", on_click="ignore"
    )
    st.caption("Link to the model with my changes. Whoever has it sees that model, not this list.")
    st.code(f"{(st.context.url or '').partition('?')[0]}?{urlencode(query)}", language=None)


def _questions(shown: _Shown) -> None:
    """The last questions that were asked since the list began, each a way back to it."""
    asked = list(dict.fromkeys(reversed(shown.session.questions())))[:SHOWN]
    if asked:
        st.caption("Questions asked since, the last first")
    for address in asked:
        query = dict(parse_qsl(address))
        count = len(settled(studies.find(query.get("study", DEFAULT_STUDY), results.get_store()).changes))
        about = f"Test {query['test']}" if "test" in query else "Your own"
        title = f"{about}, with {_changes(count)}" if count else about
        st.page_link(EXPLAIN.script, label=title, query_params=query)


def _delete(shown: _Shown) -> None:
    with st.popover("Delete the list"):
        st.caption(
            "The list, with the verdicts of your reviews, its versions and its questions are removed from this machine at once, "
            "for good."
        )
        st.button("Delete all of it", key="changes_delete", type="primary", on_click=partial(_forget, shown))


def _forget(shown: _Shown) -> None:
    def delete() -> None:
        shown.session.delete()
        if shown.view.spec.changes:
            another_version(shown.session.study)

    my_changes.attempt(delete)


def _changes(count: int) -> str:
    return f"{count:,} change{'s' * (count != 1)}"


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
