"""Better numbers than the first order, made beside the page: the corrected forecasts, and all retrainings where they are
cheap; in a line of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from influence_core.context import Context
from influence_core.engines import QUICK_LIMIT
from influence_core.experiments import all_left_out, all_relabelled, any_question, at_hand, corrected, hardest
from influence_core.experiments.all_left_out import AllLeftOut, Estimate, Limit
from influence_core.experiments.all_relabelled import AllRelabelled
from influence_core.experiments.any_question import TargetEffects
from influence_core.experiments.corrected import UNDAMPED, Pulls
from influence_core.experiments.explanation import Explanation, Number
from influence_core.experiments.hardest import Hardest
from influence_core.experiments.targets import Target
from influence_core.progress import Progress
from influence_core.store.remember import key_of
from influence_core.studies import Study
from influence_core.words import about, storage
from pages._shell import results
from pages._shell.jobs import Job, JobManager, await_job, background, job_status, run_again

T = TypeVar("T")

CORRECTED = "Preparing corrected forecasts"
SECONDS_VARIABLE = "INFLUENCE_EXPLORER_PROVE_SECONDS"
MEGABYTES_VARIABLE = "INFLUENCE_EXPLORER_PROVE_MB"
KEPT_TABLES = 8
"""Tables in memory; they are maps of files, which take memory only where they are read."""
AT_ONCE = 0.3
"""Seconds that an answer waits for better numbers than its own; when they come later, the page shows them then."""


@st.cache_resource(show_spinner=False)
def get_line() -> JobManager:
    """They wait for each other, so that nobody's question waits for them."""
    return JobManager(workers=1, kept_results=KEPT_TABLES)


@st.cache_resource(show_spinner=False)
def _get_answers() -> JobManager:
    """Of their own, so that no better number waits for somebody's long work."""
    return JobManager(workers=2)


def improved(study: Study, first: Explanation) -> Explanation:
    """The answer with the best numbers at hand, which are made and read beside the page, once for every answer."""
    return _improved(
        study,
        first,
        key_of("at hand", study, first),
        lambda known, context: at_hand.improve(study, first, known, context=context),
    )


def improved_target(study: Study, target: Target, first: TargetEffects) -> TargetEffects:
    """The same for any question."""
    return _improved(
        study,
        first,
        key_of("target at hand", study, target, first),
        lambda known, context: any_question.improve(study, target, first, known, context=context),
    )


def _improved(study: Study, first: T, key: str, improve: Callable[[AllLeftOut | None, Context], T]) -> T:
    if all_left_out.supports(study.spec):
        return first
    if not _is_prepared(study) and (study.objective.dim > QUICK_LIMIT or _soon(_prepare(study)) is None):
        return first
    known = table(study)
    key = f"{key}/{known is not None}/{hardest.is_prepared(study, context=results.context())}"

    def work(progress: Progress) -> T:
        return improve(known, results.context(progress))

    return _soon(background(key, CORRECTED, work, _get_answers())) or first


def _is_prepared(study: Study) -> bool:
    return corrected.is_prepared(study, context=results.context())


def _prepare(study: Study) -> Job[Pulls]:
    def work(progress: Progress) -> Pulls:
        return corrected.pulls(study, context=results.context(progress))

    return background(corrected.leverages.key(study), CORRECTED, work, _get_answers())


def _soon(job: Job[T]) -> T | None:
    """What the job has come to if that is soon; if it is later, the page runs again."""
    if not job.wait(AT_ONCE):
        run_again(job)
    return job.result


def limit() -> Limit:
    """What may be made unasked: a setting of the person who starts the app."""
    standard = Limit()
    seconds = _number(SECONDS_VARIABLE, standard.seconds)
    return Limit(seconds, _number(MEGABYTES_VARIABLE, standard.bytes / 2**20) * 2**20)


def _number(variable: str, standard: float) -> float:
    """The setting; one that is not a number is reported and not used."""
    text = os.environ.get(variable, "").strip()
    if text.isdecimal():
        return float(text)
    if text:
        results.get_store().notify(
            f"{variable} should be a whole number, not {text[:40]!r}; {standard:g} is used."
        )
    return standard


def table(study: Study) -> AllLeftOut | None:
    """All left-out models, if they are at hand; nothing is begun, and nobody waits."""
    if all_left_out.supports(study.spec):
        return None
    found = get_line().result(_asked_key(study)) or get_line().result(_unasked_key(study))
    return found if isinstance(found, AllLeftOut) else None


def relabelled(study: Study) -> AllRelabelled | None:
    """All models with one example relabelled, if the store has them and they are soon read; none is trained."""
    if not all_relabelled.is_begun(study, context=results.context()):
        return None

    def work(progress: Progress) -> AllRelabelled | None:
        return all_relabelled.recall(study, context=results.context(progress))

    title = "Reading the relabelled models"
    return _soon(background(all_relabelled.run.key(study), title, work, get_line()))


def demand(study: Study) -> AllLeftOut:
    """All left-out models; where they are not there yet, the page waits for them."""
    found = table(study)
    return (
        await_job(_asked_key(study), _title(study), _train(study), manager=get_line())
        if found is None
        else found
    )


def show(study: Study, number: Number, line: DeltaGenerator, buttons: DeltaGenerator) -> None:
    """Begin what is cheap, and say in ``line`` how far it is; else offer it among the ``buttons`` with what it takes.

    Where the ``number`` on show is proven there is nothing to say, and what the line said before goes at once, not at the
    end of the run.
    """
    asked = bool(st.session_state.get(_wish(study)))
    if number == "proven" or all_left_out.supports(study.spec) or table(study) is not None:
        line.empty()
        return
    if study.objective.dim <= QUICK_LIMIT and not _is_prepared(study):
        if (
            preparing := _prepare(study)
        ).state == "running":  # where it failed there is nothing better to come
            with line:
                job_status(preparing)
        return
    if not (asked or allowed(study)):
        return
    measured = _measured(study)
    if measured.state != "done":
        with line:
            job_status(measured, cancel=True)
        return
    job = _asked(study) if asked else _unasked(study)
    if isinstance(job.result, Estimate):
        with buttons:
            _offer(study, job.result)
    elif job.state == "done":
        st.rerun()
    else:
        with line:
            job_status(job, cancel=True)


def _title(study: Study) -> str:
    return f"Proving {len(study.data.train.ids):,} retrainings"


def _asked_key(study: Study) -> str:
    return all_left_out.run.key(study)


def _unasked_key(study: Study) -> str:
    return all_left_out.within.key(study, limit())


def _wish(study: Study) -> str:
    return f"prove_{_asked_key(study)}"


def _train(study: Study) -> Callable[[Progress], AllLeftOut]:
    return lambda progress: all_left_out.run(study, context=results.context(progress))


def _asked(study: Study) -> Job[AllLeftOut]:
    return background(_asked_key(study), _title(study), _train(study), get_line())


def allowed(study: Study) -> bool:
    """Whether anything may be begun unasked."""
    return limit().seconds > 0 and feasible(study)


def feasible(study: Study) -> bool:
    """Whether all models can be made at all: without a dense factor it would take hours."""
    return UNDAMPED.resolved(study).solver == "cholesky"


def _measured(study: Study) -> Job[Hardest]:
    def work(progress: Progress) -> Hardest:
        return hardest.run(study, context=results.context(progress))

    return background(hardest.run.key(study), CORRECTED, work, get_line())


def _unasked(study: Study) -> Job[AllLeftOut | Estimate]:
    unasked = limit()

    def work(progress: Progress) -> AllLeftOut | Estimate:
        return all_left_out.within(study, unasked, context=results.context(progress))

    return background(_unasked_key(study), _title(study), work, get_line())


def _offer(study: Study, expected: Estimate) -> None:
    n = len(study.data.train.ids)
    st.button(
        f"Prove all {n:,} retrainings ({about(expected.seconds)}, {storage(expected.bytes)} on disk)",
        key="prove_all",
        on_click=lambda: st.session_state.update({_wish(study): True}),
        help=f"Trains the model again without each training {study.data.kind}, once for all questions; it can be stopped "
        "at any time and goes on where it was.",
    )
