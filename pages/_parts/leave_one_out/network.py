"""The network's part of the page that leaves examples out: several ways of training again."""

from __future__ import annotations

import numpy as np
import streamlit as st

from influence_core.experiments import network_leave_one_out
from influence_core.experiments.explain import Explanation
from influence_core.experiments.network_leave_one_out import NetworkLeaveOneOut
from influence_core.experiments.network_retraining import ADAM, PAPER_ADAM, WAYS
from influence_core.studies import Study
from influence_core.words import nats, seconds
from pages._parts.leave_one_out import left_out as few
from pages._shell import results
from pages._shell.address import View
from pages._shell.own_params import LeaveOneOutParams
from pages._shell.params import one_of
from pages._shell.widgets import begin_button, choice

PAPER = "paper"
TITLES = {**WAYS, PAPER: "The paper's schedule"}
DEFAULT = "local"
STEPS = (5, 10, 20, 40, 100, network_leave_one_out.LIMIT)
WORDS = {
    "local": "Damped steps downhill on the risk without the example, as far as the gradient norm asked for; the valleys are "
    "flat, so going further would change the answer.",
    "adam": "A few hundred Adam steps from the trained network, with the same batches for every model and for a control "
    "with nothing left out, whose drift is subtracted.",
    "pbrf": "The proximal Bregman response (Bae et al. 2022): what the damped Gauss-Newton forecast predicts to first order.",
    "cold": "Training from the initial weights, with the same batches. It lands in another optimum each time: what is "
    "measured is mostly where.",
    PAPER: "30,000 further steps of the paper's Adam for every model.",
}


def show(study: Study, view: View, params: LeaveOneOutParams, explanation: Explanation) -> None:
    """Choose a way and how many; then forecast and truth."""
    way = _choose_way(params)
    label = "How many of the most influential are left out, each on its own"
    most, also = min(network_leave_one_out.LIMIT, len(explanation.ids)), {"retrain": ""}
    k = few.choose_count(params, label, "examples", STEPS, most, also=also)
    if params.retrain != "1":
        _offer(study, explanation, way, k)
        return
    found = _load(study, explanation, way, k)
    _show(study, view, explanation, found, "adam" if way == PAPER else way)
    few.show_table(study, explanation, found.left_out("adam" if way == PAPER else way))


def check(params: LeaveOneOutParams) -> None:
    """Raise `DataError` where the address asks for a way that there is not."""
    known = ", ".join(TITLES)
    one_of(("", *TITLES), f"There is no way “{{}}” of training again; choose one of {known}.")(params.panel)


def _choose_way(params: LeaveOneOutParams) -> str:
    way = choice("panel", params.panel or DEFAULT, "Train again by", TITLES, key="way", also={"retrain": ""})
    st.caption(WORDS[way])
    return way


def _offer(study: Study, explanation: Explanation, way: str, k: int) -> None:
    if way == PAPER:
        took = results.load("Timing a few steps", network_leave_one_out.paper_time, study)
        hours = took.seconds_a_step * PAPER_ADAM.steps * (k + 1) / 3600
        st.warning(
            f"One step of the paper's takes {1000 * took.seconds_a_step:.0f} ms here: {k} models of 30,000 steps and the "
            f"control take about {hours:.1f} hours."
        )
    else:
        st.markdown(
            f"Each of the {k} {explanation.examples} takes seconds up to half a minute. Every model is kept."
        )
    begin_button("Leave them out, one by one", "leave_out")


def _load(study: Study, explanation: Explanation, way: str, k: int) -> NetworkLeaveOneOut:
    ways, adam = (("adam",), PAPER_ADAM) if way == PAPER else ((way,), ADAM)
    title = f"Training {k} networks, each without one {explanation.kind}"
    return results.load(title, network_leave_one_out.run, study, explanation, k, ways, adam)


def _show(study: Study, view: View, explanation: Explanation, found: NetworkLeaveOneOut, way: str) -> None:
    truth, left_out = found.retrainings[way], found.left_out(way)
    if not truth.proved:
        st.warning("Some of these networks did NOT reach the gradient norm asked for: read them with care.")
    chart, beside = st.columns([1.2, 1], gap="large")
    with chart:
        few.show_chart(view, explanation, left_out, None, "left_out")
        few.explain_chart(explanation)
    with beside:
        few.show_agreement(found.agreement(way))
        few.show_opened(study, view, left_out)
        chance = float(np.quantile(np.abs(truth.random_pearson()), 0.95))
        asked = "a set number of steps" if truth.target is None else f"a gradient norm of {truth.target:g}"
        st.caption(
            f"The paper has r = 0.86; without the one example that changes most it is "
            f"{found.pearson_without_strongest(way):.2f} here. **Chance.** 95 % of random forecasts correlate less than "
            f"{chance:.2f}. "
            f"{_other_tests(truth.others)}"
            f"**Proof.** Trained to {asked}; largest gradient norm "
            f"{truth.gradient_norms.max():.1e}. **Control.** With nothing left out the loss changes by {nats(truth.control)}, "
            f"already subtracted. **Curvature.** Eigenvalues of the Hessian from {found.eigenvalues.smallest:.2e} to "
            f"{found.eigenvalues.largest:.3g}, against a damping of {found.damping:g}. **Time.** {seconds(truth.seconds)}."
        )


def _other_tests(correlations: np.ndarray) -> str:
    """How the same models fare on other mistakes, where the network makes some."""
    if not len(correlations):
        return ""
    return (
        f"**Other tests.** For {len(correlations)} other misclassified examples and the same models r is "
        f"{np.median(correlations):.2f} in the middle, {correlations.min():.2f} at worst. "
    )
