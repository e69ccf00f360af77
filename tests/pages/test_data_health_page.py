"""The page about what is wrong with the data: its answer, its findings, the way to an example and to a version."""

import csv
import io
from urllib.parse import unquote

import numpy as np
import pytest

from influence_core import studies
from influence_core.data.brought import uploads
from influence_core.data.brought.uploads import Choices
from influence_core.experiments import health
from influence_core.experiments.health.levels import SERIOUSNESS
from influence_core.sessions import Sessions
from influence_core.studies.changes import Change
from influence_core.studies.own import of_table
from influence_core.words import percent
from pages._parts.data_health import answer, findings
from pages._shell import results
from pages._shell.escape import escape_markdown
from tests.visits import cards, owner, press, said, title, until, visit_page, with_everything


def kept(rows):
    """The study of a table that was brought."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    target = list(rows[0])[-1]
    return of_table(
        uploads.keep(results.get_store(), text.getvalue().encode(), Choices(target), "mine.csv")
    ).name


@pytest.fixture(scope="module")
def table():
    """A table in which a row is there three times, once under the other label."""
    rows = [{"age": 20 + i, "size": (7 * i) % 31, "buys": "yes" if i % 3 else "no"} for i in range(80)]
    return kept([*rows, rows[1] | {"buys": "no"}, rows[1]])


def weighed(wrong):
    """Rows that one column tells apart, some of which bear the wrong label."""
    rng = np.random.default_rng(0)
    heavy = np.arange(120) % 2
    weight, age = 10 + 5 * heavy + rng.normal(size=120), rng.normal(size=120)
    labels = ["horse" if one else "pony" for one in heavy ^ np.isin(np.arange(120), wrong)]
    return kept(
        [{"weight": w, "age": a, "animal": one} for w, a, one in zip(weight, age, labels, strict=True)]
    )


def test_labels_that_the_model_contradicts_are_worth_a_look_and_a_test_label_is_set_right_there():
    name = weighed(range(0, 120, 10))
    at = until(visit_page("data_health", name), lambda at: "cards_contradicted" in cards(at))
    study = studies.open_study(studies.find(name, results.get_store()), results.get_store())
    tests = health.contradicted.of_tests(study)
    found = health.contradicted.of_training(study, False)
    assert len(tests.ids) and len(found.ids)
    words = said(at)
    assert (
        f"Perhaps, something is worth a look: **{len(found.ids)}** training rows whose labels the model contradicts, "
        f"**{len(tests.ids)}** test row" in words
    )
    assert "That is a suspicion, not an error: the model may be wrong" in words
    shown = cards(at)
    assert [one["id"] for one in shown["cards_contradicted"]] == [str(one) for one in found.ids]
    first = int(tests.ids[0])
    (card,) = shown[f"tested_{first}"]
    names, bears = study.data.class_names, int(study.data.test.y[study.data.test.position(first)])
    assert card["title"] == names[bears]
    assert f"model: {names[1 - bears]}, {percent(tests.probabilities[0])}" in card["lines"]
    links = [one.proto for one in at.get("page_link") if one.proto.label.startswith("Review them")]
    assert [unquote(one.query_string) for one in links] == [f"study={name}&score=proven"]
    press(at, f"right_{first}")
    assert [one.value for one in at.toast] == [
        f"The label of test row {first} is kept: My changes and the report say so."
    ]
    assert f"test {first} kept" in "\n".join(one.value for one in at.sidebar.caption)
    assert f"tested_{first}" not in cards(at) and "On 1 of them there is a verdict; it is not shown." in said(
        at
    )
    press(at, "changes_undo")
    press(at, f"retest_{first}_{1 - bears}")
    assert f"test {first} is {names[1 - bears]}" in "\n".join(one.value for one in at.sidebar.caption)
    assert f"tested_{first}" not in cards(at)
    again = visit_page("data_health", f"{name}@t{first}={1 - bears}")
    version = studies.open_study(studies.find(f"{name}@t{first}={1 - bears}", results.get_store()))
    assert health.of_contradicted(version, health.contradicted.of_tests(version)).sentence in said(again)
    assert f"tested_{first}" not in cards(again)


def test_where_the_model_contradicts_no_label_there_is_nothing_serious():
    at = with_everything(visit_page("data_health", weighed(())))
    assert said(at).count("contradicts the labels of none of the") == 2
    assert "Yes, something serious" not in said(at)


def test_every_finding_has_a_word_of_one_scale_that_is_explained_once_and_the_worst_is_the_answer(table):
    at = with_everything(visit_page("data_health", table))
    legend = " ".join(f"{answer.BADGES[word]}: {meaning}." for word, meaning in health.LEVELS.items())
    assert [one.value for one in at.markdown].count(legend) == 1
    told = [one.value for one in at.markdown if one.value != legend]
    words = [word for word in health.LEVELS for one in told if one.startswith(f"{answer.BADGES[word]} ")]
    shown = {one.value for one in at.header} - {"Balance of the classes", "Looked for and not found"}
    assert words and len(words) == len(shown)
    assert said(at).count(answer.ANSWERS[words[0]] + ":") == 1


def test_the_findings_come_in_the_order_of_the_scale():
    scale = list(health.LEVELS)
    places = [scale.index(health.level(name)) for name in SERIOUSNESS]
    assert places == sorted(places) and set(answer.SHORT) == set(SERIOUSNESS)
    assert set(answer.BADGES) == set(answer.ANSWERS) == set(scale)


def test_each_thing_that_was_looked_for_has_a_line():
    at = until(visit_page("data_health", "diabetes"), lambda at: "depends on every training row" in said(at))
    assert title(at) == "Is anything wrong with the data themselves?"
    words = said(at)
    study = studies.open_study(studies.find("diabetes"))
    doubted = health.of_contradicted(study, health.contradicted.of_training(study, False))
    assert doubted.sentence.partition(" contradicts ")[2] in words
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
    assert "Yes, something serious: **1** group of copies with different labels" in said(at)
    shown = cards(at)["cards_conflicts"]
    assert {one["title"] for one in shown} == {"yes", "no"}
    links = [one.proto for one in at.get("page_link") if "Ask the model without" in one.proto.label]
    (gone,) = {unquote(one.query_string) for one in links if "2 rows" in one.label}
    version = f"{table}@" + ",".join(sorted(f"r{one['id']}" for one in shown if "training" in one["alt"]))
    asked = at.session_state["question_shown"][1]
    assert f"the answer to test row {asked}" in said(at)
    assert gone == f"study={version}&test={asked}"
    found = visit_page("explain", version, test=asked)
    assert f"Test row {asked}: the model says" in said(found)
    assert visit_page("explain", version).session_state["question_shown"][1] != asked


def test_copies_that_are_removed_in_the_list_are_judged_and_no_longer_serious():
    rows = [{"age": 20 + i, "size": (7 * i) % 31, "buys": "yes" if i % 3 else "no"} for i in range(90)]
    name = kept([*rows, rows[1] | {"buys": "no"}, rows[1]])
    store = results.get_store()
    study = studies.open_study(studies.find(name, store), store)
    found = health.of_duplicates(study, health.duplicates.run(study))
    copies = {at for one in found for case in one.cases for at in case.train_ids}
    at = with_everything(visit_page("data_health", name))
    assert "Yes, something serious" in said(at)
    assert "Found, and judged by you" not in {one.value for one in at.header}
    session = Sessions(store).create(owner(), name, "mine", ("no", "yes"))
    session.record(*(Change("remove", one) for one in sorted(copies)))
    at = with_everything(visit_page("data_health", name))
    assert "Yes, something serious" not in said(at)
    assert "Found, and judged by you" in {one.value for one in at.header}
    listed = [
        one.value for one in at.markdown if one.value.startswith("- ") and "Your changes mend" in one.value
    ]
    judged = [
        escape_markdown(f"{one.sentence} Your changes mend {one.count} of them;")
        for one in found
        if one.count
    ]
    assert judged and all(words in listed[0] for words in judged)


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


def test_a_training_card_opens_beside_the_question_on_show_and_a_test_card_asks_another(table, monkeypatch):
    gone = []
    monkeypatch.setattr(findings.st, "switch_page", lambda script, query_params: gone.append(query_params))
    test = str(studies.open_study(studies.find(table, results.get_store())).data.test.ids[3].item())
    at = visit_page("data_health", table, test=test, ask="true")
    for opened in ({"open": "1"}, {"test": "2"}):
        at.session_state["health_opened"] = opened
        at.run()
    assert gone == [{"study": table, "test": test, "ask": "true", "open": "1"}, {"study": table, "test": "2"}]
    links = [
        unquote(one.proto.query_string)
        for one in at.get("page_link")
        if one.proto.label.startswith("Review ")
    ]
    assert links and all(f"study={table}&test={test}&ask=true" in one for one in links)


def test_long_work_is_begun_by_a_button(monkeypatch):
    monkeypatch.setattr("pages._parts.data_health.model.AT_ONCE", 0.0)
    at = visit_page("data_health", "diabetes-thinned")
    assert "about 1 s" in next(one.label for one in at.button if one.key == "unused")
    until(press(at, "unused"), lambda at: "answer to the 110 test rows depends" in said(at))
