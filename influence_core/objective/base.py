"""What was minimised: ``R(theta; w) = sum_i w_i l_i(theta) + 1/2 sum_j l2_j theta_j^2``.

Conventions, once for the whole library:

* ``n`` training examples ``x (n, d)``, ``y (n,)``; weights ``w (n,)``, ``1/n`` unless said otherwise; ``p`` parameters in
  **one flat vector** ``theta (p,)``; ``c`` outputs; ``b`` any batch; ``k`` columns.
* The weights belong to the objective: up-weighting, leaving out and retraining are all a change of ``w``, and the
  penalty ``l2`` (a number, or one number per parameter) never changes with them.
* ``losses`` and ``gradients`` are those of the data alone, without weight and without penalty.
* Products take ``v (p,)`` or ``(p, k)``. "Linearised" maps are prepared once at ``theta`` and applied often.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from influence_core.errors import DataError, ShapeError
from influence_core.losses import Loss
from influence_core.objective.numbers import Numbers, as_labels, as_tensor
from influence_core.objective.span import Span

LinearMap = Callable[[Tensor], Tensor]

CHUNK_ELEMENTS = 2**20
"""Numbers that one chunk of examples may need (8 MB in float64): few enough to stay in the cache between two uses."""


@dataclass(frozen=True, eq=False)
class Objective(ABC):
    """Training data, weights, loss and penalty; a subclass adds the model.

    Attributes:
        x: ``(n, d)`` training inputs.
        y: ``(n,)`` training labels, ``0 .. classes - 1``.
        loss: The loss of the outputs.
        l2: The trained penalty: ``()`` or ``(p,)``.
        weights: ``(n,)``; ``1/n`` each where none are given.
        whole: The weight of a whole example where that is not ``1/n``: of a training set that lacks some; else 0.
    """

    x: Tensor
    y: Tensor
    loss: Loss
    l2: Tensor
    weights: Tensor
    whole: float = field(default=0.0, kw_only=True)

    @property
    def n(self) -> int:
        """Number of training examples, left-out ones included."""
        return len(self.x)

    @property
    def unit(self) -> float:
        """The weight of a whole example: ``1/n`` unless said otherwise."""
        return self.whole or 1 / self.n

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of parameters ``p``."""

    @abstractmethod
    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """Model outputs ``(b, c)`` for inputs ``(b, d)``."""

    @abstractmethod
    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Per-example gradients of the data loss ``(b, p)``; needs ``b p`` numbers of memory."""

    @abstractmethod
    def gradient_products(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """``gradients @ v``: ``(b,)`` for ``v (p,)``, ``(b, k)`` for ``v (p, k)``."""

    @abstractmethod
    def output_products(self, theta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """``J_i v (b, c)`` for ``v (p,)``: how the outputs move with the parameters; ``grad l_i . v = r_i . J_i v``."""

    @abstractmethod
    def output_pull(self, theta: Tensor, x: Tensor, u: Tensor) -> Tensor:
        """``sum_j J_j' u_j``, ``(p,)``, for ``u (b, c)``: the gradient of any function of the outputs whose slopes are ``u``."""

    @abstractmethod
    def training_products(self, theta: Tensor) -> LinearMap:
        """Linearised ``v -> gradients of all training examples @ v``, ``(n,)`` or ``(n, k)``."""

    @abstractmethod
    def risk_gradient(self, theta: Tensor) -> Tensor:
        """``sum_i w_i grad l_i + l2 theta``, ``(p,)``."""

    @abstractmethod
    def hessian_product(self, theta: Tensor) -> LinearMap:
        """Linearised ``v (p, k) -> H v (p, k)`` with ``H`` the Hessian of the whole risk, penalty included."""

    @abstractmethod
    def gauss_newton_product(self, theta: Tensor) -> LinearMap:
        """Linearised ``v (p, k) -> G v (p, k)``, ``G = sum_i w_i J_i' (d2l_i/df2) J_i + l2``: positive semi-definite."""

    @abstractmethod
    def dense_gauss_newton(self, theta: Tensor, span: Span | None = None) -> Tensor:
        """``G (p, p)``; or ``E' G E (q, q)`` in the objective's own ``span``."""

    @abstractmethod
    def input_gradient(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """``d/dx [v . grad_theta l(x, y)]``, ``(d,)``, for one example ``x (d,)``, ``y ()`` and ``v (p,)``."""

    @property
    def is_convex(self) -> bool:
        """Whether the risk is convex in ``theta``."""
        return False

    def span(self) -> Span | None:
        """The directions outside of which the curvature is the penalty, one number; ``None`` if none are known."""
        return None

    def losses(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Data losses ``(b,)`` in nats."""
        return self.loss.values(self.outputs(theta, x), y)

    def probabilities(self, theta: Tensor, x: Tensor) -> Tensor:
        """Class probabilities ``(b, classes)``."""
        return self.loss.probabilities(self.outputs(theta, x))

    def risk(self, theta: Tensor) -> Tensor:
        """``R(theta; w)``, ``()``."""
        return self.weights @ self.losses(theta, self.x, self.y) + 0.5 * (self.l2 * theta * theta).sum()

    def risk_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """``R(theta; w)``, ``()``, and its gradient ``(p,)``, from the same outputs where the model can."""
        return self.risk(theta), self.risk_gradient(theta)

    def subset(self, indices: Tensor) -> Self:
        """The examples ``indices (b,)`` alone, weighted so that under uniform draws the expected risk is this one's."""
        scale = self.n / len(indices)
        return replace(self, x=self.x[indices], y=self.y[indices], weights=self.weights[indices] * scale)

    def reweighted(self, indices: Sequence[int] | Tensor, weight: float) -> Self:
        """The objective with ``w_i = weight * unit`` for the examples ``indices``; raise ``DataError`` if it is negative."""
        if not weight >= 0:
            raise DataError(f"A weight must be at least 0 (0 takes the examples out), but is {weight}.")
        weights = self.weights.clone()
        weights[self.positions(indices)] = weight * self.unit
        return replace(self, weights=weights)

    def without(self, indices: Sequence[int] | Tensor) -> Self:
        """The objective with ``w_i = 0`` for the examples ``indices``; the other weights and the penalty stay.

        >>> from influence_core import LinearObjective, LogisticLoss
        >>> objective = LinearObjective.build(torch.eye(4), torch.tensor([0, 1, 0, 1]), LogisticLoss(), l2=0.1)
        >>> objective.without([2]).weights
        tensor([0.2500, 0.2500, 0.0000, 0.2500])
        """
        return self.reweighted(indices, 0.0)

    def replacing(self, indices: Sequence[int] | Tensor, x: Tensor, y: Tensor) -> Self:
        """The objective in which the examples ``indices (m,)`` are ``x (m, d)`` with labels ``y (m,)``."""
        at = self.positions(indices)
        new_x, new_y = self.x.clone(), self.y.clone()
        new_x[at], new_y[at] = x.to(new_x), y.to(new_y)
        return replace(self, x=new_x, y=new_y)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The objective on another device or in another floating-point type.

        Args:
            device: Where all tensors go.
            dtype: Of all but the labels; theirs now where none is given.
        """
        dtype = dtype or self.x.dtype
        return replace(
            self,
            x=self.x.to(device, dtype),
            y=self.y.to(device),
            l2=self.l2.to(device, dtype),
            weights=self.weights.to(device, dtype),
        )

    def check_theta(self, theta: Tensor) -> None:
        """Raise ``ShapeError`` unless ``theta`` is ``(p,)``."""
        if theta.shape != (self.dim,):
            raise ShapeError(f"theta must have shape ({self.dim},), but has {tuple(theta.shape)}.")

    def check_examples(self, x: Tensor, y: Tensor) -> None:
        """Raise ``ShapeError`` or ``DataError`` unless ``x (b, d)``, ``y (b,)`` are examples for this model."""
        if x.ndim != 2 or x.shape[1] != self.x.shape[1]:
            raise ShapeError(f"x must have shape (b, {self.x.shape[1]}), but has {tuple(x.shape)}.")
        if y.shape != (len(x),):
            raise ShapeError(
                f"y must have shape ({len(x)},), one label an example, but has {tuple(y.shape)}."
            )
        if y.dtype != torch.long or (len(y) and not 0 <= int(y.min()) <= int(y.max()) < self.loss.classes):
            raise DataError(f"Labels must be whole numbers from 0 to {self.loss.classes - 1}.")

    def examples(self, x: Numbers, y: Numbers) -> tuple[Tensor, Tensor]:
        """Inputs ``(b, d)`` and labels ``(b,)`` in the model's type and on its device, checked.

        Args:
            x: A tensor, an array or a table.
            y: The same, of whole numbers of any type.

        Raises:
            ShapeError: If they are no examples for this model.
            DataError: If a label is unknown.
        """
        inputs, labels = as_tensor("x", x).to(self.x), as_labels(y, self.y.device)
        self.check_examples(inputs, labels)
        return inputs, labels

    def positions(self, indices: Sequence[int] | Tensor) -> Tensor:
        """``indices (m,)`` on the data's device; raise ``ShapeError`` unless each is a training position."""
        at = torch.as_tensor(indices, dtype=torch.long, device=self.x.device).reshape(-1)
        if len(at) and not 0 <= int(at.min()) <= int(at.max()) < self.n:
            raise ShapeError(f"Training positions must lie between 0 and {self.n - 1}.")
        return at

    def chunks(self, n: int, elements_each: int) -> Iterator[slice]:
        """Slices that cut work on ``n`` examples, each of which needs so many numbers, into pieces that stay in the cache."""
        return chunks(n, elements_each)


def chunks(n: int, elements_each: int) -> Iterator[slice]:
    """Slices that cut work into pieces which stay in the cache.

    Args:
        n: Examples.
        elements_each: Numbers that each of them needs.
    """
    size = max(1, CHUNK_ELEMENTS // max(1, elements_each))
    return (slice(start, start + size) for start in range(0, n, size))


def check_objective(objective: Objective) -> None:
    """Raise ``ShapeError`` or ``DataError`` unless all parts of an objective fit together."""
    n = len(objective.x)
    if n == 0 or objective.x.ndim != 2:
        raise ShapeError(f"x must have shape (n, d) with n > 0, but has {tuple(objective.x.shape)}.")
    if objective.weights.shape != (n,):
        raise ShapeError(f"weights must have shape ({n},), but have {tuple(objective.weights.shape)}.")
    if objective.l2.shape not in ((), (objective.dim,)):
        raise ShapeError(
            f"l2 must be one number or ({objective.dim},), but has shape {tuple(objective.l2.shape)}."
        )
    if not all(bool(objective.x[rows].isfinite().all()) for rows in objective.chunks(n, len(objective.x[0]))):
        raise DataError("Training inputs must be finite numbers, but some are NaN or infinite.")
    if not bool((objective.weights >= 0).all()):
        raise DataError(
            "weights must be numbers of at least 0, but some are not; a risk with a negative weight may have no minimum."
        )
    if not bool((objective.l2 >= 0).all()):
        raise DataError("l2 must not be negative.")
    objective.check_examples(objective.x, objective.y)
