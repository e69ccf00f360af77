"""How long a visitor waits: ``python -m tests.benchmarks.first_visit`` prints it, in a real browser and an empty store.

Three figures are aimed at: the first ranking on screen within 20 s, training included; from the store within 4 s; a new test
image within 5 s before and 0.5 s after the page says "prepared".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, ROOT, SERVE, _free_port, _stop, _wait_until_healthy, find_browser

LIMITS = {
    "first ranking": 20.0,
    "from the store": 4.0,
    "new image before prepared": 5.0,
    "new image when prepared": 0.5,
}
_RANKING = ".st-key-side_helpful button"


def _serve(cache: Path, port: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"INFLUENCE_EXPLORER_CACHE": str(cache), "CALLS_OUT": str(cache / "calls.txt")}
    command = [sys.executable, str(SERVE), str(ROOT / "app.py"), str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _wait_until_healthy(process, f"http://127.0.0.1:{port}", Path(os.devnull))
    return process


def _open(page: Page, port: int) -> float:
    started = time.perf_counter()
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector(_RANKING, timeout=180_000)
    return time.perf_counter() - started


def _new_image(page: Page, number: int) -> float:
    """From the click to the new title and ranking."""
    page.wait_for_timeout(1500)
    card = page.locator(".st-key-tests button").nth(number)
    wanted = card.get_attribute("aria-label").split(":")[0].removeprefix("test image ")  # type: ignore[union-attr]
    started = time.perf_counter()
    card.click()
    page.wait_for_function(
        "wanted => document.body.innerText.includes(`Test image ${wanted}:`)",
        arg=wanted,
        polling=20,
        timeout=60_000,
    )
    page.wait_for_selector(_RANKING)
    return time.perf_counter() - started


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as cache, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        port = _free_port()
        process = _serve(Path(cache), port)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        seconds["first ranking"] = _open(page, port)
        seconds["new image before prepared"] = _new_image(page, 2)
        page.get_by_text("Exact solver: prepared.").wait_for(timeout=300_000)
        seconds["new image when prepared"] = min(_new_image(page, number) for number in (4, 5, 6))
        _stop(process)
        process = _serve(Path(cache), port)
        seconds["from the store"] = _open(page, port)
        _stop(process)
        browser.close()
    short = [name for name, limit in LIMITS.items() if seconds[name] > limit]
    if options.json:
        print(json.dumps({"seconds": seconds, "limits": LIMITS, "study": "digits", "short": short}))
    else:
        for name, limit in LIMITS.items():
            print(f"{name:28} {seconds[name]:6.2f} s   (aim: {limit:g} s)")
    for name in short:
        print(f"falls short: {name} {seconds[name]:.2f} s > {LIMITS[name]:g} s")
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
