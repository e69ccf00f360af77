"""LiSSA, an estimate of the influence, beside the truth: with the paper's settings and with ours."""

from __future__ import annotations

import streamlit as st

from influence_core.agreement import Agreement
from influence_core.experiments import lissa_estimate
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LeaveOneOut
from influence_core.experiments.lissa_estimate import BUDGET, OURS, PAPER, TOP, Estimate
from influence_core.studies import Study
from influence_core.words import percent, seconds, three_digits
from pages._parts.leave_one_out.left_out import correlation, explain_chart, show_chart
from pages._shell import results
from pages._shell.address import View


def show(study: Study, view: View, explanation: Explanation, left_out: LeaveOneOut) -> None:
    """LiSSA with the paper's settings and with ours, at the same cost."""
    titles = {"The paper's settings": PAPER, "Ours, at the same cost": OURS}
    found = {title: _estimate(study, explanation, left_out, solver) for title, solver in titles.items()}
    for column, (title, estimate) in zip(st.columns(2, gap="large"), found.items(), strict=True):
        with column:
            st.markdown(f"**{title}**: r = {correlation(estimate.agreement.pearson)}")
            show_chart(view, explanation, left_out, estimate.predicted, f"lissa_{len(title)}", height=400)
    explain_chart(explanation)
    st.dataframe(_rows(found, left_out.agreement), hide_index=True, key="lissa_table")
    st.caption(
        f"LiSSA never sees all examples at once: it adds up products with the curvature of a few random ones, here "
        f"{BUDGET:,} in all. Its series is cut off, which "
        "leaves the weakest directions short by (1 − l2 / scale) to the number of steps; and what it draws is noise. The "
        "paper averages ten runs of single examples, which need a large scale. Ours draws ten examples a step, which allows a "
        "smaller scale and so cuts less off, and averages the second half of one run, which takes out the noise."
    )


def _estimate(
    study: Study, explanation: Explanation, left_out: LeaveOneOut, solver: lissa_estimate.LiSSA
) -> Estimate:
    title = "Estimating with a few examples at a time"
    return results.load(title, lissa_estimate.run, study, explanation, left_out, solver)


def _rows(found: dict[str, Estimate], exact: Agreement) -> dict[str, list[str]]:
    """A row a way of forecasting, in words."""
    all_ = [exact, *(one.agreement for one in found.values())]
    estimates = list(found.values())
    return {
        "forecast": ["exact", *found],
        "correlation with the truth": [correlation(one.pearson) for one in all_],
        "slope": [f"{one.slope:.3f}" for one in all_],
        "error of s": ["0", *(percent(one.error) for one in estimates)],
        f"of the {TOP} strongest": [str(TOP), *(str(one.top) for one in estimates)],
        "cut off": ["0", *(percent(one.truncation) for one in estimates)],
        "residual": ["0", *(three_digits(one.residual) for one in estimates)],
        "time": ["", *(seconds(one.seconds) for one in estimates)],
        "settings": ["", *(one.settings for one in estimates)],
    }
