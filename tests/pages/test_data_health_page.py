"""The page about what is wrong with the data: its answer, its findings, the way to an example and to a version."""

import csv
import io
from urllib.parse import unquote

import pytest

from influence_core.data.brought import uploads
from influence_core.data.brought.uploads import Choices
from influence_core.studies.own import of_table
from pages._parts.data_health import findings
from pages._shell import results
from tests.visits import cards, press, said, title, until, visit_page, with_everything


@pytest.fixture(scope="module")
def table():
    """A table in which a row is there three times, once under the other label."""
    rows = [{"age": 20 + i, "size": (7 * i) % 31, "buys": "yes" if i % 3 else "no"} for i in range(80)]
    rows += [rows[1] | {"buys": "no"}, rows[1]]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    kept = uploads.keep(results.get_store(), text.getvalue().encode(), Choices("buys"), "mine.csv")
    return of_table(kept).name


def test_nothing_serious_is_said_first_and_each_thing_looked_for_has_a_line():
    at = until(visit_page("data_health", "diabetes"), lambda at: "depends on every training row" in said(at))
    assert title(at) == "Is anything wrong with the data themselves?"
    words = said(at)
    assert "Nothing serious" in words or "Nothing was found" in words
    assert "**332** training and **110** test rows were looked at" in words
    for fact in (
        "No row is there under two labels",
        "No test row is a copy of a training row",
        "Every class has at least 10",
        "no two stand in for each other",
    ):
        assert fact in words, fact
    assert "stand-in for the hospital stays" in words


def test_a_conflict_comes_first_with_its_cards_and_a_version_without_it(table):
    at = with_everything(visit_page("data_health", table))
    assert at.header[0].value == "Copies with different labels"
    assert "Yes: **1** group of copies with different labels" in said(at)
    shown = cards(at)["cards_conflicts"]
    assert {one["title"] for one in shown} == {"yes", "no"}
    links = [one.proto for one in at.get("page_link") if "Ask the model without" in one.proto.label]
    (gone,) = {unquote(one.query_string) for one in links if "2 rows" in one.label}
    assert gone == f"study={table}@" + ",".join(
        sorted(f"r{one['id']}" for one in shown if "training" in one["alt"])
    )


def test_a_click_on_a_card_goes_to_the_example(table, monkeypatch):
    gone = []
    monkeypatch.setattr(
        findings.st, "switch_page", lambda script, query_params: gone.append((script, query_params))
    )
    at = visit_page("data_health", table)
    shown = cards(at)["cards_conflicts"][0]["id"]
    at.session_state["health_opened"] = {"open": shown}
    at.run()
    assert gone == [("pages/explain.py", {"study": table, "open": shown})]


def test_long_work_is_begun_by_a_button(monkeypatch):
    monkeypatch.setattr("pages._parts.data_health.model.AT_ONCE", 0.0)
    at = visit_page("data_health", "diabetes-thinned")
    assert "about 1 s" in next(one.label for one in at.button if one.key == "unused")
    until(press(at, "unused"), lambda at: "answer to the 110 test rows depends" in said(at))
