"""The number that stands beside a training example: one unit, one sign and one format for sentence, card, chart and table."""

from __future__ import annotations

from influence_core.experiments.explain import Explanation
from influence_core.words import UNIT, having, having_rule, nats, sign_rule
from pages._common.verdict import NAMES
from pages._shell.escape import escape_markdown


def effect(explanation: Explanation, at: int, unit: str = "") -> str:
    """What the example at ``at`` does: points of the probability by having it, or nats of the loss without it."""
    if unit == UNIT:
        return nats(float(explanation.effects.loss[at]))
    return having(float(explanation.effects.probability[at]))


def rule(explanation: Explanation, unit: str = "") -> str:
    """What that number is, and its sign."""
    name = NAMES[explanation.number]
    name = name[0].upper() + name[1:]
    if unit == UNIT:
        return f"{sign_rule(explanation.kind)} {name}."
    return f"{having_rule(explanation.kind, escape_markdown(explanation.label_name))} {name}."
