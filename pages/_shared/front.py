"""The list of pages, and the way into one."""

from __future__ import annotations

import streamlit as st


def pages() -> list:
    """Every page, in the order of the sidebar; the first is the default."""
    return [
        st.Page("pages/explain.py", title="Explain a prediction", default=True),
        st.Page("pages/guide.py", title="How to read it"),
    ]


def enter() -> None:
    """Run the page through `app.py`.

    The first run of a server may come straight to a file of the `pages/` folder, before `app.py` has named the pages.
    Naming them ends that, and the page runs again as it should.
    """
    if not st.session_state.get("entered"):
        st.session_state["entered"] = True
        st.navigation(pages())
        st.rerun()
