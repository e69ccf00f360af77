"""Long work: shared, watched, cancelled, and forgotten when it ended badly."""

import threading

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from influence_core.engines import SolverSettings
from influence_core.errors import Cancelled, DataError
from influence_core.experiments import health
from influence_core.studies import find, open_study, readiness
from pages._shell import jobs, results, workers
from pages._shell.jobs import JobManager, get_jobs
from tests.problems import linear, linear_study

PATIENCE = 10.0  # seconds; no test waits this long unless it fails


@pytest.fixture
def manager() -> JobManager:
    return JobManager(workers=2, kept_results=3)


class Gate:
    """Work that reports its progress until the test opens the gate."""

    def __init__(self, result="result"):
        self.begun = threading.Event()
        self.open = threading.Event()
        self.runs = 0
        self.result = result

    def __call__(self, progress):
        self.runs += 1
        self.begun.set()
        while not self.open.wait(0.005):
            progress(0.5, "half way")
        return self.result


def test_the_result_arrives_with_full_progress(manager):
    job = manager.start("key", "Counting", lambda progress: progress(0.2, "soon") or 42)
    assert job.wait(PATIENCE)
    assert (job.state, job.result, job.fraction, job.error) == ("done", 42, 1.0, None)
    assert (job.key, job.title, job.message) == ("key", "Counting", "soon")


def test_equal_keys_share_one_job_while_it_runs_and_afterwards(manager):
    gate = Gate()
    first = manager.start("key", "Work", gate)
    assert gate.begun.wait(PATIENCE)
    assert manager.start("key", "Work", gate) is first
    gate.open.set()
    assert first.wait(PATIENCE)
    assert manager.start("key", "Work", gate) is first
    assert gate.runs == 1


def test_a_forgotten_job_starts_afresh(manager):
    first = manager.start("key", "Work", lambda progress: 1)
    assert first.wait(PATIENCE)
    manager.forget("key")
    second = manager.start("key", "Work", lambda progress: 2)
    assert second.wait(PATIENCE)
    assert (first.result, second.result) == (1, 2)


def test_forgetting_a_running_job_lets_it_finish_for_those_who_wait(manager):
    gate = Gate()
    job = manager.start("key", "Work", gate)
    manager.forget("key")
    gate.open.set()
    assert job.wait(PATIENCE)
    assert job.state == "done"


def test_cancel_reaches_running_work_and_frees_its_worker(manager):
    gate = Gate()
    job = manager.start("key", "Work", gate)
    assert gate.begun.wait(PATIENCE)
    job.cancel()
    assert job.cancelling
    assert job.wait(PATIENCE)
    assert (job.state, job.result, job.error) == ("cancelled", None, None)
    again = manager.start("key", "Work", lambda progress: "fresh")
    assert again.wait(PATIENCE)
    assert again.result == "fresh"


def test_work_cancelled_before_a_worker_took_it_never_runs(manager):
    gates = [Gate(), Gate()]
    for number, gate in enumerate(gates):
        manager.start(f"long {number}", "Long", gate)
    waiting = Gate()
    job = manager.start("waiting", "Waiting", waiting)
    assert all(gate.begun.wait(PATIENCE) for gate in gates)
    assert job.message == "waiting for a free worker"
    job.cancel()
    assert (job.state, job.wait(0)) == ("cancelled", True)
    for gate in gates:
        gate.open.set()
    assert manager.start("last", "Last", lambda progress: None).wait(PATIENCE)
    assert waiting.runs == 0


def test_one_visitors_many_jobs_leave_a_worker_to_others_and_say_their_place():
    manager, gates = JobManager(workers=2, each=1), [Gate() for _ in range(3)]
    jobs = [manager.start(f"mine {at}", "Long", gate, "me") for at, gate in enumerate(gates)]
    assert gates[0].begun.wait(PATIENCE)
    assert [job.queued for job in jobs] == [False, True, True]
    assert jobs[2].message == "waiting for a free worker, 1 before it"
    assert manager.start("yours", "Short", lambda progress: 1, "you").wait(PATIENCE)
    assert not gates[1].begun.is_set()
    for gate in gates:
        gate.open.set()
    assert all(job.wait(PATIENCE) for job in jobs)


def test_a_new_visitor_does_not_join_work_that_is_being_cancelled(manager):
    hold = threading.Event()

    def deaf(progress):
        hold.wait(PATIENCE)
        progress(0.9, "")

    first = manager.start("key", "Work", deaf)
    first.cancel()
    second = manager.start("key", "Work", lambda progress: "fresh")
    assert second is not first
    hold.set()
    assert second.wait(PATIENCE)
    assert manager.start("key", "Work", deaf) is second


def test_one_long_job_does_not_block_a_short_one(manager):
    gate = Gate()
    manager.start("long", "Long", gate)
    assert gate.begun.wait(PATIENCE)
    assert manager.start("short", "Short", lambda progress: 1).wait(PATIENCE)
    gate.open.set()


def test_a_failure_is_reported_without_its_traceback_and_not_kept(manager, caplog):
    job = manager.start("key", "Division", lambda progress: 1 / 0)
    assert job.wait(PATIENCE)
    assert job.state == "failed"
    assert isinstance(job.error, ZeroDivisionError)
    assert job.error.__traceback__ is None
    assert "the job 'key' failed" in caplog.text
    again = manager.start("key", "Division", lambda progress: 1)
    assert again.wait(PATIENCE)
    assert again.state == "done"


def test_an_error_raised_on_purpose_is_not_logged(manager, caplog):
    def work(progress):
        raise DataError("the file is missing")

    job = manager.start("key", "Loading", work)
    assert job.wait(PATIENCE)
    assert str(job.error) == "the file is missing"
    assert caplog.text == ""


def test_only_the_results_asked_for_last_are_kept(manager):
    for key in "abc":
        assert manager.start(key, key, lambda progress: None).wait(PATIENCE)
    oldest_used_again = manager.start("a", "a", lambda progress: None)
    for key in "de":
        assert manager.start(key, key, lambda progress: None).wait(PATIENCE)
    runs = []
    assert manager.start("a", "a", runs.append) is oldest_used_again
    assert manager.start("b", "b", lambda progress: runs.append("b")).wait(PATIENCE)
    assert runs == ["b"]


def test_the_remaining_time_follows_the_pace_and_counts_down(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(workers, "monotonic", lambda: now[0])
    seen = []

    def work(progress):
        seen.append(job.seconds_left())
        now[0] += 4.0
        progress(0.25, "")
        seen.append(job.seconds_left())
        now[0] += 5.0
        seen.append(job.seconds_left())
        now[0] += 50.0
        seen.append(job.seconds_left())

    job = workers.Job("key", "Work", work)
    now[0] += 30.0  # in line for a worker: not part of the pace
    job.run()
    assert seen == [None, 12.0, 7.0, 0.0]
    assert job.seconds_left() is None


def test_the_remaining_time_never_rises_unless_it_is_said(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(workers, "monotonic", lambda: now[0])
    seen = []

    def work(progress):
        for moment, fraction in ((10.0, 0.5), (12.0, 0.52), (14.0, 0.7), (40.0, 0.8)):
            now[0] = moment
            progress(fraction, "")
            seen.append((round(job.seconds_left(), 6), job.slower))

    job = workers.Job("key", "Work", work)
    job.run()
    assert seen[:3] == [(10.0, False), (8.0, False), (6.0, False)], "a little slower, then a little faster"
    assert seen[3] == (10.0, True)


def test_nothing_is_almost_done_at_a_tenth_though_the_time_has_run_out(monkeypatch):
    """A quick start promises too much: the pictures are read at once, their features take long."""
    now = [0.0]
    monkeypatch.setattr(workers, "monotonic", lambda: now[0])
    seen = []

    def work(progress):
        for begun, fraction in ((0.1, 0.1), (60.0, 0.85), (63.0, 0.95)):
            now[0] = begun
            progress(fraction, "")
            now[0] += 20.0
            seen.append(jobs._left_words(job))

    job = workers.Job("key", "Work", work)
    job.run()
    assert seen == ["", "", "almost done"]


def test_progress_stays_between_nothing_and_all(manager):
    seen = []

    def work(progress):
        for fraction in (-1.0, 2.0):
            progress(fraction, "")
            seen.append(job.fraction)

    job = workers.Job("key", "Work", work)
    job.run()
    assert seen == [0.0, 1.0]


def test_cancelled_is_what_the_progress_callback_raises():
    caught = []

    def work(progress):
        job.cancel()
        try:
            progress(0.1, "")
        except Cancelled as error:
            caught.append(error)
            raise

    job = workers.Job("key", "Work", work)
    job.run()
    assert len(caught) == 1
    assert job.state == "cancelled"


def _page(key, work):
    import streamlit as st

    from pages._shell.jobs import await_job

    st.title("Before")
    st.text(f"answer: {await_job(key, 'Asking', work, quick_seconds=0.2)}")


def _background_page(key, work):
    from pages._shell.jobs import background, job_status

    job_status(background(key, "Preparing", work))


def _app(page, key, work) -> AppTest:
    get_jobs().forget(key)
    return AppTest.from_function(page, args=(key, work), default_timeout=PATIENCE)


def _watched(app: AppTest, key: str) -> workers.Job:
    return app.session_state["_watched_jobs"][key]


def _labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_page_shows_the_result_of_fast_work_without_a_progress_bar():
    app = _app(_page, "fast", lambda progress: 42).run()
    assert app.text[0].value == "answer: 42"
    assert _labels(app) == []
    assert not app.exception


def test_page_stops_at_long_work_and_goes_on_when_it_is_done():
    gate = Gate()
    app = _app(_page, "long", gate).run()
    assert _labels(app) == ["Cancel"]
    assert "**Asking**" in [text.value for text in app.markdown]
    gate.open.set()
    assert get_jobs().start("long", "Asking", gate).wait(PATIENCE)
    app.run()
    assert _labels(app) == []
    assert app.text[0].value == "answer: result"
    assert gate.runs == 1


def test_page_shows_a_calm_state_after_cancel_and_starts_again_when_told():
    gate = Gate()
    app = _app(_page, "cancelled", gate).run()
    job = get_jobs().start("cancelled", "Asking", gate)
    app.button(key="job_cancel").click().run()
    assert job.wait(PATIENCE)
    app.run()
    assert "was stopped" in app.info[0].value
    app.run()
    assert gate.runs == 1  # only the button starts it again
    gate.open.set()
    app.button(key="job_start_again").click().run()
    assert app.text[0].value == "answer: result"
    assert gate.runs == 2


def test_one_visitors_cancel_does_not_end_anothers_wait():
    gate = Gate()
    first = _app(_page, "shared", gate).run()
    second = AppTest.from_function(_page, args=("shared", gate), default_timeout=PATIENCE).run()
    job = _watched(first, "shared")
    assert _watched(second, "shared") is job and gate.begun.wait(PATIENCE)
    first.button(key="job_cancel").click().run()
    assert "was stopped" in first.run().info[0].value
    assert _labels(second.run()) == ["Cancel"] and job.state == "running"
    gate.open.set()
    assert job.wait(PATIENCE)
    assert second.run().text[0].value == "answer: result"
    assert first.button(key="job_start_again").click().run().text[0].value == "answer: result"
    assert gate.runs == 1


def test_the_last_one_who_leaves_stops_the_work(manager):
    gate = Gate()
    job = manager.start("left", "Work", gate)
    job.join("anna")
    job.join("bert")
    job.leave("anna")
    assert not job.cancelling
    job.leave("bert")
    assert job.wait(PATIENCE) and job.state == "cancelled"


def test_who_closed_the_page_keeps_nothing_going(monkeypatch):
    now, job = [0.0], workers.Job("key", "Work", lambda progress: progress(0.5, ""))
    monkeypatch.setattr(workers, "monotonic", lambda: now[0])
    job.join("anna")
    job.join("bert")  # and closes the page
    job.leave("anna")
    assert not job.cancelling
    now[0] = workers.HEARD_SECONDS + 1
    job.run()
    assert job.state == "cancelled"


def test_page_says_what_an_expected_error_says():
    def work(progress):
        raise DataError("the file is missing: put it there")

    app = _app(_page, "expected", work).run()
    assert [error.value for error in app.error] == ["the file is missing: put it there"]
    assert _labels(app) == ["Try again"]
    assert not app.exception


def test_page_hides_the_traceback_of_an_unexpected_error():
    app = _app(_page, "unexpected", lambda progress: 1 / 0).run()
    assert app.error[0].value.startswith("Something went wrong inside the app")
    assert "division" not in app.error[0].value
    assert not app.exception


def test_background_work_shows_a_line_while_it_runs_and_nothing_afterwards():
    gate = Gate()
    app = _app(_background_page, "background", gate).run()
    assert gate.begun.wait(PATIENCE)
    assert app.caption[0].value.startswith("Preparing: ")
    gate.open.set()
    assert get_jobs().start("background", "Preparing", gate).wait(PATIENCE)
    app.run()
    assert len(app.caption) == 0


def test_failed_background_work_is_not_started_again_by_the_next_run():
    runs = []

    def work(progress):
        runs.append(1)
        raise DataError("no solver fits")

    app = _app(_background_page, "background failed", work).run()
    assert _watched(app, "background failed").wait(PATIENCE)
    for _ in range(3):
        app.run()
    assert app.caption[0].value == "Preparing: no solver fits"
    assert len(runs) == 1
    app.button(key="job_retry_background failed").click().run()
    assert _watched(app, "background failed").wait(PATIENCE)
    assert len(runs) == 2


# -------------------------------------------------------------------------------------- prepared engines


def test_who_waits_for_a_preparation_that_somebody_else_stops_is_stopped_too(monkeypatch):
    def endless(study, settings, progress):
        while True:
            progress(0.5, "factoring")

    monkeypatch.setattr(results, "prepare", endless)
    study, settings, joined, ends = linear_study(linear("logistic")), SolverSettings(), threading.Event(), []

    def wait():
        try:
            results.context().engines.prepare(study, settings, lambda *_: joined.set())
        except Exception as error:
            ends.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert joined.wait(10)
    results._preparation(study, settings).cancel()
    waiting.join(10)
    assert [type(one) for one in ends] == [Cancelled]
    assert "preparation" in str(ends[0])


def test_what_the_store_has_is_read_while_long_work_fills_every_worker(tmp_path, monkeypatch, one_or_seven):
    """Somebody's training, figures and searches must not keep another's finished page."""
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path))
    st.cache_resource.clear()
    readiness.note(open_study(find("one-or-seven"), results.get_store()), results.get_store())
    health.duplicates.run(one_or_seven, context=results.context())
    gates = [Gate() for _ in range(workers.WORKERS)]
    long = [get_jobs().start(f"long {at}", "Work", gate) for at, gate in enumerate(gates)]
    assert all(gate.begun.wait(PATIENCE) for gate in gates)
    try:
        app = AppTest.from_function(_stored_page, args=(one_or_seven,), default_timeout=PATIENCE).run()
        assert app.text[0].value == f"{len(one_or_seven.data.train):,} and 1105, then nothing"
        assert _labels(app) == ["Cancel"]  # what has to be computed waits
    finally:
        for job, gate in zip(long, gates, strict=True):
            gate.open.set()
            assert job.wait(PATIENCE)
        st.cache_resource.clear()


def _stored_page(study):
    import streamlit as st

    from influence_core.experiments import health
    from pages._shell import results

    again = results.load_spec(study.spec, "auto")
    known, found = results.load_predictions(again), results.load("Looking", health.duplicates.run, again)
    assert found.compared == len(study.data.train) + len(study.data.test)
    st.text(f"{len(again.data.train):,} and {len(known.ids)}, then nothing")
    results.load("Measuring", health.regions.run, again)
