"""How bad what was found is: one scale, in words, for all that is looked for."""

from __future__ import annotations

LEVELS = {
    "serious": "the model or its test cannot be believed as it is",
    "worth a look": "only somebody who knows the data can tell whether it is a fault",
    "good to know": "no fault",
}
"""The words of the scale, the worst first, and what each means."""
_OF = {
    "conflicts": "serious",
    "leaks": "serious",
    "small": "serious",
    "repeated": "serious",
    "contradicted": "worth a look",
    "contradicted_tests": "worth a look",
    "thin": "worth a look",
    "outliers": "worth a look",
    "twins": "good to know",
    "unused": "good to know",
}
SERIOUSNESS = tuple(_OF)
"""Names of all that is looked for, the most serious first: a wrong label is mended, what is thin only with more data."""


def level(name: str) -> str:
    """Which of the `LEVELS` a finding of this name has.

    >>> level("leaks"), level("thin"), level("unused")
    ('serious', 'worth a look', 'good to know')

    Args:
        name: Of the finding.
    """
    return _OF[name]
