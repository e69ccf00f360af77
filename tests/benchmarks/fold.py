"""What the first screen of *Explain* holds: ``python -m tests.benchmarks.fold`` prints it, measured in a real browser.

At three sizes of the window: how far down the test picture, the three strongest for and against, the verdict and the line of
the flip set end, how long the page is, and whether the inspector is in view, with nothing scrolled, after a click on a card,
on a point of the chart and on a row of the table; and how long a click takes until its example is seen. ``--check`` exits
with 1 where a figure falls short.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import FLAGS, ROOT, find_browser, serving
from tests.browser.helpers import click_point, wait_idle, wait_until

SIZES = {(1440, 900): 2.2, (1280, 720): 2.8, (420, 900): 5.0}
"""Width and height, and how many screens the page may be long."""
FIRST_SCREEN = 700
"""From this width on everything must be above the fold."""
SECONDS = 1.0
STILL = 30
"""So many pixels what was clicked may move, and is still where it was."""
PARTS = {
    "test picture": ".st-key-answer img, .st-key-answer [data-testid=stDataFrame], .st-key-answer [data-testid=stText]",
    "verdict": ".st-key-badge",
    "flip line": ".st-key-flip_line",
}
SOMETIMES = {"flip line"}
"""It is not there where an answer has none."""
_ENDS = "one => { const box = one.getBoundingClientRect(); return [box.top, box.bottom]; }"
_SEEN = """() => {
  const box = document.querySelector(".st-key-example")?.getBoundingClientRect();
  return Boolean(box) && box.top < innerHeight - 120 && box.bottom > 120 && box.top >= -1;
}"""
_TO_CENTRE = "one => one.scrollIntoView({ block: 'center', behavior: 'instant' })"
_LENGTH = "() => document.querySelector('[data-testid=stMain]').scrollHeight"


def ends(page: Page) -> dict[str, list[float] | None]:
    """Top and bottom of each part, pixels from the top of the window; ``None`` for what is not there."""
    page.locator(PARTS["test picture"]).first.wait_for()
    found = {
        name: page.locator(where).first.evaluate(_ENDS) if page.locator(where).count() else None
        for name, where in PARTS.items()
    }
    for name, side in (("three for", "helpful"), ("three against", "harmful")):
        cards = page.locator(f".st-key-side_{side} .card")
        found[name] = cards.nth(min(2, cards.count() - 1)).evaluate(_ENDS) if cards.count() else None
    return found


def _by_card(page: Page) -> Callable[[], None]:
    """A click on the second card."""
    card = page.locator(".st-key-side_helpful button").nth(1)
    card.scroll_into_view_if_needed()
    return card.click


def _by_point(page: Page) -> Callable[[], None]:
    """A click on a point of the chart: one of the strongest."""
    label = page.locator(".st-key-side_harmful button").first.get_attribute("aria-label") or ""
    train_id = label.split(",")[0].split()[-1]
    page.locator(".st-key-scatter").evaluate(_TO_CENTRE)
    page.wait_for_timeout(500)
    opened = page.locator(".st-key-example")
    return lambda: click_point(page, "scatter", int(train_id), lambda: opened.count() > 0, seconds=20)


def _by_row(page: Page) -> Callable[[], None]:
    """A click on a row of the table."""
    page.locator(".st-key-panels button", has_text="Table").click()
    table = page.locator(".st-key-panels [data-testid=stDataFrame]")
    table.wait_for()
    wait_idle(page, quiet_ms=1000)
    table.evaluate(_TO_CENTRE)
    page.wait_for_timeout(500)
    box = table.bounding_box()
    assert box is not None
    return lambda: page.mouse.click(box["x"] + 16, box["y"] + 90)


WAYS: dict[str, Callable[[Page], Callable[[], None]]] = {"card": _by_card, "point": _by_point, "row": _by_row}


def after_click(page: Page, way: str) -> dict[str, Any]:
    """Whether the inspector is in view, how far what is beside it moved, and how long it took from the click."""
    click, beside = WAYS[way](page), page.locator(".st-key-panels")
    before, started = beside.evaluate(_ENDS)[0], time.perf_counter()
    click()
    there = wait_until(lambda: page.locator(".st-key-example").count() == 1, seconds=20)
    page.locator(".st-key-example").get_by_text("Training").first.wait_for()
    seconds = time.perf_counter() - started
    wait_idle(page)
    return {
        "in view": there and page.evaluate(_SEEN),
        "moved": beside.evaluate(_ENDS)[0] - before,
        "seconds": seconds,
    }


def _click_to_content(page: Page) -> float:
    """Seconds from a click on a card, once everything is there, to its example; the fastest of three."""
    found = []
    for place in (1, 2, 0):
        card = page.locator(".st-key-side_helpful button").nth(place)
        train_id = (card.get_attribute("aria-label") or "").split(",")[0].split()[-1]
        started = time.perf_counter()
        card.click()
        page.locator(".st-key-example").get_by_text(f"Training image {train_id}", exact=True).first.wait_for()
        found.append(time.perf_counter() - started)
        wait_idle(page)
    return min(found)


def measure(browser: Browser, address: str, size: tuple[int, int]) -> dict[str, Any]:
    """All figures of one window."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(60_000)

    def fresh() -> None:
        page.goto(address)
        wait_idle(page, seconds=600)

    fresh()
    found: dict[str, Any] = {"ends": ends(page), "screens": page.evaluate(_LENGTH) / height, "after": {}}
    for way in WAYS:
        fresh()
        found["after"][way] = after_click(page, way)
    fresh()
    found["seconds"] = _click_to_content(page)
    context.close()
    return found


def shortcomings(found: dict[str, Any], size: tuple[int, int], seconds: float | None = SECONDS) -> list[str]:
    """What of one window is not as it should be, in words; times are judged where ``seconds`` are given."""
    (width, height), short = size, []
    if found["screens"] > SIZES[size]:
        short.append(f"the page is {found['screens']:.2f} screens long, not {SIZES[size]}")
    for name, at in found["ends"].items():
        if at is None and name in SOMETIMES:
            continue
        if at is None or (width >= FIRST_SCREEN and at[1] > height):
            short.append(f"{name} is {'not there' if at is None else 'below the fold'}")
    for way, one in found["after"].items():
        if not one["in view"] or abs(one["moved"]) > STILL:
            short.append(f"after a click on a {way} the inspector is not in view where the click was")
    if seconds is not None and found["seconds"] > seconds:
        short.append(f"a click takes {found['seconds']:.2f} s")
    return short


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--address", help="of a running app; a new one is started where none is named")
    parser.add_argument("--query", default="", help="what stands behind the address, such as ?study=mails")
    options = parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        if options.address:
            found = {size: measure(browser, options.address + options.query, size) for size in SIZES}
        else:
            with serving(ROOT / "app.py", Path(folder)) as address:
                found = {size: measure(browser, f"{address}/{options.query}", size) for size in SIZES}
        browser.close()
    short = {size: shortcomings(one, size) for size, one in found.items()}
    if options.json:
        print(json.dumps({f"{w} x {h}": one for (w, h), one in found.items()}))
    else:
        _print(found)
    for (width, height), words in short.items():
        for one in words:
            print(f"falls short at {width} x {height}: {one}")
    return 1 if options.check and any(short.values()) else 0


def _print(found: dict[tuple[int, int], dict[str, Any]]) -> None:
    for (width, height), one in found.items():
        print(f"{width} x {height}: {one['screens']:.2f} screens, click to content {one['seconds']:.2f} s")
        for name, at in one["ends"].items():
            print(f"  {name:14}" + ("  not there" if at is None else f"{at[0]:7.0f} to {at[1]:.0f}"))
        for way, after in one["after"].items():
            view = "in view" if after["in view"] else "NOT in view"
            print(f"  after a {way:6} {view}, page moved by {after['moved']:.0f}, {after['seconds']:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
