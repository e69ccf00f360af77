"""Charts on a page: the one place where they are shown, so that no toolbar lies over what is drawn."""

from __future__ import annotations

from typing import Any

import streamlit as st

from influence_core.figures.toolbar import has_toolbar, make_room


def show_chart(figure: Any, key: str, at: Any = st, **options: Any) -> None:
    """A chart; its toolbar comes when the pointer does, above the drawing, and there is none where nothing can be moved.

    Args:
        figure: Of Plotly, drawn in this run: its margin is changed.
        key: Unique on the page.
        at: The column that it stands in.
        options: What `st.plotly_chart` takes besides.
    """
    there = has_toolbar(figure)
    if there:
        make_room(figure)
    config = {"displaylogo": False, "displayModeBar": "hover" if there else False}
    at.plotly_chart(figure, key=key, config=config, **options)
