"""The exact self-influence of a linear model: one factored matrix for all examples together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import SolveError, UnsupportedError
from influence_core.influence.leverage import leverage_blocks
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.progress import Progress, part, report
from influence_core.solvers.base import REMEDIES
from influence_core.solvers.cholesky import Cholesky

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
        leverages: ``(n, c, c)`` the ``leverage_blocks`` ``K_i = J_i A^-1 J_i'`` that both are made of.
    """

    exact: Tensor
    published: Tensor | None
    leverages: Tensor


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
    ``(K_ii - [K S (l2 I + S K S)^-1 S K]_ii) / l2``. Several outputs take the first way, with
    ``grad l_i' A^-1 grad l_i = r_i' (J_i A^-1 J_i') r_i`` by the leverage blocks.

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
    f = o.outputs(theta, o.x)
    if o.loss.outputs > 1:
        inverse = Cholesky().prepare(Hessian(o, theta, damping), part(progress, 0.0, 0.3))
        blocks, r = leverage_blocks(o, inverse, None, part(progress, 0.3, 1.0)), o.loss.residuals(f, o.y)
        return SelfInfluence(o.weights * torch.einsum("ba,bae,be->b", r, blocks, r), None, blocks)
    if by_examples:
        norms = _inverse_norms_by_examples(o, theta, damping, gram, progress)
    else:
        norms = _inverse_norms(o, theta, damping, progress)
    factors = o.loss.loss_factors(f, o.y)
    return SelfInfluence(o.weights * factors**2 * norms, o.weights * factors * norms, norms[:, None, None])


def _has_gram(o: LinearObjective, damping: float) -> bool:
    """Whether the curvature is the Gram matrix's image: one output, and one positive penalty for all parameters."""
    return o.loss.outputs == 1 and o.l2.ndim == 0 and float(o.l2) + damping > 0


def _inverse_norms(o: LinearObjective, theta: Tensor, damping: float, progress: Progress | None) -> Tensor:
    """``x_i' A^-1 x_i = ||L^-1 x_i||^2``, ``(n,)``, with ``A = L L'``."""
    factor = Cholesky().prepare(Hessian(o, theta, damping), part(progress, 0.0, 0.5))
    norms = o.x.new_empty(o.n)
    for start in range(0, o.n, COLUMNS):
        rows = slice(start, start + COLUMNS)
        norms[rows] = factor.half(o.x[rows].T).square().sum(0)
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
