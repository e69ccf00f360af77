"""Where the numbers come from, under every result."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.experiments.explain import Explanation
from influence_core.retraining.side_by_side import GRADIENT_TOL
from influence_core.studies import Study
from influence_core.words import UNIT, seconds
from pages._common import word_meanings
from pages._common.number import NAMES, SHORT, unit_rule
from pages._shell import results
from pages._shell.address import View
from pages._shell.jobs import job_status


def show(study: Study, view: View, explanation: Explanation, unit: str = UNIT) -> None:
    """Warnings, then one line: sign, the unit on show, solver, residual, the rest behind it; then what is being prepared."""
    facts = explanation.provenance
    for concern in facts.concerns():
        st.warning(concern)
    read = "read from the store" if explanation.from_store else "computed since the app was started"
    details = show_origin(
        study.data.stand_in,
        f"{_sign(explanation, unit)} {facts.solver}, residual {facts.residual:.1e}.",
        f"**Numbers.** {_numbers(explanation)}  \n"
        f"**Sign and unit.** {_unit_words(explanation, unit)}  \n"
        f"**Solver of the influence.** {facts.solver}, {facts.reason}; {facts.settings}; {facts.steps} steps, true "
        f"relative residual {facts.residual:.1e}; {facts.curvature} curvature, damping {facts.damping:g}.  \n"
        f"**Model.** {study.spec.title}: n = {facts.n:,} {explanation.examples}, p = {facts.p:,} parameters, "
        f"l2 = {facts.l2}, seed {study.spec.seed}; {facts.trained_to}; convergence check "
        f"{facts.convergence_check:.1e} (0 at an exact optimum).  \n"
        f"**Time.** {seconds(facts.seconds)} on {facts.device}, {facts.dtype}; {read}. Training took {seconds(study.seconds)}"
        f"{' (read from the store)' if study.from_store else ''}.",
    )
    _preparation(study, view, details)
    notices = st.session_state.setdefault("store_notices", [])
    notices.extend(results.get_store().notices())
    for notice in notices[-3:]:
        st.info(notice)


def _numbers(explanation: Explanation) -> str:
    """Which number is shown, and what proves it."""
    name = f"{NAMES[explanation.number].capitalize()}."
    if explanation.number == "proven":
        return f"{name} Every model's gradient is at most {GRADIENT_TOL:g} of what leaving its example out brings in."
    if explanation.number == "corrected":
        return f"{name} With the exact curvature, and the test loss where that leads."
    return name


def _unit_words(explanation: Explanation, unit: str) -> str:
    """Of the numbers on show, and of those in files."""
    in_nats = unit_rule(explanation, UNIT)
    return in_nats if unit == UNIT else f"{unit_rule(explanation, unit)} Files have the loss too. {in_nats}"


def _sign(explanation: Explanation, unit: str) -> str:
    name = SHORT[explanation.number].capitalize()
    number = f"{UNIT} of loss" if unit == UNIT else "pp of probability"
    return f"{name}, {number}: plus speaks for the label, minus against."


def show_origin(
    stand_in: str,
    line: str,
    words: str,
    key: str = "provenance",
    title: str = "Where these numbers come from",
) -> DeltaGenerator:
    """What the data stand in for, if anything; one line that says what numbers are; behind it, in the container that is
    returned, where they come from."""
    if stand_in:
        st.caption(stand_in)
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        st.caption(line, width="content", help=word_meanings.explained(line))
        details = st.popover(title, type="tertiary")
    details.caption(words)
    return details


def _preparation(study: Study, view: View, details: DeltaGenerator) -> None:
    job = results.prepare_in_background(study, view.settings)
    if job is None:
        return
    if job.state == "done":
        details.caption("**Exact solver: prepared.** New test examples answer at once.")
    else:
        job_status(job)
