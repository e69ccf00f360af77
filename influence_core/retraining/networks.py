"""Networks trained again after an edit, in the neighbourhood of where they stand.

The risk of a network has long flat valleys: how far training walks along them decides where it ends, and a minimiser
that walks freely adds its own way to the effect of the edit. So each of these walks in a way of its own that is the same
for every edit, and each answers a question of its own:

* ``retrain_damped``: damped steps downhill on the edited risk until its gradient is as small as training's.
* ``retrain_with_adam``: the same optimiser with the same batches for every edit; what a control without an edit does
  too is not the edit's effect.
* ``respond`` (in ``response``): the proximal Bregman response (Bae et al. 2022), the question that the damped
  Gauss-Newton inverse answers to first order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from influence_core.network import NetworkObjective
from influence_core.progress import Progress
from influence_core.retraining.edits import Edit
from influence_core.retraining.one_by_one import check_damping, one_by_one, still
from influence_core.retraining.retrained import Retrained
from influence_core.solvers.base import Inverse
from influence_core.training import AdamSchedule, train_network
from influence_core.training.held import HeldDescent, Point, Risk, sharper_risks

STEP_RTOL = 0.3
"""A damped step ends where its own gradient is this share of the norm that is asked for."""
DAMPED_STEPS = 100
"""At most so many damped steps."""


def retrain_damped(
    objective: NetworkObjective,
    theta: Tensor,
    edits: Sequence[Edit],
    inverse: Inverse,
    damping: float,
    gradient_norm: float = 1e-4,
    progress: Progress | None = None,
) -> Retrained:
    """Walk downhill on every edited risk, warm from ``theta``, in damped steps, to ``||grad R_edited|| <= gradient_norm``.

    A damped step is ``theta <- argmin_u R_edited(u) + damping/2 ||u - theta||^2``, of the risk itself and not of a model
    of it; to first order it is a step with the damped inverse Hessian. The steps follow the steepest descent of the
    edited risk in time steps of ``1 / damping``: no edit can leave the basin by an accident of its line search.

    Args:
        objective: The unedited objective.
        theta: ``(p,)`` its optimum.
        edits: ``m`` edits, each on its own.
        inverse: A positive definite inverse curvature near ``theta`` with about this damping; it only sets the pace.
        damping: Above 0.
        gradient_norm: Target for every model, of the edited risk itself, without damping.
        progress: Called at every gradient.

    Returns:
        ``theta (m, p)``; ``gradient_norms (m,)`` of the edited risks, in the objective's own precision.

    Raises:
        DataError: If the damping is not above 0.
    """
    check_damping(damping)

    def walk(edit: Edit, progress: Progress | None) -> tuple[Tensor, float]:
        descent, at = HeldDescent(inverse, damping), theta
        for risk in sharper_risks(edit.apply(objective), gradient_norm, lambda one: one.risk_and_gradient):
            point = _damped_steps(risk, risk.at(at), descent, gradient_norm, progress)
            at = point.theta
        return at, point.norm

    return one_by_one(theta, edits, gradient_norm, walk, progress)


def _damped_steps(
    risk: Risk, point: Point, descent: HeldDescent, gradient_norm: float, progress: Progress | None
) -> Point:
    """From ``point`` to where the risk's gradient is small enough, or a damped step goes nowhere."""
    before, first = point, max(point.norm, gradient_norm)
    for _ in range(DAMPED_STEPS):
        if point.norm <= gradient_norm:
            break
        way = math.log(first / point.norm) / math.log(first / gradient_norm)
        tick = still(progress, way, f"gradient norm {point.norm:.1e}")
        start = descent.glide(risk, before, point)
        before, point = point, descent.settle(risk, start, point.theta, STEP_RTOL * gradient_norm, tick)
        if point is before:
            break
    return point


def retrain_with_adam(
    objective: NetworkObjective,
    theta: Tensor,
    edits: Sequence[Edit],
    schedule: AdamSchedule,
    seed: int = 0,
    progress: Progress | None = None,
) -> Retrained:
    """Adam on every edited risk, from the same ``theta``, with the same batches in the same order (the paper's section 4.2).

    ``theta`` is the trained parameters (warm) or an initialisation (cold). The batches come from the seed alone, and a
    left-out example keeps its place in them with the weight 0. So two models differ by their edits and by nothing else:
    the effect of an edit is its model's change less that of the control, the edit that changes nothing
    (``Edit(positions)``).

    Args:
        objective: The unedited objective.
        theta: ``(p,)`` where all models start.
        edits: ``m`` edits, each on its own.
        schedule: Steps, batch and learning rate.
        seed: Of the batches.
        progress: Called while training.

    Returns:
        ``theta (m, p)``, and ``gradient_norms (m,)`` of the edited risks where Adam stops. None is asked for, so
        no model counts as converged.
    """

    def walk(edit: Edit, progress: Progress | None) -> tuple[Tensor, float]:
        edited = edit.apply(objective)
        single = edited.to(edited.x.device, torch.float32)
        at = train_network(single, theta.float(), schedule, seed, progress).theta.to(theta)
        return at, float(edited.risk_gradient(at).norm())

    return one_by_one(theta, edits, 0.0, walk, progress)
