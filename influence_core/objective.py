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
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from influence_core.errors import DataError, ShapeError
from influence_core.losses import Loss

LinearMap = Callable[[Tensor], Tensor]

CHUNK_ELEMENTS = 2**20
"""Numbers that one chunk of examples may need (8 MB in float64): few enough to stay in the cache between two uses."""

PRODUCT_COLUMNS = 256
"""Columns that keep a matrix product busy."""


@dataclass(frozen=True, eq=False)
class Objective(ABC):
    """Training data, weights, loss and penalty; a subclass adds the model.

    Attributes:
        x: ``(n, d)`` training inputs.
        y: ``(n,)`` training labels, ``0 .. classes - 1``.
        loss: The loss of the outputs.
        l2: The trained penalty: ``()`` or ``(p,)``.
        weights: ``(n,)``; ``1/n`` each where none are given.
    """

    x: Tensor
    y: Tensor
    loss: Loss
    l2: Tensor
    weights: Tensor

    @property
    def n(self) -> int:
        """Number of training examples, left-out ones included."""
        return len(self.x)

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
    def dense_gauss_newton(self, theta: Tensor) -> Tensor:
        """``G (p, p)``."""

    @abstractmethod
    def input_gradient(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """``d/dx [v . grad_theta l(x, y)]``, ``(d,)``, for one example ``x (d,)``, ``y ()`` and ``v (p,)``."""

    @property
    def is_convex(self) -> bool:
        """Whether the risk is convex in ``theta``."""
        return False

    def losses(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Data losses ``(b,)`` in nats."""
        return self.loss.values(self.outputs(theta, x), y)

    def probabilities(self, theta: Tensor, x: Tensor) -> Tensor:
        """Class probabilities ``(b, classes)``."""
        return self.loss.probabilities(self.outputs(theta, x))

    def risk(self, theta: Tensor) -> Tensor:
        """``R(theta; w)``, ``()``."""
        return self.weights @ self.losses(theta, self.x, self.y) + 0.5 * (self.l2 * theta * theta).sum()

    def subset(self, indices: Tensor) -> Self:
        """The examples ``indices (b,)`` alone, weighted so that under uniform draws the expected risk is this one's."""
        scale = self.n / len(indices)
        return replace(self, x=self.x[indices], y=self.y[indices], weights=self.weights[indices] * scale)

    def reweighted(self, indices: Sequence[int] | Tensor, weight: float) -> Self:
        """The objective with ``w_i = weight / n`` for the examples ``indices``."""
        weights = self.weights.clone()
        weights[self.positions(indices)] = weight / self.n
        return replace(self, weights=weights)

    def without(self, indices: Sequence[int] | Tensor) -> Self:
        """The objective with ``w_i = 0`` for the examples ``indices``; the other weights and the penalty stay."""
        return self.reweighted(indices, 0.0)

    def replacing(self, indices: Sequence[int] | Tensor, x: Tensor, y: Tensor) -> Self:
        """The objective in which the examples ``indices (m,)`` are ``x (m, d)`` with labels ``y (m,)``."""
        at = self.positions(indices)
        new_x, new_y = self.x.clone(), self.y.clone()
        new_x[at], new_y[at] = x.to(new_x), y.to(new_y)
        return replace(self, x=new_x, y=new_y)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The objective on another device or in another floating-point type."""
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
        if y.is_floating_point() or (len(y) and not 0 <= int(y.min()) <= int(y.max()) < self.loss.classes):
            raise DataError(f"Labels must be whole numbers from 0 to {self.loss.classes - 1}.")

    def positions(self, indices: Sequence[int] | Tensor) -> Tensor:
        """``indices (m,)`` on the data's device; raise ``ShapeError`` unless each is a training position."""
        at = torch.as_tensor(indices, dtype=torch.long, device=self.x.device).reshape(-1)
        if len(at) and not 0 <= int(at.min()) <= int(at.max()) < self.n:
            raise ShapeError(f"Training positions must lie between 0 and {self.n - 1}.")
        return at

    def chunks(self, n: int, elements_each: int) -> Iterator[slice]:
        """Slices of ``n`` examples of which each needs ``elements_each`` numbers."""
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
    if not torch.isfinite(objective.x).all():
        raise DataError("Training inputs must be finite numbers, but some are NaN or infinite.")
    if bool((objective.l2 < 0).any()):
        raise DataError("l2 must not be negative.")
    objective.check_examples(objective.x, objective.y)


def uniform_weights(x: Tensor, weights: Tensor | None) -> Tensor:
    """``weights (n,)``, or ``1/n`` each where there are none."""
    return x.new_full((len(x),), 1 / max(1, len(x))) if weights is None else weights.to(x)


@dataclass(frozen=True, eq=False)
class LinearObjective(Objective):
    """A linear model ``f = x W`` on fixed features, ``theta = W (d, c)`` flattened, without bias.

    All derivatives are closed forms. A per-example gradient is ``x_i (outer) r_i`` with the residual ``r_i = dl_i/df``
    and is never formed: ``grad l_i . v = sum_c r_ic (x_i . V_c)`` is one matrix product for all examples.
    """

    @classmethod
    def build(
        cls, x: Tensor, y: Tensor, loss: Loss, l2: float | Tensor, weights: Tensor | None = None
    ) -> LinearObjective:
        """Check and assemble an objective; see the class's attributes."""
        made = cls(
            x, y, loss, torch.as_tensor(l2, dtype=x.dtype, device=x.device), uniform_weights(x, weights)
        )
        check_objective(made)
        return made

    @property
    def dim(self) -> int:
        """``p = d c``."""
        return self.x.shape[1] * self.loss.outputs

    @property
    def is_convex(self) -> bool:
        """Every loss here is convex in the outputs, and the outputs are linear in ``theta``."""
        return True

    def outputs(self, theta: Tensor, x: Tensor) -> Tensor:
        """``x W``, ``(b, c)``."""
        return x @ theta.view(-1, self.loss.outputs)

    def gradients(self, theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """``x_i (outer) r_i``, ``(b, p)``."""
        residuals = self.loss.residuals(self.outputs(theta, x), y)
        return (x[:, :, None] * residuals[:, None, :]).flatten(1)

    def gradient_products(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """``sum_c r_ic (x_i . V_c)``, ``(b,)`` or ``(b, k)``."""
        return self.weighted_products(x, self.loss.residuals(self.outputs(theta, x), y), v)

    def output_products(self, theta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """``x V``, ``(b, c)``."""
        return x @ v.view(-1, self.loss.outputs)

    def weighted_products(self, x: Tensor, residuals: Tensor, v: Tensor) -> Tensor:
        """``sum_c residuals_ic (x_i . V_c)`` for any residuals ``(b, c)``: ``(b,)`` or ``(b, k)``."""
        c = self.loss.outputs
        k = v[0].numel()
        columns = v.reshape(-1, c * k)
        out = x.new_empty(len(x), k)
        for rows in self.chunks(len(x), c * k):
            product = x[rows] @ columns
            if k == 1:
                torch.sum(product * residuals[rows], 1, keepdim=True, out=out[rows])
            else:
                torch.bmm(residuals[rows, None, :], product.view(-1, c, k), out=out[rows, None, :])
        return out.view(-1) if v.ndim == 1 else out

    def training_products(self, theta: Tensor) -> LinearMap:
        """Residuals are computed once; each product is then one pass over the features."""
        residuals = self.loss.residuals(self.outputs(theta, self.x), self.y)
        return lambda v: self.weighted_products(self.x, residuals, v)

    def risk_gradient(self, theta: Tensor) -> Tensor:
        """``X' (w r) + l2 theta``, ``(p,)``."""
        residuals = self.loss.residuals(self.outputs(theta, self.x), self.y)
        return ((self.weights[:, None] * residuals).T @ self.x).T.reshape(-1) + self.l2 * theta

    def hessian_product(self, theta: Tensor) -> LinearMap:
        """``V -> X' (w A (X V)) + l2 V`` with ``A_i = d2l_i/df2``; the transpose is summed, which is twice as fast."""
        c = self.loss.outputs
        f = self.outputs(theta, self.x)

        def product(v: Tensor) -> Tensor:
            k = v.shape[1]
            columns = v.reshape(-1, c * k)
            total = (columns * self._penalty(columns)).T.contiguous()
            for rows, curve, weights in pieces[max(1, k)]:
                u = (self.x[rows] @ columns).view(-1, c, k)
                total.addmm_((curve(u) * weights).view(-1, c * k).T, self.x[rows])
            return total.T.reshape(-1, k)

        pieces = _Pieces(self, f)
        return product

    def _penalty(self, columns: Tensor) -> Tensor:
        """``l2`` in the shape that multiplies ``V (d, c k)``."""
        if self.l2.ndim == 0:
            return self.l2
        k = columns.numel() // self.dim
        return self.l2.repeat_interleave(k).view_as(columns)

    def gauss_newton_product(self, theta: Tensor) -> LinearMap:
        """Outputs are linear in ``theta``, so this is the Hessian."""
        return self.hessian_product(theta)

    def dense_gauss_newton(self, theta: Tensor) -> Tensor:
        """``sum_i w_i x_i x_i' (kron) A_i + l2``, ``(p, p)``.

        A few features at a time, over the examples that have them: most pixels of a drawing are empty. A block of two
        features is symmetric in its two outputs, and so is the whole matrix: a quarter of it is computed.
        """
        d, c = self.x.shape[1], self.loss.outputs
        f = self.outputs(theta, self.x)
        dense = torch.diag(self.l2.expand(self.dim))
        blocks = dense.view(d, c, d, c)
        for rows in self.chunks(self.n, c * c):
            x, present = self.x[rows], (self.x[rows] != 0).T.contiguous()
            bends, column = self._bends(f[rows], rows)
            width = max(1, PRODUCT_COLUMNS // bends.shape[1])
            for start in range(0, d, width):
                stop = min(d, start + width)
                having = present[start:stop].any(0).nonzero()[:, 0]
                sums = self._feature_products(x, bends, having, start, stop)[..., column]
                blocks[start:stop, :, start:] += sums.permute(1, 2, 0, 3)
                blocks[stop:, :, start:stop] = blocks[start:stop, :, stop:].permute(2, 3, 0, 1)
        return dense

    def _bends(self, f: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """``w_i A_i`` without its lower triangle, ``(b, c (c + 1) / 2)``, and the column of every entry, ``(c, c)``."""
        c = self.loss.outputs
        eye = torch.eye(c, dtype=f.dtype, device=f.device).expand(len(f), c, c)
        a, b = torch.triu_indices(c, c, device=f.device)
        column = torch.empty(c, c, dtype=torch.long, device=f.device)
        column[a, b] = column[b, a] = torch.arange(len(a), device=f.device)
        return self.loss.curvature(f, self.y[rows])(eye)[:, a, b] * self.weights[rows, None], column

    def _feature_products(self, x: Tensor, bends: Tensor, having: Tensor, start: int, stop: int) -> Tensor:
        """``sum_i x_ij x_ik bends_i`` over the examples ``having``, for ``j >= start`` and ``start <= k < stop``."""
        width = stop - start
        total = x.new_zeros(x.shape[1] - start, width * bends.shape[1])
        for rows in self.chunks(len(having), x.shape[1]):
            features = x[having[rows], start:]
            factors = features[:, :width, None] * bends[having[rows], None]
            total.addmm_(features.T, factors.flatten(1))
        return total.view(len(total), width, -1)

    def input_gradient(self, theta: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """``V r + W A V'x``, ``(d,)``."""
        c = self.loss.outputs
        big_v, big_w = v.view(-1, c), theta.view(-1, c)
        f = self.outputs(theta, x[None])
        label = y.reshape(1)
        residual = self.loss.residuals(f, label)[0]
        bent = self.loss.curvature(f, label)((x @ big_v).view(1, c, 1)).view(c)
        return big_v @ residual + big_w @ bent


class _Pieces(dict[int, list[tuple[slice, LinearMap, Tensor]]]):
    """For the ``k`` columns of the last product: the training set's chunks, each with its curvature map and weights."""

    def __init__(self, objective: LinearObjective, f: Tensor) -> None:
        super().__init__()
        self.objective, self.f = objective, f

    def __missing__(self, k: int) -> list[tuple[slice, LinearMap, Tensor]]:
        o = self.objective
        self.clear()
        self[k] = [
            (rows, o.loss.curvature(self.f[rows], o.y[rows]), o.weights[rows, None, None])
            for rows in o.chunks(o.n, o.x.shape[1] + 3 * o.loss.outputs * k)
        ]
        return self[k]
