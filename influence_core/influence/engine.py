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

from influence_core.errors import ShapeError, UnsupportedError
from influence_core.influence.leverage import left_out_pulls, leverage_blocks
from influence_core.objective import LinearMap, LinearObjective, Numbers, Objective
from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import Inverse, Solution

BLOCK = 50
"""Examples that are solved together."""


@dataclass(frozen=True, eq=False)
class InfluenceScores:
    """Scores of a block of test examples.

    Attributes:
        values: ``(t, n)``: predicted change of each test loss, in nats, on removal of each training example.
        solve: The solve behind them; ``solve.value`` is ``s (p, t)``.
    """

    values: Tensor
    solve: Solution

    def helpful(self, test: int, k: int) -> Tensor:
        """Positions ``(<= k,)`` of the examples whose removal would raise the loss most, largest first; all positive."""
        return self._ranked(self.values[test], k)

    def harmful(self, test: int, k: int) -> Tensor:
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

    Two examples at 1 and -1; each holds up the other, and the forecasts and the penalty's pull add up to nothing:

    >>> from influence_core import Cholesky, Hessian, LogisticLoss, minimise
    >>> x, y = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.tensor([1, 0])
    >>> objective = LinearObjective.build(x, y, LogisticLoss(), l2=0.1)
    >>> theta = minimise(objective).theta
    >>> curvature = Hessian(objective, theta)
    >>> engine = InfluenceEngine(objective, theta, curvature, Cholesky().prepare(curvature))
    >>> scores = engine.score(x[:1], y[:1])
    >>> scores.values
    tensor([[0.0564, 0.0564]], dtype=torch.float64)
    >>> engine.convergence_check(scores.solve.value[:, 0], scores.values[0]) < 1e-9
    True
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

    def inverse_gradients(self, x: Numbers, y: Numbers, progress: Progress | None = None) -> Solution:
        """``s = A^-1 grad l(x, y)`` of test examples.

        Args:
            x: ``(t, d)`` inputs.
            y: ``(t,)`` labels.
            progress: Called by the solver.

        Returns:
            A solution of shape ``(p, t)``; its status says whether the solve succeeded.

        Raises:
            ShapeError: If ``x`` or ``y`` does not fit the model.
            DataError: If a label is unknown.
        """
        x, y = self.objective.examples(x, y)
        return self.inverse.solve(self.objective.gradients(self.theta, x, y).T.contiguous(), progress)

    def removal(self, s: Tensor) -> Tensor:
        """``D`` for ``s (p,)`` or ``(p, t)``: ``(n,)`` or ``(t, n)``, in nats, positive = helpful."""
        weights = self.objective.weights
        products = self._training_products(s)
        return products.mul_(weights) if s.ndim == 1 else products.mul_(weights[:, None]).T

    def newton_removal(
        self, s: Tensor, positions: Tensor | None = None, progress: Progress | None = None
    ) -> Tensor:
        """The sharper forecast of a removal: one Newton step on the risk without ``i``, whose curvature is gone too.

        ``w_i g_test' (A - w_i J_i' B_i J_i)^-1 grad l_i``, with ``J_i`` the outputs' Jacobian, ``B_i = d2l_i/df2`` and
        ``r_i = dl_i/df``. By Woodbury's identity it is ``w_i (J_i s)' (I - w_i B_i K_i)^-1 r_i`` with the leverage block
        ``K_i = J_i A^-1 J_i'``; ``D_i`` is the same with ``K_i`` at 0. Exact for an exact inverse.

        Args:
            s: ``(p,)`` or ``(p, t)``, as for ``removal``.
            positions: ``(m,)`` training positions; all of them where none are given.
            progress: Called after each block of solves.

        Returns:
            ``(m,)`` or ``(t, m)`` in nats, positive = helpful. Costs ``c`` solves an example, or for many examples
            ``p`` solves and one product of the examples with the inverse.

        Raises:
            UnsupportedError: If the model is not linear.
            SolveError: If a solve failed.
        """
        o = self.objective
        if not isinstance(o, LinearObjective):
            raise UnsupportedError(
                "The Newton forecast has its closed form for linear models only; use removal."
            )
        at = torch.arange(o.n, device=o.x.device) if positions is None else o.positions(positions)
        pulls = left_out_pulls(o, self.theta, leverage_blocks(o, self.inverse, at, progress), at)
        products = [
            o.weighted_products(o.x[at[chunk]], pulls[chunk], s) for chunk in o.chunks(len(at), o.x.shape[1])
        ]
        found = torch.cat(products)
        return found if s.ndim == 1 else found.T

    def score(self, x: Numbers, y: Numbers, progress: Progress | None = None) -> InfluenceScores:
        """Scores of one block of test examples.

        Args:
            x: ``(t, d)`` inputs.
            y: ``(t,)`` labels.
            progress: Called by the solver.

        Returns:
            ``(t, n)`` in nats, with the solve behind them.
        """
        solve = self.inverse_gradients(x, y, progress)
        return InfluenceScores(self.removal(solve.value), solve)

    def scores(self, x: Numbers, y: Numbers, progress: Progress | None = None) -> Iterator[InfluenceScores]:
        """Blocks of scores for any number of test examples; the whole table is never held.

        Args:
            x: ``(t, d)`` inputs.
            y: ``(t,)`` labels.
            progress: Called after each block.
        """
        x, y = self.objective.examples(x, y)
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
