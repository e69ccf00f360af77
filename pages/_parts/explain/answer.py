"""The test example, what the model says of it, and the label asked about."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments.explain import Explanation
from influence_core.figures.explain import probabilities
from influence_core.studies import Study
from pages._common import test_label
from pages._common.cards import name_of, show_large
from pages._parts.explain import word_edit
from pages._shell.address import View
from pages._shell.charts import show_chart
from pages._shell.escape import escape_markdown, escaped
from pages._shell.own_params import ExplainParams
from pages._shell.widgets import choice

LARGE = 330


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """The test example beside the bars, in whose place the inspector stands in a wide window; the label asked about."""
    with st.container(key="answer", gap="small"):
        example, bars = st.columns([1.5, 1], vertical_alignment="center", gap="small")
        with example:
            name = name_of(explanation)
            show_large(study, explanation.x, explanation.test_id, name, LARGE, explanation.photo)
            if file := _file(study, explanation):
                st.caption(f":material/draft: {escape_markdown(file)}")
        with bars:
            show_chart(probabilities(explanation), key="probabilities", alt="what the model says")
        word_edit.show_asked(study, params, explanation)
    _label_toggle(study, view, explanation)


def _file(study: Study, explanation: Explanation) -> str:
    """The name under which somebody brought the picture; "" where there is none."""
    known = explanation.test_id
    return study.data.file(known) if study.data.pictured and known is not None else ""


def _label_toggle(study: Study, view: View, explanation: Explanation) -> None:
    names, asked = escaped(study.data.class_names), escape_markdown(explanation.label_name)
    titles = {"model": f"its answer: {names[explanation.predicted_label]}"}
    if explanation.true_label is not None:
        right = test_label.set_right(study, explanation.test_id)
        called = "corrected label" if right else test_label.given(study)
        titles["true"] = f"the {called}: {names[explanation.true_label]}"
    if view.ask not in titles:
        titles[view.ask] = f"label {asked}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Ask about", width="content")
        choice("ask", view.ask, "Ask about", titles, label_visibility="collapsed")
        test_label.show(study, explanation)
