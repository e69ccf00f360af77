"""A person works through the queue of suspects with the keyboard; a screenshot of each step is for people to look at."""

import csv
import re

import pytest

from influence_core import data
from tests.browser.helpers import download, shot, shots, wait_idle, wait_until
from tests.browser.test_explain_journey import click, query, settle

pytestmark = pytest.mark.browser

SUSPECTS = 12


@pytest.fixture(scope="module")
def true_label() -> dict[int, str]:
    """What each training digit really is."""
    train = data.load("digits").train
    return {int(id): str(int(y)) for id, y in zip(train.ids, train.y, strict=True)}


def suspect(opened) -> tuple[int, str]:
    """The id on show, and its label."""
    heading = opened.locator(".st-key-suspect h2").inner_text()
    found = re.fullmatch(r"Training image (\d+), labelled (\d)", heading)
    assert found, heading
    return int(found[1]), found[2]


def done(opened) -> int:
    words = opened.get_by_text("labels reviewed").first.inner_text()
    return int(words.split(" of ")[0].replace(",", ""))


def judge(opened, true_label) -> bool:
    """One suspect by its key; whether its label was wrong. Waits, as a person does, until the next one is there."""
    train_id, label = suspect(opened)
    wrong = true_label[train_id] != label
    opened.keyboard.press("l" if wrong else "k")
    settle(opened, lambda: suspect(opened)[0] != train_id)
    return wrong


def fixed(opened) -> tuple[int, int]:
    words = opened.get_by_test_id("stMetric").filter(has_text="Flipped labels found").inner_text()
    found = re.search(r"(\d+) of (\d+)", words)
    return int(found[1]), int(found[2])


def test_through_the_queue_with_keys(page, true_label, tmp_path):
    opened = page("/review?study=one-or-seven")
    shots(opened, "review-1-begin")
    name = opened.get_by_role("textbox", name="Name of the review")
    name.fill("journey")
    name.press("Enter")
    click(opened, opened.get_by_text("Practise: flip"), lambda: query(opened).get("panel") == ["practise"])
    click(opened, opened.get_by_role("button", name="Start or resume"), lambda: "review" in query(opened))
    settle(opened, lambda: "Suspect 1 of 1,092" in opened.inner_text("body"))
    settle(opened, lambda: "when it never did" in opened.inner_text("body"))
    assert (
        opened.locator(".st-key-alike_own button").count()
        == opened.locator(".st-key-alike_other button").count()
        == 5
    )
    assert opened.locator(".st-key-verdicts [data-testid=stBaseButton-primary]").count() == 1, (
        "the proposal is marked"
    )
    shots(opened, "review-2-first")
    first, _ = suspect(opened)
    click(opened, opened.locator(".st-key-alike_own button").first, lambda: "open" in query(opened))
    assert suspect(opened)[0] != first
    click(opened, opened.get_by_role("button", name="Back to the queue"), lambda: "open" not in query(opened))
    settle(opened, lambda: suspect(opened)[0] == first)

    found = sum(judge(opened, true_label) for _ in range(SUSPECTS))
    settle(opened, lambda: "Training on the new labels" not in opened.inner_text("body"))
    assert done(opened) == SUSPECTS
    assert found >= SUSPECTS * 0.6
    assert fixed(opened) == (found, 108)
    assert f"Trained on {found} changed labels" in opened.inner_text("body")
    shots(opened, "review-3-worked")

    train_id, _ = suspect(opened)
    opened.keyboard.press("z")
    settle(opened, lambda: done(opened) == SUSPECTS - 1)
    assert suspect(opened)[0] != train_id
    judge(opened, true_label)
    assert suspect(opened)[0] == train_id

    opened.reload()
    wait_idle(opened)
    settle(opened, lambda: done(opened) == SUSPECTS)
    assert suspect(opened)[0] == train_id
    assert fixed(opened) == (found, 108)

    button = opened.locator(".st-key-review_csv").get_by_text("Verdicts (CSV)")
    path = download(opened, button, tmp_path / "verdicts.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == SUSPECTS
    assert sum(row["verdict"] == "relabel" for row in rows) == found
    assert all(row["new_label"] == true_label[int(row["training_id"])] for row in rows)


def test_impatient_keys_judge_nobody_unseen(page, true_label):
    """Keys pressed faster than the page follows may get lost; they never fall on another suspect than the one on show."""
    opened = page("/review?study=one-or-seven&review=impatient&panel=practise")
    settle(opened, lambda: "Suspect 1 of" in opened.inner_text("body"))
    first, _ = suspect(opened)
    for _ in range(6):
        opened.keyboard.press("k")
    settle(opened, lambda: suspect(opened)[0] != first)
    opened.wait_for_timeout(1500)
    wait_idle(opened)
    reviewed = done(opened)
    assert 1 <= reviewed <= 6
    seen = [first]
    for _ in range(reviewed):
        opened.keyboard.press("z")
        before = done(opened)
        settle(opened, lambda before=before: done(opened) == before - 1)
    assert suspect(opened)[0] in seen
    assert done(opened) == 0


def top_of_batch(opened) -> float:
    opened.locator(".st-key-batch .card").first.wait_for()
    return opened.locator(".st-key-batch").evaluate("one => one.getBoundingClientRect().top")


def test_a_note_closes_its_box_once_it_is_kept(page):
    opened = page("/review?study=one-or-seven&review=noted&panel=practise")
    settle(opened, lambda: "Suspect 1 of" in opened.inner_text("body"))
    field = opened.get_by_role("textbox", name="Note")
    click(opened, opened.get_by_role("button", name="Note", exact=True), lambda: field.is_visible())
    field.fill("smudged")
    opened.get_by_role("button", name="Keep the note").click()
    settle(opened, lambda: "“smudged”" in opened.inner_text(".st-key-suspect"))
    settle(opened, lambda: not field.is_visible())
    shots(opened, "review-5-noted")


def test_several_are_ticked_and_get_one_verdict_by_a_key(page):
    opened = page("/review?study=one-or-seven&review=several&panel=practise&cards=1", width=1280)
    boxes, before = opened.locator(".st-key-batch input[type=checkbox]"), top_of_batch(opened)
    for at in range(3):
        click(opened, boxes.nth(at), lambda at=at: opened.get_by_text(f"{at + 1} ticked").count() == 1)
    assert top_of_batch(opened) == before, "ticking moves no card"
    opened.keyboard.press("x")
    settle(opened, lambda: done(opened) == 3)
    opened.keyboard.press("z")
    settle(opened, lambda: done(opened) == 0)
    shots(opened, "review-4-several")


def test_letters_typed_into_a_field_are_no_verdicts(page):
    opened = page("/review?study=one-or-seven&review=typing&panel=practise")
    settle(opened, lambda: "Suspect 1 of" in opened.inner_text("body"))
    opened.get_by_text("How it is computed").click()
    field = opened.get_by_role("textbox", name="Damping")
    field.click()
    field.press_sequentially("klxuz")
    opened.wait_for_timeout(800)
    wait_idle(opened)
    assert done(opened) == 0


@pytest.mark.parametrize(
    "path", ["/review?study=one-or-seven&review=narrow&panel=practise", "/wrong_labels?study=diabetes"]
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_narrow_window(page, path, theme):
    opened = page(path, color_scheme=theme, width=420, height=900)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 420
    assert wait_until(lambda: opened.locator("h1").count() == 1)
    shot(opened, f"{theme}-narrow-{path[1:].split('?')[0]}")


def test_flips_are_found(page):
    opened = page("/wrong_labels?study=diabetes")
    shots(opened, "wrong-labels-1-asked")
    click(
        opened,
        opened.get_by_role("button", name="Flip them and look"),
        lambda: opened.locator(".st-key-flips_found").count() == 1,
    )
    settle(opened, lambda: "of the flipped labels" in opened.inner_text("body"))
    shots(opened, "wrong-labels-2-found")
