"""What a training gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Trained:
    """Parameters and the proof of their optimality.

    Attributes:
        theta: ``(p,)``.
        gradient_norm: ``||grad R(theta)||``, recomputed at ``theta``.
        steps: Outer steps.
        seconds: Wall-clock time.
        converged: Whether the asked gradient norm was reached.
    """

    theta: Tensor
    gradient_norm: float
    steps: int
    seconds: float
    converged: bool
