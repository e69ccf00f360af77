"""Edited training examples put back, each on its own, and trained on: whether a set needs every one of them."""

from __future__ import annotations

import torch
from torch import Tensor

from influence_core.progress import Progress
from influence_core.retraining.following import Following
from influence_core.retraining.linear import retrain

ENOUGH = 0.1
"""A margin whose bound is this share of itself is on its side of 0; the bound is several times what is truly missed."""
SHARPER = 4
"""How often an example put back is trained on where its margin is too near 0 for its bound: the forecast was far from it."""


def restore_each(
    model: Following, positions: Tensor, forecast: Tensor, progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """Put edited examples back, each on its own, and train.

    Args:
        model: With the edits, at its optimum.
        positions: ``(m,)`` of edited examples.
        forecast: ``(m,)`` the margins to expect; training is as sharp as it takes to tell them from 0.
        progress: Called often.

    Returns:
        The margins ``(m,)`` that this gives, and how far they can be from those of the true optima, ``(m,)``.
    """
    margins, bounds = torch.zeros_like(forecast), torch.full_like(forecast, torch.inf)
    expected = forecast
    for _ in range(SHARPER):
        unsure = (margins.abs() <= bounds).nonzero()[:, 0]
        if not len(unsure):
            break
        targets = torch.tensor([model.norm_for(one, ENOUGH) for one in expected[unsure].tolist()]).double()
        edits = [model.restored(int(one)) for one in positions[unsure]]
        found = retrain(model.risk, model.theta, edits, model.learnt, targets, progress)
        outputs = torch.cat([model.risk.outputs(one, model.contest.x[None]) for one in found.theta])
        margins[unsure] = model.contest.margins(outputs).cpu().double()
        bounds[unsure] = model.bounds(found.gradient_norms)
        expected = margins
    return margins, bounds
