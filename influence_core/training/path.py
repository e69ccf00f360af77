"""Where a minimisation stands, and the line search that moves it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from influence_core.objective import Objective
from influence_core.progress import Progress, report
from influence_core.training.rounding import rounding

SUFFICIENT_DECREASE = 1e-4
"""A step must lower the risk by this share of what its slope promises."""
MIN_STEP = 1e-8
"""A shorter share of a step is not tried."""
ROUNDING = 1e-12
"""A predicted fall below this share of the risk cannot be told from rounding ..."""
ROUNDINGS = 16
"""... nor one below so many roundings of the type, which is more in float32."""
NOISE = 2
"""A gradient of so many times its rounding is as small as a type can show."""
DECADE = 10
"""The rounding is measured again where the gradient is so many times smaller than it was."""

Found = TypeVar("Found")


def backtrack(slope: float, smallest: float, accept: Callable[[float], Found | None]) -> Found | None:
    """What ``accept`` finds at the first of the lengths 1, 1/2, 1/4, ... at which it finds anything.

    Args:
        slope: Of the risk along the step; only a step downhill is tried.
        smallest: The smallest length.
        accept: Looks at the step of one length; ``None`` asks for a shorter one.

    Returns:
        ``None`` where no length will do.
    """
    length = 1.0
    while slope < 0 and length >= smallest:
        found = accept(length)
        if found is not None:
            return found
        length /= 2
    return None


class Path:
    """Where a minimisation stands: parameters, risk and gradient, moved by a line search.

    Args:
        objective: What is minimised.
        theta: ``(p,)`` the start.
        asked: For the gradient's norm.
        progress: Called after every step.
        share: Of the norm at the start, which is enough if it is more than what was asked for.

    Attributes:
        target: What was asked for, or ``NOISE`` times the gradient's rounding where that is more.
        hidden: A change of the risk by a smaller share of it is hidden by rounding.
    """

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        asked: float,
        progress: Progress | None,
        share: float = 0.0,
    ) -> None:
        self.objective, self.progress = objective, progress
        self.theta = theta.clone()
        risk, self.gradient = objective.risk_and_gradient(theta)
        self.risk = float(risk)
        self.first, self.steps = self.norm, 0
        self.asked = max(asked, share * self.first)
        self.hidden = max(ROUNDING, ROUNDINGS * torch.finfo(theta.dtype).eps)
        self._measure()

    @property
    def norm(self) -> float:
        """``||grad R||``."""
        return float(self.gradient.norm())

    @property
    def arrived(self) -> bool:
        """Whether the gradient is as small as was asked for."""
        return self.norm <= self.target

    def move(self, step: Tensor) -> bool:
        """Halve ``step (p,)`` until the risk falls enough; near the optimum, where rounding hides it, the gradient must.

        Returns:
            Whether it moved.
        """
        slope = float(self.gradient @ step)
        gradient = backtrack(slope, MIN_STEP, lambda length: self._try(length * step, length * slope))
        if gradient is None:
            return False
        self.gradient = gradient
        self.steps += 1
        if DECADE * self.norm < self._measured:
            self._measure()
        report(self.progress, self._fraction(), f"gradient norm {self.norm:.1e}")
        return True

    def _measure(self) -> None:
        """What the target is, at the present parameters."""
        self.target = max(self.asked, NOISE * rounding(self.objective, self.theta))
        self._measured = self.norm

    def _try(self, step: Tensor, fall: float) -> Tensor | None:
        """Go there, and give the gradient there, if the risk falls enough."""
        there = self.theta + step
        value, gradient = self.objective.risk_and_gradient(there)
        risk, hidden = float(value), abs(fall) < self.hidden * max(1.0, abs(self.risk))
        if not (hidden or risk <= self.risk + SUFFICIENT_DECREASE * fall):
            return None
        if hidden and not float(gradient.norm()) < self.norm:
            return None
        self.theta, self.risk = there, risk
        return gradient

    def _fraction(self) -> float:
        if self.arrived or self.first <= self.target:
            return 1.0
        return max(0.0, math.log(self.first / self.norm) / math.log(self.first / max(self.target, 1e-300)))
