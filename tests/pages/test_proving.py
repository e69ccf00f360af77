"""Better numbers while the page is open: what is made beside it, what is offered instead, and what the page says then."""

import time
from threading import Event, current_thread

import pytest
import streamlit as st

from influence_core.experiments import all_left_out, corrected, hardest
from influence_core.experiments.all_left_out import Estimate
from influence_core.store import Store
from pages._shell import proving, results
from tests.visits import keys, press, said, settle, visit_page

ANSWER = {"test": "5040"}


pytestmark = pytest.mark.usefixtures("own_server")


PROVEN = ":green-badge[:material/verified: Proven]"


def visit(**query):
    """A page whose cards name their number."""
    return visit_page("what_if", **query)


def until(at, seen):
    """The page as a browser keeps it: run again until something is seen."""
    for _ in range(600):
        at = settle(at)
        if seen(at):
            return at
        time.sleep(0.1)
        at.run()
    raise AssertionError(said(at))


def allow(monkeypatch, seconds="600", megabytes="100"):
    monkeypatch.setenv(proving.SECONDS_VARIABLE, seconds)
    monkeypatch.setenv(proving.MEGABYTES_VARIABLE, megabytes)


def test_the_same_page_says_proven_once_all_retrainings_are_there(monkeypatch):
    allow(monkeypatch)
    at = until(visit(**ANSWER), lambda at: PROVEN in said(at))
    words = said(at)
    assert "trained again without each of the 1,092 training images" in words
    assert "true change, after training again without it" in words
    assert "spot_check" not in keys(at)


def test_what_is_proven_is_not_said_to_be_in_the_making(monkeypatch):
    """Though the models have left the memory since the answer was read."""
    allow(monkeypatch)
    at = until(visit(**ANSWER), lambda at: PROVEN in said(at))
    known, begun = proving.table, []
    monkeypatch.setattr(proving, "_measured", lambda study: begun.append(study))
    monkeypatch.setattr(proving, "_unasked", lambda study: begun.append(study))

    def forgotten(study):
        found = known(study)
        monkeypatch.setattr(proving, "table", lambda study: None)
        return found

    monkeypatch.setattr(proving, "table", forgotten)
    words = said(settle(at))
    assert PROVEN in words and "Proving" not in words
    assert not begun


def test_what_is_too_dear_is_offered_with_what_it_takes(monkeypatch):
    allow(monkeypatch, megabytes="1")
    at = until(visit(**ANSWER), lambda at: "prove_all" in keys(at))
    (label,) = [one.label for one in at.button if one.key == "prove_all"]
    assert label.startswith("Prove all 1,092 retrainings (about ") and label.endswith(" s, 3 MB on disk)")
    assert PROVEN not in said(at)
    until(press(at, "prove_all"), lambda at: PROVEN in said(at))


def test_nothing_is_begun_where_it_is_not_allowed(monkeypatch):
    allow(monkeypatch, seconds="0")
    at = settle(visit(**ANSWER))
    assert not proving.get_line()._jobs
    assert "prove_all" not in keys(at)
    assert "corrected forecast" in said(at)


def test_a_page_answers_while_better_numbers_are_made_and_reads_nothing_twice(monkeypatch):
    """On an empty store, with leverages that take their time."""
    allow(monkeypatch, seconds="0")
    go_on, threads = Event(), []
    made = corrected.leverages.compute

    def leverages(*args, **kwargs):
        threads.append(current_thread().name)
        assert go_on.wait(60)
        return made(*args, **kwargs)

    monkeypatch.setattr(corrected.leverages, "compute", leverages)
    monkeypatch.setattr(proving, "AT_ONCE", 0.05)
    at = visit(**ANSWER)
    assert "influence, the first-order forecast" in said(at)
    assert "Preparing corrected forecasts: 0 %" in said(at)
    assert threads and all(one.startswith("job-worker") for one in threads)
    go_on.set()
    at = until(at, lambda at: "corrected forecast, one Newton step" in said(at))
    read, got = [], Store.get
    monkeypatch.setattr(
        Store, "get", lambda store, key: (read.append((key, got(store, key))), read[-1][1])[1]
    )
    again = settle(at.run())
    assert "corrected forecast, one Newton step" in said(again)
    assert not [key for key, entry in read if entry is not None]
    assert len(threads) == 1


def test_the_hardest_retrainings_are_read_once(monkeypatch):
    """By a server that finds them in the store."""
    allow(monkeypatch, megabytes="1")
    until(visit(**ANSWER), lambda at: "prove_all" in keys(at))
    st.cache_resource.clear()
    read, got = [], hardest.run._read
    monkeypatch.setattr(
        hardest.run, "_read", lambda *asked: (read.append(current_thread().name), got(*asked))[1]
    )
    allow(monkeypatch, seconds="0")
    at = visit(**ANSWER)
    assert "Measured on the training images that are hardest" in said(at)
    for other in ("5041", "5040"):
        at.query_params["test"] = other
        settle(at)
    assert len(read) == 1 and read[0].startswith("job-worker")


def test_a_setting_that_is_no_number_is_said(monkeypatch):
    allow(monkeypatch, seconds="two minutes")
    assert proving.limit().seconds == all_left_out.Limit().seconds
    assert "should be a whole number, not 'two minutes'" in " ".join(results.get_store().notices())


def test_the_limit():
    limit = all_left_out.Limit(10.0, 100.0)
    assert limit.allows(Estimate(10.0, 100))
    assert not limit.allows(Estimate(10.1, 100))
    assert not limit.allows(Estimate(10.0, 101))
