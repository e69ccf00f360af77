"""From a mistake to a mended model: two verdicts from cards, the switch, the same question, undo, and back."""

import pytest

from tests.browser.helpers import SCREENSHOTS, shots, wait_idle
from tests.browser.test_explain_journey import click, query, settle, title

pytestmark = pytest.mark.browser


def listed(opened) -> str:
    found = opened.locator(".st-key-my_changes")
    return found.inner_text() if found.count() else ""


def study(opened) -> str:
    return query(opened).get("study", [""])[0]


def says(opened) -> str:
    """The answer, without the numbers that become better while one reads."""
    return opened.inner_text(".st-key-headline").partition(" Of ")[0]


def opened_id(opened) -> str:
    return query(opened)["open"][0]


def test_two_verdicts_make_another_model_that_is_asked_the_same(page, server):
    opened = page("/?study=one-or-seven&test=5040")
    assert listed(opened) == "" and opened.locator(".st-key-version_banner").count() == 0
    asked, before = title(opened), says(opened)

    click(opened, opened.locator(".st-key-side_harmful button").first, lambda: "open" in query(opened))
    first = opened_id(opened)
    relabel = opened.locator(".st-key-judge_relabel button").first
    click(opened, relabel, lambda: f"{first} → 1" in listed(opened))
    assert f"In my changes: {first} → 1" in opened.inner_text(".st-key-example")
    card = opened.locator(".st-key-side_harmful button").nth(1)
    click(opened, card, lambda: opened_id(opened) != first)
    second = opened_id(opened)
    opened.locator("h1").first.click()
    opened.keyboard.press("x")
    settle(opened, lambda: f"{second} removed" in listed(opened))
    assert study(opened) == "one-or-seven" and title(opened) == asked
    shots(opened, "changes-1-judged")

    click(opened, opened.get_by_text("With my changes (2)"), lambda: "@" in study(opened))
    settle(opened, lambda: opened.locator(".st-key-version_banner").count() == 1)
    assert query(opened)["test"] == ["5040"], "the same question"
    assert "1,091 training images" in opened.inner_text(".st-key-headline")
    assert says(opened) != before
    shots(opened, "changes-2-with-mine")
    opened.reload()
    wait_idle(opened)
    assert "With 2 changes" in opened.inner_text(".st-key-version_banner") and second in listed(opened)

    others = page(opened.url)
    assert "With 2 changes" in others.inner_text(".st-key-version_banner") and listed(others) == ""

    undo = opened.locator(".st-key-changes_undo button")
    click(opened, undo, lambda: study(opened) == f"one-or-seven@l{first}=1")
    settle(opened, lambda: "With 1 change" in opened.inner_text(".st-key-version_banner"))
    click(opened, opened.locator(".st-key-to_original button"), lambda: "@" not in study(opened))
    settle(opened, lambda: says(opened) == before)
    assert f"{first} → 1" in listed(opened)
    opened.set_viewport_size({"width": 420, "height": 900})
    click(opened, opened.locator(".st-key-side_harmful button").first, lambda: "open" in query(opened))
    opened.screenshot(path=SCREENSHOTS / "light-changes-3-narrow.png")
