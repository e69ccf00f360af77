"""Both ends of an operator's spectrum, each with a bound: is the curvature positive, and what would make it so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.errors import SolveError
from influence_core.operators import Curvature, LinearOperator
from influence_core.progress import Progress, report

EXHAUSTED = 1e-12
"""A new Lanczos vector this much shorter than the operator is large is rounding error: nothing is left to find."""

SINGULAR = 1e-6
"""An eigenvalue this much smaller than the largest cannot be told from zero."""


@dataclass(frozen=True)
class ExtremeEigenvalues:
    """Both ends of a spectrum, from inside: ``smallest`` is never below the true one, ``largest`` never above.

    Attributes:
        smallest: Of the values found, the operator's damping included.
        largest: The same.
        smallest_error: The operator has an eigenvalue within so much of ``smallest`` (the Ritz residual).
        largest_error: The same for ``largest``.
        floor: A bound that every eigenvalue is known to keep (a convex risk: penalty and damping), else minus infinity.
        steps: Products that were taken.
    """

    smallest: float
    largest: float
    smallest_error: float
    largest_error: float
    floor: float
    steps: int

    @property
    def size(self) -> float:
        """The largest eigenvalue in size."""
        return max(abs(self.smallest), abs(self.largest))

    @property
    def lower_bound(self) -> float:
        """What the smallest eigenvalue may be as far as these steps can tell."""
        return max(self.smallest - self.smallest_error, self.floor)

    @property
    def missing_damping(self) -> float:
        """What to add so that every eigenvalue is clearly positive; 0 where they all are.

        Twice the size of the most negative eigenvalue, which so becomes as positive as it was negative. The paper's
        section 4.2 adds about once that size, which only just suffices.
        """
        if self.lower_bound > 0:
            return 0.0
        return 2 * max(-self.lower_bound, SINGULAR * self.size)


def extreme_eigenvalues(
    operator: LinearOperator, steps: int = 40, seed: int = 0, progress: Progress | None = None
) -> ExtremeEigenvalues:
    """Smallest and largest eigenvalue by Lanczos' method with full reorthogonalisation.

    Args:
        operator: ``(p, p)``.
        steps: Products at most; fewer where the start vector's whole space has been seen.
        seed: Of the start vector.
        progress: Called after each product.

    Returns:
        Estimates from inside, each with a bound. Keeps ``steps`` vectors. An end that stands apart is found within a few
        dozen steps; an end that many eigenvalues crowd is found less sharply, and its bound says so.

    Raises:
        SolveError: If a product is not finite.

    >>> from influence_core.operators import DenseOperator
    >>> ends = extreme_eigenvalues(DenseOperator(torch.diag(torch.tensor([-0.5, 1.0, 2.0, 8.0]))))
    >>> round(ends.smallest, 4), round(ends.largest, 4), round(ends.missing_damping, 4)
    (-0.5, 8.0, 1.0)
    """
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(operator.dim, generator=generator, dtype=torch.float64).to(operator.like)
    basis = start.new_zeros(min(steps, operator.dim), operator.dim)
    basis[0] = start / start.norm()
    diagonal: list[float] = []
    beside: list[float] = []
    for k, v in enumerate(basis):
        report(progress, k / len(basis), f"eigenvalues: {k} of {len(basis)} products")
        w = operator.matvec(v)
        diagonal.append(float(v @ w))
        for _ in range(2):  # once leaves rounding errors behind that grow into false copies of eigenvalues
            w = w - basis[: k + 1].T @ (basis[: k + 1] @ w)
        beside.append(float(w.norm()))
        if beside[-1] <= EXHAUSTED * max(map(abs, diagonal + beside)):
            break
        if k + 1 < len(basis):
            basis[k + 1] = w / beside[-1]
    if not math.isfinite(sum(diagonal + beside)):
        raise SolveError("The curvature holds NaN or infinity: check the data and the model.")
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
    rounding = torch.finfo(start.dtype).eps * float(np.abs(values).max())
    errors = np.maximum(beside[-1] * np.abs(vectors[-1]), rounding)
    floor = (
        operator.smallest_known if isinstance(operator, Curvature) and operator.certainly_psd else -math.inf
    )
    return ExtremeEigenvalues(
        float(values[0]),
        float(values[-1]),
        float(errors[0]),
        float(errors[-1]),
        floor,
        len(diagonal),
    )
