"""From a first-order number to a proven one, on the same page, without a click."""

import re

import pytest

from tests.browser.conftest import serving
from tests.browser.helpers import shot, wait_idle, wait_until

pytestmark = pytest.mark.browser
LINE = re.compile(r"Proving 5,000 retrainings: (\d+) %, ([\d,]+) done")


@pytest.fixture(scope="module")
def proving(app_script, tmp_path_factory):
    """An app on an empty store that may take all the time it needs, as CI is slower than a laptop."""
    folder = tmp_path_factory.mktemp("proving")
    with serving(app_script, folder, INFLUENCE_EXPLORER_PROVE_SECONDS="3600") as address:
        yield address


def verdict(opened) -> str:
    return opened.locator(".st-key-badge").first.inner_text()


def test_the_same_page_counts_up_and_then_says_proven(page, proving):
    opened = page(f"{proving}/")
    assert opened.locator(".st-key-side_helpful button").count() > 0, "answers do not wait"
    assert "first-order number" in verdict(opened)
    shot(opened, "proving-1-first-order")
    assert wait_until(lambda: "hardest to forecast" in verdict(opened))
    shot(opened, "proving-2-corrected")
    counted = []

    def counts() -> bool:
        found = LINE.search(verdict(opened))
        if found and found[2] not in counted:
            counted.append(found[2])
        return "Proven" in verdict(opened)

    assert wait_until(counts, seconds=1_500)
    wait_idle(opened)
    numbers = [int(one.replace(",", "")) for one in counted]
    assert numbers == sorted(numbers)
    assert len(numbers) >= 2, "it counts up"
    assert "without each of the 5,000 training images" in verdict(opened)
    assert "Proven, pp of probability" in opened.inner_text(".st-key-provenance")
    shot(opened, "proving-3-proven")
    for theme, width in (("dark", 1400), ("light", 420)):
        again = page(f"{proving}/", color_scheme=theme, width=width)
        assert wait_until(lambda again=again: "Proven" in verdict(again))
        shot(again, f"proving-4-{theme}-{width}")
