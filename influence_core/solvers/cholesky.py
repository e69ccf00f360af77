"""The dense exact solver: factor once, then two triangular solves a block of right-hand sides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import SolveError
from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import REMEDIES, Solution, check_rhs


@dataclass(frozen=True)
class Cholesky:
    """Dense Cholesky factorisation ``A = L L'``, in the memory of the matrix itself.

    A solve reads each half of the factor once, so it costs what one product with a dense ``p x p`` matrix costs, and
    a prepared test example answers at once. Needs ``p^2`` numbers; meant for ``p`` up to about ten thousand.

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
        matrix = operator.dense()
        if not math.isfinite(float(matrix.sum())):
            raise SolveError(f"The curvature matrix is not finite. {REMEDIES['not finite']}")
        report(progress, 0.5, "factoring the curvature matrix")
        lower = matrix.mT  # symmetric: the same matrix in the column order that the factorisation works in
        info = torch.empty((), dtype=torch.int32, device=matrix.device)
        torch.linalg.cholesky_ex(lower, out=(lower, info))
        if int(info) != 0:
            raise SolveError(f"The curvature is not positive definite. {REMEDIES['negative curvature']}")
        report(progress, 1.0, "prepared")
        return DenseFactor(operator, lower)

    def memory(self, operator: LinearOperator) -> int:
        """The matrix, in whose place the factor comes."""
        return operator.dim**2


@dataclass(frozen=True, eq=False)
class DenseFactor:
    """``L (p, p)``, lower triangular, with ``L L'`` the operator; in the operator's type, or rounded."""

    operator: LinearOperator
    lower: Tensor

    def rounded(self) -> DenseFactor:
        """In float32: half as long a solve, for the steps of a training, which its gradients judge."""
        return DenseFactor(self.operator, self.lower.float())

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """``L y = rhs``, then ``L' x = y``."""
        block = check_rhs(self.operator, rhs).to(self.lower)
        half = torch.linalg.solve_triangular(self.lower, block, upper=False)
        value = torch.linalg.solve_triangular(self.lower.mT, half, upper=True).reshape(rhs.shape).to(rhs)
        finite = bool(torch.isfinite(value).all())
        return Solution(
            value, rhs, self.operator, "converged" if finite else "not finite", 0, settings="dense factor"
        )
