"""The list of pages, and the way into one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from influence_core import studies
from influence_core.errors import InfluenceError
from pages._shell.address import start_over
from pages._shell.escape import show_error


def pages() -> list:
    """Every page, in the order of the sidebar; the first is the default."""
    return [
        st.Page("pages/explain.py", title="Explain a prediction", default=True),
        st.Page("pages/two_models.py", title="Two models, two reasons"),
        st.Page("pages/poison.py", title="Poisoned pictures"),
        st.Page("pages/what_if.py", title="What if"),
        st.Page("pages/leave_one_out.py", title="Forecast and truth"),
        st.Page("pages/smooth_hinge.py", title="A loss with a kink"),
        st.Page("pages/domain_mismatch.py", title="Failing on a group"),
        st.Page("pages/solver_comparison.py", title="Solvers side by side"),
        st.Page("pages/wrong_labels.py", title="Wrong labels"),
        st.Page("pages/review.py", title="Review the suspects"),
        st.Page("pages/build.py", title="Build your own study"),
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


def load_own_studies() -> None:
    """The studies of a Python module that the person who started the server named; what fails is said on every page."""
    failed = _load_module()
    if failed is not None:
        show_error(failed)


@st.cache_resource(show_spinner=False)
def _load_module() -> InfluenceError | None:
    """What went wrong, if anything did; the module runs once a server, well or badly."""
    try:
        studies.load_module()
    except InfluenceError as error:
        return error
    return None


@contextmanager
def errors_shown() -> Iterator[None]:
    """What goes wrong inside is said in the page, with a way out."""
    try:
        yield
    except InfluenceError as error:
        show_error(error)
        st.button("Start over with the first test example", key="start_over", on_click=start_over)
