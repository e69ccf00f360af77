"""The hinge and its smoothed forms, as functions of the margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.losses import HingeLoss, Loss, SmoothHingeLoss

CURVES = (0.0, 0.001, 0.01, 0.1)
"""The temperatures drawn unless others are asked for; 0 is the hinge itself."""


@dataclass(frozen=True, eq=False)
class Curves:
    """The loss as a function of the margin.

    Attributes:
        margins: ``(b,)``.
        temperatures: ``(m,)``; 0 is the hinge.
        values: ``(m, b)`` in hinge units.
    """

    margins: np.ndarray
    temperatures: np.ndarray
    values: np.ndarray


def curves(temperatures: Sequence[float] = CURVES, low: float = 0.8, high: float = 1.2) -> Curves:
    """``SmoothHinge(m, t) = t log(1 + exp((1 - m) / t))`` near the kink; ``max(0, 1 - m)`` for ``t = 0``."""
    margins = torch.linspace(low, high, 401, dtype=torch.float64)
    label = torch.ones(len(margins), dtype=torch.long)
    values = [_loss(t).values(margins[:, None], label).numpy() for t in temperatures]
    return Curves(margins.numpy(), np.array(temperatures), np.array(values))


def _loss(temperature: float) -> Loss:
    return SmoothHingeLoss(temperature) if temperature else HingeLoss()
