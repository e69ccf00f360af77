"""What can be done with a list of changes as a whole: its versions, its link, the questions asked since, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from influence_core import studies
from influence_core.sessions import Session, State, packed
from influence_core.studies import Study
from influence_core.studies.changes import settled
from influence_core.studies.origins import origin_of
from pages._shell import my_changes, results
from pages._shell.address import DEFAULT_STUDY, OF_THE_QUESTION, View, another_version, link_to_version
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import escape_markdown

ASKED = 6
"""Questions that are shown."""


@dataclass(frozen=True)
class ShownList:
    """A list as the sidebar shows it: ``address`` is that of the study with its changes, ``count`` how many those are."""

    view: View
    session: Session
    state: State
    address: str
    count: int


def show(shown: ShownList) -> None:
    """All of it, in a fold of the sidebar."""
    _versions(shown)
    _link(shown)
    _questions(shown)
    _delete(shown)


def _versions(shown: ShownList) -> None:
    """Versions that have a name, each a way there, and a name for this one."""
    for at, (name, address) in enumerate(shown.session.versions().items()):
        count = len(settled(studies.find(address, results.get_store()).changes))
        st.button(
            f"{escape_markdown(name)} ({changes_words(count)})",
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


def _save(shown: ShownList) -> None:
    name, st.session_state["version_name"] = st.session_state["version_name"], ""
    if name.strip():
        my_changes.amend(shown.session, lambda: shown.session.save_version(name, shown.address))


def _link(shown: ShownList) -> None:
    asked = {name: text for name, text in shown.view.query().items() if name not in OF_THE_QUESTION}
    query = asked | link_to_version(shown.address)
    store, unchanged = results.get_store(), shown.view.spec.unchanged
    name = f"changes-{studies.plain_name(unchanged)}.json"

    def content() -> bytes:
        return packed(shown.session, origin_of(store, shown.session.study))

    st.download_button(
        "Take the list along", content, name, "application/json", key="changes_take", on_click="ignore"
    )
    st.caption("Link to the model with my changes. Whoever has it sees that model, not this list.")
    st.code(f"{(st.context.url or '').partition('?')[0]}?{urlencode(query)}", language=None)


def _questions(shown: ShownList) -> None:
    """The last questions that were asked since the list began, each a way back to it."""
    asked = list(dict.fromkeys(reversed(shown.session.questions())))[:ASKED]
    study = results.opened(shown.view)
    if asked:
        st.caption("Questions asked since, the last first")
    for address in asked:
        query = dict(parse_qsl(address))
        count = len(settled(studies.find(query.get("study", DEFAULT_STUDY), results.get_store()).changes))
        about = _about(study, query["test"]) if "test" in query else "Your own"
        title = f"{about}, with {changes_words(count)}" if count else about
        st.page_link(EXPLAIN.script, label=title, query_params=query)


def _about(study: Study | None, test: str) -> str:
    """A test example by its file where somebody brought it."""
    file = file_of(study, int(test)) if test.isdecimal() else ""
    return escape_markdown(file) if file else f"Test {test}"


def file_of(study: Study | None, example: int) -> str:
    """The file in which somebody brought an example of a list; "" where its study is not open, or has no such example."""
    if study is None or not any(
        bool((one.ids == example).any()) for one in (study.data.train, study.data.test)
    ):
        return ""
    return study.file_name(example)


def _delete(shown: ShownList) -> None:
    with st.popover("Delete the list"):
        st.caption(
            "The list, with the verdicts of your reviews, its versions and its questions are removed from this machine at once, "
            "for good."
        )
        st.button("Delete all of it", key="changes_delete", type="primary", on_click=partial(_forget, shown))


def _forget(shown: ShownList) -> None:
    def delete() -> None:
        shown.session.delete()
        if shown.view.spec.changes:
            another_version(shown.session.study)

    my_changes.attempt(delete)


def changes_words(count: int) -> str:
    """So many of them."""
    return f"{count:,} change{'s' * (count != 1)}"
