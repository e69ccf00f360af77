"""What takes the model to find, beside the page: doubtful labels, examples that no answer needs, pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from influence_core.engines import QUICK_LIMIT
from influence_core.experiments import all_left_out, corrected, health
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.health import Finding
from influence_core.experiments.health.contradicted import Contradicted
from influence_core.experiments.health.twins import Twins
from influence_core.experiments.health.unused import Unused
from influence_core.progress import Progress
from influence_core.store.remember import Remembered
from influence_core.studies import Study
from influence_core.words import about
from pages._common import question
from pages._common.cards import asked_name
from pages._shell import results
from pages._shell.address import View
from pages._shell.jobs import Job, background, job_status
from pages._shell.own_params import DataHealthParams
from pages._shell.widgets import begin_button

T = TypeVar("T")

AT_ONCE = 10.0
"""What takes longer than so many seconds is begun by a button."""
LINEAR = "Pairs, unneeded examples and doubtful training labels are looked for in linear models with a smooth loss alone."
LONG = "Asking the models without each training {0} about its label takes long here; *Review* does it."


@dataclass(frozen=True)
class Asked:
    """What was found so far, what is being looked for, and what could be.

    Attributes:
        findings: Of the work that has ended.
        jobs: Work that has not.
        offered: Seconds that the unused examples would take, where nobody has asked for them yet.
        reason: Why the model, or the models without each example, cannot be asked; "" where they can.
    """

    findings: tuple[Finding, ...]
    jobs: tuple[Job[Any], ...] = ()
    offered: float | None = None
    reason: str = ""

    @property
    def looking(self) -> bool:
        """Whether something more may be found in a moment."""
        return any(one.state in ("running", "done") for one in self.jobs)


def load(study: Study, view: View, params: DataHealthParams) -> Asked:
    """Begin what is quick or was asked for, and take what has ended."""
    reason = health.twins.supports(study.spec)
    if reason:
        return Asked((), reason=LINEAR)
    twins, asked = _twins(study, view)
    known = all_left_out.recall(study, context=results.context())
    unused, doubted = _unused(study, params, known is not None), _contradicted(study, known)
    works: list[tuple[Job[Any] | float | None, Callable[[Any], Finding]]] = [
        (doubted, lambda result: health.of_contradicted(study, result)),
        (twins, lambda result: health.of_twins(study, result, asked)),
        (unused, lambda result: health.of_unused(study, result)),
    ]
    found, jobs = list[Finding](), list[Job[Any]]()
    for job, tell in works:
        if isinstance(job, Job):
            result = job.result  # asked once: it may come at any moment
            if result is None:
                jobs.append(job)
            else:
                found.append(tell(result))
    reason = LONG.format(study.data.kind) if doubted is None else ""
    return Asked(tuple(found), tuple(jobs), None if isinstance(unused, Job) else unused, reason)


def show_work(study: Study, asked: Asked) -> None:
    """What is still looked for, or can be."""
    if asked.reason:
        st.caption(asked.reason)
    for job in asked.jobs:
        if job.state == "done":  # since this run began
            st.rerun()
        job_status(job, cancel=True)
    if asked.offered is not None:
        kind = study.data.kind
        begin_button(
            f"Which training {kind}s does no answer need? ({about(asked.offered)})",
            "unused",
            type="secondary",
        )


def _twins(study: Study, view: View) -> tuple[Job[Twins], str]:
    answer = question.load(view).explanation
    return _beside(
        "Looking for pairs that stand in for each other", health.twins.run, study, answer
    ), f"the answer to {asked_name(study, answer, str)}"


def _contradicted(study: Study, known: AllLeftOut | None) -> Job[Contradicted] | None:
    """The work; nothing where the models without each training example are neither at hand nor soon forecast."""
    proven, context = known is not None and known.proven, results.context()
    if not proven and study.objective.dim > QUICK_LIMIT and not corrected.is_prepared(study, context=context):
        return None
    return _beside("Asking the models that have not seen it", health.contradicted.of_training, study, proven)


def _unused(study: Study, params: DataHealthParams, proven: bool) -> Job[Unused] | float:
    """The work, or how long it would take where it is long and nobody has asked for it."""
    seconds = health.unused.estimate(study, proven, context=results.context())
    known = health.unused.run.is_stored(study, proven, context=results.context())
    if not (known or params.retrain or seconds < AT_ONCE):
        return seconds
    return _beside("Looking for what no answer needs", health.unused.run, study, proven)


def _beside(title: str, work: Remembered[..., T], *asked: Any) -> Job[T]:
    """Work beside the page."""

    def run(progress: Progress) -> T:
        return work.run(results.context(progress), *asked)

    return background(work.key(*asked), title, run)
