"""The dense exact solver: factor once, then one matrix product a right-hand side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import SolveError
from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import REMEDIES, Solution, check_rhs

STRIP = 512
"""Rows and columns of one block: large enough for fast products, small enough to need no second matrix."""


@dataclass(frozen=True)
class Cholesky:
    """Dense Cholesky factorisation, turned into the inverse in the same memory.

    One product with the inverse costs half of two triangular solves and runs at full memory bandwidth, which is what
    makes a prepared test example answer at once. Needs ``p^2`` numbers; meant for ``p`` up to about ten thousand.
    """

    name = "Cholesky"
    exact = True

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> DenseInverse:
        """Build, factor and invert the matrix.

        Raises:
            SolveError: If the matrix is not positive definite.
        """
        report(progress, 0.02, "building the curvature matrix")
        matrix = operator.dense()
        report(progress, 0.35, "factoring the curvature matrix")
        _invert_in_place(matrix, progress)
        report(progress, 1.0, "prepared")
        return DenseInverse(operator, matrix)


@dataclass(frozen=True, eq=False)
class DenseInverse:
    """The inverse ``(p, p)`` of an operator."""

    operator: LinearOperator
    matrix: Tensor

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """One matrix product."""
        block = check_rhs(self.operator, rhs)
        value = (self.matrix @ block).view(rhs.shape)
        finite = bool(torch.isfinite(value).all())
        return Solution(
            value, rhs, self.operator, "converged" if finite else "not finite", 0, settings="dense inverse"
        )


def _invert_in_place(matrix: Tensor, progress: Progress | None) -> None:
    """``matrix -> matrix^-1`` through ``matrix = L L'``, ``L -> L^-1`` and ``(L^-1)' L^-1``, all in one memory."""
    if not bool(torch.isfinite(matrix).all()):
        raise SolveError(f"The curvature matrix is not finite. {REMEDIES['not finite']}")
    lower = matrix.mT  # symmetric: the same matrix in the column order that the factorisation works in
    info = torch.empty((), dtype=torch.int32, device=matrix.device)
    torch.linalg.cholesky_ex(lower, out=(lower, info))
    if int(info) != 0:
        raise SolveError(f"The curvature is not positive definite. {REMEDIES['negative curvature']}")
    report(progress, 0.6, "inverting the factor")
    _invert_triangle(lower)
    report(progress, 0.8, "assembling the inverse")
    _multiply_transpose(lower)


def _invert_triangle(lower: Tensor) -> None:
    """``L -> L^-1``, block column by block column from the right: ``X_rj = -(sum_k X_rk L_kj) L_jj^-1``."""
    strips = _strips(len(lower))
    for j in reversed(strips):
        eye = torch.eye(j.stop - j.start, dtype=lower.dtype, device=lower.device)
        corner = torch.linalg.solve_triangular(lower[j, j], eye, upper=False)
        for r in reversed([r for r in strips if r.start >= j.stop]):
            between = slice(j.stop, r.stop)
            lower[r, j] = -(lower[r, between] @ lower[between, j]) @ corner
        lower[j, j] = corner


def _multiply_transpose(lower: Tensor) -> None:
    """``M -> M' M``, block row by block row from the top, the upper half mirrored."""
    for r in _strips(len(lower)):
        row = lower[r.start :, r].T @ lower[r.start :, : r.stop]
        lower[r, : r.stop] = row
        lower[: r.start, r] = row[:, : r.start].T


def _strips(size: int) -> list[slice]:
    return [slice(start, min(size, start + STRIP)) for start in range(0, size, STRIP)]
