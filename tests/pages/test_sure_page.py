"""How sure the ranking is, on the Explain page."""

import pytest

from tests.visits import press, said, until, visit

pytestmark = pytest.mark.usefixtures("own_server")


def test_the_ranking_says_how_sure_it_is_and_a_check_makes_it_surer():
    at = visit("one-or-seven", test="5040")
    assert "Nothing is proven yet" in said(at)
    assert "the largest of 1,092" in said(at)
    at = press(at, "spot_check")
    told = "20 of the retrainings of this answer tell of the corrected forecast: all of the truths lay"
    until(at, lambda at: told in said(at))
