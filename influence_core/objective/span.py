"""Where the data of a linear model bend its risk: in all other directions the curvature is the penalty and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Span:
    """Directions ``E (p, q)``, orthonormal: every output's share of ``basis`` at every feature that some example has.

    Most pixels at the edge of a drawing are empty in all drawings; and what is added to all outputs of a softmax changes
    no probability. So of ten classes on 28 x 28 pixels a quarter of the directions and more bend nothing, and a matrix of
    the others is half as large.

    Attributes:
        features: ``(u,)`` positions of the features that some example has.
        basis: ``(c, r)`` orthonormal columns: the outputs' directions that change a loss.
        d: How many features there are.

    >>> span = Span(torch.tensor([1]), torch.eye(1), 3)
    >>> span.into(torch.tensor([[5.0], [6.0], [7.0]])), span.back(torch.tensor([[6.0]])).flatten()
    (tensor([[6.]]), tensor([0., 6., 0.]))
    """

    features: Tensor
    basis: Tensor
    d: int

    @property
    def dim(self) -> int:
        """``q = u r``."""
        return len(self.features) * self.basis.shape[1]

    def into(self, v: Tensor) -> Tensor:
        """``E' v``, ``(q, k)``, of ``v (p, k)``."""
        outputs, k = len(self.basis), v.shape[1]
        at_hand = v.reshape(self.d, outputs * k).index_select(0, self.features)
        return (self.basis.T @ at_hand.view(len(self.features), outputs, k)).view(self.dim, k)

    def back(self, z: Tensor) -> Tensor:
        """``E z``, ``(p, k)``, of ``z (q, k)``."""
        outputs, k = len(self.basis), z.shape[1]
        every = z.new_zeros(self.d, outputs * k)
        shares = z.reshape(len(self.features), self.basis.shape[1], k)
        every[self.features] = (self.basis @ shares).view(len(shares), outputs * k)
        return every.view(self.d * outputs, k)

    def to(self, like: Tensor) -> Span:
        """The same in another type and on another device."""
        return Span(self.features.to(like.device), self.basis.to(like), self.d)


def differences(outputs: int, like: Tensor) -> Tensor:
    """An orthonormal basis of all ``(c,)`` whose numbers add up to 0, ``(c, c - 1)``.

    >>> differences(2, torch.ones(())).abs().flatten()
    tensor([0.7071, 0.7071])
    """
    steps = torch.eye(outputs, dtype=torch.float64) - 1 / outputs
    return torch.linalg.qr(steps[:, :-1]).Q.to(like)
