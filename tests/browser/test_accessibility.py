"""Every page for everybody: axe finds no serious violation, light or dark, and the keyboard alone is enough."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from pages._shell.catalogue import PAGES
from tests.browser.helpers import wait_idle, wait_until
from tests.browser.test_explain_journey import query, settle

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")
ASKED = ("heading-order", "label-content-name-mismatch")
"""Less than serious to axe."""
STUDIES = {"poison": "dog-or-frog", "domain_mismatch": "diabetes-thinned"}
"""Where the small study of the others has no answer."""
MOST_TABS = 400
_FOCUSED = """
(wanted) => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at === wanted;
}
"""


def violations(opened, tries: int = 3) -> list[str]:
    """What axe finds, with the element and what is wrong with it.

    A page that is drawn anew beside work that goes on is pale for a moment, and pale words have too little contrast: what
    counts is found every time.
    """
    options = {"resultTypes": ["violations"], "rules": {name: {"enabled": True} for name in ASKED}}
    for _ in range(tries):
        wait_idle(opened, quiet_ms=1000)
        found = [
            f"{one['id']} ({one['impact']}): {node['html'][:200]} {' '.join(node['failureSummary'].split())[:300]}"
            for one in Axe().run(opened, options=options).response["violations"]
            if one["impact"] in SERIOUS or one["id"] in ASKED
            for node in one["nodes"]
        ]
        if not found:
            break
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
def test_no_page_has_a_serious_violation(page, row, theme):
    path = "/" if row is PAGES[0] else f"/{row.name}"
    opened = page(f"{path}?study={STUDIES.get(row.name, 'one-or-seven')}", color_scheme=theme)
    assert violations(opened) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_suspect_with_its_evidence_has_none_either(page, theme):
    opened = page("/review?study=one-or-seven&review=everybody&panel=practise", color_scheme=theme)
    settle(opened, lambda: "when it never did" in opened.inner_text("body"))
    assert violations(opened) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_several_suspects_as_cards_have_none_either(page, theme):
    opened = page("/review?study=one-or-seven&review=cards&score=loss&cards=1", color_scheme=theme)
    settle(opened, lambda: opened.locator(".st-key-batch input[type=checkbox]").count() == 24)
    assert violations(opened) == []


def tab_to(opened, wanted) -> None:
    """Press Tab until the focus is there, as somebody without a mouse would."""
    for _ in range(MOST_TABS):
        if wanted.evaluate(_FOCUSED):
            return
        opened.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached with the Tab key")


def test_the_keyboard_alone_is_enough(page):
    """Choose a test image, open a training image, go on to the next, tick it, take it out and train again."""
    opened = page("/?study=one-or-seven")
    tab_to(opened, opened.locator(".st-key-tests").get_by_role("button").nth(2))
    opened.keyboard.press("Enter")
    settle(opened, lambda: "test" in query(opened))

    cards = opened.locator(".st-key-side_helpful").get_by_role("button")
    tab_to(opened, cards.first)
    opened.keyboard.press("Enter")
    settle(opened, lambda: "open" in query(opened))
    first = query(opened)["open"]
    tab_to(opened, cards.nth(1))
    opened.keyboard.press("Enter")
    settle(opened, lambda: query(opened).get("open") not in (None, first))
    wait_idle(opened)

    tab_to(opened, opened.locator(".st-key-side_helpful").get_by_role("checkbox").nth(1))
    opened.keyboard.press("Space")
    settle(opened, lambda: query(opened).get("out") == query(opened)["open"])
    tab_to(opened, opened.get_by_role("button", name="Take out and retrain"))
    opened.keyboard.press("Enter")
    assert wait_until(lambda: "retrain" in query(opened))
    settle(opened, lambda: opened.locator(".st-key-before_after").count() == 1)
