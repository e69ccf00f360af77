"""From a group on What if to a version, what it broke, the changed model asked, and the report opened from disk, offline."""

import zipfile
from pathlib import Path

import pytest

from tests.browser.helpers import SCREENSHOTS, download, shot, wait_idle, wait_until
from tests.browser.test_explain_journey import click, query, settle, title

pytestmark = pytest.mark.browser


def test_a_group_becomes_a_version_that_is_asked_and_taken_home(page, browser, tmp_path):
    opened = page("/what_if?study=one-or-seven&test=5040&panel=for&k=12&edit=relabel&to=0")
    click(
        opened,
        opened.get_by_role("button", name="As a version"),
        lambda: title(opened).startswith("What do these"),
    )
    settle(opened, lambda: "@l" in query(opened)["study"][0])
    assert query(opened)["test"] == ["5040"]
    made = query(opened)["study"][0].count("=")
    changes = opened.locator(".st-key-changes input[type=checkbox]")
    assert changes.count() == made
    click(opened, changes.first, lambda: query(opened)["study"][0].count("=") == made - 1)
    settle(opened, lambda: title(opened) == f"What do these {made - 1} changes do?")
    assert wait_until(lambda: opened.locator(".st-key-changed_answer .js-plotly-plot").count() == 1)
    assert "95 % interval" in opened.inner_text("[data-testid=stMain]")
    shot(opened, "light-version")

    answer = download(opened, opened.locator(".st-key-take_home button").first, tmp_path / "answer.zip")
    with zipfile.ZipFile(answer) as archive:
        archive.extractall(tmp_path)
    assert len((tmp_path / "corrected-labels.csv").read_text(encoding="utf-8-sig").splitlines()) == made
    _read_alone(browser, tmp_path / "report.html")

    broke = opened.locator(".st-key-answers_broke button")
    turned = broke if broke.count() else opened.locator(".st-key-answers_better button")
    study = query(opened)["study"]
    click(opened, turned.first, lambda: title(opened).startswith("Which training images"))
    wait_idle(opened)
    assert query(opened)["study"] == study


def _read_alone(browser, report: Path) -> None:
    """The report from disk, without a network: light, dark and narrow."""
    for theme, width in (("light", 1100), ("dark", 1100), ("light", 420)):
        context = browser.new_context(
            color_scheme=theme, viewport={"width": width, "height": 900}, offline=True
        )
        alone, asked, said = context.new_page(), [], []
        alone.on("request", lambda request, asked=asked: asked.append(request.url))
        alone.on("console", lambda message, said=said: said.append(message.text))
        alone.goto(report.as_uri())
        assert "Before and after" in alone.inner_text("body")
        pictures = alone.evaluate("[...document.images].map((one) => one.complete && one.naturalWidth > 0)")
        assert pictures and all(pictures)
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert said == []
        assert alone.evaluate("document.documentElement.scrollWidth") <= width
        alone.screenshot(path=SCREENSHOTS / f"{theme}-{width}-report.png", full_page=True)
        context.close()
