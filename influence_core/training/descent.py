"""L-BFGS, once: of a network's risk, of many linear models side by side, and of a risk that is held to an anchor."""

from __future__ import annotations

from torch import Tensor

from influence_core.operators import GaussNewton
from influence_core.solvers.base import Inverse
from influence_core.solvers.cholesky import Cholesky
from influence_core.training.path import Path

MEMORY = 60
"""Earlier steps that correct the curvature; as many steps one Gauss-Newton inverse serves before it is rebuilt."""
NETWORK_DAMPING = 1e-3


class Memory:
    """An inverse curvature, corrected by what earlier steps have taught.

    Args:
        inverse: An inverse curvature near the steps; it sets the pace.
        min_curvature: A step along which the risk curves no more than this teaches nothing.

    Attributes:
        pairs: Earlier ``(step, change of the gradient)``, oldest first.
    """

    def __init__(self, inverse: Inverse, min_curvature: float = 0.0) -> None:
        self.inverse, self.min_curvature = inverse, min_curvature
        self.pairs: list[tuple[Tensor, Tensor]] = []

    def learn(self, moved: Tensor, turned: Tensor) -> None:
        """Remember a step ``moved (p,)`` and the gradient's change along it, ``turned (p,)``, if it curves enough."""
        if float(moved @ turned) > self.min_curvature * float(moved @ moved):
            self.add(moved, turned)

    def add(self, moved: Tensor, turned: Tensor) -> None:
        """Remember a step in any case; ``(p,)``, or ``(p, m)`` for ``m`` models that advance side by side."""
        self.pairs = [*self.pairs[1 - MEMORY :], (moved, turned)]

    def keep(self, models: Tensor) -> None:
        """Go on with some of the models only: ``(m,)``, whether each stays."""
        self.pairs = [(moved[:, models], turned[:, models]) for moved, turned in self.pairs]

    def product(self, gradient: Tensor) -> Tensor:
        """The corrected inverse curvature times the gradient, by L-BFGS's two loops.

        Args:
            gradient: ``(p,)``, or ``(p, m)`` for ``m`` models that advance side by side.

        Returns:
            Shaped as the gradient; the step downhill is its negative.
        """
        q, factors = gradient.clone(), []
        for moved, turned in reversed(self.pairs):
            factor = (moved * q).sum(0) / (moved * turned).sum(0)
            factors.append(factor)
            q -= factor * turned
        q = self.inverse.solve(q).value
        for (moved, turned), factor in zip(self.pairs, reversed(factors), strict=True):
            q = q + (factor - (turned * q).sum(0) / (moved * turned).sum(0)) * moved
        return q


def quasi_newton(path: Path, inverse: Inverse | None, max_steps: int) -> None:
    """Move along a network's path until it has arrived, or neither its gradient nor its risk gets smaller.

    Args:
        path: Where to start.
        inverse: An inverse curvature there for the first steps; without one it is made.
        max_steps: Steps after which no new inverse is made.
    """
    while not path.arrived and path.steps < max_steps:
        norm, risk = path.norm, path.risk
        if inverse is None:
            inverse = Cholesky().prepare(GaussNewton(path.objective, path.theta, NETWORK_DAMPING))
        walk(path, Memory(inverse))
        inverse = None
        if not (path.norm < norm or path.risk < risk - path.hidden * abs(risk)):
            return


def walk(path: Path, memory: Memory) -> None:
    """The steps that one inverse serves: until the path has arrived, or no step lowers its risk.

    Args:
        path: Where to start.
        memory: The inverse, with what earlier steps have taught; it learns from these.
    """
    for _ in range(MEMORY):
        theta, gradient = path.theta, path.gradient
        if path.arrived or not path.move(-memory.product(gradient)):
            return
        memory.learn(path.theta - theta, path.gradient - gradient)
