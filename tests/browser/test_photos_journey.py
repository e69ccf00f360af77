"""Photographs in the browser: the packaged ones, two models, a poisoned picture; a zip of one's own."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.browser.helpers import shot, shots, wait_idle
from tests.browser.test_explain_journey import click, query, settle, title
from tests.browser.test_proof_pages_journey import chart

pytestmark = pytest.mark.browser

CUT = """all => all.filter(one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1)
  .map(one => one.textContent)"""
BROKEN = """all => all.filter(one => {
    const [text, range] = [one.firstChild, document.createRange()];
    return [...text.data.matchAll(/\\S+/g)].some(word => {
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      return range.getClientRects().length > 1;
    });
  }).map(one => one.textContent)"""
"""Of words on cards, those that are not shown whole, and those of which a part stands in another line."""


def test_photographs_from_the_menu_to_the_pixels(page):
    """The features of the 2,400 photos ship: nobody waits for a network to look at them."""
    opened = page("/?study=dog-or-frog")
    settle(opened, lambda: opened.locator(".st-key-tests button").count() > 0)
    cards = opened.locator(".st-key-tests button")
    assert opened.locator(".st-key-tests .title").evaluate_all(CUT) == []
    words = opened.locator(".card .whole")
    assert words.count() > 20 and words.evaluate_all(BROKEN) == []
    click(opened, cards.last, lambda: "test" in query(opened))
    click(opened, opened.locator(".st-key-side_helpful button").first, lambda: "open" in query(opened))
    inspector = opened.locator(".st-key-compared")
    settle(opened, lambda: inspector.locator(".frame").count() == 2)
    click(opened, opened.locator(".st-key-map label").first, lambda: query(opened).get("map") == ["1"])
    settle(opened, lambda: inspector.locator("img[src^='data:image/png']").count() == 2)
    assert inspector.get_by_label("Map").is_visible()
    inspector.get_by_role("button", name="Overlay").click()
    assert inspector.get_by_label("Second").is_visible()
    inspector.get_by_role("button", name="Side by side").click()
    shots(opened, "photos")


def test_two_models_and_a_poisoned_picture(page):
    """After the visit above, whose features the server has kept."""
    opened = page("/two_models?study=dog-or-frog")
    settle(
        opened,
        lambda: title(opened) == "Two models, two reasons?" and chart(opened, "scatter_kernel").count(),
    )
    assert chart(opened, "scatter_deep").count() == 1
    assert "stand-in" in opened.inner_text(".stMainBlockContainer")
    click(opened, opened.locator(".st-key-pin button"), lambda: "beside" in query(opened))
    shot(opened, "light-two-models")

    click(
        opened,
        opened.locator(".st-key-menu").get_by_role("link", name="Poisoned pictures"),
        lambda: title(opened).startswith("Can one picture"),
    )
    button = opened.get_by_role("button", name="and train again")
    settle(opened, lambda: button.count() == 1)
    click(opened, button, lambda: "After real retraining" in opened.inner_text(".stMainBlockContainer"))
    settle(opened, lambda: "Saved as PNG" in opened.inner_text(".stMainBlockContainer"))
    shot(opened, "light-poison")


def _zip_of_pictures() -> bytes:
    """Two classes of twelve, one stray file, and one name that climbs out."""
    generator, out = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, brightness in (("bright", 190), ("dark", 60)):
            for at in range(12):
                pixels = generator.normal(brightness, 30, (40, 30, 3)).clip(0, 255).astype(np.uint8)
                picture = io.BytesIO()
                Image.fromarray(pixels).save(picture, "PNG")
                archive.writestr(f"mine/{name}/{at}.png", picture.getvalue())
        archive.writestr("mine/dark/readme.txt", "no picture")
        archive.writestr("../../outside.png", "x")
    return out.getvalue()


def test_a_zip_of_ones_own_from_upload_to_removal(page):
    opened = page("/build")
    upload = {"name": "mine.zip", "mimeType": "application/zip", "buffer": _zip_of_pictures()}
    opened.locator("input[type=file]").set_input_files(upload)
    settle(opened, lambda: "to train on and" in opened.inner_text(".stMainBlockContainer"))
    assert "skipped" in opened.inner_text(".stMainBlockContainer")
    opened.get_by_label("What the model sees").click()
    opened.get_by_text("the pixels of a 64 × 64 thumbnail").last.click()
    wait_idle(opened)
    click(
        opened,
        opened.get_by_role("button", name="Train", exact=True),
        lambda: query(opened).get("study", [""])[0].startswith("own-"),
    )
    study = query(opened)["study"][0]
    shot(opened, "light-build")

    explained = page(f"/?study={study}")
    assert title(explained).startswith("Which training images made the model say")
    opened.locator(f".st-key-ask_remove_{study} button").click()
    click(opened, opened.locator(f".st-key-remove_{study} button"), lambda: "study" not in query(opened))
    opened.reload()
    wait_idle(opened)
    assert opened.locator(f".st-key-ask_remove_{study}").count() == 0
