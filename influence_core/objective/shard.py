"""A linear model's training examples shared out over processes: each has its own, and sums are over all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from influence_core.errors import UnsupportedError
from influence_core.objective.base import LinearMap, Objective
from influence_core.objective.linear import LinearObjective
from influence_core.objective.span import Span
from influence_core.ranks import Ranks


@dataclass(frozen=True, eq=False)
class Shard(LinearObjective):
    """One process's own examples, in the place of ``x``, ``y`` and ``weights``.

    The risk, its gradient and its curvature are those of all examples: each process adds up its own, and the sums are
    exchanged, so all processes have to ask for them together. What there is of each example is its own alone.

    Attributes:
        everything: The objective of all examples, of which this one's are a view.
        ranks: The processes.
    """

    everything: LinearObjective = field(kw_only=True)
    ranks: Ranks = field(kw_only=True)

    @property
    def start(self) -> int:
        """The position of the first own example among all of them."""
        return self.ranks.rows(self.everything.n).start

    @cached_property
    def _own(self) -> LinearObjective:
        """The own examples alone, without the penalty."""
        nothing = torch.zeros_like(self.l2)
        return LinearObjective(self.x, self.y, self.loss, nothing, self.weights, whole=self.whole)

    def risk(self, theta: Tensor) -> Tensor:
        """As of all examples, ``()``."""
        return self.ranks.add(self._own.risk(theta)) + 0.5 * (self.l2 * theta * theta).sum()

    def risk_gradient(self, theta: Tensor) -> Tensor:
        """As of all examples, ``(p,)``."""
        return self.ranks.add(self._own.risk_gradient(theta)) + self.l2 * theta

    def risk_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """As of all examples, ``()`` and ``(p,)``."""
        return self.risk(theta), self.risk_gradient(theta)

    def hessian_product(self, theta: Tensor) -> LinearMap:
        """As of all examples, ``(p, k) -> (p, k)``."""
        own = self._own.hessian_product(theta)
        l2 = self.l2 if self.l2.ndim == 0 else self.l2[:, None]
        return lambda v: self.ranks.add(own(v)) + l2 * v

    def span(self) -> Span | None:
        """As of all examples, all of which every process has."""
        return self.everything.span()

    def dense_gauss_newton(self, theta: Tensor, span: Span | None = None) -> Tensor:
        """As of all examples, ``(p, p)`` or ``(q, q)``: as many numbers are exchanged."""
        dense = self.ranks.add(self._own.dense_gauss_newton(theta, span))
        dense.diagonal().add_(self.l2)
        return dense


def share(objective: Objective, ranks: Ranks) -> Objective:
    """The objective as one of several processes works on it; itself where there is one process.

    Args:
        objective: Of all examples.
        ranks: The processes.

    Raises:
        UnsupportedError: If it is not a linear model with a smooth loss in float64, or there are more processes than examples.
    """
    if ranks.alone:
        return objective
    o = objective
    if not (isinstance(o, LinearObjective) and o.loss.smooth and o.x.dtype == torch.float64):
        raise UnsupportedError(
            "Several processes share the work of a linear model with a smooth loss, in float64. Use one process."
        )
    if o.n < ranks.world:
        raise UnsupportedError(f"{ranks.world} processes cannot share {o.n} examples. Use fewer.")
    rows = ranks.rows(o.n)
    return Shard(o.x[rows], o.y[rows], o.loss, o.l2, o.weights[rows], whole=o.unit, everything=o, ranks=ranks)


def everything_of(objective: LinearObjective) -> tuple[LinearObjective, int]:
    """The objective of all examples, and the position there of the first of this one."""
    return (objective.everything, objective.start) if isinstance(objective, Shard) else (objective, 0)
