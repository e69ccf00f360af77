"""Nyström: the inverse of the curvature's strongest directions, found by one block of random products.

Frangella, Tropp and Udell 2021, "Randomized Nyström preconditioning".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import SolveError, UnsupportedError
from influence_core.operators import Curvature, LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import REMEDIES, Solution, check_rhs

COLUMNS = 10
"""Products that are taken together: a moment's work, so that progress is told often."""


@dataclass(frozen=True)
class Nystrom:
    """The curvature of the data, replaced by a part of low rank; alone an approximation, with CG a preconditioner.

    ``A = D + K`` with ``D = l2 + damping`` known and ``K`` the curvature of the data. Whitened by ``D``, ``K`` is sketched:
    ``D^-1/2 K D^-1/2 ~ U diag(v) U'``, and ``A^-1 ~ D^-1/2 (I + U diag(v) U')^-1 D^-1/2`` is cheap to apply.

    Attributes:
        rank: Directions that are kept, each for one product. Alone, what is left out counts as no curvature at all.
        seed: Of the random block.
    """

    rank: int = 100
    seed: int = 0

    name = "Nyström"
    exact = False

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> NystromInverse:
        """Sketch the curvature.

        Raises:
            UnsupportedError: If the operator is no curvature of an objective.
            SolveError: If some parameter has neither penalty nor damping, or the curvature of the data is indefinite.
        """
        root, u, values = self._sketch(operator, progress)
        return NystromInverse(
            operator, LowRankInverse(root, u, values / (1 + values)), len(values), self.seed
        )

    def build(self, operator: LinearOperator, progress: Progress | None = None) -> Callable[[Tensor], Tensor]:
        """The preconditioner: directions that are left out count as strong as the weakest that is kept.

        Raises:
            UnsupportedError: As ``prepare``.
            SolveError: As ``prepare``.
        """
        root, u, values = self._sketch(operator, progress)
        return LowRankInverse(root, u, (values - values[-1]) / (1 + values))

    def memory(self, operator: LinearOperator) -> int:
        """Random block, its products and their factor."""
        return 3 * min(self.rank, operator.dim) * operator.dim

    def _sketch(self, operator: LinearOperator, progress: Progress | None) -> tuple[Tensor, Tensor, Tensor]:
        """``D^-1/2 (p, 1)``, orthonormal ``U (p, r)`` and eigenvalues ``(r,)``, largest first."""
        if not isinstance(operator, Curvature):
            raise UnsupportedError("Nyström needs the curvature of an objective, whose penalty is known.")
        known = operator.known_diagonal[:, None]
        if not bool((known > 0).all()):
            raise SolveError("Nyström needs a penalty or damping on every parameter. Add damping.")
        root = known.rsqrt()
        generator = torch.Generator().manual_seed(self.seed)
        size = (operator.dim, min(self.rank, operator.dim))
        drawn = torch.randn(size, generator=generator, dtype=torch.float64).to(operator.like)
        test = torch.linalg.qr(drawn).Q
        products = torch.empty_like(test)
        for start in range(0, size[1], COLUMNS):
            report(progress, start / size[1], f"random products: {start} of {size[1]}")
            block = test[:, start : start + COLUMNS]
            products[:, start : start + COLUMNS] = root * operator.matvec(root * block) - block
        return root, *_eigenvectors(test, products)


def _eigenvectors(test: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    """Of ``Y (Q'Y)^-1 Y'`` for ``Y = K Q``, stabilised by a shift of the size of the rounding errors."""
    if not bool(torch.isfinite(products).all()):
        raise SolveError(f"The curvature is not finite. {REMEDIES['not finite']}")
    shift = len(test) ** 0.5 * torch.finfo(test.dtype).eps * products.norm()
    shifted = products + shift * test
    core = test.T @ shifted
    factor, info = torch.linalg.cholesky_ex((core + core.T) / 2)
    if int(info) != 0:
        raise SolveError(f"The curvature of the data is not positive. {REMEDIES['negative curvature']}")
    half = torch.linalg.solve_triangular(factor, shifted.T, upper=False).T
    u, singular, _ = torch.linalg.svd(half, full_matrices=False)
    return u, (singular.square() - shift).clamp_min(0)


@dataclass(frozen=True, eq=False)
class LowRankInverse:
    """``v -> D^-1/2 (I - U diag(shrink) U') D^-1/2 v`` for ``v (p, k)``."""

    root: Tensor
    u: Tensor
    shrink: Tensor

    def __call__(self, v: Tensor) -> Tensor:
        """``(p, k)``."""
        white = self.root * v
        return self.root * (white - self.u @ (self.shrink[:, None] * (self.u.T @ white)))


@dataclass(frozen=True, eq=False)
class NystromInverse:
    """Solves with one operator."""

    operator: LinearOperator
    apply: LowRankInverse
    rank: int
    seed: int

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """Two products with ``U``; the residual says what the left-out directions cost."""
        value = self.apply(check_rhs(self.operator, rhs)).view(rhs.shape)
        finite = bool(torch.isfinite(value).all())
        words = f"rank {self.rank}, sketched by {self.rank} products, seed {self.seed}"
        return Solution(value, rhs, self.operator, "converged" if finite else "not finite", 0, settings=words)
