"""Curvature as a linear operator on parameter space: symmetric, matrix-free, with its damping.

``matvec`` takes ``(p,)`` or ``(p, k)``. The damping belongs to the operator and means the same for every solver:
they all apply ``(curvature + damping I)^-1``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError, ShapeError, SolveError
from influence_core.objective import LinearMap, Objective
from influence_core.progress import Progress, report

DENSE_COLUMNS = 64
"""Columns of the identity that are multiplied at once where a dense matrix has no shorter way."""

EXHAUSTED = 1e-12
"""A new Lanczos vector this much shorter than the operator is large is rounding error: nothing is left to find."""

SINGULAR = 1e-6
"""An eigenvalue this much smaller than the largest cannot be told from zero."""


class LinearOperator(ABC):
    """A symmetric operator. The shape checks live here; a subclass writes ``_product``."""

    dim: int
    like: Tensor
    """A tensor whose type and device the operator's vectors share."""
    products: int = 0
    """How many have been taken so far, one a column: what solvers are compared by."""

    @abstractmethod
    def _product(self, v: Tensor) -> Tensor:
        """``(p, k) -> (p, k)``."""

    @abstractmethod
    def subset(self, indices: Tensor) -> LinearOperator:
        """The operator of the examples ``indices`` alone; under uniform draws its expectation is this operator."""

    def matvec(self, v: Tensor) -> Tensor:
        """The product with ``v (p,)`` or ``(p, k)``, in the same shape.

        Raises:
            ShapeError: If ``v`` has another first dimension.
        """
        if v.ndim not in (1, 2) or v.shape[0] != self.dim:
            raise ShapeError(f"v must have shape ({self.dim},) or ({self.dim}, k), but has {tuple(v.shape)}.")
        self.products += v[0].numel()
        return self._product(v) if v.ndim == 2 else self._product(v[:, None])[:, 0]

    def dense(self) -> Tensor:
        """The matrix ``(p, p)``, for small ``p``."""
        eye = torch.eye(self.dim, dtype=self.like.dtype, device=self.like.device)
        matrix = torch.cat([self._product(columns) for columns in eye.split(DENSE_COLUMNS, 1)], 1)
        return (matrix + matrix.T) / 2


class Curvature(LinearOperator):
    """A curvature of an objective at ``theta``, plus ``damping I``.

    Args:
        objective: What was minimised; ``n`` examples, ``p`` parameters.
        theta: ``(p,)`` where the curvature is taken.
        damping: Added to every eigenvalue; at least 0.

    Raises:
        DataError: If the damping is negative or not finite.
        ShapeError: If ``theta`` does not fit.
    """

    def __init__(self, objective: Objective, theta: Tensor, damping: float = 0.0) -> None:
        if not (math.isfinite(damping) and damping >= 0):
            raise DataError(f"The damping must be a number of at least 0, but is {damping}.")
        objective.check_theta(theta)
        self.objective, self.theta, self.damping = objective, theta.detach(), damping
        self.dim, self.like = objective.dim, self.theta

    @abstractmethod
    def _linearise(self) -> LinearMap: ...

    @cached_property
    def _linearised(self) -> LinearMap:
        return self._linearise()

    def _product(self, v: Tensor) -> Tensor:
        product = self._linearised(v)
        return product.add_(v, alpha=self.damping) if self.damping else product

    def subset(self, indices: Tensor) -> LinearOperator:
        """The same curvature of the objective's subset, damping included."""
        return type(self)(self.objective.subset(indices), self.theta, self.damping)

    @property
    def n(self) -> int:
        """Number of training examples."""
        return self.objective.n

    @property
    def smallest_known(self) -> float:
        """A lower bound of the eigenvalues where the objective gives one (convex: the penalty), else the damping."""
        certain = float(self.objective.l2.min()) if self.certainly_psd else 0.0
        return certain + self.damping

    @property
    def known_diagonal(self) -> Tensor:
        """The part known in closed form, ``l2 + damping``, ``(p,)``; what is left is the curvature of the data."""
        return (self.objective.l2 + self.damping).expand(self.dim)

    @property
    def certainly_psd(self) -> bool:
        """Whether no eigenvalue can be negative."""
        return self.objective.is_convex


class Hessian(Curvature):
    """``sum_i w_i grad^2 l_i + l2 + damping``: the exact curvature; indefinite where the objective is not convex.

    The largest curvature that a logistic example can have is a quarter of ``x x'``, at a probability of a half:

    >>> from influence_core import LinearObjective, LogisticLoss
    >>> objective = LinearObjective.build(torch.tensor([[2.0]]), torch.tensor([1]), LogisticLoss(), l2=0.1)
    >>> Hessian(objective, torch.zeros(1), damping=0.5).dense()
    tensor([[1.6000]])
    """

    def _linearise(self) -> LinearMap:
        return self.objective.hessian_product(self.theta)

    def dense(self) -> Tensor:
        """``(p, p)``; a linear model has a closed form."""
        if not self.objective.is_convex:
            return super().dense()
        matrix = self.objective.dense_gauss_newton(self.theta)
        matrix.diagonal().add_(self.damping)
        return matrix


class GaussNewton(Curvature):
    """``sum_i w_i J_i' (d2l_i/df2) J_i + l2 + damping``: never indefinite; equal to the Hessian for linear models."""

    def _linearise(self) -> LinearMap:
        return self.objective.gauss_newton_product(self.theta)

    def dense(self) -> Tensor:
        """``(p, p)`` from per-example Jacobians."""
        matrix = self.objective.dense_gauss_newton(self.theta)
        matrix.diagonal().add_(self.damping)
        return matrix

    @property
    def certainly_psd(self) -> bool:
        """Always."""
        return True


class DenseOperator(LinearOperator):
    """A symmetric matrix ``(p, p)`` as an operator.

    >>> operator = DenseOperator(torch.diag(torch.tensor([1.0, 4.0])))
    >>> operator.matvec(torch.tensor([1.0, 1.0]))
    tensor([1., 4.])
    >>> operator.products
    1
    """

    def __init__(self, matrix: Tensor) -> None:
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ShapeError(
                f"An operator needs a square matrix, but this one has shape {tuple(matrix.shape)}."
            )
        self.matrix, self.dim, self.like = matrix, len(matrix), matrix

    def _product(self, v: Tensor) -> Tensor:
        return self.matrix @ v

    def dense(self) -> Tensor:
        """A copy of the matrix."""
        return self.matrix.clone()

    def subset(self, indices: Tensor) -> LinearOperator:
        """The matrix itself: it is not a sum over examples."""
        return self


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
