"""The groups of training examples behind the answer on show, and the way to ask about more than one test example."""

from __future__ import annotations

import streamlit as st

from influence_core.experiments import any_question, targets
from influence_core.experiments.explain import Explanation
from influence_core.experiments.test_sets import label_text
from influence_core.studies import Study
from pages._common import groups
from pages._common.groups import Asked
from pages._shell.address import View
from pages._shell.escape import escaped
from pages._shell.own_params import ExplainParams


def show(study: Study, view: View, params: ExplainParams, explanation: Explanation) -> None:
    """Three to seven groups, each with its forecast and its truth on request."""
    target = targets.of_question(study, explanation.question, params.unit)
    effects = any_question.of_explanation(explanation, params.unit)
    groups.show(Asked(study, target, effects), params.cause)
    _ask_more(study, view, explanation)


def _ask_more(study: Study, view: View, explanation: Explanation) -> None:
    """Links to the page for any question: this example's margin, and all mistakes of its kind."""
    names, said, true = study.data.class_names, explanation.predicted_label, explanation.true_label
    shown = escaped(names)
    same = view.query("study", "solver", "damping", "curvature", "device")
    with st.container(horizontal=True, key="ask_more"):
        st.markdown("Ask about more:")
        if true is not None and true != said and explanation.test_id is not None:
            labels = f"{label_text(names, said)},{label_text(names, true)}"
            margin = {"over": f"ids={explanation.test_id}", "quantity": f"margin={labels}"}
            st.page_link(
                "pages/ask.py", label=f"{shown[said]} rather than {shown[true]}", query_params=same | margin
            )
            cell = {"over": f"cell={label_text(names, true)},{label_text(names, said)}"}
            label = f"all {shown[true]} taken for {shown[said]}"
            st.page_link("pages/ask.py", label=label, query_params=same | cell)
        st.page_link("pages/ask.py", label="all mistakes", query_params=same)
