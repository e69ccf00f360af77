"""Forecast and truth: leave a few examples out, or all of them; click points and cards, take another forecast."""

import pytest

from tests.browser.helpers import click_point, set_theme, shot
from tests.browser.test_explain_journey import click, query, settle
from tests.browser.test_proof_pages_journey import downloaded

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
    settle(opened, lambda: query(opened).get("k") == ["50"])


def test_from_the_proof_of_all_to_why_the_first_order_fails(page, tmp_path):
    opened = page("/leave_one_out?study=one-or-seven&test=5536")
    both = opened.locator(".st-key-influence_truth .js-plotly-plot, .st-key-corrected_truth .js-plotly-plot")
    click(opened, opened.get_by_role("button", name="Prove all 1,092 retrainings"), lambda: both.count() == 2)
    assert query(opened)["retrain"] == ["all"]
    assert "Influence gets the order right, but not all sizes" in opened.inner_text(".stMainBlockContainer")
    ranges = opened.evaluate(
        "['influence_truth', 'corrected_truth'].flatMap(key => { const drawn = document.querySelector("
        "`.st-key-${key} .js-plotly-plot`)._fullLayout; return [drawn.xaxis.range, drawn.yaxis.range] })"
    )
    assert all(one == ranges[0] for one in ranges)

    disagreements = opened.locator(".st-key-disagreements button")
    assert disagreements.count() == 6
    names = [
        one.get_attribute("aria-label").split(",")[0].removeprefix("training image ")
        for one in disagreements.all()
    ]
    click_point(opened, "influence_truth", names[0], lambda: query(opened).get("open") == [names[0]])
    assert "Leverage" in opened.inner_text(".st-key-example")
    click(opened, disagreements.nth(1), lambda: query(opened).get("open") == [names[1]])
    settle(opened, lambda: f"Training image {names[1]}" in opened.inner_text(".st-key-example"))
    shot(opened, "light-all-left-out")
    set_theme(opened, "dark")
    shot(opened, "dark-all-left-out")

    opened.locator(".st-key-table_folded summary").click()
    button = opened.locator(".st-key-download_forecasts button")
    settle(opened, lambda: button.count() == 1)
    rows = downloaded(opened, button, tmp_path)
    assert len(rows) == 1_092
    assert {"proven_loss_change_nats", "corrected_loss_change_nats", "influence_nats", "leverage"} <= set(
        rows[0]
    )


def test_all_left_out_fits_a_telephone(page):
    opened = page("/leave_one_out?study=diabetes&retrain=all", width=390)
    settle(opened, lambda: opened.locator(".st-key-disagreements button").count() == 6)
    wide = opened.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollWidth")
    assert wide <= 390
    shot(opened, "narrow-all-left-out")
