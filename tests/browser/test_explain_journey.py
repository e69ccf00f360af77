"""The main journey in a real browser; a screenshot of each step is written for people to look at."""

import io
from urllib.parse import parse_qs

import pytest
from PIL import Image

from tests.browser.helpers import click_point, shot, shots, wait_idle, wait_until

pytestmark = pytest.mark.browser


def query(opened) -> dict[str, list[str]]:
    return parse_qs(opened.evaluate("location.search").removeprefix("?"))


def title(opened) -> str:
    return opened.locator("h1").first.inner_text()


def settle(opened, ready) -> None:
    assert wait_until(ready)
    wait_idle(opened)


def click(opened, locator, ready) -> None:
    wait_idle(opened)
    locator.click()
    settle(opened, ready)


def test_from_a_mistake_to_its_proof(page):
    opened = page("/")
    assert title(opened).startswith("Which training images made the model say")
    assert "New here?" in opened.inner_text("body")
    shots(opened, "1-open")

    opened.get_by_role("button", name="Misclassified (").click()
    drawer = opened.get_by_test_id("stPopoverBody")
    click(opened, drawer.get_by_text("Least confident"), lambda: query(opened).get("show") == ["unsure"])
    click(opened, drawer.get_by_text("Misclassified ("), lambda: "show" not in query(opened))
    opened.keyboard.press("Escape")
    cards = opened.locator(".st-key-tests button")
    assert cards.count() > 10
    assert "but it is labelled" in cards.nth(3).get_attribute("aria-label")
    shots(opened, "2-misclassified")

    before = title(opened)
    click(opened, cards.nth(3), lambda: "test" in query(opened))
    pressed = opened.locator(".st-key-tests button[aria-pressed=true]")
    assert wait_until(lambda: pressed.count() == 1, seconds=60)
    shots(opened, "3-chosen")

    by_model = title(opened)
    click(opened, opened.get_by_text("the true label:"), lambda: query(opened).get("ask") == ["true"])
    assert wait_until(lambda: title(opened) != by_model)
    assert "speak for" in title(opened)
    shots(opened, "4-true-label")
    click(opened, opened.get_by_text("its answer:"), lambda: "ask" not in query(opened))
    assert wait_until(lambda: title(opened) == by_model), before

    strongest = opened.locator(".st-key-side_harmful button").first.get_attribute("aria-label").split(",")[0]
    train_id = strongest.removeprefix("training image ")
    click_point(opened, "scatter", int(train_id), lambda: query(opened).get("open") == [train_id])
    settle(opened, lambda: f"Training image {train_id}" in opened.inner_text(".st-key-example"))
    shots(opened, "5-opened")

    for side in ("helpful", "harmful"):
        many = len(query(opened).get("out", [""])[0].split(",")) if "out" in query(opened) else 0
        tick = opened.locator(f".st-key-side_{side} input[type=checkbox]").first
        click(
            opened,
            tick,
            lambda many=many: "out" in query(opened) and len(query(opened)["out"][0].split(",")) == many + 1,
        )
    click(
        opened,
        opened.get_by_role("button", name="Take out and retrain"),
        lambda: opened.locator(".st-key-before_after").count() == 1,
    )
    outcome = opened.inner_text(".st-key-retraining")
    assert "Forecast, pp" in outcome and "After real training, pp" in outcome
    assert "reached" in outcome and "NOT reached" not in outcome
    shots(opened, "6-retrained")

    seen, address = opened.inner_text(".st-key-answer"), opened.url
    opened.reload()
    wait_idle(opened)
    settle(opened, lambda: f"Training image {train_id}" in opened.inner_text(".st-key-example"))
    assert opened.url == address
    assert title(opened) == by_model
    assert opened.inner_text(".st-key-answer") == seen
    assert opened.locator(".st-key-chosen input[type=checkbox]").count() == 2
    shots(opened, "7-reloaded")


def test_a_lasso_is_a_choice_and_a_row_opens(page):
    opened = page("/?study=one-or-seven")
    chart = opened.locator(".st-key-scatter .js-plotly-plot")
    chart.scroll_into_view_if_needed()
    opened.locator(".st-key-scatter").hover()
    opened.locator('.st-key-scatter [data-title="Box Select"]').click()
    box = chart.bounding_box()
    opened.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.13)  # below the toolbar
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.35, steps=12)
    opened.mouse.up()
    settle(opened, lambda: "out" in query(opened))
    assert opened.locator(".st-key-chosen button").count() >= 1


def test_a_lasso_on_the_map_is_a_choice_too(page):
    opened = page("/?study=one-or-seven&chart=map")
    chart = opened.locator(".st-key-plane .js-plotly-plot")
    chart.scroll_into_view_if_needed()
    opened.locator(".st-key-plane").hover()
    opened.locator('.st-key-plane [data-title="Box Select"]').click()
    box = chart.bounding_box()
    opened.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.3)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.7, steps=12)
    opened.mouse.up()
    settle(opened, lambda: "out" in query(opened))
    assert opened.locator(".st-key-chosen button").count() >= 1


def test_an_uploaded_picture_is_asked_about(page):
    opened = page("/?study=one-or-seven")
    drawn = Image.new("L", (60, 60), 255)
    drawn.paste(0, (28, 8, 33, 52))
    file = io.BytesIO()
    drawn.save(file, "PNG")
    opened.get_by_role("button", name="Your own").click()
    opened.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": "one.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    settle(opened, lambda: "picture" in query(opened))
    settle(opened, lambda: "Your picture: the model says" in opened.inner_text("body"))
    shot(opened, "light-upload")


def test_a_file_that_is_no_picture_gets_a_sentence(page):
    opened = page("/?study=one-or-seven")
    opened.get_by_role("button", name="Your own").click()
    opened.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": "one.png", "mimeType": "image/png", "buffer": b"<html>not a picture</html>"}
    )
    settle(opened, lambda: "not a readable picture" in opened.inner_text("body"))
    assert "picture" not in query(opened)


def test_two_visitors_do_not_block_each_other(page):
    first, second = page("/?study=one-or-seven"), page("/?study=one-or-seven&show=unsure")
    before = title(second)
    first.locator(".st-key-tests button").nth(2).click()
    second.locator(".st-key-tests button").nth(5).click()
    settle(first, lambda: "test" in query(first))
    settle(second, lambda: "test" in query(second))
    assert query(first)["test"] != query(second)["test"], before


@pytest.mark.parametrize("path", ["/", "/guide"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_narrow_window(page, path, theme):
    opened = page(path, color_scheme=theme, width=420, height=900)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 420
    shot(opened, f"{theme}-narrow{path.replace('/', '-')}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_guide(page, theme):
    opened = page("/guide", color_scheme=theme)
    assert "How do I read an influence?" in title(opened)
    shot(opened, f"{theme}-guide")
