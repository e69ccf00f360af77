"""Curvature as a linear operator on parameter space: symmetric, matrix-free, with its damping.

``matvec`` takes ``(p,)`` or ``(p, k)``. The damping belongs to the operator and means the same for every solver:
they all apply ``(curvature + damping I)^-1``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from influence_core.errors import DataError, ShapeError
from influence_core.objective import LinearMap, Objective

DENSE_COLUMNS = 64
"""Columns of the identity that are multiplied at once where a dense matrix has no shorter way."""


class LinearOperator(ABC):
    """A symmetric operator. The shape checks live here; a subclass writes ``_product``."""

    dim: int
    like: Tensor
    """A tensor whose type and device the operator's vectors share."""

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
        certain = float(self.objective.l2.min()) if self._certainly_psd else 0.0
        return certain + self.damping

    @property
    def _certainly_psd(self) -> bool:
        return self.objective.is_convex


class Hessian(Curvature):
    """``sum_i w_i grad^2 l_i + l2 + damping``: the exact curvature; indefinite where the objective is not convex."""

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
    def _certainly_psd(self) -> bool:
        return True


class DenseOperator(LinearOperator):
    """A symmetric matrix ``(p, p)`` as an operator."""

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


def largest_eigenvalue(operator: LinearOperator, steps: int = 30, seed: int = 0) -> float:
    """The largest eigenvalue in size, from below, by power iteration.

    Args:
        operator: ``(p, p)``.
        steps: Products at most; it stops early once the value moves by less than a thousandth.
        seed: Of the start vector.

    Returns:
        An estimate of at most the true value; after 30 steps usually within a few per cent.
    """
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(operator.dim, generator=generator, dtype=torch.float64).to(operator.like)
    value = 0.0
    for _ in range(steps):
        v = v / v.norm()
        v = operator.matvec(v)
        previous, value = value, float(v.norm())
        if value == 0 or abs(value - previous) <= 1e-3 * value:
            break
    return value
