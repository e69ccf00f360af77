"""Edits of the training set: take out, relabel, replace, reweight; predicted here, proved by ``retraining``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from influence_core.errors import ShapeError
from influence_core.objective import Objective

AnObjective = TypeVar("AnObjective", bound=Objective)


@dataclass(frozen=True, eq=False)
class Edit:
    """The examples at ``positions (m,)`` become ``(x, y)`` with ``weight`` units each; ``None`` leaves a part as it is.

    Attributes:
        positions: ``(m,)`` training positions, each once.
        x: ``(m, d)`` new inputs.
        y: ``(m,)`` new labels.
        weight: 0 takes the examples out, 1 is a whole example's, ``objective.unit``: ``1/n`` unless said otherwise.

    Raises:
        ShapeError: If there is no position, one comes twice, or ``x`` or ``y`` has another number of rows.

    >>> Edit.removal([3, 17])
    Edit(positions=tensor([ 3, 17]), x=None, y=None, weight=0.0)
    """

    positions: Tensor
    x: Tensor | None = None
    y: Tensor | None = None
    weight: float | None = None

    def __post_init__(self) -> None:
        m = len(self.positions)
        if self.positions.ndim != 1 or m == 0 or len(self.positions.unique()) != m:
            raise ShapeError("An edit needs at least one training position, and each position once.")
        for name, part in (("x", self.x), ("y", self.y)):
            if part is not None and len(part) != m:
                raise ShapeError(f"An edit of {m} examples needs {m} rows of {name}, but has {len(part)}.")

    @classmethod
    def removal(cls, positions: list[int] | Tensor) -> Edit:
        """Take the examples at ``positions (m,)`` out."""
        return cls(torch.as_tensor(positions, dtype=torch.long).reshape(-1), weight=0.0)

    @classmethod
    def relabel(cls, positions: list[int] | Tensor, y: list[int] | Tensor) -> Edit:
        """Give the examples at ``positions (m,)`` the labels ``y (m,)``."""
        return cls(torch.as_tensor(positions, dtype=torch.long).reshape(-1), y=torch.as_tensor(y).reshape(-1))

    @classmethod
    def replacement(cls, position: int, x: Tensor, y: int | None = None) -> Edit:
        """Put another input ``x (d,)``, and another label if given, in the place of one example."""
        return cls(torch.tensor([position]), x=x[None], y=None if y is None else torch.tensor([y]))

    def sorted(self) -> Edit:
        """The same edit with its positions rising."""
        order = self.positions.argsort()
        x, y = (None if part is None else part[order] for part in (self.x, self.y))
        return Edit(self.positions[order], x, y, self.weight)

    def apply(self, objective: AnObjective) -> AnObjective:
        """The edited objective; retraining minimises it."""
        edited = objective
        if self.x is not None or self.y is not None:
            edited = edited.replacing(self.positions, *self.after(objective))
        return edited if self.weight is None else edited.reweighted(self.positions, self.weight)

    def after(self, objective: Objective) -> tuple[Tensor, Tensor]:
        """Inputs ``(m, d)`` and labels ``(m,)`` after the edit."""
        at = objective.positions(self.positions)
        x = objective.x[at] if self.x is None else self.x.to(objective.x)
        y = objective.y[at] if self.y is None else self.y.to(objective.y)
        objective.check_examples(x, y)
        return x, y

    def weights(self, objective: Objective) -> tuple[Tensor, Tensor]:
        """Weights ``(m,)`` of the examples before and after the edit."""
        before = objective.weights[objective.positions(self.positions)]
        return before, before if self.weight is None else torch.full_like(
            before, self.weight * objective.unit
        )

    def gradient_change(self, objective: Objective, theta: Tensor) -> Tensor:
        """``grad R_edited - grad R`` at ``theta``, ``(p,)``: exact, because only the edited examples differ."""
        at = objective.positions(self.positions)
        before, after = self.weights(objective)
        new = objective.gradients(theta, *self.after(objective))
        old = objective.gradients(theta, objective.x[at], objective.y[at])
        return after @ new - before @ old


def predict(objective: Objective, theta: Tensor, edit: Edit, s: Tensor) -> Tensor:
    """Predicted change of the test losses if the edit is made: finite in the input and label, linear in the weight.

    ``-s . (grad R_edited - grad R)``; for a removal this is the sum of ``D_i``, for ``z -> z'`` it is
    ``[I_up,loss(z') - I_up,loss(z)] / n`` (the paper's section 2.2).

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        edit: What is changed.
        s: ``(p,)`` or ``(p, t)``, inverse-curvature gradients of the test examples.

    Returns:
        ``()`` or ``(t,)`` in nats; positive = the loss rises.

    The more weight an example has, the lower the loss of its like:

    >>> from influence_core import Hessian, LinearObjective, LogisticLoss, minimise
    >>> x, y = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.tensor([1, 0])
    >>> objective = LinearObjective.build(x, y, LogisticLoss(), l2=0.1)
    >>> theta = minimise(objective).theta
    >>> s = objective.gradients(theta, x[:1], y[:1])[0] / Hessian(objective, theta).dense()[0]
    >>> removed, doubled = Edit.removal([0]), Edit(torch.tensor([0]), weight=2.0)
    >>> predict(objective, theta, removed, s), predict(objective, theta, doubled, s)
    (tensor(0.0564, dtype=torch.float64), tensor(-0.0564, dtype=torch.float64))
    """
    return -(edit.gradient_change(objective, theta) @ s)


def pixel_influence(objective: Objective, theta: Tensor, position: int, s: Tensor) -> Tensor:
    """``I_pert,loss = -d/dx [s . grad_theta l(x_i, y_i)]``, the paper's equation 5, for one training example.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        position: Training position ``i``.
        s: ``(p,)`` of one test example.

    Returns:
        ``(d,)`` in nats per unit of input, without the ``1/n``: changing ``x_i`` by a small ``delta`` changes the
        test loss by ``w_i I_pert . delta``; positive = raising this pixel raises the test loss.
    """
    at = int(objective.positions([position]))
    return -objective.input_gradient(theta, objective.x[at], objective.y[at], s)
