"""Answers of two models to the same test examples, counted, and how sure the change of their accuracy is."""

from __future__ import annotations

import math
from dataclasses import dataclass

NORMAL = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Tally:
    """Answers counted before and after.

    Attributes:
        name: Of the test examples that are counted.
        total: How many.
        right_before: Right answers of the one model.
        right_after: Of the other.
        better: Wrong before, right after.
        broke: Right before, wrong after.
        between: Wrong before, and after with another wrong answer.
    """

    name: str
    total: int
    right_before: int
    right_after: int
    better: int
    broke: int
    between: int

    @property
    def before(self) -> float:
        """Accuracy of the one model."""
        return self.right_before / self.total

    @property
    def after(self) -> float:
        """Accuracy of the other."""
        return self.right_after / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Between which changes of the accuracy the true one lies, 95 %."""
        return paired_interval(self.better, self.broke, self.total)

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no doubt about the change's sign."""
        low, high = self.interval
        return low > 0 or high < 0


def paired_interval(better: int, broke: int, total: int) -> tuple[float, float]:
    """Between which differences of two accuracies on the same examples the true one lies, 95 %.

    Bonett and Price's adjusted Wald interval for paired proportions: with one more answer of either kind,
    ``d = (better - broke) / (total + 2)``, of standard error ``sqrt((p + q - d^2) / (total + 2))``.

    Args:
        better: Answers that only the second model has right.
        broke: Answers that only the first has right.
        total: All answers.

    >>> low, high = paired_interval(9, 2, 200)
    >>> round(low, 3), round(high, 3)
    (-0.0, 0.069)
    """
    p, q = (better + 1) / (total + 2), (broke + 1) / (total + 2)
    reach = NORMAL * math.sqrt((p + q - (p - q) ** 2) / (total + 2))
    return max(-1.0, p - q - reach), min(1.0, p - q + reach)
