"""Short visits to the pages that prove things: a kinked loss, solvers, a group that fails, wrong labels."""

import csv

import pytest

from tests.browser.helpers import download, shot
from tests.browser.test_explain_journey import click, query, settle, title

pytestmark = pytest.mark.browser


def chart(opened, key):
    return opened.locator(f".st-key-{key} .js-plotly-plot")


def downloaded(opened, button, tmp_path):
    """The rows of a CSV file behind a button."""
    path = download(opened, button, tmp_path / "table.csv")
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def test_a_kinked_loss_at_two_temperatures(page, tmp_path):
    opened = page("/smooth_hinge")
    settle(
        opened, lambda: title(opened) == "What if the loss has a kink?" and chart(opened, "agreement").count()
    )
    before = opened.inner_text(".stMainBlockContainer")
    slider = opened.locator(".st-key-temperature").get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    settle(opened, lambda: "t" in query(opened))
    assert opened.inner_text(".stMainBlockContainer") != before
    opened.locator(".st-key-table_folded summary").click()
    button = opened.locator(".st-key-download_csv button")
    settle(opened, lambda: button.count() == 1)
    rows = downloaded(opened, button, tmp_path)
    assert 50 <= len(rows) <= 100
    assert "predicted_loss_change_t=0.001" in rows[0]
    shot(opened, "light-smooth-hinge")


def test_solvers_side_by_side(page, tmp_path):
    opened = page("/solver_comparison?study=one-or-seven&with=cg,nystrom")
    settle(
        opened,
        lambda: title(opened) == "Which solver can I trust here?" and chart(opened, "convergence").count(),
    )
    rows = downloaded(opened, opened.locator(".st-key-download_solvers button"), tmp_path)
    assert len(rows) >= 2
    assert "Plus" in opened.inner_text(".stMainBlockContainer")
    shot(opened, "light-solvers")


def test_a_group_that_fails_from_the_choice_to_the_proof(page):
    opened = page("/domain_mismatch")
    click(
        opened,
        opened.get_by_role("button", name="Diabetes patients with a group thinned out"),
        lambda: query(opened).get("study") == ["diabetes-thinned"],
    )
    settle(opened, lambda: chart(opened, "strongest_rows").count() == 1)
    assert "stand-in" in opened.inner_text(".stMainBlockContainer")
    click(
        opened,
        opened.get_by_role("button", name="Take out and retrain"),
        lambda: chart(opened, "removals").count() == 1,
    )
    assert query(opened)["retrain"] == ["1"]
    shot(opened, "light-domain-mismatch")


def test_wrong_labels_from_the_button_to_the_curves(page, tmp_path):
    opened = page("/wrong_labels?study=one-or-seven")
    click(opened, opened.locator(".st-key-wrong_run button"), lambda: query(opened).get("retrain") == ["1"])
    settle(opened, lambda: chart(opened, "flips_found").count() == 1)
    assert chart(opened, "repaired_accuracy").count() == 1
    opened.locator(".st-key-table_folded summary").click()
    button = opened.locator(".st-key-download_csv button")
    settle(opened, lambda: button.count() == 1)
    rows = downloaded(opened, button, tmp_path)
    assert len({row["ranked_by"] for row in rows}) >= 3
    shot(opened, "light-wrong-labels")
