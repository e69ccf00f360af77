"""From a view to results: every costly thing is a job, shared by all visitors and kept in memory and in the store."""

from __future__ import annotations

import secrets
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from influence_core.context import Context
from influence_core.engines import Engines, Prepared, SolverSettings, engine_key, needs_preparation, prepare
from influence_core.errors import Cancelled
from influence_core.predictions import Predictions
from influence_core.progress import Progress, report
from influence_core.store import Store
from influence_core.store.remember import Remembered, key_of
from influence_core.studies import CATALOGUE, Study, StudySpec, open_study, readiness
from pages._shell import downloads
from pages._shell.address import View
from pages._shell.jobs import Job, JobManager, await_end, await_job, background, get_jobs
from pages._shell.places import data_folder

P = ParamSpec("P")
T = TypeVar("T")

KEPT_ENGINES = 2
"""Prepared engines in memory; the digits' dense factor takes 280 MB."""
TITLE = "Preparing the exact solver"


@st.cache_resource(show_spinner=False)
def get_store() -> Store:
    """The server's one store."""
    return Store()


@st.cache_resource(show_spinner=False)
def _get_preparations() -> JobManager:
    return JobManager(workers=1, kept_results=KEPT_ENGINES)


@st.cache_resource(show_spinner=False)
def _get_readers() -> JobManager:
    return JobManager(workers=2)


def _line(key: str, at_hand: bool) -> JobManager:
    """Where work waits: what is at hand already, and takes a moment, in a line where nobody's long work stands before it."""
    return _get_readers() if at_hand and not get_jobs().knows(key) else get_jobs()


class _JobEngines(Engines):
    """Engines prepared by jobs of their own, one at a time, which other jobs wait for."""

    def ready(self, study: Study, settings: SolverSettings) -> Prepared | None:
        """The engine, if its job is done."""
        return _get_preparations().result(engine_key(study, settings))

    def prepare(self, study: Study, settings: SolverSettings, progress: Progress | None = None) -> Prepared:
        """The engine, by the one job for it; what takes no preparation waits for nobody."""
        if settings.resolved(study).solver == "cg":
            return prepare(study, settings, progress)
        job, who = _preparation(study, settings), secrets.token_hex(16)
        while not job.wait(0.2):
            job.join(who)
            try:
                report(progress, job.fraction, job.message)
            except BaseException:
                job.leave(who)
                raise
        if job.error is not None:
            raise job.error
        if job.result is None:
            raise Cancelled("somebody else who waited for the exact solver stopped its preparation")
        return job.result


def _preparation(study: Study, settings: SolverSettings) -> Job[Prepared]:
    key = engine_key(study, settings)
    return _get_preparations().start(key, TITLE, lambda progress: prepare(study, settings, progress))


def context(progress: Progress | None = None) -> Context:
    """What work on this server is given beside its question."""
    return Context(get_store(), progress, _JobEngines())


def load(title: str, work: Remembered[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of an experiment: from memory, from the store, or by a job with a progress bar and a cancel button.

    Args:
        title: The work in words a visitor understands.
        work: The experiment; it must not call Streamlit.
        args: What it is asked.
        kwargs: The same, by name.
    """
    key = work.key(*args, **kwargs)
    line = _line(key, work.stored and get_store().has(key))
    return await_job(key, title, lambda progress: work.run(context(progress), *args, **kwargs), manager=line)


def attempt(title: str, work: Remembered[P, T], *args: P.args, **kwargs: P.kwargs) -> Job[T]:
    """The same as a job that has ended, well or badly: the page can do without its result."""
    key = work.key(*args, **kwargs)
    line = _line(key, work.stored and get_store().has(key))
    job = background(key, title, lambda progress: work.run(context(progress), *args, **kwargs), line)
    await_end(job)
    return job


def load_study(view: View) -> Study:
    """The trained study of a view."""
    return load_spec(view.spec, view.device)


def load_spec(spec: StudySpec, device: str) -> Study:
    """A trained study, whether the catalogue has it or a page brings its own."""

    def work(progress: Progress) -> Study:
        study = open_study(spec, get_store(), data_folder(), device, progress)
        readiness.note(study, get_store())
        return study

    downloads.offer(spec, data_folder())
    key = study_key(spec.address, device)
    is_shipped = spec.name in CATALOGUE  # the pictures of a study of one's own may be others now
    line = _line(key, is_shipped and readiness.is_kept(spec, get_store()))
    return await_job(key, f"Training “{spec.title}”", work, manager=line)


def opened(view: View) -> Study | None:
    """The study on show, or the unchanged one, whose examples are the same; ``None`` where neither is open."""
    addresses = (view.spec.address, view.spec.unchanged.address)
    found = (get_jobs().result(study_key(one, view.device)) for one in addresses)
    return next((one for one in found if one is not None), None)


def study_key(name: str, device: str) -> str:
    """The job that trains a study."""
    return f"study/{name}/{device}"


def load_predictions(study: Study) -> Predictions:
    """What the model says about every test example."""
    key, title = key_of("predictions", study), f"Asking the model about every test {study.data.kind}"
    return await_job(key, title, lambda _: study.predictions, manager=_line(key, at_hand=True))


def prepare_in_background(study: Study, settings: SolverSettings) -> Job[Any] | None:
    """The exact solver in the making, where it takes long; ``None`` where there is nothing to prepare."""
    if not needs_preparation(study, settings):
        return None
    key = engine_key(study, settings)
    return background(key, TITLE, lambda progress: prepare(study, settings, progress), _get_preparations())
