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
        converged: Whether ``target`` was reached.
        target: The gradient norm to train to: what was asked for or, where that is less, what rounding in the model's type
            leaves of a gradient (float32; ``rounding``).
    """

    theta: Tensor
    gradient_norm: float
    steps: int
    seconds: float
    converged: bool
    target: float
