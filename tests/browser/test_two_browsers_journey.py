"""Two browsers on one server, a quick Back, and the first click after the server was started again."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import ROOT, SERVE, _free_port, _stop, _wait_until_healthy
from tests.browser.helpers import shot, wait_idle, wait_until

pytestmark = pytest.mark.browser


def small_zip() -> bytes:
    """Two classes of plain squares."""
    held, draw = io.BytesIO(), np.random.default_rng(0)
    with zipfile.ZipFile(held, "w") as archive:
        for at in range(16):
            picture = io.BytesIO()
            shade = (40 if at % 2 else 200) + draw.integers(0, 40, (32, 32, 3))
            Image.fromarray(shade.astype(np.uint8)).save(picture, "PNG")
            archive.writestr(f"{'light' if at % 2 else 'dark'}/{at}.png", picture.getvalue())
    return held.getvalue()


def listed(opened) -> int:
    return opened.locator("[class*=st-key-own_]").count()


def test_what_one_browser_made_another_has_only_by_its_link(page, server):
    mine, others = page("/build"), page("/build")
    mine.locator("input[type=file]").first.set_input_files(
        {"name": "squares.zip", "mimeType": "application/zip", "buffer": small_zip()}
    )
    assert wait_until(lambda: mine.locator(".st-key-build_train button").count() == 1)
    mine.get_by_label("What the model sees").click()
    mine.get_by_role("option", name="the pixels").click()
    wait_idle(mine)
    mine.locator(".st-key-build_train button").click()
    assert wait_until(lambda: listed(mine) == 1)
    wait_idle(mine)
    shot(mine, "own studies of one browser")
    mine.reload()
    wait_idle(mine)
    assert listed(mine) == 1, "the browser is known again"
    others.reload()
    wait_idle(others)
    assert listed(others) == 0
    link = mine.locator("[class*=st-key-own_] a").get_attribute("href")
    study = link.partition("study=")[2]
    others.goto(f"{server}/build?study={study}")
    wait_idle(others)
    assert listed(others) == 0 and others.get_by_role("button", name="Remove").count() == 0
    guessed = study[:-1] + ("0" if study[-1] != "0" else "1")
    others.goto(f"{server}/?study={guessed}")
    wait_idle(others)
    assert others.get_by_text("is not on this machine").count() >= 1
    mine.get_by_role("button", name="Remove").click()
    mine.get_by_role("button", name="Remove it").click()
    assert wait_until(lambda: listed(mine) == 0)
    others.goto(f"{server}/?study={study}")
    wait_idle(others)
    assert others.get_by_text("is not on this machine").count() >= 1


def test_going_back_at_once_works(page):
    opened = page("/what_if?study=diabetes")
    against = opened.locator(".st-key-what_if_panel button").nth(1)

    def chosen() -> bool:
        """A page that is still drawn anew on a busy machine may lose a click."""
        if "panel=against" not in opened.url:
            against.click()
            opened.wait_for_timeout(2000)
        return "panel=against" in opened.url

    assert wait_until(chosen)
    opened.go_back()
    wait_idle(opened)
    assert "panel" not in opened.url
    opened.wait_for_timeout(1000)
    assert (
        "panel" not in opened.url
        and "Strongest for" in opened.locator("[aria-checked=true]").first.inner_text()
    )


def test_the_first_click_after_a_restart_counts(browser, tmp_path):
    port = _free_port()
    command = [sys.executable, str(SERVE), str(ROOT / "app.py"), str(port)]
    environment = os.environ | {
        "CALLS_OUT": str(tmp_path / "calls.txt"),
        "INFLUENCE_EXPLORER_CACHE": str(tmp_path / "cache"),
        "INFLUENCE_EXPLORER_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
    }

    def start() -> subprocess.Popen:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        _wait_until_healthy(process, f"http://127.0.0.1:{port}", Path(os.devnull))
        return process

    process, context = start(), browser.new_context()
    try:
        opened = context.new_page()
        opened.set_default_timeout(120_000)  # this machine may be busy otherwise
        opened.goto(f"http://127.0.0.1:{port}/review?study=diabetes&review=mine")
        wait_idle(opened)
        app = opened.locator('[data-testid="stApp"]')
        heading = opened.locator(".st-key-suspect h2")
        first = heading.inner_text()
        process.kill()
        process.wait()
        assert wait_until(lambda: app.get_attribute("data-test-connection-state") != "CONNECTED")
        process = start()
        assert wait_until(lambda: app.get_attribute("data-test-connection-state") == "CONNECTED")
        opened.get_by_role("button", name="Keep").click()
        assert wait_until(lambda: heading.inner_text() != first), "one click, one verdict"
        wait_idle(opened)
        assert opened.get_by_text("1 of 332 labels reviewed").count() == 1
    finally:
        context.close()
        _stop(process)
