"""From a question on Explain, by the menu, to another group, its forecast, its truth and the badge."""

import pytest

from tests.browser.helpers import shot
from tests.browser.test_explain_journey import click, query, settle, title

pytestmark = pytest.mark.browser


def test_from_the_menu_to_forecast_truth_and_spot_check(page):
    opened = page("/?study=one-or-seven")
    cards = opened.locator(".st-key-tests button")
    click(opened, cards.nth(3), lambda: "test" in query(opened))
    asked = query(opened)

    click(
        opened,
        opened.locator(".st-key-menu").get_by_role("link", name="What if"),
        lambda: title(opened).startswith("What if"),
    )
    settle(opened, lambda: query(opened) == asked)
    assert f"Test image {asked['test'][0]}" in opened.inner_text(".st-key-question")

    group, change = opened.locator(".st-key-what_if_panel"), opened.locator(".st-key-what_if_edit")
    click(opened, group.get_by_text("Strongest against"), lambda: query(opened).get("panel") == ["against"])
    click(opened, change.get_by_text("Relabel"), lambda: query(opened).get("edit") == ["relabel"])
    slider = opened.locator(".st-key-what_if_k").get_by_role("slider")
    before = forecast(opened)
    slider.focus()
    for left in ("49", "48", "47"):
        slider.press("ArrowLeft")
        settle(opened, lambda left=left: query(opened).get("k") == [left])
    assert forecast(opened) != before
    assert opened.locator(".st-key-group button").count() == 12

    click(
        opened,
        opened.get_by_role("button", name="Train again and compare"),
        lambda: opened.locator(".st-key-before_after").count() == 1,
    )
    outcome = opened.inner_text(".st-key-what_if")
    assert "After real training, pp" in outcome
    assert "reached" in outcome and "NOT reached" not in outcome

    badge = opened.locator(".st-key-badge")
    check = badge.get_by_role("button", name="Check with 20 real retrainings")
    if "Proven" in badge.inner_text():  # another journey has proven this study on this server
        assert check.count() == 0
    else:
        click(opened, check, lambda: "20 real retrainings:" in badge.inner_text())
        assert query(opened)["spot"] == ["1"]
    assert query(opened)["retrain"] == ["1"]
    shot(opened, "light-what-if")

    click(
        opened,
        opened.get_by_role("link", name="Explain it"),
        lambda: title(opened).startswith("Which training images"),
    )
    assert {name: query(opened)[name] for name in asked} == asked


CUT = """
() => [...document.querySelectorAll("[data-testid=stMetricLabel], [data-testid=stMetricDelta]")]
  .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)
"""
"""What stands above or below a number and is not seen whole."""


@pytest.mark.parametrize("width", [1280, 420])
def test_no_label_of_a_number_is_cut_however_narrow_its_column(page, width):
    opened = page("/what_if?study=one-or-seven&k=2&retrain=1", width=width)
    opened.get_by_test_id("stMetric").first.wait_for()
    assert opened.get_by_test_id("stMetricLabel").count() == 4
    assert opened.evaluate(CUT) == []
    opened.add_style_tag(content="[data-testid=stMetric] {width: 80px !important}")
    assert opened.evaluate(CUT) == []


def test_an_address_that_an_error_quotes_is_no_link(page):
    opened = page("/what_if?study=https://evil.example/x%20www.evil.example%20a@evil.example")
    assert "evil.example" in opened.get_by_test_id("stAlert").inner_text()
    assert opened.locator("a[href*=evil]").count() == 0


def forecast(opened) -> str:
    """The sentence with the forecast."""
    return opened.locator(".st-key-what_if").get_by_text("Forecast with").inner_text()
