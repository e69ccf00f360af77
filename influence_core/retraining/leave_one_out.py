"""All models of a linear study in which one example is missing, or bears another label, each proven by its own gradient.

The model without example ``i`` does not depend on any question, so one set of them answers every question.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from influence_core.errors import UnsupportedError
from influence_core.influence import leverage_blocks
from influence_core.objective import LinearObjective
from influence_core.progress import Progress, part
from influence_core.retraining.side_by_side import EditedModels, Trainer
from influence_core.solvers.base import Inverse


def leave_each_out(
    objective: LinearObjective,
    theta: Tensor,
    inverse: Inverse,
    positions: Tensor | None = None,
    leverages: Tensor | None = None,
    dtype: torch.dtype | None = None,
    memory_bytes: int = 2**28,
    progress: Progress | None = None,
) -> Iterator[EditedModels]:
    """Train the models without each of the examples, a block at a time.

    Args:
        objective: What was minimised; its loss is smooth.
        theta: ``(p,)`` its optimum.
        inverse: An exact inverse of the undamped curvature at ``theta``.
        positions: ``(m,)`` training positions; all ``n`` where none are given.
        leverages: ``(m, c, c)`` their ``leverage_blocks`` where they are at hand.
        dtype: Of the changes; the model's where none is given. What is proven is the change as it is given.
        memory_bytes: What a block may take while it is trained; it decides how many models a block has.
        progress: Called after every step of a block; may raise ``Cancelled``, and the blocks before it are not lost.

    Yields:
        The blocks, in the order of ``positions``.

    Raises:
        UnsupportedError: If the loss has a kink.
        SolveError: If a solve failed.

    Two examples; without the second, the first alone pulls until ``sigmoid(-theta) = 2 l2 theta``:

    >>> from influence_core import Cholesky, Hessian, LogisticLoss, minimise
    >>> x, y = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.tensor([1, 0])
    >>> o = LinearObjective.build(x, y, LogisticLoss(), l2=0.1)
    >>> theta = minimise(o).theta
    >>> (models,) = leave_each_out(o, theta, Cholesky().prepare(Hessian(o, theta)))
    >>> bool(models.proven.all())
    True
    >>> left = theta + models.changes[1]
    >>> bool((torch.sigmoid(-left) - 0.2 * left).abs() < 1e-4)
    True
    """
    o = objective
    _require_curvature(o)
    at = torch.arange(o.n, device=o.x.device) if positions is None else o.positions(positions)
    blocks = leverage_blocks(o, inverse, at, part(progress, 0.0, 0.1)) if leverages is None else leverages
    rest = progress if leverages is not None else part(progress, 0.1, 1.0)
    trainer = Trainer(o, theta, inverse, dtype or theta.dtype)
    yield from trainer.blocks(at, blocks, memory_bytes, "models without one example trained", rest)


def relabel_each(
    objective: LinearObjective,
    theta: Tensor,
    inverse: Inverse,
    labels: Tensor,
    positions: Tensor | None = None,
    dtype: torch.dtype | None = None,
    memory_bytes: int = 2**28,
    progress: Progress | None = None,
) -> Iterator[EditedModels]:
    """Train the models in which one of the examples bears another label, a block at a time.

    Args:
        objective: What was minimised; its loss is smooth.
        theta: ``(p,)`` its optimum.
        inverse: An exact inverse of the undamped curvature at ``theta``.
        labels: ``(n,)`` the other label of each training example, such as its ``runner_up``.
        positions: As ``leave_each_out``.
        dtype: The same.
        memory_bytes: The same.
        progress: The same.

    Yields:
        The blocks, in the order of ``positions``.

    Raises:
        UnsupportedError: If the loss has a kink.
        SolveError: If a solve failed.
    """
    _require_curvature(objective)
    at = objective.positions(range(objective.n) if positions is None else positions)
    trainer = Trainer(objective, theta, inverse, dtype or theta.dtype, labels.to(objective.y))
    yield from trainer.blocks(at, None, memory_bytes, "models with one other label trained", progress)


def runner_up(objective: LinearObjective, theta: Tensor) -> Tensor:
    """The label of each training example that the model holds for the likeliest beside its own, ``(n,)``.

    >>> from influence_core import SoftmaxLoss
    >>> o = LinearObjective.build(torch.ones(1, 1), torch.tensor([2]), SoftmaxLoss(3), l2=0.1)
    >>> runner_up(o, torch.tensor([0.1, 0.2, 0.9]))
    tensor([1])
    """
    o = objective
    if o.loss.outputs == 1:
        return 1 - o.y
    return o.outputs(theta, o.x).scatter(1, o.y[:, None], -torch.inf).argmax(1)


def _require_curvature(o: LinearObjective) -> None:
    if not o.loss.smooth:
        raise UnsupportedError(
            "Changing each example alone takes a loss with a curvature; the hinge has a kink."
        )
