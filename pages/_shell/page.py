"""The way into a page: its address, the sidebar, a study that can answer, and errors said in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from influence_core import studies
from influence_core.errors import InfluenceError
from pages._shell import change_list, my_changes, restart, sidebar
from pages._shell.address import View, go_to, read_address, start_over
from pages._shell.catalogue import PAGES, REVIEW, OwnParams, PageRow
from pages._shell.escape import show_error

_RAW_DOWNLOAD = "[data-testid=stElementToolbarButton]:has(button[aria-label^='Download as CSV'])"
"""The framework's own download of a table leaves formulas in it; the page's buttons do not (`influence_core.exports`)."""
_DARK_LABEL = "[data-testid=stBaseButton-primary] {color: #14171b}"
"""The framework writes white on the bright blue of the dark theme, which is hard to read."""

_COLOURED = (
    "[data-testid=stCaptionContainer]:has(.stMarkdownColoredText) "
    "{opacity: 1; color: color-mix(in srgb, currentColor 70%, transparent)}"
)
"""The framework makes small print pale, its coloured words with it, which are then too pale to read: only the grey ones are."""

_METRIC = ":is([data-testid=stMetricLabel], [data-testid=stMetricDelta])"
_WHOLE_LABELS = f"{_METRIC}, {_METRIC} * {{white-space: normal !important; overflow: visible !important}}"
"""The framework cuts what stands above and below a number where its column is narrow."""


@contextmanager
def open_page(row: PageRow[OwnParams], any_study: bool = False) -> Iterator[tuple[View, OwnParams]]:
    """All that stands around a page; inside, what goes wrong is said in the page, with a way out.

    Args:
        row: The page.
        any_study: Whether to run the page even where the study cannot answer its question; it calls `require_study`.
    """
    above_the_menu = st.sidebar.container()
    enter()
    my_changes.begin_run()
    dark = _DARK_LABEL if st.context.theme.type == "dark" else ""
    st.html(f"<style>{_RAW_DOWNLOAD} {{display: none}} {_COLOURED} {_WHOLE_LABELS} {dark}</style>")
    view, texts = read_address(row.params)
    sidebar.show(view)
    with above_the_menu:
        change_list.show(view, undo_elsewhere=row.script == REVIEW.script)
    with _errors_shown():
        change_list.banner(view)
        if not any_study and row.supports(view.spec):
            heading(row.question, row)
            require_study(view, row)
        yield view, row.params.read(texts)


def require_study(view: View, row: PageRow) -> None:
    """End the page, with a way out, where the view's study cannot answer its question."""
    reason = row.supports(view.spec)
    if reason is None:
        return
    st.info(reason)
    offer_studies(row)
    st.stop()


def offer_studies(row: PageRow) -> None:
    """The studies that can answer a page's question, each a button."""
    fitting = [name for name, spec in studies.CATALOGUE.items() if row.supports(spec) is None]
    with st.container(horizontal=True):
        for name in row.offered or fitting:
            title = f"Use “{sidebar.study_title(name)}”"
            mark = sidebar.study_mark(name)
            st.button(
                f"{title} ({mark})" if mark else title,
                key=f"use_{name}",
                on_click=lambda name=name: go_to(study=name),
            )


def heading(question: str, row: PageRow) -> None:
    """The page's title, a question, and under it what the field and the paper call it."""
    st.title(question)
    where = f"section {row.section}" if row.section[:1].isdigit() else row.section
    found = [row.term.capitalize(), f"Koh & Liang 2017, {where}" if where else ""]
    if any(found):
        st.caption(" · ".join(one for one in found if one))


def menu() -> dict[str, list]:
    """Every page by its group in the menu; the first is the default."""
    groups: dict[str, list] = {}
    for row in PAGES:
        page = st.Page(row.script, title=row.title, default=row is PAGES[0])
        groups.setdefault(row.group, []).append(page)
    return groups


def _show_menu() -> None:
    """The menu at the head of the sidebar: a caption a group, a link a page.

    Streamlit's own folds after ten pages, and a list of groups in it is none to a screen reader.
    """
    groups: dict[str, list[PageRow]] = {}
    for row in PAGES:
        groups.setdefault(row.group, []).append(row)
    with st.sidebar, st.container(key="menu", gap=None):
        for group, rows in groups.items():
            st.caption(group)
            for row in rows:
                st.page_link(row.script, label=row.title)


def enter() -> None:
    """Run the page through `app.py`, and show the menu.

    The first run of a server may come straight to a file of the `pages/` folder, before `app.py` has named the pages.
    Naming them ends that, and the page runs again as it should.
    """
    if not st.session_state.get("entered"):
        restart.put_aside()
        st.session_state["entered"] = True
        st.navigation(menu(), position="hidden")
        st.rerun()
    _show_menu()


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
def _errors_shown() -> Iterator[None]:
    """What goes wrong inside is said in the page, with a way out."""
    try:
        yield
    except InfluenceError as error:
        show_error(error)
        st.button("Start over with the first test example", key="start_over", on_click=start_over)
        st.stop()
