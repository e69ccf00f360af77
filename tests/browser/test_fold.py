"""The first screens of *Explain* and *Review* in a real browser: what is above the fold, and what is in view after a click."""

import pytest

from tests.benchmarks import fold
from tests.browser.helpers import shot
from tests.browser.test_explain_journey import settle

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", fold.SIZES, ids=str)
def test_the_first_screen_and_the_inspector(browser, server, size):
    found = fold.measure(browser, f"{server}/?study=one-or-seven", size)
    assert fold.shortcomings(found, size, seconds=None) == []


FACES = ".st-key-suspect :is(img, [data-testid=stDataFrame], .st-key-suspect_text)"
"""A suspect: a picture, a row, or the box in which a text scrolls."""


@pytest.mark.parametrize("study", ["one-or-seven", "dog-or-frog", "digits", "diabetes", "mails"])
def test_a_suspect_what_the_model_says_without_it_and_the_verdicts_need_no_scrolling(page, study):
    opened = page(f"/review?study={study}&review=fold", width=1280, height=800)
    settle(opened, lambda: "trained again without this" in opened.inner_text(".st-key-review_answer"))
    shot(opened, f"review-fold-{study}")
    for where in (FACES, ".st-key-review_answer", ".st-key-verdicts"):
        box = opened.locator(where).first.bounding_box()
        assert box is not None and box["y"] + box["height"] <= 800, (where, box)
