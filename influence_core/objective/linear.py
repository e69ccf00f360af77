"""A linear model on fixed features, of which every derivative is a closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from influence_core.losses import Loss, SoftmaxLoss
from influence_core.objective.base import LinearMap, Objective, check_objective
from influence_core.objective.numbers import Numbers, tensors
from influence_core.objective.products import TrainingProducts, summed_products
from influence_core.objective.span import Span, differences

PRODUCT_COLUMNS = 256
"""Columns that keep a matrix product busy."""
SPARSE = 0.05
"""Inputs with a smaller share of numbers that are not 0 are multiplied as sparse ones: a text has few of all words."""
FULL = 0.5
"""Of inputs of which a larger share is not 0 none are looked for that are."""
SOME_ROWS = 4096
"""Rows, about, that tell what share is not 0."""
COLUMNS_A_NUMBER = 128
"""Which numbers are not 0 is noted for a chunk of rows; so many notes take as much memory as one number of the chunk's limit."""


@dataclass(frozen=True, eq=False)
class LinearObjective(Objective):
    """A linear model ``f = x W`` on fixed features, ``theta = W (d, c)`` flattened, without bias.

    All derivatives are closed forms. A per-example gradient is ``x_i (outer) r_i`` with the residual ``r_i = dl_i/df``
    and is never formed: ``grad l_i . v = sum_c r_ic (x_i . V_c)`` is one matrix product for all examples.

    >>> from influence_core.losses import LogisticLoss
    >>> x, y = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0])
    >>> objective = LinearObjective.build(x, y, LogisticLoss(), l2=0.1)
    >>> theta = torch.zeros(2)  # every probability is a half, so every residual is -1/2 or 1/2
    >>> objective.gradients(theta, x, y)
    tensor([[-0.5000, -1.0000],
            [ 1.5000,  2.0000]])
    >>> objective.risk_gradient(theta)
    tensor([0.5000, 0.5000])
    """

    @classmethod
    def build(
        cls, x: Numbers, y: Numbers, loss: Loss, l2: float | Numbers, weights: Numbers | None = None
    ) -> LinearObjective:
        """Check and assemble an objective.

        Args:
            x: ``(n, d)`` training features, float32 or float64: a tensor, an array or a table.
            y: ``(n,)`` training labels, whole numbers.
            loss: Of the outputs.
            l2: The trained penalty: a number or ``(p,)``.
            weights: ``(n,)``, none negative; ``1/n`` each where none are given.

        Raises:
            ShapeError: If they do not fit together.
            DataError: If a feature is not finite, a label unknown, or a weight or the penalty negative.
        """
        parts = tensors(x, y, l2, weights)
        made = cls(parts.x, parts.y, loss, parts.l2, parts.weights)
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

    def output_pull(self, theta: Tensor, x: Tensor, u: Tensor) -> Tensor:
        """``X' U``, ``(p,)``."""
        return (u.T @ x).T.reshape(-1)

    def weighted_products(self, x: Tensor, residuals: Tensor, v: Tensor) -> Tensor:
        """``sum_c residuals_ic (x_i . V_c)`` for any residuals ``(b, c)``: ``(b,)`` or ``(b, k)``."""
        k = v[0].numel()
        out = summed_products(x, residuals, v.reshape(-1, self.loss.outputs * k), k)
        return out.view(-1) if v.ndim == 1 else out

    def training_products(self, theta: Tensor) -> LinearMap:
        """Residuals are computed once; each product is then one pass over the features that some example has."""
        residuals = self.loss.residuals(self.outputs(theta, self.x), self.y)
        return TrainingProducts.of(self.x, residuals, self._present, self._basis())

    def risk_gradient(self, theta: Tensor) -> Tensor:
        """``X' (w r) + l2 theta``, ``(p,)``."""
        return self._slope(theta, self.outputs(theta, self.x))

    def risk_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """``()`` and ``(p,)``: two passes over the features."""
        f = self.outputs(theta, self.x)
        risk = self.weights @ self.loss.values(f, self.y) + 0.5 * (self.l2 * theta * theta).sum()
        return risk, self._slope(theta, f)

    def _slope(self, theta: Tensor, f: Tensor) -> Tensor:
        residuals = self.loss.residuals(f, self.y)
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

    def span(self) -> Span | None:
        """Without the features that no example has, and without what a softmax does not see."""
        if self.l2.ndim:
            return None
        features, basis, d = self._present, self._basis(), self.x.shape[1]
        saves = len(features) < d or basis.shape[1] < len(basis)
        return Span(features, basis, d) if saves and len(features) else None

    @cached_property
    def _present(self) -> Tensor:
        """Positions ``(u,)`` of the features that some example has."""
        has = torch.zeros(self.x.shape[1], dtype=torch.bool, device=self.x.device)
        for rows in self.chunks(self.n, self.x.shape[1]):
            has |= (self.x[rows] != 0).any(0)
            if bool(has.all()):
                break
        return has.nonzero()[:, 0]

    def _basis(self) -> Tensor:
        """``(c, r)`` orthonormal, in which all residuals lie: those of a softmax add up to 0, so one output less tells them."""
        adds_up = isinstance(self.loss, SoftmaxLoss) and self.loss.outputs > 1
        return differences(self.loss.outputs, self.x) if adds_up else torch.eye(self.loss.outputs).to(self.x)

    def dense_gauss_newton(self, theta: Tensor, span: Span | None = None) -> Tensor:
        """``sum_i w_i x_i x_i' (kron) A_i + l2``, ``(p, p)``; in a span ``(q, q)``.

        A few features at a time, over the examples that have them, where many have not: most pixels of a drawing are empty.
        A block of two features is symmetric in its two outputs, and so is the whole matrix: a quarter of it is computed.
        Inputs of which next to none are there are multiplied as sparse ones.
        """
        every = span is None or len(span.features) == span.d
        features = slice(None) if span is None or every else span.features
        basis = torch.eye(self.loss.outputs).to(self.x) if span is None else span.basis
        f, c = self.outputs(theta, self.x), basis.shape[1]
        d = self.x.shape[1] if span is None else len(span.features)
        dense = torch.diag(self.l2.expand(d * c))
        blocks = dense.view(d, c, d, c)
        share = self._share()
        if self.x.device.type == "cpu" and share < SPARSE:
            self._add_sparse(blocks, features, self._bends(f, slice(None), basis))
            return dense
        for rows in self.chunks(self.n, max(c * c, d // COLUMNS_A_NUMBER if every else d)):
            x = self.x[rows, features]
            present = None if share > FULL else (x != 0).T.contiguous()
            bends, column = self._bends(f[rows], rows, basis)
            width = max(1, PRODUCT_COLUMNS // bends.shape[1])
            for start in range(0, d, width):
                stop = min(d, start + width)
                having = None if present is None else present[start:stop].any(0).nonzero()[:, 0]
                sums = self._feature_products(x, bends, having, start, stop)[..., column]
                blocks[start:stop, :, start:] += sums.permute(1, 2, 0, 3)
                blocks[stop:, :, start:stop] = blocks[start:stop, :, stop:].permute(2, 3, 0, 1)
        return dense

    def _share(self) -> float:
        """Of the inputs, what is not 0, by some rows of them."""
        some = self.x[:: max(1, self.n // SOME_ROWS)]
        return int(some.count_nonzero()) / max(1, some.numel())

    def _add_sparse(self, blocks: Tensor, features: Tensor | slice, bent: tuple[Tensor, Tensor]) -> None:
        """``sum_i w_i x_i x_i' (kron) A_i`` to ``(d, c, d, c)``, one sparse product for every two outputs."""
        from scipy.sparse import csr_matrix  # takes long to import

        x, (bends, column) = csr_matrix(self.x.detach().numpy()), bent
        x = x if isinstance(features, slice) else x[:, features.numpy()]
        for a in range(len(column)):
            for b in range(a, len(column)):
                weighted = x.multiply(bends[:, column[a, b], None].numpy()).tocsr()
                product = torch.from_numpy((x.T @ weighted).toarray())
                blocks[:, a, :, b] += product
                if a != b:
                    blocks[:, b, :, a] += product

    def _bends(self, f: Tensor, rows: slice, basis: Tensor) -> tuple[Tensor, Tensor]:
        """``w_i B' A_i B`` without its lower triangle, ``(b, r (r + 1) / 2)``, and the column of every entry, ``(r, r)``."""
        r = basis.shape[1]
        a, b = torch.triu_indices(r, r, device=f.device)
        column = torch.empty(r, r, dtype=torch.long, device=f.device)
        column[a, b] = column[b, a] = torch.arange(len(a), device=f.device)
        bent = basis.T @ self.loss.curvature(f, self.y[rows])(basis.expand(len(f), *basis.shape))
        return bent[:, a, b] * self.weights[rows, None], column

    def _feature_products(
        self, x: Tensor, bends: Tensor, having: Tensor | None, start: int, stop: int
    ) -> Tensor:
        """``sum_i x_ij x_ik bends_i`` over the examples ``having``, or all, for ``j >= start`` and ``start <= k < stop``."""
        width = stop - start
        total = x.new_zeros(x.shape[1] - start, width * bends.shape[1])
        for rows in self.chunks(len(x if having is None else having), x.shape[1]):
            at = rows if having is None else having[rows]
            features = x[at, start:]
            factors = features[:, :width, None] * bends[at, None]
            total.addmm_(features.T, factors.flatten(1))
        return total.view(len(total), width, -1)

    def output_jacobian(self, x: Tensor) -> Tensor:
        """``J' (p, b c)`` of the outputs of inputs ``x (b, d)``: each input's stands in the place of one output."""
        c = self.loss.outputs
        jacobian = x.new_zeros(x.shape[1], c, len(x), c)
        jacobian.diagonal(dim1=1, dim2=3).copy_(x.T[:, :, None])
        return jacobian.view(self.dim, -1)

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
