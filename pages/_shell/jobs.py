"""Long work beside the page: started once per question, shared by all visitors, watched, and cancelled."""

from __future__ import annotations

import logging
import queue
from collections import OrderedDict
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Generic, Literal, TypeVar

import streamlit as st

from influence_core.errors import Cancelled, InfluenceError
from influence_core.words import about
from pages._shell.escape import escape_markdown

T = TypeVar("T")
Progress = Callable[[float, str], None]
State = Literal["running", "done", "failed", "cancelled"]

WORKERS = 3  # so one visitor's long job leaves room for another's short one, and the server stays responsive
KEPT_RESULTS = 64

_LOG = logging.getLogger(__name__)
_EARLY = 0.01  # below this fraction an estimate of the remaining time would be a guess


class Job(Generic[T]):
    """One piece of work: how far it is, and what became of it. Reading it never blocks.

    Args:
        key: What was asked; equal keys share one job.
        title: The work in words a visitor understands.
        work: Receives the progress callback and returns the result. It must not call Streamlit.
    """

    def __init__(self, key: str, title: str, work: Callable[[Progress], T]) -> None:
        self.key = key
        self.title = title
        self.fraction = 0.0
        self.message = "waiting for a free worker"
        self.started = monotonic()
        self.state: State = "running"
        self.result: T | None = None
        self.error: Exception | None = None
        self._work: Callable[[Progress], T] | None = work
        self._lock = Lock()
        self._ended = Event()
        self._cancel = Event()
        self._reported = self.started

    @property
    def cancelling(self) -> bool:
        """Whether somebody asked it to stop; it does at its next report of progress."""
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Asks the work to stop; work that still waits for a worker stops at once."""
        self._cancel.set()
        if self._take() is not None:
            self._end("cancelled")

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until the job ends, at most this long; returns whether it has ended."""
        return self._ended.wait(seconds)

    def seconds_left(self) -> float | None:
        """Returns the expected remaining seconds at the pace so far, or None when it is too early to say."""
        if self.state != "running" or self.fraction < _EARLY:
            return None
        at_report = (self._reported - self.started) * (1.0 - self.fraction) / self.fraction
        return max(0.0, at_report - (monotonic() - self._reported))

    def run(self) -> None:
        """Does the work, in the thread of a worker."""
        work = self._take()
        if work is None:
            return
        self.started = self._reported = monotonic()
        self.message = ""
        try:
            self.result = work(self._report)
        except Cancelled:
            self._end("cancelled")
        except Exception as error:
            if not isinstance(error, InfluenceError):
                _LOG.exception("the job %r failed", self.key)
            error.__cause__ = error.__context__ = None
            self.error = error.with_traceback(None)  # tracebacks would keep the arrays of their frames alive
            self._end("failed")
        else:
            self.fraction = 1.0
            self._end("done")

    def _take(self) -> Callable[[Progress], T] | None:
        """Hands out the work once: to the worker that does it or to the visitor who cancels it."""
        with self._lock:
            work, self._work = self._work, None
        return work

    def _report(self, fraction: float, message: str) -> None:
        if self.cancelling:
            raise Cancelled("the work was stopped before it was finished")
        self.fraction = min(1.0, max(0.0, fraction))
        self.message = message
        self._reported = monotonic()

    def _end(self, state: State) -> None:
        self.state = state
        self._ended.set()


class JobManager:
    """Runs jobs on a few daemon threads and keeps the results that were asked for last.

    Args:
        workers: How many jobs run at the same time; further ones wait in line.
        kept_results: How many finished jobs are kept; failed and cancelled ones never are.
    """

    def __init__(self, workers: int = WORKERS, kept_results: int = KEPT_RESULTS) -> None:
        self._kept_results = kept_results
        self._jobs: OrderedDict[str, Job[Any]] = OrderedDict()
        self._lock = Lock()
        self._line: queue.SimpleQueue[Job[Any]] = queue.SimpleQueue()
        for number in range(workers):
            Thread(target=self._serve, name=f"job-worker-{number}", daemon=True).start()

    def start(self, key: str, title: str, work: Callable[[Progress], T]) -> Job[T]:
        """Returns the running or finished job of this key, or starts one."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and (job.state == "done" or (job.state == "running" and not job.cancelling)):
                self._jobs.move_to_end(key)
                return job
            job = self._jobs[key] = Job(key, title, work)
            self._jobs.move_to_end(key)
            self._drop_oldest()
        self._line.put(job)
        return job

    def result(self, key: str) -> Any:
        """The result of this key if its job is done and still kept, else None; starts nothing."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and job.state == "done":
                self._jobs.move_to_end(key)
                return job.result
        return None

    def forget(self, key: str) -> None:
        """Drops the result of this key; work that still runs goes on for those who wait for it."""
        with self._lock:
            self._jobs.pop(key, None)

    def _serve(self) -> None:
        while True:
            job = self._line.get()
            job.run()
            with self._lock:
                if job.state != "done" and self._jobs.get(job.key) is job:
                    del self._jobs[job.key]
            del job  # or an idle worker would keep the last result alive

    def _drop_oldest(self) -> None:
        done = [key for key, job in self._jobs.items() if job.state == "done"]
        for key in done[: max(0, len(done) - self._kept_results)]:
            del self._jobs[key]


@st.cache_resource(show_spinner=False)
def get_jobs() -> JobManager:
    """The server's one job manager."""
    return JobManager()


def await_job(
    key: str,
    title: str,
    work: Callable[[Progress], T],
    *,
    quick_seconds: float = 1.0,
    manager: JobManager | None = None,
) -> T:
    """Returns the result of the work, or shows how far it is and ends this run of the page.

    The page runs again by itself when the work has ended. Work that is done at once shows no progress bar.
    What the work needs (torch above all) should be imported before it starts.

    Args:
        key: Names the question by content, say by a digest; visitors with the same key share the work.
        title: The work in words a visitor understands.
        work: Receives `progress(fraction, message)`, which raises `Cancelled` when somebody pressed Cancel.
        quick_seconds: How long to wait before showing anything.
        manager: Who runs it and keeps the result; the server's own unless another is given.
    """
    job = background(key, title, work, manager)
    await_end(job, quick_seconds)
    if job.state == "done":
        return job.result  # type: ignore[return-value]  # a finished job holds what its work returned
    _bad_end(job)
    st.stop()


def await_end(job: Job[Any], quick_seconds: float = 1.0) -> None:
    """Returns once the job has ended, well or badly; until then shows how far it is and ends this run of the page."""
    if not job.wait(quick_seconds):
        _progress_panel(job)
        st.stop()


def job_status(job: Job[Any], cancel: bool = False) -> None:
    """Shows one small line about a background job, with a way to stop it, and runs the page again when it has ended."""
    if job.state == "running":
        _status_line(job, cancel)
    elif job.state != "done":
        st.caption(f"{job.title}: {'stopped' if job.state == 'cancelled' else _reason(job)}")
        st.button("Try again", key=f"job_retry_{job.key}", on_click=_start_again, args=(job.key,))


def background(
    key: str, title: str, work: Callable[[Progress], T], manager: JobManager | None = None
) -> Job[T]:
    """Starts or joins work that the page can do without for now; show it with `job_status`.

    It is the job this session already waits for or saw end badly, else the server's: the manager forgets a job that
    ended badly, so that the next visitor starts afresh; the session that saw it must not, or a page that runs again
    would start failing work for ever.
    """
    watched: dict[str, Job[Any]] = st.session_state.setdefault("_watched_jobs", {})
    for ended in [one for one, job in watched.items() if job.state == "done"]:
        del watched[ended]
    if key not in watched:
        watched[key] = (manager or get_jobs()).start(key, title, work)
    return watched[key]


def _start_again(key: str) -> None:
    st.session_state["_watched_jobs"].pop(key, None)


@st.fragment(run_every=0.5)
def _progress_panel(job: Job[Any]) -> None:
    if job.state != "running":
        st.rerun()
    with st.container(key="job_progress", border=True):
        st.markdown(f"**{job.title}**")
        st.progress(job.fraction, text=_progress_words(job))
        st.button("Cancel", key="job_cancel", on_click=job.cancel, disabled=job.cancelling)


@st.fragment(run_every=1.0)
def _status_line(job: Job[Any], cancel: bool) -> None:
    if job.state != "running":
        st.rerun()
    parts = [f"{job.fraction:.0%}".replace("%", " %"), job.message if cancel else "", _left_words(job)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{job.title}: {', '.join(part for part in parts if part)}", width="content")
        if cancel:
            words = "Stopping …" if job.cancelling else "Stop"
            key = f"job_stop_{job.key}"
            st.button(words, key=key, type="tertiary", on_click=job.cancel, disabled=job.cancelling)


def _progress_words(job: Job[Any]) -> str:
    if job.cancelling:
        return "stopping …"
    return " · ".join(part for part in (job.message, _left_words(job)) if part) or "starting …"


def _left_words(job: Job[Any]) -> str:
    seconds = job.seconds_left()
    if seconds is None:
        return ""
    return "almost done" if seconds < 1 else f"{about(seconds)} left"


def _bad_end(job: Job[Any]) -> None:
    with st.container(key="job_ended"):
        if job.state == "cancelled":
            st.info(f"**{job.title}** was stopped. Nothing is lost: start it again whenever you like.")
        else:
            st.error(_reason(job))
        label = "Start again" if job.state == "cancelled" else "Try again"
        st.button(label, key="job_start_again", on_click=_start_again, args=(job.key,))


def _reason(job: Job[Any]) -> str:
    if isinstance(job.error, InfluenceError):
        return escape_markdown(str(job.error))
    return (
        "Something went wrong inside the app. The server's log has the details; the other pages still work."
    )
