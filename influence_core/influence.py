"""The engine: how much each training example moved a prediction.

Signs and units, once. ``D[j, i] = w_i s_j . grad l_i`` with ``s_j = A^-1 grad l(test_j)`` is the **predicted change of
test loss j, in nats, if training example i is removed**: positive = helpful, negative = harmful. ``A`` is the
curvature, damping included; gradients are those of the data, without the penalty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from influence_core.errors import ShapeError
from influence_core.objective import LinearMap, Objective
from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import Inverse, Solution

BLOCK = 50
"""Test examples that are solved together."""


@dataclass(frozen=True, eq=False)
class InfluenceScores:
    """Scores of a block of test examples.

    Attributes:
        values: ``(t, n)``: predicted change of each test loss, in nats, on removal of each training example.
        solve: The solve behind them; ``solve.value`` is ``s (p, t)``.
    """

    values: Tensor
    solve: Solution

    def most_helpful(self, test: int, k: int) -> Tensor:
        """Positions ``(<= k,)`` of the examples whose removal would raise the loss most, largest first; all positive."""
        return self._ranked(self.values[test], k)

    def most_harmful(self, test: int, k: int) -> Tensor:
        """Positions ``(<= k,)`` of the examples whose removal would lower the loss most, largest first; all negative."""
        return self._ranked(-self.values[test], k)

    @staticmethod
    def _ranked(values: Tensor, k: int) -> Tensor:
        top = torch.topk(values, min(k, len(values)))
        return top.indices[top.values > 0]


@dataclass(frozen=True, eq=False)
class InfluenceEngine:
    """Objective, optimum, exact operator and an applied inverse.

    Attributes:
        objective: What was minimised; ``n`` training examples.
        theta: ``(p,)``, the trained parameters.
        operator: The exact curvature, against which every residual is taken.
        inverse: Its inverse, exact or approximate.
    """

    objective: Objective
    theta: Tensor
    operator: LinearOperator
    inverse: Inverse

    def __post_init__(self) -> None:
        self.objective.check_theta(self.theta)
        object.__setattr__(self, "theta", self.theta.detach())  # a graph kept is memory kept
        if self.operator.dim != self.objective.dim:
            raise ShapeError(
                f"The operator has {self.operator.dim} rows; the objective {self.objective.dim} parameters."
            )

    @cached_property
    def _training_products(self) -> LinearMap:
        return self.objective.training_products(self.theta)

    def inverse_gradients(self, x: Tensor, y: Tensor, progress: Progress | None = None) -> Solution:
        """``s = A^-1 grad l(x, y)`` for test examples ``x (t, d)``, ``y (t,)``: a solution of shape ``(p, t)``."""
        self.objective.check_examples(x, y)
        return self.inverse.solve(self.objective.gradients(self.theta, x, y).T.contiguous(), progress)

    def removal(self, s: Tensor) -> Tensor:
        """``D`` for ``s (p,)`` or ``(p, t)``: ``(n,)`` or ``(t, n)``, in nats, positive = helpful."""
        weights = self.objective.weights
        products = self._training_products(s)
        return products.mul_(weights) if s.ndim == 1 else products.mul_(weights[:, None]).T

    def score(self, x: Tensor, y: Tensor, progress: Progress | None = None) -> InfluenceScores:
        """Scores ``(t, n)`` of one block of test examples."""
        solve = self.inverse_gradients(x, y, progress)
        return InfluenceScores(self.removal(solve.value), solve)

    def scores(self, x: Tensor, y: Tensor, progress: Progress | None = None) -> Iterator[InfluenceScores]:
        """Blocks of scores for any number of test examples; the whole table is never held."""
        self.objective.check_examples(x, y)
        for start in range(0, len(x), BLOCK):
            yield self.score(x[start : start + BLOCK], y[start : start + BLOCK])
            report(
                progress,
                min(1.0, (start + BLOCK) / len(x)),
                f"{min(start + BLOCK, len(x))} of {len(x)} tests",
            )

    def self_influence(self, positions: Tensor | None = None, progress: Progress | None = None) -> Tensor:
        """``D_ii = w_i grad l_i' A^-1 grad l_i``, in nats: how much an example's own loss would rise without it.

        Args:
            positions: ``(m,)`` training positions; all of them where none are given.
            progress: Called after each block.

        Returns:
            ``(m,)``, not negative for a positive definite curvature. Never forms the ``n x n`` table.
        """
        o = self.objective
        at = torch.arange(o.n, device=o.x.device) if positions is None else positions
        values = []
        for block in at.split(BLOCK):
            gradients = o.gradients(self.theta, o.x[block], o.y[block])
            solved = self.inverse.solve(gradients.T.contiguous()).require()
            values.append(o.weights[block] * (gradients * solved.T).sum(1))
            report(progress, sum(map(len, values)) / len(at), "self-influence")
        return torch.cat(values)

    def parameter_change(self, positions: Tensor) -> Tensor:
        """Predicted ``theta_without_i - theta``, ``(m, p)``: ``w_i A^-1 grad l_i`` for ``positions (m,)``."""
        o = self.objective
        gradients = o.gradients(self.theta, o.x[positions], o.y[positions])
        return self.inverse.solve((o.weights[positions, None] * gradients).T.contiguous()).require().T

    def convergence_check(self, s: Tensor, removal: Tensor) -> float:
        """``|sum_i D_i + l2 theta . s| / sum_i |D_i|`` for one ``s (p,)``: 0 at an optimum (``s . grad R = 0``)."""
        total = removal.sum() + (self.objective.l2 * self.theta) @ s
        return float(total.abs() / removal.abs().sum().clamp_min(torch.finfo(removal.dtype).tiny))
