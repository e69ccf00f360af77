"""How soon the app answers from a whole table: ``python -m tests.benchmarks.table_in_app [--check]``, in a real browser.

For each study the table of all numbers is made in a store, as ``python -m influence_core table --full`` does. Then what is read
off it is timed, from the table itself (its checksums included) and from what the store keeps of that, and the app is opened on
this store: from the click on *Other rankings* until the words about all test examples are there, and from the click on *Moved
most by one training …* until the strip is sorted so, each in a browser that was at rest before, on a page that has not asked
for it yet. What is read has been read before: the files are in the system's cache.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.experiments import study_table
from influence_core.experiments.study_table import Overview
from influence_core.store import FOLDER_VARIABLE, Store
from influence_core.studies import Study, find, open_study
from tests.browser.conftest import FLAGS, ROOT, find_browser, serving
from tests.browser.helpers import wait_idle

STUDIES = ("digits", "dog-or-frog", "mails")
LIMIT = 1.0
HEAD = (
    "| study | tests x training | expected, s | made, s | on disk, MB | read off the table, s | read again, s "
    "| same outliers, click to words, s | sorted, click to strip, s |\n" + "|---" * 9 + "|"
)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def made(study: Study, context: Context) -> tuple[list[str], list[float]]:
    """The first cells of a row, and the seconds of reading it off the table and again."""
    told = study_table.expected(study, context=context)
    seconds = timed(lambda: study_table.run(study, context=context))
    context.store.remove(context.store.path(study_table.run.key(study)))
    read = timed(lambda: study_table.run(study, context=context))
    again = timed(lambda: study_table.run(study, context=context))
    shape = f"{len(study.data.test):,} x {study.objective.n:,}"
    return [study.spec.name, shape, f"{told.seconds:.0f}", f"{seconds:.0f}", f"{told.disk / 1e6:.0f}"], [
        read,
        again,
    ]


def clicked(browser: Browser, address: str, study: Study, seen: Overview) -> list[float]:
    """Seconds from a click to what it brings: how often the same are on top, and the sorted strip."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(120_000)
    page.goto(f"{address}/?study={study.spec.name}")
    wait_idle(page)
    wait_idle(page, quiet_ms=3000)  # better numbers that were on their way
    all_of_them = f"Over all {len(study.data.test):,} test"
    outliers = timed(
        lambda: _click(page, ".st-key-panels button:has-text('Other rankings')", f"text={all_of_them}")
    )
    wait_idle(page)
    page.get_by_role("button", name="Misclassified").click()
    wait_idle(page)
    option = page.get_by_test_id("stPopoverBody").get_by_text("Moved most by one")
    first = study.data.test.ids.tolist()[int(seen.most_moved()[0])]
    card = f".st-key-tests button[aria-label*='test {study.data.kind} {first}']"
    page.wait_for_timeout(1000)
    strip = timed(lambda: (option.click(), page.locator("text=By the whole table").wait_for()))
    assert page.url.count("show=moved"), "the strip is sorted by another number"
    page.goto(f"{address}/?study={study.spec.name}&show=moved&page=1")
    wait_idle(page)
    page.locator(card).first.wait_for()
    page.close()
    return [outliers, strip]


def _click(page: Page, button: str, then: str) -> None:
    page.locator(button).click()
    page.locator(then).first.wait_for()


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help=f"exit with 1 where an answer takes over {LIMIT:g} s"
    )
    parser.add_argument("--study", action="append", help="one of these instead")
    options = parser.parse_args()
    print(HEAD, flush=True)
    short = False
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        cache = Path(folder) / "cache"
        context, rows = Context(Store(cache), engines=Engines(1)), []
        for name in options.study or STUDIES:
            study = open_study(find(name), context.store, None, "cpu")
            rows.append((study, *made(study, context)))
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        with serving(ROOT / "app.py", Path(folder), **{FOLDER_VARIABLE: str(cache)}) as address:
            for study, cells, seconds in rows:
                seen = study_table.run(study, context=context)
                seconds = [*seconds, *clicked(browser, address, study, seen)]
                short = short or max(seconds) > LIMIT
                print(f"| {' | '.join([*cells, *(f'{one:.2f}' for one in seconds)])} |", flush=True)
        browser.close()
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
