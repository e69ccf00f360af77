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
from influence_core.objective import LinearMap, Objective, Span

DENSE_COLUMNS = 64
"""Columns of the identity that are multiplied at once where a dense matrix has no shorter way."""


class LinearOperator(ABC):
    """A symmetric operator. The shape checks live here; a subclass writes ``_product``."""

    dim: int
    like: Tensor
    """A tensor whose type and device the operator's vectors share."""
    span: Span | None = None
    """Directions outside of which it is ``outside`` times the identity; ``None`` where no such are known."""
    outside: float = 0.0
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

    def compact(self) -> Tensor:
        """The matrix in its span, ``(q, q)``; ``dense`` where it has none."""
        return self.dense()

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

    @cached_property
    def span(self) -> Span | None:  # type: ignore[override]
        """Of a linear model with one penalty for all parameters."""
        return self.objective.span()

    @property
    def outside(self) -> float:  # type: ignore[override]
        """Penalty and damping."""
        return float(self.known_diagonal[0])

    def compact(self) -> Tensor:
        """``E' (curvature + damping I) E``, ``(q, q)``, where it has a span."""
        if self.span is None:
            return self.dense()
        matrix = self.objective.dense_gauss_newton(self.theta, self.span)
        matrix.diagonal().add_(self.damping)
        return matrix

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
