"""Data that do not ship with the app: where they are looked for, and the download that only a person starts."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from influence_core.data import CATALOGUE
from influence_core.models import backbones
from influence_core.progress import Progress
from influence_core.store.remember import key_of
from pages._shell.jobs import JobManager, await_job
from pages._shell.places import DATA_VARIABLE, without_places


def offer(data: str, folder: str) -> None:
    """Where files are missing: say so, and download them only when asked to."""
    row = CATALOGUE.get(data)
    known = row.download if row else None
    if known is None or not known.missing(folder):
        return
    st.header(f"{known.name} is not on this machine")
    st.markdown(
        f"This study needs {known.what} in `{without_places(folder)}/{known.where}`. You can put the files there, start the "
        f"app with the setting `{DATA_VARIABLE}` naming another folder, or download them now ({known.source}). Downloads are the "
        "only requests this app ever makes to the internet, and only when you press the button."
    )
    if st.button(f"Download {known.name}", key=f"download_{data}", type="primary"):
        st.session_state["downloading"] = data
    _fetch(data, known.name, lambda progress: known.fetch(folder, progress))
    st.stop()


def offer_weights(folder: str) -> None:
    """Networks of torchvision whose weights are not there yet: their size, and the download, only when asked to.

    It ends the page while a download goes on or has failed, and so belongs at a page's end.
    """
    with st.expander("Another network of torchvision"):
        missing = [
            name
            for name in backbones.names()
            if name != backbones.PACKAGED
            and name not in backbones.OWN
            and not backbones.weights_path(name, folder).is_file()
        ]
        name: str | None = st.selectbox("Its name", missing, key="weights_name")
        if name is None:
            return
        where = without_places(str(backbones.weights_path(name, folder)))
        st.caption(
            f"Its weights, {backbones.download_size(name):,.0f} MB, are fetched from PyTorch's site into `{where}`; you can "
            "also put the file there yourself. It is the only request that this makes, and only when you press the button."
        )
        if st.button(f"Download {name}", key="download_weights"):
            st.session_state["downloading"] = name
    _fetch(name, f"the weights of {name}", lambda progress: backbones.download(name, folder, progress))


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
