"""From a view to results: every costly thing is a job, shared by all visitors and kept in memory and in the store."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import platformdirs
import streamlit as st

from influence_core.data import mnist
from influence_core.data.digest import digest
from influence_core.errors import DataError, StoreError
from influence_core.experiments import anatomy, explain, pixels, predictions, take_out
from influence_core.experiments.anatomy import Anatomy
from influence_core.experiments.explain import Explanation, Prepared, Question, Settings
from influence_core.experiments.pixels import PixelMap
from influence_core.experiments.predictions import Predictions
from influence_core.experiments.take_out import TakeOut
from influence_core.progress import Progress
from influence_core.store import Store
from influence_core.studies import Study, open_study
from pages._shared.jobs import Job, JobManager, await_job, background, get_jobs
from pages._shared.view import View

DATA_VARIABLE = "INFLUENCE_EXPLORER_DATA"
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
    return os.environ.get(DATA_VARIABLE) or platformdirs.user_data_dir("influence-explorer")


def load_study(view: View) -> Study:
    """The trained study of a view."""
    spec = view.spec

    def work(progress: Progress) -> Study:
        return open_study(spec, get_store(), data_folder(), view.device, progress)

    if spec.data == "mnist":
        _offer_download()
    return await_job(f"study/{spec.name}/{view.device}", f"Training “{spec.title}”", work)


def _offer_download() -> None:
    """Where full MNIST is missing: say so, and download it only when asked to."""
    missing = mnist.missing_files(data_folder())
    if not missing:
        return
    st.title("Full MNIST is not on this machine")
    st.markdown(
        f"This study needs the 60,000 + 10,000 MNIST digits in `{data_folder()}/MNIST/raw`. You can put the files there, start "
        f"the app with the setting `{DATA_VARIABLE}` naming the folder that holds `MNIST/raw`, or download them now. "
        "The download (11 MB, from MNIST's public mirrors) is the only request this app ever makes to the internet, "
        "and only when you press the button."
    )
    if st.button("Download MNIST (11 MB)", key="download_mnist", type="primary"):
        st.session_state["downloading"] = True
    if st.session_state.get("downloading"):
        await_job(
            "download/mnist", "Downloading MNIST", lambda progress: mnist.download(data_folder(), progress)
        )
        st.session_state["downloading"] = False
        get_jobs().forget("download/mnist")
        st.rerun()
    st.stop()


def load_predictions(study: Study) -> Predictions:
    """What the model says about every test image."""
    return await_job(
        f"predictions/{study.key}",
        "Asking the model about every test image",
        lambda _: predictions.run(study),
    )


def find_question(study: Study, view: View, known: Predictions) -> Question:
    """The question a view asks; where it names no test image, the most confident mistake is taken."""
    if view.picture:
        question = explain.ask_about(study, study.data.test.x.new_tensor(_kept_picture(view.picture)))
    else:
        first = known.misclassified() if len(known.misclassified()) else known.least_confident()
        question = explain.ask(study, int(known.ids[first[0]]) if view.test_id is None else view.test_id)
    if view.ask == "model":
        return question
    label = question.true_label if view.ask == "true" else int(view.ask)
    return question if label is None else explain.with_label(study, question, label)


def keep_picture(x: np.ndarray) -> str:
    """Keep an uploaded picture's pixels in the store; the address then holds its digest."""
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
            "This picture is not on the server (any more). Upload it again, or choose a test image."
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
            engine = _prepared(study, settings, progress)
        return explain.run(study, question, prepared=engine, store=get_store(), progress=progress)

    key = digest(
        "explanation",
        study.key,
        str(study.theta.device),
        question.x,
        question.test_id,
        question.label,
        str(settings),
    )
    return await_job(key, "Asking every training image", work)


def _prepared(study: Study, settings: Settings, progress: Progress) -> Prepared:
    """An engine prepared in this job, kept for the next one."""
    key, title, work = _preparation(study, settings)
    job = _get_preparations().start(key, title, work)
    while not job.wait(0.2):
        try:
            progress(job.fraction, job.message)
        except BaseException:
            job.cancel()
            raise
    if job.error is not None:
        raise job.error
    assert job.result is not None
    return job.result


def load_anatomy(study: Study, explanation: Explanation) -> Anatomy:
    """The factors of every score."""
    key = digest(
        "anatomy", study.key, str(study.theta.device), explanation.s, explanation.label, explanation.x
    )
    return await_job(key, "Taking the score apart", lambda _: anatomy.run(study, explanation))


def load_pixels(study: Study, explanation: Explanation, train_id: int) -> PixelMap:
    """The pixels of one training image that matter."""
    key = digest("pixels", study.key, str(study.theta.device), explanation.s, train_id)
    return await_job(key, "Asking every pixel", lambda _: pixels.run(study, explanation, train_id))


def load_take_out(study: Study, view: View, explanation: Explanation, ids: tuple[int, ...]) -> TakeOut:
    """Retraining without the chosen training images."""
    ready = engine_if_ready(study, view)
    key = digest(
        "take out",
        study.key,
        str(study.theta.device),
        explanation.x,
        explanation.label,
        str(view.settings),
        ids,
    )
    title = f"Training again without {len(ids)} image{'s' if len(ids) > 1 else ''}"
    return await_job(
        key, title, lambda progress: take_out.run(study, explanation, ids, ready, get_store(), progress)
    )
