"""The number that stands beside training examples: one unit, one sign and one format for sentence, card, chart and table."""

from __future__ import annotations

import re

from influence_core.experiments.effects import probability_change
from influence_core.experiments.explain import Explanation
from influence_core.experiments.explanation import NUMBER_WORDS, SHORT_WORDS, Number
from influence_core.words import POINTS, UNIT, having, having_rule, moved, nats, sign_rule, signed
from pages._shell.escape import escape_markdown

NAMES = NUMBER_WORDS
"""The three numbers in words."""
SHORT = SHORT_WORDS
MADE = "made"
"""In the place of a unit: percentage points of the probability if a change is made, not of having the examples."""


def effect(explanation: Explanation, at: int, unit: str = "", number: Number | None = None) -> str:
    """What the example at ``at`` does: points of the probability by having it, or nats of the loss without it.

    By the best number at hand unless another is named.
    """
    effects = explanation.numbers[number or explanation.number]
    return nats(float(effects.loss[at])) if unit == UNIT else having(float(effects.probability[at]))


def worth(probability: float, without: float, unit: str = "") -> str:
    """What having some examples does to a ``probability``, by the change of its loss ``without`` them, nats; plus: for it."""
    found = amount(probability, without, unit)
    return moved(found / 100) if unit == MADE else f"{signed(found)} {unit_name(unit)}"


def unit_name(unit: str = "") -> str:
    """Behind a number."""
    return UNIT if unit == UNIT else POINTS


def amount(probability: float, without: float, unit: str = "") -> float:
    """The same as a number: percentage points of the probability, or nats of its logarithm."""
    if unit == UNIT:
        return without
    change = 100 * float(probability_change(probability, without))
    return change if unit == MADE else -change


def unbroken(sentence: str) -> str:
    """A sentence whose numbers stay with their units in one line.

    >>> unbroken("it says 5 (97.0 %), +0.25 pp for it")
    'it says 5 (97.0\\xa0%), +0.25\\xa0pp for it'
    """
    return re.sub(rf"(?<=\d) (?=%|{POINTS}\b|{UNIT}\b)", "\u00a0", sentence)


def rule(explanation: Explanation, unit: str = "") -> str:
    """What that number is, and its sign."""
    name = NAMES[explanation.number]
    return f"{unit_rule(explanation, unit)} {name[0].upper() + name[1:]}."


def unit_rule(explanation: Explanation, unit: str = "") -> str:
    """What a sign means, and in which unit."""
    if unit == UNIT:
        return f"{sign_rule(explanation.kind)} Unit: {UNIT}."
    return having_rule(explanation.kind, escape_markdown(explanation.label_name))
