"""Data that do not ship with the app: where they are looked for, and the download that only a person starts."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from influence_core.data.fetching import Download
from influence_core.models import backbones
from influence_core.progress import Progress
from influence_core.store.remember import key_of
from influence_core.studies import StudySpec, download_of
from pages._shell.jobs import JobManager, await_job
from pages._shell.places import DATA_VARIABLE, without_places


def offer(spec: StudySpec, folder: str) -> None:
    """Where a study's files are missing: say so, and download them only when asked to."""
    known = download_of(spec)
    if known is not None and known.missing(folder):
        st.header(f"{known.name} is not on this machine")
        offer_files(spec.source or spec.data, "This study needs", known, folder)
        st.stop()


def offer_files(name: str, who: str, known: Download, folder: str) -> None:
    """The download of files that are missing, which only its button starts.

    Args:
        name: Of the data.
        who: Needs them, with the verb.
        known: How they are fetched.
        folder: The data folder.
    """
    where = "/".join(one for one in (without_places(folder), known.where) if one)
    st.markdown(
        f"{who} {known.what} in `{where}`. You can put the files there, start the "
        f"app with the setting `{DATA_VARIABLE}` naming another folder, or download them now ({known.source}). Downloads are the "
        "only requests this app ever makes to the internet, and only when you press the button."
    )
    if st.button(f"Download {known.name}", key=f"download_{name}", type="primary"):
        st.session_state["downloading"] = name
    _fetch(name, known.name, lambda progress: known.fetch(folder, progress))


def offer_weights(folder: str) -> None:
    """Networks of torchvision whose weights are not there yet: their size, and the download, only when asked to.

    It ends the page while a download goes on or has failed, and so belongs at a page's end.
    """
    folded = st.expander("Another network of torchvision", key="weights_folded", on_change="rerun")
    if folded.open:  # torchvision, which has their names, takes seconds to import
        with folded:
            name = _choose_weights(folder)
        if name is not None:
            _fetch(
                name, f"the weights of {name}", lambda progress: backbones.download(name, folder, progress)
            )


def _choose_weights(folder: str) -> str | None:
    """A network's name, and the button that has its weights fetched."""
    missing = [
        name
        for name in backbones.names()
        if name != backbones.PACKAGED
        and name not in backbones.OWN
        and not backbones.weights_path(name, folder).is_file()
    ]
    name: str | None = st.selectbox("Its name", missing, key="weights_name")
    if name is None:
        return None
    where = without_places(str(backbones.weights_path(name, folder)))
    st.caption(
        f"Its weights, {backbones.download_size(name):,.0f} MB, are fetched from PyTorch's site into `{where}`; you can "
        "also put the file there yourself. It is the only request that this makes, and only when you press the button."
    )
    if st.button(f"Download {name}", key="download_weights"):
        st.session_state["downloading"] = name
    return name


@st.cache_resource(show_spinner=False)
def _get_line() -> JobManager:
    """Downloads wait for each other, so that nobody's computing waits for them."""
    return JobManager(workers=1)


def _fetch(what: str, title: str, work: Callable[[Progress], None]) -> None:
    """The download that was asked for, if it was this one."""
    if st.session_state.get("downloading") != what:
        return
    key = key_of("download", what)
    await_job(key, f"Downloading {title}", work, manager=_get_line())
    st.session_state["downloading"] = ""
    _get_line().forget(key)
    st.rerun()
