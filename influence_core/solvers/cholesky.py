"""The dense exact solver: factor once, then two triangular solves a block of right-hand sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import SolveError
from influence_core.objective import Span
from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import REMEDIES, Solution, check_rhs

GAP = 8
"""Rows between two runs of rows that are read in less time than it takes to begin a run anew."""
ROUNDING = 8
"""Roundings of its length that a side which lies in the span may be away from it."""
NOT_POSITIVE = f"The curvature is not positive definite. {REMEDIES['negative curvature']}"


@dataclass(frozen=True)
class Cholesky:
    """Dense Cholesky factorisation ``A = L L'``, in the memory of the matrix itself.

    A solve reads each half of the factor once, so it costs what one product with a dense ``p x p`` matrix costs, and
    a prepared test example answers at once. Needs ``p^2`` numbers; meant for ``p`` up to about ten thousand. Of a linear
    model only the part in its ``Span`` is factored, for ten classes of drawings half as many numbers.

    Attributes:
        inverse: Form the inverse too, in as many numbers again and twice the time. It pays where many questions are asked
            one by one of inputs that are mostly 0, drawings or texts: such a question then reads the rows of its own
            features alone, a fifth of the factor's numbers or less.

    >>> from influence_core.operators import DenseOperator
    >>> inverse = Cholesky().prepare(DenseOperator(torch.tensor([[4.0, 2.0], [2.0, 3.0]])))
    >>> inverse.solve(torch.tensor([8.0, 8.0])).require()
    tensor([1., 2.])
    """

    inverse: bool = False

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
        inverse = None
        if self.inverse:
            report(progress, 0.7, "inverting the curvature matrix")
            inverse = torch.cholesky_inverse(lower).mT  # symmetric: its rows, each in one piece
        report(progress, 1.0, "prepared")
        return DenseFactor(operator, lower, inverse)

    def memory(self, operator: LinearOperator) -> int:
        """The matrix, in whose place the factor comes; and its inverse."""
        rows = operator.dim if operator.span is None else operator.span.dim
        return rows**2 * (1 + self.inverse)


@dataclass(frozen=True, eq=False)
class DenseFactor:
    """``L (q, q)`` with ``L L'`` the operator in its span, or everywhere: ``q = p``; in the operator's type, or rounded.

    Attributes:
        operator: What was factored.
        lower: ``L``.
        inverse: ``(q, q)``, where it was formed.
    """

    operator: LinearOperator
    lower: Tensor
    inverse: Tensor | None = None

    def rounded(self) -> DenseFactor:
        """In float32: half as long a solve, for the steps of a training, which its gradients judge."""
        return DenseFactor(
            self.operator, self.lower.float(), None if self.inverse is None else self.inverse.float()
        )

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
        value = self._everywhere(block, inner, self._solved(inner)).reshape(rhs.shape).to(rhs)
        finite = math.isfinite(float(value.sum(dtype=torch.float64)))
        return Solution(
            value, rhs, self.operator, "converged" if finite else "not finite", 0, settings="dense factor"
        )

    def _solved(self, inner: Tensor) -> Tensor:
        """``z (q, k)``."""
        if self.inverse is not None:
            return _symmetric_product(self.inverse, inner)
        half = torch.linalg.solve_triangular(self.lower, inner, upper=False)
        return torch.linalg.solve_triangular(self.lower.mT, half, upper=True)

    def _into(self, block: Tensor) -> Tensor:
        return block if self._span is None else self._span.into(block)

    def _everywhere(self, block: Tensor, inner: Tensor, solved: Tensor) -> Tensor:
        """``E z`` and what is left of ``block`` over ``outside``; twice made free of ``E``, since that may be a large factor."""
        span = self._span
        if span is None:
            return solved
        rest, value = block - span.back(inner), span.back(solved)
        rounding = ROUNDING * torch.finfo(block.dtype).eps * block.norm(dim=0)
        if bool((rest.norm(dim=0) <= rounding).all()):  # as of every gradient
            return value
        rest -= span.back(span.into(rest))
        return value.add_(rest, alpha=1 / self.operator.outside)


def _symmetric_product(matrix: Tensor, columns: Tensor) -> Tensor:
    """``matrix (q, q)`` times ``columns (q, k)``; for a single one the rows are read at which it is not 0.

    Rows are taken where they are, a run of neighbours at a time: gathered, they would be copied first.
    """
    if columns.shape[1] != 1 or columns.device.type != "cpu":
        return (columns.T.contiguous() @ matrix).T
    total = matrix.new_zeros(len(matrix))
    for run in _runs(columns[:, 0].numpy()):
        total.addmv_(matrix[run].T, columns[run, 0])
    return total[:, None]


def _runs(column: np.ndarray) -> Iterator[slice]:
    """Where a column is not 0; what lies closer together than ``GAP`` is one run."""
    at = np.flatnonzero(column)
    ends = np.append(np.flatnonzero(np.diff(at) > GAP), len(at) - 1)
    first = 0
    for last in ends if len(at) else ():
        yield slice(int(at[first]), int(at[last]) + 1)
        first = last + 1
