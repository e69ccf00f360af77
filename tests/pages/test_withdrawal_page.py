"""What if somebody withdraws all rows: whose, the forecast of all answers, the truth, the report."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from influence_core import report
from influence_core.experiments import before_after, withdrawal
from influence_core.studies import find, open_study
from influence_core.words import percent, points
from pages._common import take_home
from pages._parts.what_if import workshop
from tests.visits import address, cards, keys, press, said, settle, visit_page

ASKED = 288
MINE = {"panel": "rows", "group": "sex=2", "test": str(ASKED)}


pytestmark = pytest.mark.usefixtures("one_server")


@pytest.fixture(scope="module")
def study():
    return open_study(find("diabetes"))


@pytest.fixture(scope="module")
def after(study):
    gone = withdrawal.changes(study, withdrawal.positions(study, "sex", "2"))
    return open_study(replace(study.spec, changes=gone))


@pytest.fixture(scope="module")
def result(study, after):
    return before_after.run(study, after, (ASKED,))


def test_who_withdraws_is_chosen_by_column_and_value(study):
    at = visit_page("what_if", "diabetes", panel="rows", test=str(ASKED))
    assert not at.error
    at.selectbox(key="withdrawal_column").set_value("sex")
    settle(at)
    assert address(at)["group"] == "sex"
    most = max(withdrawal.holders(study, "sex"), key=lambda one: one.train)
    assert at.selectbox(key="withdrawal_value").value == most.value
    at.selectbox(key="withdrawal_value").set_value("2")
    settle(at)
    assert address(at)["group"] == "sex=2"
    assert (
        "**sex = 2** has 159 of 332 training rows. 48 test rows are theirs, too; they stay and count."
        in said(at)
    )
    assert (
        "Forecast without them, one Newton step for all together: of the 109 test rows not asked about,"
        in said(at)
    )
    assert "answers_broke" not in cards(at) and "as_version" in keys(at)
    at.segmented_control(key="what_if_panel").set_value("class")
    settle(at)
    assert not at.error and "group" not in address(at), "a label is no value of a column"


def test_the_truth_is_every_answer_that_turns_and_those_that_lean(study, result):
    at = press(visit_page("what_if", "diabetes", **MINE), "withdraw")
    assert address(at)["retrain"] == "all"
    words, total = said(at), result.total
    assert (
        f"{percent(total.before)} were answered rightly before and **{percent(total.after)}** after" in words
    )
    assert f"**{total.better} answers got better, {total.broke} broke**" in words
    assert f"Of {total.better + total.broke} answers that turn the forecast named" in words
    shown = cards(at)
    for key, rows in (("answers_better", result.better), ("answers_broke", result.broke)):
        assert [one["id"] for one in shown[key]] == [str(one) for one in result.ids[rows][:24]]
    lean = withdrawal.leaning(result, 12)
    assert [one["id"] for one in shown["leaning"]] == [str(one) for one in result.ids[lean]]
    assert shown["leaning"][0]["lines"] == [points(-float(withdrawal.losses(result)[lean[0]]))]
    assert "Click on one to ask the changed model about it." in words
    assert "withdraw" not in keys(at)


def test_more_rows_than_an_address_holds_are_told_all_the_same(monkeypatch):
    monkeypatch.setattr(workshop, "MOST", 10)
    at = visit_page("what_if", "diabetes", **MINE, retrain="all")
    assert not at.error and len(cards(at)["answers_broke"]) > 0
    assert "Click on one to ask the changed model about it." not in said(at)
    assert "as_version" not in keys(at)


def test_the_report_tells_of_the_withdrawal(after, monkeypatch):
    told = []
    monkeypatch.setattr(
        take_home,
        "button",
        lambda view, study, explanation, after=None: told.append((study, explanation, after)),
    )
    visit_page("what_if", "diabetes", **MINE, retrain="all")
    study, explanation, gone = told[-1]
    assert gone.spec.address == after.spec.address
    packed = zipfile.ZipFile(io.BytesIO(report.bundle(report.gather(study, explanation, study, gone))))
    assert len(packed.read("removals.csv").decode().splitlines()) == 160
    visit_page("what_if", "diabetes", **MINE)
    assert told[-1][2] is None, "nothing was trained"


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("sex=9", "No training row has “9” in the column “sex”"),
        ("height=2", "no column “height”"),
    ],
)
def test_who_is_not_there_is_said(group, words):
    at = visit_page("what_if", "diabetes", panel="rows", group=group)
    assert words in at.error[0].value.replace("\\", "")


def test_rows_that_are_a_whole_label_cannot_go(study, monkeypatch):
    whole = np.flatnonzero(study.data.train.y.numpy() == 1)
    monkeypatch.setattr(withdrawal, "positions", lambda *_: whole)
    at = visit_page("what_if", "diabetes", **MINE)
    assert not at.error
    assert "A class would be left without training examples" in said(at)
    assert "withdraw" not in keys(at)


def test_pictures_are_nobodys_rows():
    at = visit_page("what_if", "one-or-seven", panel="rows")
    assert "rows" not in at.segmented_control(key="what_if_panel").options
    assert at.segmented_control(key="what_if_panel").value == "for"
    assert "withdraw" not in keys(at)
    assert np.all([not key.startswith("withdrawal") for key in keys(at)])
