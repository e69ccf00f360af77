"""What if where the study is a version: its changes, forecast and truth, what got better and what broke; and the ways to it."""

import io
import zipfile
from dataclasses import replace

import pytest

from influence_core import report
from influence_core.experiments import before_after, explain, questions
from influence_core.studies import open_study
from influence_core.studies.changes import parse
from influence_core.words import percent, tenths
from pages._common import take_home
from pages._shell.address import View
from tests.visits import address, cards, charts, keys, metrics, press, said, title, visit_page

pytestmark = pytest.mark.usefixtures("one_server")


@pytest.fixture(scope="module")
def versions(one_or_seven):
    """The unchanged study, and one with a few changes of every kind, by its address."""
    train, test = one_or_seven.data.train, one_or_seven.data.test
    made = [f"l{train.ids[i]}={1 - int(train.y[i])}" for i in range(0, 90, 3)]
    text = ",".join([*made, f"r{train.ids[1]}", f"w{train.ids[2]}=2", f"a{test.ids[9]}={int(test.y[9])}"])
    changed = replace(one_or_seven.spec, changes=parse(text))
    return one_or_seven, open_study(changed)


def test_forecast_truth_and_what_broke(versions):
    before, after = versions
    at = visit_page("what_if", after.spec.address, test="5040")
    assert not at.error
    assert title(at) == "What do these 33 changes do?"
    result = before_after.run(before, after, (5040,))
    total = result.total
    assert (
        f"Of {result.base}, {percent(total.before)} were answered rightly before and **{percent(total.after)}** after"
        in said(at)
    )
    assert f"*Review* counts all {len(before.data.test):,}." in said(at)
    assert f"{total.broke} broke" in said(at)
    assert result.part in said(at)
    assert metrics(at)["Test accuracy"] == tenths(total.after - total.before)
    assert f"Of {result.base}." in said(at)
    assert "changed_answer" in charts(at)
    shown = cards(at)
    assert len(shown["changes"]) == 33
    assert [one["id"] for one in shown["answers_broke"]] == [
        str(one) for one in result.ids[result.broke][:24]
    ]


def test_a_test_label_that_changes_no_number_is_said_to(versions):
    asked, label = 5040, 1 - int(versions[0].data.test.y[versions[0].data.test.position(5040)])
    at = visit_page("what_if", f"one-or-seven@t{asked}={label}", test=str(asked))
    assert "That changes no number here, because it is left out" in said(at)


def test_a_change_is_added_by_its_number_and_one_that_cannot_be_is_refused(versions):
    name = int(versions[0].data.train.ids[5])
    at = visit_page("what_if", "one-or-seven", test="5040", k="1")
    at.number_input(key="add_example").set_value(999999)
    refused = press(at, "add_change_now")
    assert "There is no example with id 999999" in said(refused)
    at.number_input(key="add_example").set_value(name)
    at.segmented_control(key="add_kind").set_value("remove")
    press(at, "add_change_now")
    assert address(at)["study"] == f"one-or-seven@r{name}"
    assert address(at)["test"] == "5040"
    assert title(at) == "What does this change do?"
    assert "Untick a change to see the model without it. Your list stays as it is." in said(at)
    assert title(press(at, "no_changes")).startswith("What if these")


def test_a_group_becomes_a_version(versions):
    at = visit_page("what_if", "one-or-seven", test="5040", k="3", edit="reweight", weight="0.5")
    press(at, "as_version")
    made = parse(address(at)["study"].partition("@")[2])
    assert [one.kind for one in made] == ["reweight"] * 3 and {one.weight for one in made} == {0.5}
    assert title(at) == "What do these 3 changes do?"
    assert "take_home" in {one.key for one in at.get("download_button")} | keys(at)


def test_what_is_taken_home_tells_of_the_changes(versions):
    before, after = versions
    answer = explain.run(after, questions.ask(after, 5040))
    material = take_home.material(View(), after, answer)
    assert material.compared.before.key == before.key
    with zipfile.ZipFile(io.BytesIO(report.bundle(material))) as archive:
        assert "corrected-labels.csv" in archive.namelist()
    unchanged = explain.run(before, questions.ask(before, 5040))
    assert take_home.material(View(), before, unchanged).compared is None
    assert take_home.material(View(), before, unchanged, after).compared.forecast is not None
