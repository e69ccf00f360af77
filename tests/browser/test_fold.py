"""The first screen of *Explain* in a real browser: what is above the fold, and the inspector in view after every click."""

import pytest

from tests.benchmarks import fold

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", fold.SIZES, ids=str)
def test_the_first_screen_and_the_inspector(browser, server, size):
    found = fold.measure(browser, f"{server}/?study=one-or-seven", size)
    assert fold.shortcomings(found, size, seconds=None) == []
