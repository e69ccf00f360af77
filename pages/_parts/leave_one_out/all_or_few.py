"""All examples left out, or a few: whether all models are at hand, what they would take, and the way between the two."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from influence_core.experiments import all_left_out
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.explain import Explanation
from influence_core.store.remember import key_of
from influence_core.studies import Study
from influence_core.words import about, storage
from pages._shell import proving, results
from pages._shell.address import go_to
from pages._shell.jobs import background, job_status
from pages._shell.own_params import LeaveOneOutParams
from pages._shell.widgets import choice

ALL = "all"
PATIENCE = 1.0
"""Seconds that the page waits for an estimate before it shows the button without."""

Looks = Literal["primary", "secondary"]


def at_hand(study: Study, params: LeaveOneOutParams) -> AllLeftOut | None:
    """All left-out models, if they were made before or are asked for now; ``None`` where they are neither."""
    found = proving.table(study)
    if found is None and params.retrain == ALL:
        proving.demand(study)
        st.rerun()  # the answer above is to know them as well
    return found


def choose(params: LeaveOneOutParams, explanation: Explanation) -> None:
    """All of the examples, or the strongest few, one by one."""
    few = "The most influential, one by one"
    titles = {"": f"All {len(explanation.ids):,} {explanation.examples}", "1": few}
    choice("retrain", params.retrain, "Left out", titles, key="which")


def offer(study: Study, explanation: Explanation) -> Looks:
    """What all left-out models will show, and the way to them; how the button for a few should look beside."""
    st.markdown(
        f"With all {len(explanation.ids):,} models, each trained without one {explanation.kind}, every forecast is held against "
        "the truth here, and you see where it fails and why. They are trained side by side, once for all questions."
    )
    if proving.allowed(study):
        st.caption(
            "They are trained beside this page where that is quick, and offered where it is not: see the line above."
        )
        return "primary"
    if not proving.feasible(study):
        return "primary"
    _button(study)
    return "secondary"


def _button(study: Study) -> None:
    """With what it takes, once that is known."""
    job = background(
        key_of("estimate of all left out", study),
        "Estimating how long all retrainings take",
        lambda progress: all_left_out.estimate(study, context=results.context(progress)),
    )
    job.wait(PATIENCE)
    told = job.result
    takes = "" if told is None else f" ({about(told.seconds)}, {storage(told.bytes)} on disk)"
    st.button(
        f"Prove all {study.objective.n:,} retrainings{takes}",
        key="prove_every",
        type="primary",
        on_click=lambda: go_to(retrain=ALL),
    )
    if told is None:
        job_status(job)
