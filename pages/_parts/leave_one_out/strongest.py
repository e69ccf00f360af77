"""The parts of the page that leaves the most influential examples out, one by one."""

from __future__ import annotations

from typing import Literal

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.agreement import Agreement
from influence_core.experiments import leave_one_out
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LIMIT, LeaveOneOut
from influence_core.studies import Study
from influence_core.trust import CLOSE, ORDERED
from influence_core.words import nats, percent, seconds, three_digits
from pages._parts.leave_one_out import lissa
from pages._parts.leave_one_out.left_out import (
    choose_count,
    correlation,
    explain_chart,
    show_agreement,
    show_chart,
    show_opened,
    show_table,
)
from pages._shell import results
from pages._shell.address import View
from pages._shell.own_params import LeaveOneOutParams
from pages._shell.params import one_of
from pages._shell.widgets import begin_button, choice

STEPS = (10, 20, 50, 100, 200, LIMIT)
PANELS = {"": "Influence, D", "newton": "One Newton step", "lissa": "LiSSA, an estimate"}


def check(params: LeaveOneOutParams) -> None:
    """Raise `DataError` where the address asks for a panel that there is not."""
    known = ", ".join(name for name in PANELS if name)
    one_of(PANELS, f"There is no panel “{{}}”; choose one of {known}, or none.")(params.panel)


def show(
    study: Study,
    view: View,
    params: LeaveOneOutParams,
    explanation: Explanation,
    verdict: DeltaGenerator,
) -> None:
    """Everything, from the answer on top of the page to the table."""
    k = _choose(params, explanation)
    title = f"Training {k} models, each without one {explanation.kind}"
    left_out = results.load(title, leave_one_out.run, study, explanation, k)
    with verdict:
        _show_answer(explanation, left_out)
    _show_forecasts(study, view, params, explanation, left_out)
    show_table(study, explanation, left_out)


def _choose(params: LeaveOneOutParams, explanation: Explanation) -> int:
    """How many are left out."""
    examples = explanation.examples
    label = f"How many of the most influential {examples} are left out, each on its own"
    return choose_count(params, label, examples, STEPS, min(LIMIT, len(explanation.ids)))


def offer(
    params: LeaveOneOutParams, explanation: Explanation, looks: Literal["primary", "secondary"]
) -> None:
    """Before anything is trained: how many, what will happen, and the button."""
    k = _choose(params, explanation)
    st.markdown(
        f"Each of the {k} {explanation.examples} with the largest forecasts is left out in turn, the model is trained again "
        "to its optimum on all the others, and the true change of the loss is laid beside the forecast."
    )
    begin_button("Leave them out, one by one", "leave_out", type=looks)


def _show_answer(explanation: Explanation, left_out: LeaveOneOut) -> None:
    """The page's question, answered in a sentence or two."""
    agreement, k = left_out.agreement, len(left_out.train_ids)
    if agreement.worst <= CLOSE:
        verdict = "**Yes.**"
    elif agreement.spearman >= ORDERED:
        verdict = "**In their order, yes; in their sizes, not all.**"
    else:
        verdict = "**No.**"
    st.markdown(
        f"{verdict} Of the {k} most influential {explanation.examples}, each left out and the model trained again, forecast "
        f"and truth correlate with **r = {correlation(agreement.pearson)}**. {_sizes(agreement)} The forecast that is farthest "
        f"off misses by {percent(agreement.worst)} of the largest true change."
    )
    if not left_out.converged:
        st.warning("Some of these models did NOT reach their optimum: do not rely on this.")


def _sizes(agreement: Agreement) -> str:
    if not np.isfinite(agreement.slope) or abs(agreement.slope - 1) < 0.005:
        return "The sizes are right on average."
    kind = "small" if agreement.slope < 1 else "large"
    return f"Forecasts are on average {percent(abs(1 - agreement.slope))} too {kind}."


def _show_forecasts(
    study: Study, view: View, params: LeaveOneOutParams, explanation: Explanation, left_out: LeaveOneOut
) -> None:
    """Forecast against truth, by the chosen way of forecasting."""
    panel = choice("panel", params.panel, "Forecast by", PANELS)
    if panel == "lissa":
        lissa.show(study, view, explanation, left_out)
        return
    newton = panel == "newton"
    predicted, agreement = left_out.predicted, left_out.agreement
    if newton and left_out.newton is not None and left_out.newton_agreement is not None:
        predicted, agreement = left_out.newton, left_out.newton_agreement
    chart, beside = st.columns([1.2, 1], gap="large")
    with chart:
        show_chart(view, explanation, left_out, predicted, "left_out")
        explain_chart(explanation)
    with beside:
        _metrics(agreement, left_out)
        show_opened(study, view, left_out)
    st.caption(_WORDS["newton" if newton else ""])


_WORDS = {
    "": "D is linear in the example's weight: it takes the curvature to be the same without the example. The more an "
    "example weighs, the more it bends the loss itself, and the more D falls short; so the slope is a little below 1.",
    "newton": "One Newton step on the loss without the example counts its curvature out as well, exactly and without "
    "training. What is left is how much the curvature of the others changes on the way.",
}


def _metrics(agreement: Agreement, left_out: LeaveOneOut) -> None:
    show_agreement(agreement)
    worst = float((left_out.gradient_norms / left_out.targets).max()) * leave_one_out.GRADIENT_TOL
    st.caption(
        f"**Proof.** Every model was trained until its gradient was at most {three_digits(worst)} of what leaving its example "
        f"out had put there. **Control.** Training on everything from scratch changes this loss by {nats(left_out.control)}. "
        f"**Time.** {len(left_out.train_ids)} models in {seconds(left_out.seconds)}."
    )
