"""Every page for everybody: axe finds no serious violation, light or dark, and the keyboard alone is enough."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from pages._shell.catalogue import PAGES
from tests.browser.helpers import wait_idle

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")
RULES = ("heading-order",)
"""Less than serious to axe, and asked for all the same."""
STUDIES = {"poison": "dog-or-frog", "domain_mismatch": "diabetes-thinned"}
"""Where the default study has no answer; every other page is visited with a small one."""


def violations(opened) -> list[str]:
    """What axe finds, with the element and what is wrong with it."""
    found = Axe().run(opened).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {' '.join(node['failureSummary'].split())[:300]}"
        for one in found
        if one["impact"] in SERIOUS or one["id"] in RULES
        for node in one["nodes"]
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.name)
def test_no_page_has_a_serious_violation(page, row, theme):
    path = "/" if row is PAGES[0] else f"/{row.name}"
    opened = page(f"{path}?study={STUDIES.get(row.name, 'one-or-seven')}", color_scheme=theme)
    wait_idle(opened, seconds=600)
    assert violations(opened) == []
