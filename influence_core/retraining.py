"""Training again after an edit: the truth that every prediction is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.edits import Edit
from influence_core.objective import LinearObjective, Objective
from influence_core.progress import Progress, part, report
from influence_core.solvers.base import Inverse
from influence_core.training import minimise

BLOCK_STEPS = 40
"""Steps that the block may take before the models left over are finished one by one."""
BLOCK_MODELS = 64


@dataclass(frozen=True, eq=False)
class Retrained:
    """One model an edit.

    Attributes:
        theta: ``(m, p)``.
        gradient_norms: ``(m,)``, of each edited risk at its own ``theta``, recomputed.
        converged: ``(m,)`` whether each reached the asked norm.
    """

    theta: Tensor
    gradient_norms: Tensor
    converged: Tensor


def retrain(
    objective: Objective,
    theta: Tensor,
    edits: Sequence[Edit],
    inverse: Inverse | None = None,
    gradient_norm: float = 1e-10,
    progress: Progress | None = None,
) -> Retrained:
    """Minimise every edited risk to ``gradient_norm``, warm from ``theta``.

    Linear models advance together as one block: the prepared inverse at ``theta`` serves as everybody's step and the
    gradients are each model's own and exact, so the fixed point is the edited optimum itself. What the block does not
    finish, and every network, is minimised one by one (``training.minimise``).

    Args:
        objective: The unedited objective.
        theta: ``(p,)`` its optimum.
        edits: ``m`` edits, each on its own.
        inverse: An exact inverse curvature at ``theta``, if one is prepared.
        gradient_norm: Target for each model.
        progress: Called as models finish.
    """
    starts = theta.expand(len(edits), -1).clone()
    if inverse is not None and isinstance(objective, LinearObjective):
        for start in range(0, len(edits), BLOCK_MODELS):
            block = slice(start, start + BLOCK_MODELS)
            starts[block] = _advance(objective, starts[block], edits[block], inverse, gradient_norm)
            done = min(block.stop, len(edits))
            report(progress, 0.9 * done / len(edits), f"{done} of {len(edits)} models advanced")
        progress = part(progress, 0.9, 1.0)
    return _finish(objective, starts, edits, inverse, gradient_norm, progress)


def retrain_cold(
    objective: Objective, theta: Tensor | None, gradient_norm: float = 1e-10, progress: Progress | None = None
) -> Retrained:
    """Training on everything from scratch (``theta`` is the initialisation, ``None`` for zeros): the control."""
    trained = minimise(objective, theta, gradient_norm, progress=progress)
    norms = torch.tensor([trained.gradient_norm], dtype=torch.float64)
    return Retrained(trained.theta[None], norms, norms <= gradient_norm)


def _finish(
    objective: Objective,
    starts: Tensor,
    edits: Sequence[Edit],
    inverse: Inverse | None,
    gradient_norm: float,
    progress: Progress | None,
) -> Retrained:
    norms = []
    for at, edit in enumerate(edits):
        share = part(progress, at / len(edits), (at + 1) / len(edits))
        trained = minimise(edit.apply(objective), starts[at], gradient_norm, inverse, progress=share)
        starts[at] = trained.theta
        norms.append(trained.gradient_norm)
        report(progress, (at + 1) / len(edits), f"{at + 1} of {len(edits)} models proved")
    gradient_norms = torch.tensor(norms, dtype=torch.float64)
    return Retrained(starts, gradient_norms, gradient_norms <= gradient_norm)


def _advance(
    objective: LinearObjective, starts: Tensor, edits: Sequence[Edit], inverse: Inverse, gradient_norm: float
) -> Tensor:
    """Chord steps ``theta_m <- theta_m - A^-1 grad R_m(theta_m)`` of all models; stops where they no longer shrink."""
    thetas, best = starts.T.contiguous(), torch.full((len(edits),), torch.inf, dtype=starts.dtype)
    for _ in range(BLOCK_STEPS):
        gradients = _block_gradients(objective, thetas, edits)
        norms = gradients.norm(dim=0).cpu()
        moving = (norms > gradient_norm) & (norms < 0.9 * best)
        if not bool(moving.any()):
            break
        best = torch.where(moving, norms, best)
        steps = inverse.solve(gradients).value
        thetas -= steps * moving.to(steps)
    return thetas.T


def _block_gradients(objective: LinearObjective, thetas: Tensor, edits: Sequence[Edit]) -> Tensor:
    """Every model's own risk gradient, ``(p, m)``: two products with the features for the whole block."""
    o, m = objective, thetas.shape[1]
    c = o.loss.outputs
    total = (o.l2 if o.l2.ndim == 0 else o.l2[:, None]) * thetas
    columns = total.view(-1, c * m)
    for rows in o.chunks(o.n, 3 * c * m):
        f = (o.x[rows] @ thetas.reshape(-1, c * m)).view(-1, c, m)
        labels = o.y[rows].repeat_interleave(m)
        residuals = o.loss.residuals(f.transpose(1, 2).reshape(-1, c), labels).view(-1, m, c).transpose(1, 2)
        columns.addmm_(o.x[rows].T, (residuals * o.weights[rows, None, None]).reshape(-1, c * m))
    for j, edit in enumerate(edits):
        total[:, j] += edit.gradient_change(o, thetas[:, j].contiguous())
    return total
