"""A list of changes that was taken along, opened again: the same verdicts, versions and questions in another installation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from io import BytesIO

import streamlit as st

from influence_core import studies
from influence_core.data.brought import picture_uploads
from influence_core.errors import DataError, InfluenceError
from influence_core.progress import Progress
from influence_core.sessions import Carried, Sessions, begin, unpacked
from influence_core.sessions.carried import MOST_BYTES, of_study
from influence_core.store.remember import key_of
from influence_core.studies import Origin, origins
from pages._shell import browser, results
from pages._shell.address import View, go_to
from pages._shell.catalogue import EXPLAIN
from pages._shell.escape import escape_markdown, show_error
from pages._shell.jobs import await_job, get_jobs


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
            _form(times)


def _form(times: int) -> None:
    st.caption(
        "The file of *Take the list along*, or the zip of an answer. It becomes this browser's own list. "
        "A study that ships with the app is here already; one of your own is made again of the file it was made of."
    )
    megabytes = MOST_BYTES // 10**6
    file = st.file_uploader(
        "List of changes", type=["json", "zip"], max_upload_size=megabytes, key=f"list_file_{times}"
    )
    if file is not None:
        try:
            _open(unpacked(file.getvalue()), times)
        except InfluenceError as error:
            show_error(error)


def _open(carried: Carried, times: int) -> None:
    """Begin the list here; a study of somebody's own that is not here is made first, once its file is sent."""
    store = results.get_store()
    if not _is_here(carried.study):
        if carried.origin is None:
            raise DataError(
                f"The list is of “{carried.title}”, and that study is not on this machine. The list does not say how it was "
                "made: its data lie in a folder of a server, or an earlier version of the app wrote it. It cannot be opened here."
            )
        name = _made(carried, carried.origin, f"list_data_{times}")
        if name is None:
            return
        carried = of_study(carried, name)
    begin(Sessions(store), browser.owner(), carried)
    st.session_state["lists_opened"] = times + 1
    st.session_state["list_opened"] = carried
    go_to(study=carried.study)
    st.rerun()


def _made(carried: Carried, origin: Origin, key: str) -> str | None:
    """The name of the same study here, once the file of which it was made is sent."""
    st.markdown(
        f"This list is of **{escape_markdown(carried.title)}**, a study of somebody's own. Its data are not in the list: send "
        f"the file of which it was made, **{escape_markdown(origin.file)}**, and the study is made again as it was."
    )
    st.caption(browser.PRIVATE)
    megabytes = picture_uploads.MAX_BYTES // 10**6
    file = st.file_uploader("Its data", max_upload_size=megabytes, key=key)
    if file is None:
        return None
    content, store, owner = file.getvalue(), results.get_store(), browser.owner()
    job = key_of("make again", asdict(origin), file.file_id, owner)
    found: str | None = get_jobs().result(job)
    if found is not None and not _is_here(found):  # it was removed since
        get_jobs().forget(job)

    def work(progress: Progress) -> str:
        return origins.make(origin, BytesIO(content), store, owner, progress)

    return await_job(job, "Making the study again", work)


def _is_here(study: str) -> bool:
    with suppress(InfluenceError):
        studies.find(study, results.get_store())
        return True
    return False


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
