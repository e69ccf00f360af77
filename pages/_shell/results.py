"""From a view to results: every costly thing is a job, shared by all visitors and kept in memory and in the store."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import platformdirs
import streamlit as st

from influence_core.errors import DataError, StoreError
from influence_core.experiments import anatomy, explain, features, pixels, predictions, spot_check, take_out
from influence_core.experiments.anatomy import Anatomy
from influence_core.experiments.explain import Explanation, Prepared, Question, Settings
from influence_core.experiments.features import FeatureInfluence
from influence_core.experiments.pixels import PixelMap
from influence_core.experiments.predictions import Predictions
from influence_core.experiments.take_out import TakeOut
from influence_core.progress import Progress, report
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import Study, StudySpec, open_study
from influence_core.trust import SpotCheck
from pages._shell import downloads
from pages._shell.address import View
from pages._shell.jobs import Job, JobManager, await_end, await_job, background

T = TypeVar("T")

KEPT_ENGINES = 2
"""Prepared engines in memory; a dense factor for 7,840 parameters takes 490 MB."""


@st.cache_resource(show_spinner=False)
def get_store() -> Store:
    """The server's one store."""
    return Store()


@st.cache_resource(show_spinner=False)
def _get_preparations() -> JobManager:
    return JobManager(workers=1, kept_results=KEPT_ENGINES)


def data_folder() -> str:
    """Where data that do not ship with the app are looked for: a setting of the person who starts the app."""
    return os.environ.get(downloads.DATA_VARIABLE) or platformdirs.user_data_dir("influence-explorer")


def load_study(view: View) -> Study:
    """The trained study of a view."""
    return load_spec(view.spec, view.device)


def load_spec(spec: StudySpec, device: str) -> Study:
    """A trained study, whether the catalogue has it or a page brings its own."""

    def work(progress: Progress) -> Study:
        return open_study(spec, get_store(), data_folder(), device, progress)

    downloads.offer(spec.data, data_folder())
    return await_job(study_key(spec.name, device), f"Training “{spec.title}”", work)


def study_key(name: str, device: str) -> str:
    """The job that trains a study."""
    return f"study/{name}/{device}"


def ask(study: Study, name: str, parts: Sequence[Any], title: str, work: Callable[[Progress], T]) -> T:
    """The result of an experiment: from memory, or by a job with a progress bar and a cancel button.

    Args:
        study: What is asked.
        name: The experiment.
        parts: Everything else that the result depends on, as `digest` takes it.
        title: The work in words a visitor understands.
        work: Receives the progress callback; it must not call Streamlit.
    """
    key = digest(name, study.key, str(study.theta.device), *parts)
    return await_job(key, title, work)


def load_predictions(study: Study) -> Predictions:
    """What the model says about every test example."""
    title = f"Asking the model about every test {study.data.kind}"
    return ask(study, "predictions", (), title, lambda _: predictions.run(study))


def find_question(study: Study, view: View, known: Predictions) -> Question:
    """The question a view asks; where it names no test image, the most confident mistake is taken."""
    if view.picture:
        question = _question_of_picture(study, _kept_picture(view.picture))
    else:
        first = known.misclassified() if len(known.misclassified()) else known.least_confident()
        question = explain.ask(study, int(known.ids[first[0]]) if view.test_id is None else view.test_id)
    if view.ask == "model":
        return question
    label = question.true_label if view.ask == "true" else int(view.ask)
    return question if label is None else explain.with_label(study, question, label)


def _question_of_picture(study: Study, kept: np.ndarray) -> Question:
    if study.data.pictures is not None and kept.ndim == 3:
        return explain.ask_about_photo(study, kept)
    return explain.ask_about(study, study.data.test.x.new_tensor(kept))


def keep_picture(x: np.ndarray) -> str:
    """Keep an uploaded picture's pixels, a drawing's ``(d,)`` or a photo's ``(h, w, 3)``; the address holds the digest."""
    key = digest("picture", x)
    if not get_store().put(key, {"picture": x}, {}):
        raise DataError(
            "The picture could not be kept: the store has no room. See INFLUENCE_EXPLORER_CACHE_MB."
        )
    return key


def _kept_picture(key: str) -> np.ndarray:
    try:
        kept = get_store().get(key)
    except StoreError:
        kept = None
    if kept is None or "picture" not in kept.arrays:
        raise DataError(
            "This picture is not on the server (any more). Upload it again, or choose a test example."
        )
    return kept.arrays["picture"]


def prepare_in_background(study: Study, view: View) -> Job[Prepared] | None:
    """The exact solver in the making, where it takes long; ``None`` where there is nothing to prepare."""
    if not explain.needs_preparation(study, view.settings):
        return None
    key, title, work = _preparation(study, view.settings)
    return background(key, title, work, _get_preparations())


def _preparation(study: Study, settings: Settings) -> tuple[str, str, Callable[[Progress], Prepared]]:
    key = digest("prepared", study.key, str(study.theta.device), str(settings.resolved(study)))
    return key, "Preparing the exact solver", lambda progress: explain.prepare(study, settings, progress)


def engine_if_ready(study: Study, view: View) -> Prepared | None:
    """A prepared engine for the view's settings, if it is there already."""
    return _get_preparations().result(_preparation(study, view.settings)[0])


def load_explanation(study: Study, view: View, question: Question) -> Explanation:
    """The answer: from memory, from the store, or computed; the first ones by the solver that needs no preparation."""
    settings = view.settings
    ready = engine_if_ready(study, view)

    def work(progress: Progress) -> Explanation:
        found = explain.stored(study, question, settings, get_store())
        if found is not None:
            return found
        engine = ready
        if engine is None and explain.needs_preparation(study, settings):
            engine = explain.prepare(study, explain.quick(settings), reason=explain.QUICK_REASON)
        elif engine is None:
            engine = prepare_engine(study, settings, progress)
        return explain.run(study, question, prepared=engine, store=get_store(), progress=progress)

    parts = (question.x, question.test_id, question.label, str(settings))
    return ask(study, "explanation", parts, f"Asking every training {study.data.kind}", work)


def prepare_engine(study: Study, settings: Settings, progress: Progress | None = None) -> Prepared:
    """An engine prepared by the one job for it, which is waited for inside another job, and kept for the next."""
    key, title, work = _preparation(study, settings)
    job = _get_preparations().start(key, title, work)
    while not job.wait(0.2):
        try:
            report(progress, job.fraction, job.message)
        except BaseException:
            job.cancel()
            raise
    if job.error is not None:
        raise job.error
    assert job.result is not None
    return job.result


def load_anatomy(study: Study, explanation: Explanation) -> Anatomy:
    """The factors of every score."""
    parts = (explanation.s, explanation.label, explanation.x)
    return ask(study, "anatomy", parts, "Taking the score apart", lambda _: anatomy.run(study, explanation))


def load_pixels(study: Study, explanation: Explanation, train_id: int) -> PixelMap:
    """The pixels of one training image that matter."""
    parts = (explanation.s, train_id)
    return ask(
        study, "pixels", parts, "Asking every pixel", lambda _: pixels.run(study, explanation, train_id)
    )


def load_features(study: Study, explanation: Explanation, train_id: int) -> FeatureInfluence:
    """The columns or words of one training example that matter."""
    parts = (explanation.s, train_id)
    title = "Asking every feature"
    return ask(study, "features", parts, title, lambda _: features.run(study, explanation, train_id))


def load_take_out(study: Study, view: View, explanation: Explanation, ids: tuple[int, ...]) -> TakeOut:
    """Retraining without the chosen training images."""
    ready = engine_if_ready(study, view)
    parts = (explanation.x, explanation.label, str(view.settings), ids)
    title = f"Training again without {len(ids)} {study.data.kind}{'s' if len(ids) > 1 else ''}"
    store = get_store()
    return ask(
        study,
        "take out",
        parts,
        title,
        lambda told: take_out.run(study, explanation, ids, ready, store, told),
    )


def await_spot_check(study: Study, view: View, explanation: Explanation) -> Job[SpotCheck]:
    """A handful of real retrainings for this test example, well or badly ended: the page can do without."""
    ready, store = engine_if_ready(study, view), get_store()
    device = str(study.theta.device)
    key = digest("spot check", study.key, device, explanation.x, explanation.label, str(view.settings))
    title = "Checking the forecast with real retraining"
    job = background(key, title, lambda told: spot_check.run(study, explanation, ready, store, told))
    await_end(job)
    return job
