"""Conjugate gradient on a block of right-hand sides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import Solution, Status, check_rhs

ROUNDING = 100
"""Directions that are so many roundings small, beside columns of length 1, are noise."""


class Preconditioner(Protocol):
    """Builds, for an operator, a symmetric positive definite map ``(p, k) -> (p, k)`` close to its inverse."""

    @property
    def name(self) -> str:
        """The name on screen."""
        ...

    def build(self, operator: LinearOperator, progress: Progress | None = None) -> Callable[[Tensor], Tensor]:
        """The costly part, once an operator."""
        ...

    def memory(self, operator: LinearOperator) -> int:
        """As a solver's."""
        ...


@dataclass(frozen=True)
class ConjugateGradient:
    """Matrix-free exact solver, of all right-hand sides together; starts at zero and stops at a relative residual.

    Attributes:
        rtol: Stop once ``||rhs - A x|| <= rtol ||rhs||`` for every column.
        max_steps: Products at most; ``None`` is ``10 p``.
        preconditioner: Optional.

    As many steps as there are different eigenvalues, whatever the number of parameters:

    >>> from influence_core.operators import DenseOperator
    >>> operator = DenseOperator(torch.diag(torch.tensor([1.0, 1.0, 1.0, 5.0, 5.0, 9.0], dtype=torch.float64)))
    >>> solution = ConjugateGradient().prepare(operator).solve(torch.ones(6, dtype=torch.float64))
    >>> solution.steps, solution.residual < 1e-8
    (3, True)
    """

    rtol: float = 1e-8
    max_steps: int | None = None
    preconditioner: Preconditioner | None = None

    exact = True

    @property
    def name(self) -> str:
        """Names the preconditioner, if there is one."""
        return "conjugate gradient" + (f" with {self.preconditioner.name}" if self.preconditioner else "")

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> ConjugateGradientInverse:
        """Build the preconditioner, if there is one."""
        apply = self.preconditioner.build(operator, progress) if self.preconditioner else None
        return ConjugateGradientInverse(operator, self, apply)

    def memory(self, operator: LinearOperator) -> int:
        """Solution, residual, directions, their products and their successors, and the preconditioner."""
        return 6 * operator.dim + (self.preconditioner.memory(operator) if self.preconditioner else 0)


@dataclass(frozen=True, eq=False)
class ConjugateGradientInverse:
    """Solves with one operator."""

    operator: LinearOperator
    settings: ConjugateGradient
    precondition: Callable[[Tensor], Tensor] | None = None

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """All columns search together: each is corrected along what any of them has found (block conjugate gradient).

        With residuals ``R``, directions ``P`` and ``Q = A P``, a step is ``X += P a``, ``R -= Q a`` with
        ``a = (P'Q)^-1 P'R``, and the next directions span ``Z - P (P'Q)^-1 Q'Z`` for ``Z`` the preconditioned residuals of
        the columns that are not there yet. Right-hand sides that share directions so need fewer steps together than alone,
        and a step costs one product a direction. For one column this is the conjugate gradient of the books.

        A ``P'Q`` that is not positive definite proves negative curvature: the solve ends with that status and the last good
        value. The residual that stops the iteration is the recurrence's; ``Solution.residual`` is the true one.
        """
        block = check_rhs(self.operator, rhs)
        size = block.norm(dim=0)
        value, residual = torch.zeros_like(block), block / torch.where(size == 0, 1, size)
        left = residual.norm(dim=0)
        worst = float(left.max())  # NaN stays NaN
        rtol = self.settings.rtol
        limit = self.settings.max_steps if self.settings.max_steps is not None else 10 * self.operator.dim
        search: _Search | None = None
        history: list[float] = []
        status: Status = "converged" if math.isfinite(worst) else "not finite"
        while status == "converged" and worst > rtol:
            if len(history) >= limit:
                status = "too few steps"
                break
            search, status = self._next(residual, left > rtol, search)
            if search is None:
                break
            step = search.solve(search.pull)
            value.addmm_(search.directions, step)
            residual.addmm_(search.products, step, alpha=-1)
            left = residual.norm(dim=0)
            worst = float(left.max())
            history.append(worst)
            if not math.isfinite(worst):
                status = "not finite"
            report(progress, math.log(max(worst, rtol)) / math.log(min(rtol, 0.5)), f"{len(history)} steps")
        words = f"asked for a relative residual of {rtol:g}"
        value *= size
        return Solution(
            value.view(rhs.shape), rhs, self.operator, status, len(history), tuple(history), None, words
        )

    def _next(
        self, residual: Tensor, unfinished: Tensor, last: _Search | None
    ) -> tuple[_Search | None, Status]:
        """The directions that unfinished columns ask for, conjugate to the last ones; none where that fails."""
        asking = residual if bool(unfinished.all()) else residual[:, unfinished]
        shaped = self.precondition(asking) if self.precondition else asking
        directions = shaped.clone() if last is None else last.conjugate(asking, shaped)
        if not bool(torch.isfinite(directions.norm(dim=0)).all()):
            return None, "not finite"
        if residual.shape[1] > 1:
            directions = _basis(directions)
        products = self.operator.matvec(directions)
        bend = _inner(directions, products)
        if not bool(torch.isfinite(bend).all()):
            return None, "not finite"
        lower, info = torch.linalg.cholesky_ex((bend + bend.T) / 2)
        if int(info) != 0:
            return None, "negative curvature"
        pull = _inner(directions if residual.shape[1] > 1 else shaped, residual)
        return _Search(directions, products, lower, pull), "converged"


@dataclass(frozen=True, eq=False)
class _Search:
    """Directions ``P (p, m)``, ``Q = A P (p, m)``, the lower factor of ``P'Q (m, m)``, and ``P'R (m, k)`` before the step.

    For one column ``P'R`` is ``r'z``, which it equals but for rounding.
    """

    directions: Tensor
    products: Tensor
    lower: Tensor
    pull: Tensor

    def solve(self, rhs: Tensor) -> Tensor:
        """``(P'Q)^-1 rhs``, ``(m, k)``."""
        return torch.cholesky_solve(rhs, self.lower)

    def conjugate(self, residual: Tensor, shaped: Tensor) -> Tensor:
        """``Z - P (P'Q)^-1 Q'Z`` after the step; for one column by ``r'z``, as in the books, which rounds less."""
        if self.pull.numel() == 1:
            return torch.addcmul(shaped, _inner(residual, shaped) / self.pull, self.directions)
        return shaped - self.directions @ self.solve(self.products.T @ shaped)


def _inner(left: Tensor, right: Tensor) -> Tensor:
    """``left' right``; of two single columns by a sum, which rounds less than a matrix product."""
    return (left * right).sum(0, keepdim=True) if left.shape[1] == right.shape[1] == 1 else left.T @ right


def _basis(block: Tensor) -> Tensor:
    """Orthonormal columns that span those of ``block (p, k)``, but for directions in which only rounding sets them apart."""
    size = block.norm(dim=0)
    q, r = torch.linalg.qr(block / torch.where(size == 0, 1, size))
    turn, sizes, _ = torch.linalg.svd(r)
    return q @ turn[:, sizes >= ROUNDING * torch.finfo(block.dtype).eps * sizes[0]]
