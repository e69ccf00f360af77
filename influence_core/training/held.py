"""L-BFGS on a network's risk that is held to an anchor by ``damping/2 ||theta - anchor||^2``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.network import NetworkObjective
from influence_core.solvers.base import Inverse
from influence_core.training.descent import Memory
from influence_core.training.path import SUFFICIENT_DECREASE, backtrack

RiskAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""``theta (p,) -> R (), grad R (p,)``."""

SINGLE = 1e-5
"""Down to this gradient norm a network advances in float32, which is twice as fast; the proof is in its own precision."""
GRADIENTS = 40
"""A descent to one anchor takes at most so many gradients."""
MIN_CURVATURE = 0.1
"""A step along which the risk curves less than this share of the damping teaches nothing."""
MIN_STEP = 1e-4
"""A shorter share of a step is not tried."""


@dataclass(frozen=True, eq=False)
class Point:
    """Parameters with the risk and its gradient there.

    Attributes:
        theta: ``(p,)``.
        value: The risk.
        gradient: ``(p,)``.
    """

    theta: Tensor
    value: float
    gradient: Tensor

    @property
    def norm(self) -> float:
        """``||grad R||``."""
        return float(self.gradient.norm())

    def held(self, anchor: Tensor, damping: float) -> tuple[float, Tensor]:
        """The risk and its gradient with ``damping/2 ||theta - anchor||^2`` added."""
        moved = self.theta - anchor
        return self.value + 0.5 * damping * float(moved @ moved), self.gradient + damping * moved


@dataclass(frozen=True, eq=False)
class Risk:
    """A risk with its gradient, in a floating-point type that says how far its values are off by rounding."""

    risk_and_gradient: RiskAndGradient
    dtype: torch.dtype

    def at(self, theta: Tensor) -> Point:
        """The point at ``theta (p,)``."""
        value, gradient = self.risk_and_gradient(theta.to(self.dtype))
        return Point(theta, float(value), gradient.to(theta))

    @property
    def rounding(self) -> float:
        """The share of its value by which a risk may be off."""
        return 4 * torch.finfo(self.dtype).eps


def sharper_risks(
    objective: NetworkObjective, gradient_norm: float, kind: Callable[[NetworkObjective], RiskAndGradient]
) -> list[Risk]:
    """The risk to advance on, in float32 where that is sharp enough, and then the exact one, to finish and to prove.

    Args:
        objective: A network.
        gradient_norm: What is asked for.
        kind: The risk of such an objective.
    """
    exact = Risk(kind(objective), objective.x.dtype)
    if gradient_norm < SINGLE:
        return [exact]
    return [Risk(kind(objective.to(objective.x.device, torch.float32)), torch.float32), exact]


class HeldDescent:
    """L-BFGS on a risk that is held to an anchor.

    The held risk's curvature does not depend on the anchor, so what one descent has taught serves all later ones.

    Args:
        inverse: A positive definite inverse curvature with about this damping; it sets the pace.
        damping: Above 0.
    """

    def __init__(self, inverse: Inverse, damping: float) -> None:
        self.damping, self.memory = damping, Memory(inverse, MIN_CURVATURE * damping)

    def settle(
        self, risk: Risk, point: Point, anchor: Tensor, gradient_norm: float, tick: Callable[[], None]
    ) -> Point:
        """From ``point`` to where the held risk's gradient is small enough, or no step leads down.

        Args:
            risk: The risk, not held.
            point: The start.
            anchor: ``(p,)``.
            gradient_norm: For the held risk.
            tick: Called before every gradient.
        """
        for _ in range(GRADIENTS):
            tick()
            gradient = point.held(anchor, self.damping)[1]
            if float(gradient.norm()) <= gradient_norm:
                break
            there = self._step(risk, point, anchor)
            if there is None:
                break
            self.memory.learn(there.theta - point.theta, there.held(anchor, self.damping)[1] - gradient)
            point = there
        return point

    def glide(self, risk: Risk, before: Point, point: Point) -> Point:
        """Where to look first for the end of the next damped step: as far again as the last one went, or not at all."""
        if before is point:
            return point
        there = risk.at(2 * point.theta - before.theta)
        return there if there.held(point.theta, self.damping)[0] < point.value else point

    def _step(self, risk: Risk, point: Point, anchor: Tensor) -> Point | None:
        """Halve the step until the held risk falls enough, or rises by no more than rounding."""
        value, gradient = point.held(anchor, self.damping)
        step = -self.memory.product(gradient)
        slope, hidden = float(gradient @ step), risk.rounding * abs(point.value)

        def low_enough(length: float) -> Point | None:
            there = risk.at(point.theta + length * step)
            enough = value + SUFFICIENT_DECREASE * length * slope + hidden
            return there if there.held(anchor, self.damping)[0] <= enough else None

        return backtrack(slope, MIN_STEP, low_enough)
