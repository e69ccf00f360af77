"""A version of a study on the pages: by its address alone."""

from types import SimpleNamespace

import pytest

from influence_core.studies import find, open_study
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
    [(-0.846, -0.303, True), (-0.3, -0.29, False), (0.2, -0.1, True), (0.0, 0.0, False), (None, 0.3, False)],
)
def test_a_forecast_that_was_far_off_is_said_to_be(foreseen, came, far):
    forecast = SimpleNamespace(asked=SimpleNamespace(probability=foreseen))
    assert ("far off" in version._far_off(forecast, came)) == far
