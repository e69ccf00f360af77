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

from influence_core.errors import ShapeError, SolveError, UnsupportedError
from influence_core.objective import LinearMap, LinearObjective, Objective
from influence_core.operators import Hessian, LinearOperator
from influence_core.progress import Progress, part, report
from influence_core.solvers.base import REMEDIES, Inverse, Solution
from influence_core.solvers.cholesky import Cholesky

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
        blocks = _leverage_blocks(o, self.inverse, at, progress)
        products = []
        for chunk in o.chunks(len(at), o.x.shape[1]):
            rows, k = at[chunk], blocks[chunk]
            f, y, w = o.outputs(self.theta, o.x[rows]), o.y[rows], o.weights[rows]
            eye = torch.eye(k.shape[1], dtype=k.dtype, device=k.device)
            bent = o.loss.curvature(f, y)(k) * w[:, None, None]
            pull = torch.linalg.solve(eye - bent, w[:, None] * o.loss.residuals(f, y))
            products.append(o.weighted_products(o.x[rows], pull, s))
        found = torch.cat(products)
        return found if s.ndim == 1 else found.T

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


def _leverage_blocks(o: LinearObjective, inverse: Inverse, at: Tensor, progress: Progress | None) -> Tensor:
    """``K_i = J_i A^-1 J_i'``, ``(m, c, c)``, for the positions ``at (m,)``; the cheaper of two exact ways."""
    one_by_one = len(at) * (2 * o.loss.outputs - 1) <= 2 * o.dim
    return (_leverages_solved if one_by_one else _leverages_multiplied)(o, inverse, at, progress)


def _leverages_solved(o: LinearObjective, inverse: Inverse, at: Tensor, progress: Progress | None) -> Tensor:
    """``c`` solves an example: the rows of ``J_i`` are ``x_i`` in the place of one output."""
    d, c = o.x.shape[1], o.loss.outputs
    blocks = o.x.new_empty(len(at), c, c)
    for start in range(0, len(at), BLOCK):
        x = o.x[at[start : start + BLOCK]]
        columns = x.new_zeros(d, c, len(x), c)
        columns.diagonal(dim1=1, dim2=3).copy_(x.T[:, :, None])
        solved = inverse.solve(columns.view(o.dim, -1)).require().view(d, c, len(x), c)
        blocks[start : start + BLOCK] = torch.einsum("bd,dabe->bae", x, solved)
        report(progress, (start + len(x)) / len(at), f"leverage of {start + len(x)} of {len(at)} examples")
    return blocks


def _leverages_multiplied(
    o: LinearObjective, inverse: Inverse, at: Tensor, progress: Progress | None
) -> Tensor:
    """The inverse itself, an output at a time: ``K_i[a, e] = sum_jk x_ij A^-1[(j, a), (k, e)] x_ik``."""
    d, c = o.x.shape[1], o.loss.outputs
    blocks = o.x.new_empty(len(at), c, c)
    for e in range(c):
        unit = o.x.new_zeros(d, c, d)
        unit[:, e].diagonal().fill_(1)
        columns = inverse.solve(unit.view(o.dim, d)).require().view(d, c, d)[:, e:].reshape(d, -1)
        for chunk in o.chunks(len(at), o.dim):
            x, k = o.x[at[chunk]], blocks[chunk]
            products = (x @ columns).view(len(x), c - e, d)
            k[:, e:, e] = k[:, e, e:] = torch.einsum("bad,bd->ba", products, x)
            report(progress, (e + chunk.start / len(at)) / c, f"leverages of output {e + 1} of {c}")
    return blocks


MAX_MATRIX = 10_000
"""Rows of the largest matrix that is formed and factored: 800 MB in float64."""
COLUMNS = 512
"""Columns that one triangular solve takes."""


@dataclass(frozen=True, eq=False)
class SelfInfluence:
    """How much each training example's own loss would rise without it.

    Attributes:
        exact: ``(n,)`` ``D_ii = w_i grad l_i' A^-1 grad l_i`` in nats; of a logistic model
            ``w_i sigma(-m_i)^2 x_i' A^-1 x_i`` with the margin ``m_i``.
        published: ``(n,)`` the same with ``sigma(-m_i)`` to the power of 1, which the authors' code computed when the
            paper's Figure 6 was drawn: no loss change. ``None`` for models with several outputs.
    """

    exact: Tensor
    published: Tensor | None


def self_influence(
    objective: LinearObjective,
    theta: Tensor,
    damping: float = 0.0,
    gram: Tensor | None = None,
    progress: Progress | None = None,
) -> SelfInfluence:
    """The exact self-influence of every training example of a linear model (the paper's section 5.4).

    With one output ``grad l_i = r_i x_i``, and there are two exact ways to ``x_i' A^-1 x_i``: the curvature ``A (p, p)``
    is factored, or, for more parameters than examples, ``K = X X'`` with ``S = diag sqrt(w_i l_i'')``:
    ``(K_ii - [K S (l2 I + S K S)^-1 S K]_ii) / l2``. Several outputs take the first way.

    Args:
        objective: What was minimised, with ``n`` examples and ``p`` parameters.
        theta: ``(p,)`` its optimum.
        damping: Added to the curvature.
        gram: ``K = X X' (n, n)`` where it is at hand; it does not change with the labels.
        progress: Called along the way.

    Raises:
        UnsupportedError: If the model is not linear, or both ``n`` and ``p`` are too large for a dense matrix.
        SolveError: If the curvature is not positive definite.
    """
    o = objective
    if not isinstance(o, LinearObjective):
        raise UnsupportedError(
            "The exact self-influence is for linear models; ask the engine for a network's."
        )
    by_examples = _has_gram(o, damping) and (gram is not None or o.n < o.dim)
    size = o.n if by_examples else o.dim
    if size > MAX_MATRIX:
        raise UnsupportedError(
            f"The exact self-influence of {o.n:,} examples and {o.dim:,} parameters needs a matrix of {size:,} rows; at "
            f"most {MAX_MATRIX:,} are formed. Take fewer examples or fewer features."
        )
    if by_examples:
        norms = _inverse_norms_by_examples(o, theta, damping, gram, progress)
    else:
        norms = _inverse_norms(o, theta, damping, progress)
    if o.loss.outputs > 1:
        return SelfInfluence(o.weights * norms, None)
    factors = o.loss.loss_factors(o.outputs(theta, o.x), o.y)
    return SelfInfluence(o.weights * factors**2 * norms, o.weights * factors * norms)


def _has_gram(o: LinearObjective, damping: float) -> bool:
    """Whether the curvature is the Gram matrix's image: one output, and one positive penalty for all parameters."""
    return o.loss.outputs == 1 and o.l2.ndim == 0 and float(o.l2) + damping > 0


def _inverse_norms(o: LinearObjective, theta: Tensor, damping: float, progress: Progress | None) -> Tensor:
    """``v_i' A^-1 v_i = ||L^-1 v_i||^2``, ``(n,)``, with ``A = L L'``; ``v_i`` is ``x_i``, or the gradient."""
    lower = Cholesky().prepare(Hessian(o, theta, damping), part(progress, 0.0, 0.5)).lower
    norms = o.x.new_empty(o.n)
    for start in range(0, o.n, COLUMNS):
        rows = slice(start, start + COLUMNS)
        v = o.x[rows] if o.loss.outputs == 1 else o.gradients(theta, o.x[rows], o.y[rows])
        norms[rows] = torch.linalg.solve_triangular(lower, v.T, upper=False).square().sum(0)
        report(progress, 0.5 + 0.5 * start / o.n, f"self-influence of {start:,} of {o.n:,} examples")
    return norms


def _inverse_norms_by_examples(
    o: LinearObjective, theta: Tensor, damping: float, gram: Tensor | None, progress: Progress | None
) -> Tensor:
    """``x_i' A^-1 x_i``, ``(n,)``, by Woodbury's identity: two matrices of ``n`` rows, however many parameters."""
    report(progress, 0.0, "multiplying the examples with each other")
    k = o.x @ o.x.T if gram is None else gram
    f, l2 = o.outputs(theta, o.x), float(o.l2) + damping
    s = (o.weights * o.loss.curvature(f, o.y)(torch.ones_like(f)[:, :, None])[:, 0, 0]).sqrt()
    inner = s[:, None] * k * s
    inner.diagonal().add_(l2)
    report(progress, 0.2, "factoring the matrix of the examples")
    lower, info = torch.linalg.cholesky_ex(inner)
    if int(info) != 0:
        raise SolveError(f"The curvature is not positive definite. {REMEDIES['negative curvature']}")
    del inner
    norms = k.diagonal().clone()
    for start in range(0, o.n, COLUMNS):
        columns = s[:, None] * k[:, start : start + COLUMNS]
        half = torch.linalg.solve_triangular(lower, columns, upper=False)
        norms[start : start + COLUMNS] -= half.square().sum(0)
        report(progress, 0.4 + 0.6 * start / o.n, f"self-influence of {start:,} of {o.n:,} examples")
    return norms / l2
