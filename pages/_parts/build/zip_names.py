"""An uploaded zip, unpacked, and the encoding in which the names in it are read."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from influence_core.data.brought import picture_uploads, recipes
from influence_core.data.brought.picture_uploads import Upload
from influence_core.data.readers.encodings import ENCODINGS
from influence_core.progress import Progress
from influence_core.store.remember import key_of
from pages._parts.build import visit
from pages._shell import browser, results
from pages._shell.escape import escape_markdown
from pages._shell.jobs import await_job, get_jobs

AUTOMATIC = ""


def unpacked(file: UploadedFile, digest: str) -> Upload:
    """What came out of a zip, its names in the encoding that was chosen; unpacked by a job that can be watched."""
    encoding = st.session_state.get(_choice_key(digest), AUTOMATIC)
    key = key_of("unpack", digest, browser.owner(), encoding)
    found: Upload | None = get_jobs().result(key)
    if found is not None and not found.folder.exists():  # it was removed since
        get_jobs().forget(key)
    return await_job(key, "Unpacking your zip", _unpacking(file, encoding))


def _unpacking(file: UploadedFile, encoding: str) -> Callable[[Progress], Upload]:
    content, title, store, owner = file.getvalue(), file.name, results.get_store(), browser.owner()
    return lambda progress: picture_uploads.keep(store, BytesIO(content), title, progress, owner, encoding)


def choose(sent: Upload, digest: str | None) -> None:
    """The encoding of the names that do not say theirs, each with some of them; another choice unpacks the zip again.

    Args:
        sent: What was unpacked.
        digest: Of the zip where it is at hand; without it the names stay as they are.
    """
    if not sent.readings:
        return
    guess, shown = sent.readings[0][0], dict(sent.readings)
    if digest is None:
        st.caption(
            f"The names in it were read as {ENCODINGS[sent.encoding].title}: {escape_markdown(shown[sent.encoding])}. To read "
            "them otherwise, send the zip again."
        )
        return
    st.selectbox(
        "Encoding of the names in the zip",
        [AUTOMATIC, *(name for name in shown if name != guess)],
        format_func=lambda name: f"{ENCODINGS[name or guess].title}: {shown[name or guess]}",
        key=visit.lasting(_choice_key(digest), AUTOMATIC),
        on_change=_discard,
        args=(sent,),
        help="The zip does not say it; this is the most plausible. Choose another one if the names do not read right.",
    )


def _discard(sent: Upload) -> None:
    """What was unpacked under other names is not meant any more."""
    recipes.discard(results.get_store(), sent.key, browser.owner())


def _choice_key(digest: str) -> str:
    return f"build_names_{digest[:16]}"
