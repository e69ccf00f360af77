"""A forecast beside the truth that has come: the truth leads, and a forecast that missed it by much is said to have, and why."""

from __future__ import annotations

from influence_core.words import POINTS, UNIT

FAR_OFF = 0.5
"""A forecast that misses by a larger share of the larger of itself and the truth is far off."""
LEAST = {POINTS: 0.1, UNIT: 0.001}
"""But not one that misses by no more than this, by unit: so many nats move a probability by 0.1 points at the most."""
_STEP = "one Newton step takes the training loss as a parabola, and this leads farther than that holds"
_ADDED = "it is the paper's influence, which is for small changes and knows none of another"


def is_far_off(foreseen: float, came: float, least: float) -> bool:
    """Whether what was foreseen is far from what came.

    Args:
        foreseen: In any unit.
        came: In the same.
        least: A miss of no more than this is none, in the same.
    """
    return abs(foreseen - came) > max(least, FAR_OFF * max(abs(came), abs(foreseen)))


def had_said(foreseen: float, came: float, words: str, together: bool, unit: str = POINTS) -> str:
    """The forecast in a sentence, without its end, that follows the truth.

    >>> had_said(-98.7, -8.69, "-98.7 pp", True)[:46]
    'The forecast had said **-98.7 pp**: far off he'
    >>> had_said(-8.5, -8.69, "-8.50 pp", True)
    'The forecast had said **-8.50 pp**'

    Args:
        foreseen: In the unit.
        came: In the same.
        words: The forecast as it is shown.
        together: Whether it was one Newton step for everything, not the influence.
        unit: Percentage points or nats.
    """
    if not is_far_off(foreseen, came, LEAST[unit]):
        return f"The forecast had said **{words}**"
    return f"The forecast had said **{words}**: far off here, because {_STEP if together else _ADDED}"
