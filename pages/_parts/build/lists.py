"""A list of changes that was taken along, opened again: the same verdicts, versions and questions in another installation."""

from __future__ import annotations

import streamlit as st

from influence_core import studies
from influence_core.errors import DataError, InfluenceError
from influence_core.sessions import Carried, Sessions, begin, unpacked
from influence_core.sessions.carried import MOST_BYTES
from pages._shell import browser, results
from pages._shell.address import View, go_to
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import escape_markdown, show_error


def offer(view: View) -> None:
    """A folded form that takes the file, and the way on once it is opened."""
    opened: Carried | None = st.session_state.get("list_opened")
    if opened is not None and opened.study == view.study:
        st.success(f"**{escape_markdown(opened.title)}** is opened: {_about(opened)}.")
        st.page_link(EXPLAIN.script, label="Go on with it", icon="➡️", query_params={"study": opened.study})
    times = st.session_state.get("lists_opened", 0)
    folded = st.expander(
        "Open a list of changes that was taken along", key=f"list_{times}", on_change="rerun"
    )
    if folded.open:
        with folded:
            _form(f"list_file_{times}")


def _form(key: str) -> None:
    st.caption(
        "The `session.json` of *My changes*, or the zip of an answer that was taken home. It becomes this browser's own "
        "list. The study must be here too: one that ships with the app is."
    )
    megabytes = MOST_BYTES // 10**6
    file = st.file_uploader("List of changes", type=["json", "zip"], max_upload_size=megabytes, key=key)
    if file is not None:
        try:
            _open(file.getvalue())
        except InfluenceError as error:
            show_error(error)


def _open(content: bytes) -> None:
    store, carried = results.get_store(), unpacked(content)
    try:
        studies.find(carried.study, store)
    except InfluenceError as error:
        raise DataError(
            f"The list is of “{carried.title}”, and that study is not on this machine. Bring its data first; a study of one's "
            "own has another name here, so its list cannot be opened."
        ) from error
    begin(Sessions(store), browser.owner(), carried)
    st.session_state["lists_opened"] = st.session_state.get("lists_opened", 0) + 1
    st.session_state["list_opened"] = carried
    go_to(study=carried.study)
    st.rerun()


def _about(opened: Carried) -> str:
    """What is in it; of what there is none, nothing is said."""
    said = sum(map(len, opened.steps))
    parts = [
        (said, "change or note", "changes and notes"),
        (len(opened.versions), "saved version", "saved versions"),
    ]
    parts.append((len(opened.questions), "question that was asked", "questions that were asked"))
    return (
        ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in parts if count)
        or "empty"
    )
