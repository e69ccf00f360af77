"""A forecast beside the truth that has come: the truth leads, and a forecast that missed it by much is said to have, and why."""

from __future__ import annotations

FAR_OFF = 0.5
"""A forecast that misses by a larger share of the larger of itself and the truth is far off."""
_STEP = "one Newton step takes the training loss as a parabola, and this leads farther than that holds"
_ADDED = "it is the paper's influence, which is for small changes and knows none of another"


def is_far_off(foreseen: float, came: float) -> bool:
    """Whether what was foreseen is far from what came.

    Args:
        foreseen: In any unit.
        came: In the same.
    """
    return abs(foreseen - came) > FAR_OFF * max(abs(came), abs(foreseen))


def had_said(foreseen: float, came: float, words: str, together: bool) -> str:
    """The forecast in a sentence, without its end, that follows the truth.

    >>> had_said(-98.7, -8.69, "-98.7 pp", True)[:46]
    'The forecast had said **-98.7 pp**: far off he'
    >>> had_said(-8.5, -8.69, "-8.50 pp", True)
    'The forecast had said **-8.50 pp**'

    Args:
        foreseen: In any unit.
        came: In the same.
        words: The forecast as it is shown.
        together: Whether it was one Newton step for everything, not the influence.
    """
    if not is_far_off(foreseen, came):
        return f"The forecast had said **{words}**"
    return f"The forecast had said **{words}**: far off here, because {_STEP if together else _ADDED}"
