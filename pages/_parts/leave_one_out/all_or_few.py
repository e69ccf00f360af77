"""The table of all left-out models: whether it is at hand, what it would take, and the way between all and a few."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from influence_core.experiments import all_left_out
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.explain import Explanation
from influence_core.store.remember import key_of
from influence_core.studies import Study
from influence_core.words import about
from pages._shell import results
from pages._shell.address import go_to
from pages._shell.jobs import background, get_jobs, job_status
from pages._shell.own_params import LeaveOneOutParams
from pages._shell.widgets import choice

ALL = "all"
SOON, SMALL = 120.0, 2**30
"""Seconds and bytes up to which the whole table is what the page suggests."""
PATIENCE = 1.0
"""Seconds that the page waits for an estimate before it shows the button without."""


def at_hand(study: Study, params: LeaveOneOutParams) -> AllLeftOut | None:
    """The table, if it was made before or is asked for now; ``None`` where it is neither."""
    known = get_jobs().result(all_left_out.run.key(study)) is not None
    if not known and params.retrain != ALL and _stored(study) is None:
        return None
    title = f"Training {study.objective.n:,} models, each without one {study.data.kind}"
    return results.load(title, all_left_out.run, study)


def _stored(study: Study) -> AllLeftOut | None:
    return all_left_out.recall(study, context=results.context())


def choose(params: LeaveOneOutParams, explanation: Explanation) -> None:
    """All of the examples, or the strongest few, one by one."""
    few = "The most influential, one by one"
    titles = {"": f"All {len(explanation.ids):,} {explanation.examples}", "1": few}
    choice("retrain", params.retrain, "Left out", titles, key="which")


def offer(study: Study, explanation: Explanation) -> Literal["primary", "secondary"]:
    """What all retrainings show and take, and the button that begins them; how the button for a few should look beside."""
    n, kind = len(explanation.ids), explanation.kind
    job = background(
        key_of("estimate of all left out", study),
        "Estimating how long all retrainings take",
        lambda progress: all_left_out.estimate(study, context=results.context(progress)),
    )
    job.wait(PATIENCE)
    told = job.result
    dear = told is not None and (told.seconds > SOON or told.bytes > SMALL)
    st.markdown(
        f"All {n:,} models, each trained without one {kind}, side by side and once for all questions: then every forecast is "
        "held against the truth, and you see where it fails and why."
    )
    takes = "" if told is None else f" ({about(told.seconds)}, {told.bytes / 1e6:,.0f} MB)"
    looks: Literal["primary", "secondary"] = "secondary" if dear else "primary"
    st.button(
        f"Prove all {n:,} retrainings{takes}",
        key="prove_all",
        type=looks,
        on_click=lambda: go_to(retrain=ALL),
    )
    if told is None:
        job_status(job)
    return "primary" if dear else "secondary"
