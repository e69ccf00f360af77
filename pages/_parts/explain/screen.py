"""How the page is laid out: what is said on top, the dock that stays in view, and everything else beside it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments.explain import Explanation
from influence_core.studies import Study
from pages._common import verdict
from pages._parts.explain import headline
from pages._shell.address import View
from pages._shell.own_params import ExplainParams

_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
DOCK = 0.42
"""Share of the width that the dock has."""


def lay_out(
    study: Study, view: View, params: ExplainParams, explanation: Explanation
) -> tuple[DeltaGenerator, DeltaGenerator, DeltaGenerator]:
    """The question, its answer in a sentence, a line more and the verdict; then the dock and the place beside it.

    Returns:
        The line below the sentence, the dock, and the place beside it.
    """
    st.html(f"<style>{_STYLE}</style>")
    with st.container(key="headline", gap="xsmall"):
        headline.show(study, view, params, explanation)
        line = st.container(key="flip_line")
        with st.container(key="verdict"):
            verdict.show(study, view, explanation, params.unit)
    left, right = st.columns([DOCK, 1 - DOCK], gap="medium")
    return line, left.container(key="dock", gap="small"), right.container(gap="small")
