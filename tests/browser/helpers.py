"""What a browser test does again and again: wait, look, and click a point of a chart."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

PATIENCE_SECONDS = 600.0
"""Nobody waits so long for a page; a test does, so that a busy machine makes it slower and never red."""

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or Path(__file__).with_name("screenshots"))

_IDLE_FOR = """
(quiet) => {
  const app = document.querySelector('[data-testid="stApp"]');
  const idle = app?.dataset.testScriptState === "notRunning"
    && app.dataset.testConnectionState === "CONNECTED"
    && !document.querySelector(".st-key-job_progress");
  if (!idle) { window.__idleSince = undefined; return false; }
  window.__idleSince ??= performance.now();
  return performance.now() - window.__idleSince >= quiet;
}
"""

# Where the point whose customdata starts with the id is on the screen. It asks the axes and not the drawing,
# so it works for scatter and scattergl alike.
_POINT = """
([key, id]) => {
  const chart = document.querySelector(`.st-key-${CSS.escape(key)} .js-plotly-plot`);
  if (!chart?._fullLayout) return null;
  for (const trace of chart._fullData) {
    if (!trace.customdata || trace.visible !== true) continue;
    const place = Array.from(trace.customdata).findIndex(
      (row) => String(typeof row === "object" && row !== null ? row[0] : row) === String(id));
    if (place < 0) continue;
    chart.scrollIntoView({ block: "nearest", behavior: "instant" });
    const x = chart._fullLayout[trace.xaxis.replace("x", "xaxis")];
    const y = chart._fullLayout[trace.yaxis.replace("y", "yaxis")];
    const box = chart.getBoundingClientRect();
    return [box.left + x._offset + x.d2p(trace.x[place]), box.top + y._offset + y.d2p(trace.y[place])];
  }
  return null;
}
"""


def wait_idle(page: Page, *, seconds: float = PATIENCE_SECONDS, quiet_ms: int = 300) -> None:
    """Waits until the script has run without an exception, nothing is being computed, and it stays so."""
    page.evaluate("window.__idleSince = undefined")
    page.wait_for_function(_IDLE_FOR, arg=quiet_ms, timeout=seconds * 1000, polling=50)
    broken = page.get_by_test_id("stException").all_inner_texts()
    assert broken == [], f"the script of {page.url} failed; the server's log says why"


def wait_until(predicate: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether the predicate becomes true in time."""
    deadline = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def download(page: Page, button: Locator, path: Path, *, tries: int = 4) -> Path:
    """Saves what a button downloads; a click while the page is drawn anew may be lost, so there are several."""
    for left in reversed(range(tries)):
        wait_idle(page)
        try:
            with page.expect_download(timeout=60_000) as found:
                button.click()
        except PlaywrightTimeout:
            if not left:
                raise
        else:
            found.value.save_as(path)
            break
    return path


def shot(page: Page, name: str) -> Path:
    """Saves the whole page as a picture, scrolled-out parts too."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    size = page.viewport_size
    page.set_viewport_size({"width": size["width"], "height": _content_height(page, size["height"])})
    page.wait_for_timeout(300)  # charts redraw
    page.screenshot(path=path, full_page=True)
    page.set_viewport_size(size)
    return path


def shots(page: Page, name: str) -> None:
    """A picture in either theme; the page is light before and after."""
    for theme in ("dark", "light"):
        set_theme(page, theme)
        shot(page, f"{theme}-{name}")


def set_theme(page: Page, theme: str) -> None:
    """Switches between "light" and "dark" as the visitor's system would."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_timeout(300)
    wait_idle(page)


def click_point(
    page: Page,
    chart_key: str,
    example_id: Any,
    until: Callable[[], bool],
    *,
    tries: int = 5,
    seconds: float = 6.0,
) -> None:
    """Clicks the point whose `customdata[0]` is the id, until the click had its effect.

    A click within about 0.4 s of a redraw can get lost, so each try takes fresh coordinates.

    Args:
        page: The open page.
        chart_key: The `key` of the chart.
        example_id: The id in `customdata`.
        until: Whether the effect of the click is on the page.
        tries: How often to click.
        seconds: How long to wait for the effect of one click.
    """
    for _ in range(tries):
        wait_idle(page)
        page.wait_for_timeout(400)
        if not _hover(page, chart_key, example_id):
            continue
        page.mouse.down()
        page.mouse.up()
        if wait_until(until, seconds=seconds):
            wait_idle(page)
            return
    raise AssertionError(f"clicking the point {example_id!r} of the chart {chart_key!r} had no effect")


def _hover(page: Page, chart_key: str, example_id: Any) -> bool:
    """Moves to the point as a hand would; returns whether the chart noticed."""
    page.locator(f".st-key-{chart_key} .js-plotly-plot").wait_for()
    found = page.wait_for_function(_POINT, arg=[chart_key, example_id]).json_value()
    x, y = found
    page.mouse.move(x - 25, y - 15)
    page.mouse.move(x, y, steps=6)
    try:
        page.locator(f".st-key-{chart_key} .hovertext").first.wait_for(timeout=2000)
    except PlaywrightTimeout:
        return False
    return True


def _content_height(page: Page, at_least: int) -> int:
    """Streamlit scrolls its own container, so a full-page picture needs a window as high as the content."""
    height = page.evaluate("document.querySelector('[data-testid=\"stMain\"]')?.scrollHeight ?? 0")
    return max(at_least, int(height))
