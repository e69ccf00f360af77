"""Hostile names on every page, and hostile uploads while others use the app: shown as they are, and nobody waits."""

import csv
import io
import re
import time
import urllib.request
from pathlib import Path
from threading import Event, Thread

import pytest

from pages._shell import catalogue
from tests.browser.conftest import serving
from tests.browser.helpers import shot, wait_idle, wait_until
from tests.browser.test_explain_journey import query
from tests.browser.test_tables_journey import train, upload
from tests.data import hostile_uploads as hostile

pytestmark = pytest.mark.browser

SIGNS = {
    "Zqhtml": "<b>Zqhtml</b>",
    "Zqmath": "$Zqmath$",
    "Zqbold": "**Zqbold**",
    "Zqlink": "[Zqlink](http://evil.example)",
    "Zqpicture": "![Zqpicture](//evil.example/p.png)",
    "Zqred": ":red[Zqred]",
    "Zqtag": "<img src=http://evil.example/Zqtag>",
}
"""What each would become, if it came alive, lacks the signs around it."""
QUERIES = {"review": "&review=mine", "what_if": "&for=class", "leave_one_out": "&k=5", "explain": ""}
ALIVE = "a[href*='evil']:not([href^='#']), img[src*='evil'], svg a, [onerror], iframe[src*='evil']"
TEXTS = """() => [
  document.body.innerText, ...Array.from(document.querySelectorAll("svg text"), one => one.textContent)
].join("\\n")"""


def table() -> bytes:
    """Two labels, a group and a name of a column, each with all signs."""
    held = io.StringIO()
    rows = csv.writer(held)
    signs = " ".join(SIGNS.values())
    rows.writerow(["age", f"city \u202e {signs}", "bought"])
    for at in range(80):
        rows.writerow(
            [20 + 7 * at % 31, f"c{at % 3} {signs}", f"{'yes' if 5 * at % 31 > 15 else 'no'}\n# {signs}"]
        )
    return held.getvalue().encode()


def assert_to_the_letter(text: str, page: str) -> int:
    """How often a sign is shown; each time as it was written, or cut where a chart has no room."""
    shown = 0
    for word, whole in SIGNS.items():
        before, _, after = whole.partition(word)
        cut = "|".join(re.escape(after[:at]) + "…" for at in range(len(after) + 1))
        pattern = f"{re.escape(before)}{word}(?:{re.escape(after)}|{cut})"
        assert text.count(word) == len(re.findall(pattern, text)), f"{whole} on {page}"
        shown += text.count(word)
    return shown


def test_names_are_shown_to_the_letter_on_every_page_and_no_request_leaves(page):
    opened = page("/build", height=1500)
    opened.set_default_timeout(120_000)
    upload(opened, table())
    train(opened)
    study = query(opened)["study"][0]
    shown = {}
    for row in catalogue.PAGES:
        path = "" if row is catalogue.PAGES[0] else row.name
        opened.goto(
            f"{opened.url.split('/', 3)[0]}//{opened.url.split('/', 3)[2]}/{path}?study={study}{QUERIES.get(row.name, '')}"
        )
        wait_idle(opened)
        alive = opened.locator(ALIVE).evaluate_all("found => found.map(one => one.outerHTML)")
        assert alive == [], row.name
        text = opened.evaluate(TEXTS).replace("\u2060", "")
        assert "\u202e" not in text, row.name
        shown[row.name] = assert_to_the_letter(text, row.name)
        if row.name in QUERIES:
            shot(opened, f"hostile-{row.name}")
    assert not [one for one in QUERIES if not shown[one]], shown


def memory(port: str, name: str) -> float:
    """Megabytes of the server on a port: "VmRSS" now, "VmHWM" the most so far."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"app.py\0{port}\0" in (process / "cmdline").read_text():
                lines = (process / "status").read_text().splitlines()
                return next(int(one.split()[1]) / 1000 for one in lines if one.startswith(name))
        except OSError:
            continue
    raise AssertionError("no server")


class Pulse:
    """Asks the server again and again whether it is well, and remembers the longest wait."""

    def __init__(self, address: str) -> None:
        self.address, self.longest, self._end = address, 0.0, Event()
        self._thread = Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._end.wait(0.1):
            start = time.monotonic()
            with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=60):
                self.longest = max(self.longest, time.monotonic() - start)


BOMBS = {
    "names that lead out": ("ZIPS", "slip", "Train"),
    "bombs in a bomb": ("ZIPS", "bomb in bombs", "No file could be unpacked"),
    "not a zip": ("ZIPS", "half", "not a zip that can be read"),
    "idx to the limit": ("SETS", "idx to the limit", "Train"),
}
LONGEST_WAIT = 10.0
MOST_MEMORY = 600.0
"""Megabytes: of one upload 500 at most, and the others open a study meanwhile."""


def test_hostile_uploads_end_in_words_while_others_are_served(page, app_script, tmp_path):
    with serving(app_script, tmp_path) as address, Pulse(address) as pulse:
        mine, others = page(f"{address}/build"), page(f"{address}/?study=one-or-seven")
        mine.set_default_timeout(120_000)
        idle = memory(address.rpartition(":")[2], "VmRSS")
        for name, (kind, key, words) in BOMBS.items():
            mine.goto(f"{address}/build")
            wait_idle(mine)
            mine.locator("input[type=file]").first.set_input_files(
                {
                    "name": f"{name}.zip",
                    "mimeType": "application/zip",
                    "buffer": getattr(hostile, kind)[key](),
                }
            )
            others.goto(
                f"{address}/?study=one-or-seven", timeout=120_000
            )  # this machine may be busy otherwise
            assert wait_until(lambda: others.locator("h1").count() == 1)
            said = mine.get_by_text(words).or_(mine.get_by_role("button", name=words))
            assert wait_until(lambda said=said: said.count() > 0), name
            wait_idle(mine)
            assert str(tmp_path) not in mine.inner_text("body"), "no path of the server"
        most = memory(address.rpartition(":")[2], "VmHWM")
    assert most - idle <= MOST_MEMORY, f"{idle:.0f} MB before, {most:.0f} MB at most"
    assert pulse.longest <= LONGEST_WAIT
    assert not list(Path("/tmp").glob(f"*{hostile.MARK}*"))
