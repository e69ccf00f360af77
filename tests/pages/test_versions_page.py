"""A version of a study on the pages: by its address alone."""

from types import SimpleNamespace
from urllib.parse import parse_qsl

import numpy as np
import pytest

from influence_core.studies import find, open_study
from influence_core.words import POINTS, UNIT, tenths
from pages._common import far_off
from pages._common.far_off import LEAST, had_said, is_far_off
from pages._parts.what_if import version
from tests.visits import said, visit, visit_page


def test_a_version_is_explained_and_named_in_the_sidebar():
    train = open_study(find("one-or-seven")).data.train
    address = f"one-or-seven@r{train.ids[0]},l{train.ids[1]}={1 - int(train.y[1])}"
    at = visit(address, test="5040")
    assert not at.exception and not at.error
    box = at.sidebar.selectbox(key="side_study")
    assert box.value == address
    assert any("2 changes: Digits 1 and 7" in option for option in box.options)
    assert "1,091 training images" in said(at)


def test_a_version_of_what_is_not_there_says_so():
    at = visit_page("what_if", "one-or-seven@r999999")
    assert "There is no example with id 999999" in said(at)


@pytest.mark.parametrize(
    ("foreseen", "came", "far"),
    [
        (-0.846, -0.303, True),
        (-0.3, -0.29, False),
        (0.2, -0.1, True),
        (0.0, 0.0, False),
        (0.004, -0.001, False),
        (0.1, 0.0, False),
        (0.11, 0.0, True),
    ],
)
def test_a_forecast_that_was_far_off_is_said_to_be(foreseen, came, far):
    assert is_far_off(foreseen, came, LEAST[POINTS]) == far
    assert ("far off here, because one Newton step" in had_said(foreseen, came, "x", True)) == far
    assert (
        "far off here, because it is the paper's influence" in had_said(foreseen, came, "x", False)
    ) == far


def test_nats_have_a_floor_of_their_own():
    assert "far off" not in had_said(0.001, 0.0, "+0.00100 nats", True, UNIT)
    assert "far off" in had_said(0.0011, 0.0, "+0.00110 nats", True, UNIT)
    assert 100 * (1 - np.exp(-LEAST[UNIT])) <= LEAST[POINTS], "no probability moves by more"


@pytest.mark.parametrize(
    ("answers", "words"), [(0, "forecast: "), (-1, "forecast: "), (2, "the forecast was far off: ")]
)
def test_an_accuracy_forecast_is_not_far_off_by_one_answer(answers, words, monkeypatch):
    shown, tests = [], 110
    came = SimpleNamespace(total=SimpleNamespace(total=tests, before=0.5, after=0.5), base="all 110")
    foreseen = SimpleNamespace(total=SimpleNamespace(before=0.5, after=0.5 + answers / tests))
    monkeypatch.setattr(version.before_after, "compare", lambda *_: foreseen)
    monkeypatch.setattr(version, "asked_about", lambda _: ())
    monkeypatch.setattr(version, "metric", lambda *asked: shown.append(asked[-1]))
    version._accuracy(SimpleNamespace(study=None), SimpleNamespace(predictions=()), came)
    assert shown == [f"{words}{tenths(answers / tests)}"]


def test_the_truth_leads_and_a_forecast_far_off_is_a_sentence_not_a_number_beside_it(monkeypatch):
    train = open_study(find("one-or-seven")).data.train
    address = f"one-or-seven@l{train.ids[1]}={1 - int(train.y[1])}"

    def probability(at):
        return next(one for one in at.metric if one.label.startswith("Probability of"))

    near = visit_page("what_if", address, test="5040")
    assert probability(near).delta.startswith("forecast ") and "The forecast had said" not in said(near)
    words = probability(near).delta.removeprefix("forecast ")
    monkeypatch.setattr(far_off, "FAR_OFF", 0.0)
    monkeypatch.setitem(far_off.LEAST, POINTS, 0.0)
    far = visit_page("what_if", address, test="5040")
    assert (probability(far).value, probability(far).delta) == (probability(near).value, "")
    assert f"The forecast had said **{words}**: far off here, because one Newton step" in said(far)


def test_a_version_without_a_test_example_in_its_address_is_explained_about_the_one_on_show():
    train = open_study(find("one-or-seven")).data.train
    address = f"one-or-seven@r{train.ids[0]}"
    at = visit_page("what_if", address)
    asked = at.session_state["question_shown"][1]
    assert f"Test image {asked}" in said(at)
    (link,) = (one.proto for one in at.get("page_link") if one.proto.label == "Explain it")
    assert dict(parse_qsl(link.query_string)) == {"study": address, "test": asked}
