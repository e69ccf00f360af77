"""What every way of training networks again shares: one model after the other, named, and stoppable at any time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from influence_core.errors import DataError
from influence_core.progress import Progress, part, report
from influence_core.retraining.edits import Edit
from influence_core.retraining.retrained import Retrained

Walk = Callable[[Edit, Progress | None], tuple[Tensor, float]]
"""Trains again after one edit: its parameters ``(p,)`` and its gradient's norm."""


def one_by_one(
    theta: Tensor, edits: Sequence[Edit], gradient_norm: float, walk: Walk, progress: Progress | None
) -> Retrained:
    """One model after the other: one network's passes keep a core busy, and many at once are no faster.

    Args:
        theta: ``(p,)`` whose type and device the models get.
        edits: ``m`` edits, each on its own.
        gradient_norm: At or below it a model counts as converged.
        walk: Trains one of them.
        progress: Called by every walk, with its model's number.
    """
    m = len(edits)
    thetas, norms = theta.expand(m, -1).clone(), torch.zeros(m, dtype=torch.float64)
    for at, edit in enumerate(edits):
        share = part(progress, at / m, (at + 1) / m)
        thetas[at], norms[at] = walk(edit, _named(share, f"model {at + 1} of {m}"))
    report(progress, 1.0, f"{m} of {m} models retrained")
    return Retrained(thetas, norms, norms <= gradient_norm)


def _named(progress: Progress | None, name: str) -> Progress | None:
    return None if progress is None else lambda fraction, words: progress(fraction, f"{name}: {words}")


def still(progress: Progress | None, fraction: float, words: str) -> Callable[[], None]:
    """Report the same again: nobody knows how long it takes, but it must be possible to stop it."""
    return lambda: report(progress, fraction, words)


def check_damping(damping: float) -> None:
    """Raise ``DataError`` unless the damping is above 0."""
    if not (math.isfinite(damping) and damping > 0):
        raise DataError(f"Training again near theta needs a damping above 0, but it is {damping:g}.")
