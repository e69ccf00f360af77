"""A version of a study on the pages: by its address alone."""

from urllib.parse import parse_qsl

import pytest

from influence_core.studies import find, open_study
from pages._common import far_off
from pages._common.far_off import had_said, is_far_off
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
    [(-0.846, -0.303, True), (-0.3, -0.29, False), (0.2, -0.1, True), (0.0, 0.0, False)],
)
def test_a_forecast_that_was_far_off_is_said_to_be(foreseen, came, far):
    assert is_far_off(foreseen, came) == far
    assert ("far off here, because one Newton step" in had_said(foreseen, came, "x", True)) == far
    assert (
        "far off here, because it is the paper's influence" in had_said(foreseen, came, "x", False)
    ) == far


def test_the_truth_leads_and_a_forecast_far_off_is_a_sentence_not_a_number_beside_it(monkeypatch):
    train = open_study(find("one-or-seven")).data.train
    address = f"one-or-seven@l{train.ids[1]}={1 - int(train.y[1])}"

    def probability(at):
        return next(one for one in at.metric if one.label.startswith("Probability of"))

    near = visit_page("what_if", address, test="5040")
    assert probability(near).delta.startswith("forecast ") and "The forecast had said" not in said(near)
    words = probability(near).delta.removeprefix("forecast ")
    monkeypatch.setattr(far_off, "FAR_OFF", 0.0)
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
