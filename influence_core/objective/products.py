"""Products of gradients ``x_i (outer) r_i`` with vectors: one pass over the features, no gradient is formed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.objective.base import chunks

COPIED = 2**24
"""Numbers that a copy of the features may take (134 MB in float64) to leave out those that no example has."""
WORTH_LEAVING = 0.95
"""Of all features; where a larger share is used they are multiplied where they are."""


@dataclass(frozen=True, eq=False)
class TrainingProducts:
    """``v -> sum_c r_ic (x_i . V_c)`` of all training examples, for ``v (p,)`` or ``(p, k)``.

    With ``B`` a basis of the space in which all residuals lie, ``r V' = (r B) (V B)'``.

    Attributes:
        x: ``(n, d)``, or ``(n, u)`` without the features that no example has.
        used: ``(u,)`` positions of those that ``x`` has; ``None`` where it has all.
        basis: ``(c, r)`` orthonormal, or ``None`` where ``r = c``.
        shares: ``(n, r)``: ``r B``.
    """

    x: Tensor
    used: Tensor | None
    basis: Tensor | None
    shares: Tensor

    @classmethod
    def of(cls, x: Tensor, residuals: Tensor, present: Tensor, basis: Tensor) -> TrainingProducts:
        """From inputs ``(n, d)``, residuals ``(n, c)``, features that some example has, ``(u,)``, and a basis ``(c, r)``."""
        leaves = len(present) <= WORTH_LEAVING * x.shape[1] and len(x) * len(present) <= COPIED
        less = basis.shape[1] < len(basis)
        return cls(
            x[:, present] if leaves else x,
            present if leaves else None,
            basis if less else None,
            residuals @ basis if less else residuals,
        )

    def __call__(self, v: Tensor) -> Tensor:
        """``(n,)`` or ``(n, k)``."""
        k, outputs = v[0].numel(), len(self.basis) if self.basis is not None else self.shares.shape[1]
        columns = v.reshape(-1, outputs, k)
        columns = columns if self.used is None else columns.index_select(0, self.used)
        columns = columns if self.basis is None else self.basis.T @ columns
        out = summed_products(self.x, self.shares, columns.reshape(len(columns), -1), k)
        return out.view(-1) if v.ndim == 1 else out


def summed_products(x: Tensor, residuals: Tensor, columns: Tensor, k: int) -> Tensor:
    """``sum_c residuals_ic (x_i . V_c)``, ``(b, k)``, of ``residuals (b, c)`` and ``columns (d, c k)``."""
    c = residuals.shape[1]
    out = x.new_empty(len(x), k)
    for rows in chunks(len(x), c * k):
        product = x[rows] @ columns
        if k == 1:
            torch.sum(product * residuals[rows], 1, keepdim=True, out=out[rows])
        else:
            torch.bmm(residuals[rows, None, :], product.view(-1, c, k), out=out[rows, None, :])
    return out
