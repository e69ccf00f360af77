"""Long work on a few threads: one job a question, for as many as wait for it, and stopped when the last of them leaves."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from threading import Condition, Event, Lock, Thread
from time import monotonic
from typing import Any, Generic, Literal, TypeVar

from influence_core.errors import Cancelled, InfluenceError

T = TypeVar("T")
Progress = Callable[[float, str], None]
State = Literal["running", "done", "failed", "cancelled"]

WORKERS = 3  # so one visitor's long job leaves room for another's short one, and the server stays responsive
KEPT_RESULTS = 64
HEARD_SECONDS = 90.0
"""Who was not heard of for longer waits no more; browsers wake a page in the background once a minute."""

WAITING = "waiting for a free worker"

_LOG = logging.getLogger(__name__)
_MUCH, _MUCH_SECONDS = 0.25, 3.0  # so much later than was said, as a share and in seconds, is slower
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
        self.message = WAITING
        self.started = monotonic()
        self.state: State = "running"
        self.result: T | None = None
        self.error: Exception | None = None
        self._work: Callable[[Progress], T] | None = work
        self._lock = Lock()
        self._ended = Event()
        self._cancel = Event()
        self.slower = False
        self._due: float | None = None
        self._waiting: dict[str, float] = {}
        self._was_left = False

    @property
    def cancelling(self) -> bool:
        """Whether somebody asked it to stop; it does at its next report of progress."""
        return self._cancel.is_set()

    @property
    def queued(self) -> bool:
        """Whether no worker has taken it yet."""
        return self._work is not None

    @property
    def visitors(self) -> list[str]:
        """Who waits for it."""
        return list(self._waiting)

    def cancel(self) -> None:
        """Asks the work to stop; work that still waits for a worker stops at once."""
        self._cancel.set()
        if self._take() is not None:
            self._end("cancelled")

    def join(self, who: str) -> None:
        """Somebody waits for it; to be said again and again, for nobody says when a page is closed."""
        self._waiting[who] = monotonic()

    def leave(self, who: str) -> None:
        """Somebody waits for it no longer; it is stopped once nobody does."""
        self._waiting.pop(who, None)
        self._was_left = True
        if not self._wanted():
            self.cancel()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until the job ends, at most this long; returns whether it has ended."""
        return self._ended.wait(seconds)

    def seconds_left(self) -> float | None:
        """Returns the expected remaining seconds at the pace so far, or None when it is too early to say.

        They only fall, unless the work turns out much longer than it looked; then it is ``slower``, which is to be said.
        """
        if self.state != "running" or self._due is None:
            return None
        return max(0.0, self._due - monotonic())

    def run(self) -> None:
        """Does the work, in the thread of a worker."""
        work = self._take()
        if work is None:
            return
        self.started = monotonic()
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

    def _wanted(self) -> bool:
        return any(monotonic() - heard < HEARD_SECONDS for heard in list(self._waiting.values()))

    def _report(self, fraction: float, message: str) -> None:
        if self.cancelling or (self._was_left and not self._wanted()):
            raise Cancelled("the work was stopped before it was finished")
        self.fraction = min(1.0, max(0.0, fraction))
        self.message = message
        if self.fraction >= _EARLY:
            self._expect(self.started + (monotonic() - self.started) / self.fraction)

    def _expect(self, end: float) -> None:
        """When the work will end at its pace so far; a little later than was said does not count."""
        if self._due is None or end < self._due:
            self._due = end
        elif end - self._due > max(_MUCH_SECONDS, _MUCH * (self._due - self.started)):
            self._due, self.slower = end, True

    def _end(self, state: State) -> None:
        self.state = state
        self._ended.set()


class JobManager:
    """Runs jobs on a few daemon threads and keeps the results that were asked for last.

    Args:
        workers: How many jobs run at the same time; further ones wait in line.
        kept_results: How many finished jobs are kept; failed and cancelled ones never are.
        each: How many jobs of one visitor run at the same time, so that others find a free worker; any number for none.
    """

    def __init__(
        self, workers: int = WORKERS, kept_results: int = KEPT_RESULTS, each: int | None = None
    ) -> None:
        self._kept_results, self._each = kept_results, workers if each is None else each
        self._jobs: OrderedDict[str, Job[Any]] = OrderedDict()
        self._changed = Condition()
        self._line: list[Job[Any]] = []
        self._at_work: list[Job[Any]] = []
        for number in range(workers):
            Thread(target=self._serve, name=f"job-worker-{number}", daemon=True).start()

    def start(self, key: str, title: str, work: Callable[[Progress], T], who: str = "") -> Job[T]:
        """Returns the running or finished job of this key, or starts one; ``who`` waits for it."""
        with self._changed:
            job = self._jobs.get(key)
            known = job is not None and (
                job.state == "done" or (job.state == "running" and not job.cancelling)
            )
            if job is None or not known:
                job = self._jobs[key] = Job(key, title, work)
                self._drop_oldest()
                self._line.append(job)
                self._tell_places()
            self._jobs.move_to_end(key)
            if who:
                job.join(who)
            self._changed.notify_all()
        return job

    def result(self, key: str) -> Any:
        """The result of this key if its job is done and still kept, else None; starts nothing."""
        with self._changed:
            job = self._jobs.get(key)
            if job is not None and job.state == "done":
                self._jobs.move_to_end(key)
                return job.result
        return None

    def knows(self, key: str) -> bool:
        """Whether a job of this key waits, runs, or is kept."""
        with self._changed:
            return key in self._jobs

    def waits(self, key: str, who: str) -> bool:
        """Whether ``who`` waits for a job of this key that has not ended."""
        with self._changed:
            job = self._jobs.get(key)
            return job is not None and job.state == "running" and who in job.visitors

    def forget(self, key: str) -> None:
        """Drops the result of this key; work that still runs goes on for those who wait for it."""
        with self._changed:
            self._jobs.pop(key, None)

    def _serve(self) -> None:
        while True:
            job = self._next()
            job.run()
            with self._changed:
                self._at_work.remove(job)
                self._changed.notify_all()
                if job.state != "done" and self._jobs.get(job.key) is job:
                    del self._jobs[job.key]
            del job  # or an idle worker would keep the last result alive

    def _next(self) -> Job[Any]:
        """The first in line that may begin; waits for one."""
        with self._changed:
            while (job := next(filter(self._may_begin, self._line), None)) is None:
                self._changed.wait()
            self._line.remove(job)
            self._at_work.append(job)
            self._tell_places()
        return job

    def _may_begin(self, job: Job[Any]) -> bool:
        """Whether one of its visitors has fewer jobs at work than each may have."""
        at_work = [who for one in self._at_work for who in one.visitors]
        return not job.visitors or any(at_work.count(who) < self._each for who in job.visitors)

    def _tell_places(self) -> None:
        """How many are before each that waits."""
        for place, job in enumerate(one for one in self._line if one.state == "running"):
            job.message = f"{WAITING}, {place} before it" if place else WAITING

    def _drop_oldest(self) -> None:
        done = [key for key, job in self._jobs.items() if job.state == "done"]
        for key in done[: max(0, len(done) - self._kept_results)]:
            del self._jobs[key]
