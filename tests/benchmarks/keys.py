"""How long planted labels take to be mended with keys: ``python -m tests.benchmarks.keys [--kind photos] [--look 3]``.

The wrong labels of ``tests.benchmarks.planted``, in files as people bring them: a zip of photos, a table, a zip of texts. Each
is uploaded to the real app in a browser, trained on there, and reviewed in the order that *Review* begins with, twice as many
suspects as were planted: L where the label was planted, K where it was not, as somebody would who sees the truth at once.
**Measured** is what the app takes, from the key until the next suspect is on show. A person looks at each for as long as it
takes: the minutes that are printed allow ``--look`` seconds for that.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from influence_core import data, studies
from influence_core.data import DataSet
from influence_core.store import FOLDER_VARIABLE, Store
from influence_core.store.home import HOME_VARIABLE
from tests.benchmarks.planted import KINDS, made_up_table
from tests.browser.conftest import FLAGS, ROOT, find_browser, started
from tests.browser.helpers import wait_idle, wait_until
from tests.browser.test_explain_journey import query, settle

BODY = ".stMainBlockContainer"
SPLIT = 4 / 3
"""Rows that a table needs for a training row: a quarter is kept for testing."""
HEAD = (
    "| kind | wrong labels in training | looked at | set right | keys | app, s a key: median | longest "
    "| app, s in all | minutes, with looking |\n" + "|---" * 9 + "|"
)


@dataclass(frozen=True)
class Brought:
    """A file as somebody brings it.

    Attributes:
        name: Of the file.
        content: Its bytes.
        upload: What is done on *Build* until it is trained on.
        true: The true label by what tells an example: its file, or its row's code.
    """

    name: str
    content: bytes
    upload: Callable[[Page, Brought], None]
    true: dict[str, str]


# ------------------------------------------------------------------------------------------------- what is brought


def zipped(found: DataSet, kind: str, write: Callable[[DataSet, int], tuple[str, bytes]]) -> Brought:
    """Examples of a packaged study in folders of their labels, a few of the training part in a wrong one."""
    drawn, rng = KINDS[kind], np.random.default_rng(0)
    out, true, names = io.BytesIO(), {}, found.class_names
    with zipfile.ZipFile(out, "w") as archive:
        for part, examples, count in (("train", found.train, drawn.n), ("test", found.test, drawn.n // 3)):
            at = np.sort(rng.choice(len(examples), count, replace=False))
            wrong = (
                set(rng.choice(count, drawn.planted, replace=False).tolist()) if part == "train" else set()
            )
            for number, one in enumerate(at.tolist()):
                label = int(examples.y[one])
                ending, content = write(found, int(examples.ids[one]))
                file = f"{names[1 - label if number in wrong else label]}/{part[:2]}{number:04d}{ending}"
                archive.writestr(f"{part}/{file}", content)
                true[f"{part}/{file}"] = names[label]
    return Brought(f"{kind}.zip", out.getvalue(), upload_zip, true)


def photos() -> Brought:
    """Small photos of dogs and frogs."""

    def write(found: DataSet, one: int) -> tuple[str, bytes]:
        out = io.BytesIO()
        Image.fromarray(found.pictures.thumbs([one])[0]).save(out, "PNG")
        return ".png", out.getvalue()

    return zipped(data.load("photos"), "photos", write)


def texts() -> Brought:
    """E-mails, the subject in the first line."""

    def write(found: DataSet, one: int) -> tuple[str, bytes]:
        record = found.record(one)
        return ".txt", f"{record.get('subject', '')}\n{record.get('text', '')}".encode()

    return zipped(data.load("mails"), "texts", write)


def table() -> Brought:
    """A made-up table with a code for every row."""
    drawn, rng = KINDS["table"], np.random.default_rng(0)
    n = round(drawn.n * SPLIT)
    found = made_up_table(-(-n // 2), 0).data
    x = np.concatenate([found.train.x, found.test.x])[:n, :-1]
    y = np.concatenate([found.train.y, found.test.y])[:n]
    wrong = set(rng.choice(n, round(drawn.planted * SPLIT), replace=False).tolist())
    out, names = io.StringIO(), found.class_names
    rows = csv.writer(out)
    rows.writerow(["code", *(f"measure {one}" for one in "ABCDEFGH"), "outcome"])
    for at in range(n):
        label = names[1 - y[at] if at in wrong else y[at]]
        rows.writerow([f"case-{at:04d}", *(f"{one:.4f}" for one in x[at]), label])
    true = {f"case-{at:04d}": names[y[at]] for at in range(n)}
    return Brought("table.csv", out.getvalue().encode(), upload_table, true)


BRINGS = {"photos": photos, "table": table, "texts": texts}


# ------------------------------------------------------------------------------------------------- what is done


def upload_zip(page: Page, brought: Brought) -> None:
    """The form for pictures, or for texts."""
    if brought.name.startswith("texts"):
        page.get_by_text("Texts in a zip", exact=True).first.click()
        wait_idle(page)
    file = {"name": brought.name, "mimeType": "application/zip", "buffer": brought.content}
    page.locator("input[type=file]").set_input_files(file)
    settle(page, lambda: page.get_by_role("button", name="Train", exact=True).count() == 1)
    page.get_by_role("button", name="Train", exact=True).click()


def upload_table(page: Page, brought: Brought) -> None:
    """The form for tables."""
    page.get_by_text("A table", exact=True).first.click()
    wait_idle(page)
    page.get_by_text("Use a table of your own").click()
    wait_idle(page)
    page.locator("input[type=file]").set_input_files(
        {"name": brought.name, "mimeType": "text/csv", "buffer": brought.content}
    )
    settle(page, lambda: page.get_by_role("button", name="Train on this table").count() == 1)
    page.get_by_role("button", name="Train on this table").click()


def suspect(page: Page) -> tuple[int, str]:
    """Its id, and the label that it bears."""
    heading = page.locator(".st-key-suspect h2").inner_text()
    found = re.fullmatch(r"(?:.* \()?[Tt]raining \S+ (\d+)\)?, labelled (.+)", heading)
    assert found, heading
    return int(found[1]), found[2]


def planted_in(address: str, store: Store, true: dict[str, str]) -> dict[int, bool]:
    """Whether the label of each training example was planted."""
    found = studies.open_study(studies.find(address, store), store).data
    names = found.class_names
    told = {}
    for one, label in zip(found.train.ids.tolist(), found.train.y.tolist(), strict=True):
        code = found.file(one) or found.record(one)["code"]
        (key,) = [key for key in true if key.endswith(code)]
        told[one] = true[key] != names[label]
    return told


def measure(kind: str, look: float, browser: object) -> str:
    """One row."""
    brought = BRINGS[kind]()
    with tempfile.TemporaryDirectory() as folder, started(ROOT / "app.py", Path(folder)) as (url, _):
        os.environ |= {
            FOLDER_VARIABLE: f"{folder}/cache",
            HOME_VARIABLE: f"{folder}/home",
        }  # as that app has them
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()  # type: ignore[attr-defined]
        page.goto(f"{url}/build")
        wait_idle(page)
        brought.upload(page, brought)
        settle(
            page, lambda: "study" in query(page) and query(page)["study"][0].startswith(("own-", "table-"))
        )
        address = query(page)["study"][0]
        planted = planted_in(address, Store(), brought.true)
        page.goto(f"{url}/review?study={address}&review=keys")
        settle(page, lambda: page.locator(".st-key-suspect h2").count() == 1)
        count, seconds, mended = 2 * sum(planted.values()), [], 0
        for _ in range(count):
            one, _label = suspect(page)
            mended += planted[one]
            started_at = time.perf_counter()
            page.keyboard.press("l" if planted[one] else "k")
            assert wait_until(lambda one=one: suspect_is_another(page, one))
            seconds.append(time.perf_counter() - started_at)
            wait_idle(page)
    whole = sum(seconds)
    cells = (
        kind,
        f"{sum(planted.values())} of {len(planted)}",
        str(count),
        str(mended),
        str(count),
        f"{np.median(seconds):.2f}",
        f"{max(seconds):.2f}",
        f"{whole:.0f}",
        f"{(whole + look * count) / 60:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def suspect_is_another(page: Page, one: int) -> bool:
    """Whether another suspect is on show."""
    heading = page.locator(".st-key-suspect h2")
    return heading.count() == 1 and f" {one}, " not in heading.inner_text()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=BRINGS, help="this one alone")
    parser.add_argument("--look", type=float, default=3.0, help="seconds that a person looks at each")
    options = parser.parse_args(arguments)
    print(HEAD, flush=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        for kind in [options.kind] if options.kind else BRINGS:
            print(measure(kind, options.look, browser), flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
