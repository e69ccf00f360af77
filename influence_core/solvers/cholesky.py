"""The dense exact solver: factor once, then two triangular solves a block of right-hand sides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from influence_core.errors import SolveError
from influence_core.objective import Span
from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import REMEDIES, Solution, check_rhs

NOT_POSITIVE = f"The curvature is not positive definite. {REMEDIES['negative curvature']}"


@dataclass(frozen=True)
class Cholesky:
    """Dense Cholesky factorisation ``A = L L'``, in the memory of the matrix itself.

    A solve reads each half of the factor once, so it costs what one product with a dense ``p x p`` matrix costs, and
    a prepared test example answers at once. Needs ``p^2`` numbers; meant for ``p`` up to about ten thousand. Of a linear
    model only the part in its ``Span`` is factored, for ten classes of drawings half as many numbers.

    >>> from influence_core.operators import DenseOperator
    >>> inverse = Cholesky().prepare(DenseOperator(torch.tensor([[4.0, 2.0], [2.0, 3.0]])))
    >>> inverse.solve(torch.tensor([8.0, 8.0])).require()
    tensor([1., 2.])
    """

    name = "Cholesky"
    exact = True

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> DenseFactor:
        """Build and factor the matrix.

        Raises:
            SolveError: If the matrix is not finite or not positive definite.
        """
        report(progress, 0.02, "building the curvature matrix")
        if operator.span is not None and not operator.outside > 0:
            raise SolveError(NOT_POSITIVE)
        matrix = operator.compact()
        if not math.isfinite(float(matrix.sum())):
            raise SolveError(f"The curvature matrix is not finite. {REMEDIES['not finite']}")
        report(progress, 0.5, "factoring the curvature matrix")
        lower = matrix.mT  # symmetric: the same matrix in the column order that the factorisation works in
        info = torch.empty((), dtype=torch.int32, device=matrix.device)
        torch.linalg.cholesky_ex(lower, out=(lower, info))
        if int(info) != 0:
            raise SolveError(NOT_POSITIVE)
        report(progress, 1.0, "prepared")
        return DenseFactor(operator, lower)

    def memory(self, operator: LinearOperator) -> int:
        """The matrix, in whose place the factor comes."""
        return (operator.dim if operator.span is None else operator.span.dim) ** 2


@dataclass(frozen=True, eq=False)
class DenseFactor:
    """``L (q, q)`` with ``L L'`` the operator in its span, or everywhere: ``q = p``; in the operator's type, or rounded.

    Attributes:
        operator: What was factored.
        lower: ``L``.
    """

    operator: LinearOperator
    lower: Tensor

    def rounded(self) -> DenseFactor:
        """In float32: half as long a solve, for the steps of a training, which its gradients judge."""
        return DenseFactor(self.operator, self.lower.float())

    @cached_property
    def _span(self) -> Span | None:
        return None if self.operator.span is None else self.operator.span.to(self.lower)

    def half(self, rhs: Tensor) -> Tensor:
        """``L^-1 E' rhs``, ``(q, k)``, of ``rhs (p, k)``: for ``g`` in the span ``|half g|^2 = g' A^-1 g``."""
        return torch.linalg.solve_triangular(self.lower, self._into(rhs.to(self.lower)), upper=False)

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """``L y = E' rhs``, then ``L' z = y``; ``E z``, and outside the span what is left of ``rhs`` over ``outside``."""
        block = check_rhs(self.operator, rhs).to(self.lower)
        inner = self._into(block)
        half = torch.linalg.solve_triangular(self.lower, inner, upper=False)
        solved = torch.linalg.solve_triangular(self.lower.mT, half, upper=True)
        value = self._everywhere(block, inner, solved).reshape(rhs.shape).to(rhs)
        finite = bool(torch.isfinite(value).all())
        return Solution(
            value, rhs, self.operator, "converged" if finite else "not finite", 0, settings="dense factor"
        )

    def _into(self, block: Tensor) -> Tensor:
        return block if self._span is None else self._span.into(block)

    def _everywhere(self, block: Tensor, inner: Tensor, solved: Tensor) -> Tensor:
        """``E z`` and what is left of ``block`` over ``outside``; twice made free of ``E``, since that may be a large factor."""
        span = self._span
        if span is None:
            return solved
        rest = block - span.back(inner)
        rest -= span.back(span.into(rest))
        return span.back(solved).add_(rest, alpha=1 / self.operator.outside)
