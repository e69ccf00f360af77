"""A visit of the app without a browser: open an address, wait until long work has ended, read what is said."""

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from influence_core.store.digest import digest
from pages._shell import proving

# Every AppTest looks through all installed packages for components, as a server does once when it starts.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)

APP = Path(__file__).resolve().parents[1] / "app.py"
PATIENCE = 180.0
proving.AT_ONCE = PATIENCE  # nobody looks at these pages before their better numbers are there
BROWSER = "0" * 32
"""The cookie of the browser that visits; another one is `visit_page(..., browser=...)`."""
SPOKEN = (
    "title",
    "header",
    "subheader",
    "markdown",
    "caption",
    "info",
    "warning",
    "error",
    "toast",
    "success",
)


def owner(browser: str = BROWSER) -> str:
    """What the work of a browser is kept under."""
    return digest("owner", browser)[:32]


def visit(study: str = "one-or-seven", **query: str) -> AppTest:
    """The start page at an address, once its long work has ended."""
    return visit_page("explain", study, **query)


def visit_page(
    page_name: str, /, study: str = "one-or-seven", *, browser: str = BROWSER, **query: str
) -> AppTest:
    """A page at an address, by the name of its file, once its long work has ended."""
    at = AppTest.from_file(str(APP), default_timeout=PATIENCE)
    at.session_state["browser"] = browser
    if page_name != "explain":  # the start page
        at.switch_page(f"pages/{page_name}.py")
    for name, value in {"study": study, **query}.items():
        at.query_params[name] = value
    return settle(at)


def turn_to(at: AppTest, page_name: str) -> AppTest:
    """Choose another page from the menu, whose links have no query parameters."""
    at.query_params.clear()
    del at.session_state["entered"]  # AppTest forgets the names of the pages after every run, unlike a server
    return settle(at.switch_page(f"pages/{page_name}.py"))


def settle(at: AppTest) -> AppTest:
    """Run until no progress is shown; no run may end in an exception."""
    end = time.monotonic() + PATIENCE
    while True:
        at.run()
        assert not at.exception, at.exception
        if "job_cancel" not in keys(at):
            return at
        _wait_for_a_job(at, end)


def _wait_for_a_job(at: AppTest, end: float) -> None:
    """Until one of the jobs that the visitor waits for has ended; a run before that would only show progress."""
    watched = [job for job in at.session_state["_watched_jobs"].values() if job.state == "running"]
    while watched and all(job.state == "running" for job in watched):
        assert time.monotonic() < end, "the work did not end"
        watched[-1].wait(0.01)


def press(at: AppTest, key: str) -> AppTest:
    """Press a button and wait for what it brings."""
    at.button(key=key).click()
    return settle(at)


def keys(at: AppTest) -> set[str]:
    """The keys of all buttons."""
    return {button.key for button in at.button}


def said(at: AppTest) -> str:
    """All words of the page; a space that keeps a number in one line is a space."""
    words = "\n".join(str(element.value) for kind in SPOKEN for element in at.get(kind))
    return words.replace("\u00a0", " ")


def title(at: AppTest) -> str:
    return at.title[0].value


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def charts(at: AppTest) -> dict[str, dict]:
    """The Plotly figures by key."""
    return {one.key: json.loads(one.proto.spec) for one in at.get("plotly_chart")}


def cards(at: AppTest) -> dict[str, list[dict]]:
    """The cards of each picture grid by its key."""
    return {one.key: json.loads(one.proto.json)["pictures"] for one in at.get("bidi_component")}


def compared(at: AppTest) -> list[dict]:
    """The pictures that lie side by side."""
    found = [json.loads(one.proto.json) for one in at.get("bidi_component") if one.key == "compared"]
    return found[0]["pictures"] if found else []


def address(at: AppTest) -> dict[str, str]:
    """The query parameters."""
    return {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}


def until(at: AppTest, there: Callable[[AppTest], bool]) -> AppTest:
    """Run the page until something is there that is made beside it."""
    end = time.monotonic() + PATIENCE
    while not there(at):
        assert time.monotonic() < end, said(at)
        for job in list(at.session_state["_watched_jobs"].values()):
            job.wait(0.1)
        settle(at)
    return at


def with_everything(at: AppTest) -> AppTest:
    """The page once all that is made beside it has ended."""
    return until(
        at, lambda at: all(job.state != "running" for job in at.session_state["_watched_jobs"].values())
    )
