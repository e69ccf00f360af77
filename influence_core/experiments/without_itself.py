"""What a model says of each of its training examples when it has never seen that one: forecast, or proven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core import agreement
from influence_core.errors import SolveError
from influence_core.experiments.effects import by_output
from influence_core.influence import left_out_pulls
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.progress import Progress, part
from influence_core.retraining.leave_one_out import leave_each_out
from influence_core.solvers import Cholesky


@dataclass(frozen=True, eq=False)
class WithoutItself:
    """What the model says of each training example when it has never seen it.

    Attributes:
        probabilities: ``(n, classes)``.
        labels: ``(n,)`` the labels in the training set.
        losses: ``(n,)`` own loss without the example, nats.
        memorisation: ``(n,)`` that minus the own loss with it: the true self-influence.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    losses: np.ndarray
    memorisation: np.ndarray

    @property
    def own_probability(self) -> np.ndarray:
        """``(n,)`` the probability of each example's own label."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    @property
    def accuracy(self) -> float:
        """The leave-one-out accuracy."""
        return agreement.accuracy(self.probabilities.argmax(1), self.labels)


def forecast(objective: LinearObjective, theta: Tensor, leverages: Tensor) -> WithoutItself:
    """The corrected forecast: one Newton step without the example moves its own outputs by ``K_i`` times its pull.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        leverages: ``(n, c, c)`` the ``leverage_blocks`` ``K_i`` of the undamped curvature.

    One example and a penalty: without it there is nothing to learn from, and both labels are as likely:

    >>> from influence_core import LogisticLoss, minimise, self_influence
    >>> x = torch.tensor([[2.0]], dtype=torch.float64)
    >>> o = LinearObjective.build(x, torch.tensor([1]), LogisticLoss(), l2=1.0)
    >>> theta = minimise(o).theta
    >>> alone = forecast(o, theta, self_influence(o, theta).leverages)
    >>> float(alone.own_probability[0].round(6))
    0.5
    """
    pulls = left_out_pulls(objective, theta, leverages)
    return of_moves(objective, theta, torch.einsum("bae,be->ba", leverages, pulls))


def prove(
    objective: LinearObjective, theta: Tensor, leverages: Tensor, progress: Progress | None = None
) -> WithoutItself:
    """The truth: the model trained again without each example. Only the example's own outputs are kept of each.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        leverages: ``(n, c, c)`` the ``leverage_blocks`` of the undamped curvature.
        progress: Called along the way.

    Raises:
        SolveError: If the gradient of one of the models stays too large.
    """
    o = objective
    inverse = Cholesky().prepare(Hessian(o, theta), part(progress, 0.0, 0.1))
    moves = o.x.new_empty(o.n, o.loss.outputs)
    for models in leave_each_out(o, theta, inverse, None, leverages, progress=part(progress, 0.1, 1.0)):
        if not models.proven.all():
            raise SolveError("The model without one of the examples could not be trained to the end.")
        moves[models.positions] = own_moves(o, models.positions, by_output(models.changes, o.loss.outputs))
    return of_moves(o, theta, moves)


def own_moves(objective: LinearObjective, positions: Tensor | slice, changes: Tensor) -> Tensor:
    """How each example's own outputs move in the model without it.

    Args:
        objective: What was minimised.
        positions: ``(b,)`` training positions.
        changes: ``(b, c, d)`` of the parameters, ``by_output``.

    Returns:
        ``(b, c)``, in the changes' type.
    """
    x = objective.x[positions].to(changes)
    return torch.bmm(changes, x[:, :, None])[:, :, 0]


def of_moves(objective: LinearObjective, theta: Tensor, moves: Tensor) -> WithoutItself:
    """Where each training example's own outputs have moved by ``moves (n, c)``."""
    o = objective
    before = o.outputs(theta, o.x)
    after = before + moves.to(before)
    losses = o.loss.values(after, o.y)
    memorised = losses - o.loss.values(before, o.y)
    found = o.loss.probabilities(after), o.y, losses.double(), memorised.double()
    return WithoutItself(*(one.cpu().numpy() for one in found))
