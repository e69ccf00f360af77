"""Training again after an edit: the truth that every prediction is held against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from influence_core.objective import LinearObjective, Objective
from influence_core.progress import Progress, part, report
from influence_core.retraining.edits import Edit
from influence_core.retraining.retrained import Retrained
from influence_core.solvers.base import Inverse
from influence_core.training import minimise
from influence_core.training.descent import Memory, walk
from influence_core.training.path import Path
from influence_core.training.trained import Trained

BLOCK_MODELS = 64
"""Models that advance side by side: enough to keep the products with the features busy."""
BLOCK_STEPS = 20
"""Steps that a block may take before the models left over are finished one by one."""
SHRINKS = 0.9
"""A step that leaves more than this share of its model's gradient norm is that model's last in the block."""


def retrain(
    objective: Objective,
    theta: Tensor,
    edits: Sequence[Edit],
    inverse: Inverse | None = None,
    gradient_norm: float | Tensor = 1e-10,
    progress: Progress | None = None,
) -> Retrained:
    """Minimise every edited risk to ``gradient_norm``, warm from ``theta``.

    Linear models advance side by side: the prepared inverse at ``theta`` serves as everybody's step, and two products
    with the features give each model its own exact gradient, whose norm is the proof. What the block does not finish,
    and every network, is minimised one by one (``training.minimise``).

    Args:
        objective: The unedited objective.
        theta: ``(p,)`` its optimum.
        edits: ``m`` edits, each on its own.
        inverse: An exact inverse curvature at ``theta``, if one is prepared.
        gradient_norm: Target for every model, or ``(m,)`` one for each.
        progress: Called often, with the number of models that are done.

    Returns:
        ``theta (m, p)``, each with the norm ``(m,)`` of its own edited risk's gradient.

    Raises:
        ShapeError: If an edit is of a position that is none, or its inputs do not fit.
        UnsupportedError: For a hinge with a penalty for each parameter.
    """
    m = len(edits)
    targets = torch.as_tensor(gradient_norm, dtype=torch.float64, device="cpu").expand(m)
    thetas, norms = theta.expand(m, -1).clone(), torch.full((m,), torch.inf, dtype=torch.float64)
    rest = progress
    if inverse is not None and isinstance(objective, LinearObjective) and objective.loss.smooth:
        for start in range(0, m, BLOCK_MODELS):
            block = slice(start, min(m, start + BLOCK_MODELS))
            share = part(progress, 0.95 * start / m, 0.95 * block.stop / m)
            words = f"{start} of {m} models retrained"
            found = _advance(objective, theta, edits[block], inverse, targets[block], share, words)
            thetas[block], norms[block] = found
        rest = part(progress, 0.95, 1.0)
    left = (~(norms <= targets)).nonzero()[:, 0].tolist()
    for done, at in enumerate(left):
        share = part(rest, done / len(left), (done + 1) / len(left))
        trained = _finish(edits[at].apply(objective), thetas[at], float(targets[at]), inverse, share)
        thetas[at], norms[at] = trained.theta, trained.gradient_norm
    report(progress, 1.0, f"{m} of {m} models retrained")
    return Retrained(thetas, norms, norms <= targets)


def retrain_cold(
    objective: Objective, theta: Tensor | None, gradient_norm: float = 1e-10, progress: Progress | None = None
) -> Retrained:
    """Training on everything from scratch: the control.

    Args:
        objective: The unedited objective.
        theta: ``(p,)`` the initialisation; zeros where none is given (convex objectives only).
        gradient_norm: The target.
        progress: Called after every step.

    Returns:
        One model, ``m = 1``.

    Raises:
        UnsupportedError: For a network without an initialisation.
    """
    trained = minimise(objective, theta, gradient_norm, progress=progress)
    norms = torch.tensor([trained.gradient_norm], dtype=torch.float64)
    return Retrained(trained.theta[None], norms, norms <= gradient_norm)


def _finish(
    edited: Objective, theta: Tensor, target: float, inverse: Inverse | None, progress: Progress | None
) -> Trained:
    """One model alone, with a line search: by the prepared inverse where there is one, then by Newton's method."""
    if inverse is not None and edited.is_convex and edited.loss.smooth:
        path = Path(edited, theta, target, progress)
        walk(path, Memory(inverse))
        theta = path.theta
    return minimise(edited, theta, target, inverse, progress=progress)


def _advance(
    o: LinearObjective,
    theta: Tensor,
    edits: Sequence[Edit],
    inverse: Inverse,
    targets: Tensor,
    progress: Progress | None,
    words: str,
) -> tuple[Tensor, Tensor]:
    """Quasi-Newton steps of all models side by side: the best ``theta (m, p)`` of each and its gradient's norm ``(m,)``.

    A model leaves once it has arrived, or once a step no longer shrinks its gradient.
    """
    best, goals = theta[:, None].repeat(1, len(edits)), targets.to(theta)
    thetas, gradients = best, o.risk_gradient(theta)[:, None] + _changes(o, best, edits)
    norms = gradients.norm(dim=0)
    moving, going = torch.arange(len(edits), device=theta.device), norms > goals
    memory = Memory(inverse)
    for taken in range(BLOCK_STEPS):
        moving, thetas, gradients = moving[going], thetas[:, going], gradients[:, going]
        memory.keep(going)
        if not len(moving):
            break
        mine = [edits[i] for i in moving.tolist()]
        step = -memory.product(gradients)
        if not taken:
            step -= inverse.solve(_changes(o, thetas + step, mine) - _changes(o, thetas, mine)).value
        before, thetas = gradients, thetas + step
        share = part(
            progress, 1 - 0.5**taken, 1 - 0.5 ** (taken + 1)
        )  # nobody knows how many steps there will be
        gradients = _gradients(o, thetas, mine, share, words)
        memory.add(step, gradients - before)
        reached = gradients.norm(dim=0)
        better = reached < SHRINKS * norms[moving]
        best[:, moving[better]], norms[moving[better]] = thetas[:, better], reached[better]
        going = better & (reached > goals[moving])
    return best.T, norms.cpu().double()


def _gradients(
    o: LinearObjective, thetas: Tensor, edits: Sequence[Edit], progress: Progress | None, words: str
) -> Tensor:
    """Every model's own risk gradient, ``(p, m)``: two products with the features for the whole block."""
    d, c, m = o.x.shape[1], o.loss.outputs, len(edits)
    columns = thetas.view(d, c, m).transpose(1, 2).reshape(d, m * c)
    total = torch.zeros_like(columns)
    for rows in o.chunks(o.n, 3 * c * m):
        labels = o.y[rows].repeat_interleave(m)
        residuals = o.loss.residuals((o.x[rows] @ columns).view(-1, c), labels).view(-1, m * c)
        total.addmm_(o.x[rows].T, residuals * o.weights[rows, None])
        report(progress, rows.stop / o.n, words)
    data = total.view(d, m, c).transpose(1, 2).reshape(o.dim, m)
    return data + (o.l2 if o.l2.ndim == 0 else o.l2[:, None]) * thetas + _changes(o, thetas, edits)


def _changes(o: LinearObjective, thetas: Tensor, edits: Sequence[Edit]) -> Tensor:
    """``grad R_m - grad R`` of every model at its own theta, ``(p, m)``."""
    return torch.stack(
        [edit.gradient_change(o, at.contiguous()) for edit, at in zip(edits, thetas.T, strict=True)], 1
    )
