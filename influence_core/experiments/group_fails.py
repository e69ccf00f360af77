"""Does a model fail on a group more than elsewhere, or are there too few test rows to tell?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from influence_core.experiments.groups import Errors
from influence_core.store.remember import remember

Fails = Literal["more", "less", "not more", "too few"]

DOUBT = 0.05
"""Of all groups that are looked at together so often one is said to differ that does not."""
MATTERS = 0.05
"""A group fails "not more" where its rate is known to be no more than so much higher."""


@dataclass(frozen=True)
class Fared:
    """A group's error rate beside that of all other test rows.

    Attributes:
        group: Errors on the group.
        elsewhere: Errors on all others.
        looks: Groups that the eye may fall on; the worst of many is bad by chance alone.
        chance: Probability of counts at least as unlikely if both failed equally often (Fisher's exact test, two-sided), times
            ``looks`` (Bonferroni), at most 1.
        interval: Between which differences of the rates, group minus others, the true one lies: 95 % for all ``looks``
            together, by Newcombe's interval of two shares.
    """

    group: Errors
    elsewhere: Errors
    looks: int
    chance: float
    interval: tuple[float, float]

    @property
    def fails(self) -> Fails:
        """What the counts can tell."""
        if self.chance < DOUBT:
            return "more" if self.group.rate > self.elsewhere.rate else "less"
        return "not more" if self.interval[1] <= MATTERS else "too few"


@remember("how a group fares", stored=False)
def run(group: Errors, elsewhere: Errors, looks: int = 1) -> Fared:
    """Compare the errors on a group with those on all other test rows.

    Args:
        group: Errors on the group.
        elsewhere: Errors on all others.
        looks: As in ``Fared``.

    Three mistakes on eleven rows are more often than one in six, and yet too few to tell:

    >>> run(Errors(11, 3), Errors(99, 16)).fails, run(Errors(137, 30), Errors(4000, 300)).fails
    ('too few', 'more')
    """
    from scipy.stats import fisher_exact  # takes seconds to import

    counts = [[one.wrong, one.rows - one.wrong] for one in (group, elsewhere)]
    chance = min(1.0, looks * float(fisher_exact(counts)[1]))
    return Fared(group, elsewhere, looks, chance, _newcombe(group, elsewhere, DOUBT / looks))


def _newcombe(one: Errors, other: Errors, doubt: float) -> tuple[float, float]:
    """Newcombe's interval of ``one.rate - other.rate`` (his method 10), of two Wilson intervals."""
    difference = one.rate - other.rate
    (low, high), (other_low, other_high) = (_wilson(each, doubt) for each in (one, other))
    return (
        difference - math.hypot(one.rate - low, other_high - other.rate),
        difference + math.hypot(high - one.rate, other.rate - other_low),
    )


def _wilson(errors: Errors, doubt: float) -> tuple[float, float]:
    """Between which rates the true one lies; 0 to 1 where there are no rows."""
    from scipy.special import ndtri

    n, rate = errors.rows, errors.rate
    if not n:
        return 0.0, 1.0
    z = -float(ndtri(doubt / 2))
    middle, reach = rate + z * z / (2 * n), z * math.sqrt(rate * (1 - rate) / n + (z / (2 * n)) ** 2)
    whole = 1 + z * z / n
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)
