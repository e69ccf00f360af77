"""The first click after the server was started again under an open page.

The browser then sends what it shows to a session that knows no widget yet, so nobody hears of the click. What was sent is
put aside until the page stands, and then sent in once more. Streamlit has no public way to what was sent (1.67); where its
private one is gone, the first click is lost again and nothing else.
"""

from __future__ import annotations

from time import monotonic

import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner import RerunData, RerunException, get_script_run_ctx

PATIENCE_SECONDS = 60.0
"""A click that acts later would surprise; a small machine takes half of it to start."""


def put_aside() -> None:
    """In the first run of a session: what an open page sent."""
    run = get_script_run_ctx()
    if run is None or "entered" in st.session_state:
        return
    sent = getattr(getattr(run.session_state, "_state", None), "_new_widget_state", None)
    if sent is not None and sent.states:
        st.session_state["put_aside"] = (monotonic(), list(sent.as_widget_states()))
        sent.clear()


def make_up() -> None:
    """At the end of a run: send it in, once the page waits for nothing."""
    run = get_script_run_ctx()
    if run is None or st.session_state.get("waiting") or "put_aside" not in st.session_state:
        return
    since, sent = st.session_state.pop("put_aside")
    if monotonic() - since < PATIENCE_SECONDS:
        raise RerunException(
            RerunData(
                query_string=run.query_string,
                page_script_hash=run.page_script_hash,
                widget_states=WidgetStates(widgets=sent),
            )
        )
