"""Long work beside the page: started once per question, shared by all visitors, watched, and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from influence_core.errors import InfluenceError
from influence_core.words import about
from pages._shell import browser
from pages._shell.escape import escape_markdown
from pages._shell.places import without_places
from pages._shell.workers import Job, JobManager, Progress

T = TypeVar("T")
NEARLY = 0.9
"""So much is done before it is said to be almost done: time that was reckoned from a quick start runs out sooner."""


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
    st.session_state["waiting"] = not job.wait(quick_seconds)
    if st.session_state["waiting"]:
        _progress_panel(job)
        st.stop()


def job_status(job: Job[Any], cancel: bool = False) -> None:
    """Shows one small line about a background job, with a way to stop it, and runs the page again when it has ended."""
    if job.state == "running":
        _status_line(job, cancel)
    elif job.state != "done":
        st.caption(f"{job.title}: {'stopped' if job.state == 'cancelled' else _reason(job)}")
        st.button("Try again", key=f"job_retry_{job.key}", on_click=_start_again, args=(job.key,))


@st.fragment(run_every=0.5)
def run_again(job: Job[Any]) -> None:
    """Nothing to see; once the job has ended, the page runs again."""
    if job.state != "running" or _left(job):
        st.rerun()


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
        watched[key] = (manager or get_jobs()).start(key, title, work, browser.owner())
    watched[key].join(browser.owner())
    return watched[key]


def leave(job: Job[Any]) -> None:
    """Stops the work for this visitor; where others wait for it, it goes on for them."""
    job.leave(browser.owner())
    if not job.cancelling:
        stopped = Job[Any](job.key, job.title, lambda _: None)
        stopped.cancel()
        st.session_state["_watched_jobs"][job.key] = stopped


def abandon(key: str) -> None:
    """Wait no more for work that another question has overtaken; it is started again when it is asked for again."""
    job = st.session_state.get("_watched_jobs", {}).pop(key, None)
    if job is not None:
        job.leave(browser.owner())


def _left(job: Job[Any]) -> bool:
    """Whether this visitor stopped it; whoever did not is heard of."""
    if st.session_state["_watched_jobs"].get(job.key) is not job:
        return True
    job.join(browser.owner())
    return False


def _start_again(key: str) -> None:
    st.session_state["_watched_jobs"].pop(key, None)


@st.fragment(run_every=0.5)
def _progress_panel(job: Job[Any]) -> None:
    if job.state != "running" or _left(job):
        st.rerun()
    with st.container(key="job_progress", border=True):
        st.markdown(f"**{job.title}**")
        st.progress(job.fraction, text=_progress_words(job))
        st.button("Cancel", key="job_cancel", on_click=leave, args=(job,), disabled=job.cancelling)


@st.fragment(run_every=1.0)
def _status_line(job: Job[Any], cancel: bool) -> None:
    if job.state != "running" or _left(job):
        st.rerun()
    parts = [
        f"{job.fraction:.0%}".replace("%", " %"),
        job.message if cancel or job.queued else "",
        _left_words(job),
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{job.title}: {', '.join(part for part in parts if part)}", width="content")
        if cancel:
            words = "Stopping …" if job.cancelling else "Stop"
            key = f"job_stop_{job.key}"
            st.button(words, key=key, type="tertiary", on_click=leave, args=(job,), disabled=job.cancelling)


def _progress_words(job: Job[Any]) -> str:
    if job.cancelling:
        return "stopping …"
    return " · ".join(part for part in (job.message, _left_words(job)) if part) or "starting …"


def _left_words(job: Job[Any]) -> str:
    seconds = job.seconds_left()
    if seconds is None:
        return ""
    if seconds < 1:
        return "almost done" if job.fraction >= NEARLY else ""
    return f"{about(seconds)} left{', longer than it looked' if job.slower else ''}"


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
        return escape_markdown(without_places(str(job.error)))
    return (
        "Something went wrong inside the app. The server's log has the details; the other pages still work."
    )
