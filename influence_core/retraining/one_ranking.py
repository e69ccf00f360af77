"""How many training examples a single ranking needs to flip an answer: what a search with training has to beat."""

from __future__ import annotations

import torch
from torch import Tensor

from influence_core.progress import Progress
from influence_core.retraining.flipping import ROUGH, Search
from influence_core.retraining.following import Following


def one_shot(model: Following, progress: Progress | None = None) -> tuple[int | None, int | None]:
    """How many of its first examples a single ranking needs for the flip, and how many it expects to.

    The first is found between a number that does not flip the answer and one that does, each by training: where the margin
    does not fall with every further example, fewer might do.

    Args:
        model: At the optimum, nothing edited yet.
        progress: Called after every training step; may raise ``Cancelled``.

    Returns:
        ``None`` for the first where all that pull do not flip it, for the second where they are not expected to.
    """
    order, expected = _ranked(model)

    def margin(count: int) -> float:
        taken = torch.zeros_like(model.taken)
        taken[order[:count]] = True
        model.edit(taken, ROUGH, progress)
        model.sharpen(progress)
        return model.margin

    low, high = (0, model.margin), (min(expected or len(order), len(order)), -1.0)
    while high[0] and (reached := margin(high[0])) >= 0:
        if high[0] == len(order):
            return None, expected
        low, high = (high[0], reached), (min(2 * high[0], len(order)), -1.0)
    if not high[0]:
        return None, expected
    high, halve = (high[0], reached), False
    while high[0] - low[0] > 1:
        share = 0.5 if halve else low[1] / (low[1] - high[1])
        middle = min(max(low[0] + round(share * (high[0] - low[0])), low[0] + 1), high[0] - 1)
        reached, halve = margin(middle), not halve
        low, high = ((middle, reached), high) if reached >= 0 else (low, (middle, reached))
    return high[0], expected


def _ranked(model: Following) -> tuple[Tensor, int | None]:
    """Positions of all that pull, the strongest first, leaving each class one; how many are expected to flip the answer."""
    pulls = model.pulls()
    order = Search(model, None).ranking(pulls)
    short = int((pulls[order].cumsum(0) < model.margin).sum())
    return order, short + 1 if short < len(order) else None
