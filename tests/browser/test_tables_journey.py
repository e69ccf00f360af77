"""Tables as people bring them, in the browser: read, or asked about, and never the framework's own error."""

import pytest

from tests.browser.helpers import shot, wait_idle, wait_until
from tests.browser.test_explain_journey import click, query, settle
from tests.data.test_own_tables import FIRST_LINES

pytestmark = pytest.mark.browser

BODY = ".stMainBlockContainer"
GERMAN = "alter;lohn;urteil\n" + "\n".join(
    f"{20 + at};{1 + at % 7},{100 + at};{'größer' if at % 2 else 'kleiner'}" for at in range(60)
)


def upload(opened, content: bytes, name: str = "mine.csv") -> None:
    """From the page to the form with the file."""
    opened.get_by_role("radio", name="A table").or_(opened.get_by_text("A table", exact=True)).first.click()
    wait_idle(opened)
    opened.get_by_text("Use a table of your own").click()
    wait_idle(opened)
    opened.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )
    wait_idle(opened)


def train(opened) -> None:
    click(
        opened,
        opened.get_by_role("button", name="Train on this table"),
        lambda: query(opened).get("study", [""])[0].startswith("table-"),
    )


def test_two_readings_are_asked_and_the_answer_is_trained_on(page):
    opened = page("/build", height=1500)
    upload(opened, GERMAN.encode("cp1252"))
    assert wait_until(lambda: "How is “lohn” meant?" in opened.inner_text(BODY))
    words = opened.inner_text(BODY)
    assert "1,100 → 1100, 2,101 → 2101" in words and "1,100 → 1.1, 2,101 → 2.101" in words
    assert "Western Europe (Windows-1252, Latin-1)" in words
    assert opened.get_by_role("button", name="Train on this table").is_disabled()
    shot(opened, "light-table-asked")
    click(
        opened,
        opened.get_by_text("amounts with a decimal comma"),
        lambda: opened.get_by_role("button", name="Train on this table").is_enabled(),
    )
    train(opened)
    explained = page(f"/?study={query(opened)['study'][0]}")
    assert "größer" in explained.inner_text(BODY) or "kleiner" in explained.inner_text(BODY)


def test_a_missing_header_is_asked_about(page):
    opened = page("/build", height=1500)
    rows = GERMAN.replace(",", "").split("\n")[1:]
    upload(opened, "\n".join(rows).encode())
    settle(opened, lambda: "The first row looks like data" in opened.inner_text(BODY))
    click(
        opened, opened.get_by_text("No, it is one of the rows"), lambda: "60 rows" in opened.inner_text(BODY)
    )
    train(opened)


@pytest.mark.parametrize(
    "kind", ["line ends of old Macs", "a separator line", "title lines", "separators behind all"]
)
def test_unusual_first_lines_come_to_a_study(page, kind):
    opened = page("/build", height=1500)
    upload(opened, FIRST_LINES[kind].encode())
    settle(opened, lambda: "24 rows, 3 columns." in opened.inner_text(BODY))
    train(opened)


def test_an_open_quotation_mark_is_said_and_no_raw_download_is_offered(page):
    opened = page("/build", height=1500)
    upload(opened, b'a;b;y\n1;"2;x\n3;4;z\n')
    settle(opened, lambda: "opened in line 2 is never closed" in opened.inner_text(BODY))
    again = page("/build", height=1500)
    upload(again, FIRST_LINES["commas"].encode())
    again.get_by_test_id("stDataFrame").hover()
    again.get_by_test_id("stElementToolbar").first.wait_for()
    assert again.get_by_role("button", name="Search").count() == 1
    raw = again.locator("button[aria-label^='Download as CSV']")
    assert raw.count() == 1 and not raw.is_visible()
