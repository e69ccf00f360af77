"""Forecast and truth: leave examples out, click one of the points, take another forecast, take more."""

import pytest

from tests.browser.helpers import click_point, shot
from tests.browser.test_explain_journey import click, query, settle

pytestmark = pytest.mark.browser


def test_from_the_button_to_an_opened_point_and_the_newton_step(page):
    opened = page("/leave_one_out?study=one-or-seven&k=20")
    click(
        opened,
        opened.get_by_role("button", name="Leave them out, one by one"),
        lambda: opened.locator(".st-key-left_out").count() == 1,
    )
    assert query(opened)["retrain"] == ["1"]
    opened.locator(".st-key-left_out .js-plotly-plot").wait_for()
    ids = opened.evaluate(
        "[...document.querySelector('.st-key-left_out .js-plotly-plot').data]"
        ".flatMap(trace => (trace.customdata ?? []).map(one => one[0]))"
    )
    assert len(ids) == 20
    click_point(opened, "left_out", ids[-1], lambda: query(opened).get("open") == [str(ids[-1])])
    assert f"Training image {ids[-1]}" in opened.inner_text(".st-key-example")

    slope = opened.get_by_test_id("stMetric").filter(has_text="Slope")
    before = slope.inner_text()
    newton = opened.locator(".st-key-panel").get_by_text("One Newton step")
    click(opened, newton, lambda: query(opened).get("panel") == ["newton"])
    assert slope.inner_text() != before
    shot(opened, "light-leave-one-out")

    slider = opened.locator(".st-key-left_out_k").get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    settle(opened, lambda: "k" not in query(opened))  # 50 is what the address leaves out
