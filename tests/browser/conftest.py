"""A real server, a real browser, and the promise that neither reaches beyond this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVE = Path(__file__).with_name("serve.py")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NO_BROWSER = "no Chromium or Chrome found: install one, e.g. apt-get install -y chromium"
START_SECONDS = 240
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def app_script() -> Path:
    """The app that the server runs."""
    return ROOT / "app.py"


@pytest.fixture(scope="session")
def server(app_script: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running app."""
    with serving(app_script, tmp_path_factory.mktemp("server")) as address:
        yield address


@contextmanager
def serving(app_script: Path, folder: Path, **settings: str) -> Iterator[str]:
    """An app with an empty store and such settings; at the end no connection may have left this machine."""
    with started(app_script, folder, **settings) as (address, _):
        yield address


@contextmanager
def started(
    app_script: Path, folder: Path, **settings: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The same, and the server's process."""
    calls, port = folder / "calls.txt", _free_port()
    environment = os.environ | {
        "CALLS_OUT": str(calls),
        "INFLUENCE_EXPLORER_CACHE": str(folder / "cache"),
        "INFLUENCE_EXPLORER_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        **settings,
    }
    command = [sys.executable, str(SERVE), str(app_script), str(port)]
    with (folder / "log.txt").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_healthy(process, f"http://127.0.0.1:{port}", folder / "log.txt")
            yield f"http://127.0.0.1:{port}", process
        finally:
            _stop(process)
    outside = calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []
    assert outside == [], "the server reached beyond this machine"


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:  # noqa: F821 (Playwright is imported only where a browser exists)
    """Chromium or Chrome, whichever is installed."""
    executable = find_browser()
    if executable is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(NO_BROWSER, pytrace=False)
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: "Browser", server: str) -> Iterator[Callable[..., "Page"]]:  # noqa: F821
    """Opens pages: `page("/explain?test=3", color_scheme="dark", width=420)`; of another server by its whole address.

    At the end no page may have asked another host for anything, nor have thrown an error that nobody caught.
    """
    from tests.browser.helpers import wait_idle

    outside: list[str] = []
    uncaught: list[str] = []
    console: list[str] = []  # no failure by themselves, but shown with one
    contexts = []

    def open_page(path: str = "/", *, color_scheme: str = "light", width: int = 1400, height: int = 1000):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=color_scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(120_000)
        context.on("request", lambda request: _note_outside(request.url, outside))
        opened.on("websocket", lambda websocket: _note_outside(websocket.url, outside))
        opened.on("pageerror", lambda error: uncaught.append(str(error)))
        opened.on("console", lambda message: _note_error(message, console))
        opened.goto(path if path.startswith("http") else server + path)
        wait_idle(opened)  # the first visit trains
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert outside == [], f"the browser asked another host; console: {console}"
    assert uncaught == [], f"a script in the page failed; console: {console}"


def find_browser() -> str | None:
    """The first Chromium or Chrome on PATH."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _note_outside(url: str, outside: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob", "about") and parts.hostname not in ("127.0.0.1", "localhost"):
        outside.append(url)


def _note_error(message, console: list[str]) -> None:
    if message.type == "error":
        console.append(f"{message.text} {message.location.get('url', '')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_healthy(process: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the server did not start\n{log.read_text(encoding='utf-8')[-4000:]}", pytrace=False)


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
