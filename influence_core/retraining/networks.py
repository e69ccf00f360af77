"""Networks trained again after an edit, in the neighbourhood of where they stand.

The risk of a network has long flat valleys: how far training walks along them decides where it ends, and a minimiser
that walks freely adds its own way to the effect of the edit. So each of these walks in a way of its own that is the same
for every edit, and each answers a question of its own:

* ``retrain_damped``: damped steps downhill on the edited risk until its gradient is as small as training's.
* ``retrain_with_adam``: the same optimiser with the same batches for every edit; what a control without an edit does
  too is not the edit's effect.
* ``respond``: the proximal Bregman response (Bae et al. 2022), the question that the damped Gauss-Newton inverse answers
  to first order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import DataError, UnsupportedError
from influence_core.network import NetworkObjective
from influence_core.progress import Progress, part, report
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import Retrained
from influence_core.solvers.base import Inverse
from influence_core.training import AdamSchedule, train_network
from influence_core.training.descent import Memory

SINGLE = 1e-5
"""Down to this gradient norm a network advances in float32, which is twice as fast; the proof is in its own precision."""
SETTLED = 0.3
"""A damped step ends where its own gradient is this share of the norm that is asked for."""
DAMPED_STEPS = 100
"""At most so many damped steps ..."""
STEP_GRADIENTS = 40
"""... of so many gradients each."""
LEAST_CURVATURE = 0.1
"""A step along which the risk curves less than this share of the damping teaches nothing."""
SUFFICIENT_DECREASE = 1e-4
SMALLEST_STEP = 1e-4


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

    Raises:
        DataError: If the damping is not above 0.
    """
    _check_damping(damping)

    def walk(edit: Edit, progress: Progress | None) -> tuple[Tensor, float]:
        edited, descent = edit.apply(objective), _Descent(inverse, damping)
        at = theta
        for risk in _risks(edited, gradient_norm, lambda one: one.risk_and_gradient):
            place = before = risk.at(at)
            first = max(place.norm, gradient_norm)
            for _ in range(DAMPED_STEPS):
                if place.norm <= gradient_norm:
                    break
                way = math.log(first / place.norm) / math.log(first / gradient_norm)
                told = _still(progress, way, f"gradient norm {place.norm:.1e}")
                start = descent.glide(risk, before, place)
                before, place = place, descent.settle(risk, start, place.theta, SETTLED * gradient_norm, told)
                if place is before:
                    break
            at = place.theta
        return at, place.norm

    return _each(theta, edits, gradient_norm, walk, progress)


def respond(
    objective: NetworkObjective,
    theta: Tensor,
    edits: Sequence[Edit],
    inverse: Inverse,
    damping: float,
    gradient_norm: float = 1e-5,
    progress: Progress | None = None,
) -> Retrained:
    """The proximal Bregman response to every edit (Bae et al. 2022, "If Influence Functions are the Answer, ...").

    Warm from ``theta``, it minimises

        ``B(u) = sum_j w_j Breg_j(f_j(u), f_j(theta)) + sum l2/2 (u - theta)^2 + damping/2 ||u - theta||^2
        + R_edited(u) - R(u)``

    with ``Breg_j(f, g) = l_j(f) - l_j(g) - l_j'(g) . (f - g)``. Without an edit its minimum is ``theta``, even where
    training was not finished. At ``theta`` all but the last two terms have the gradient 0 and the curvature
    ``G + l2 + damping`` (``G`` the Gauss-Newton matrix of the data), so the first-order change is
    ``-(G + l2 + damping)^-1 grad (R_edited - R)``: for a removal exactly the engine's ``D`` with Gauss-Newton and this
    damping. Between the two stands only the size of the step. Up to a constant, and as it is computed,
    ``B(u) = sum_j w'_j l'_j(f_j(u)) - sum_j w_j l_j'(f_j(theta)) . f_j(u) + sum l2/2 (u - theta)^2 + damping/2 ||u - theta||^2``
    where ``w'`` and the first ``l'`` are the edited weights and losses.

    Args:
        objective: The unedited objective.
        theta: ``(p,)`` the trained parameters; they need not be an optimum.
        edits: ``m`` edits of weights and labels, each on its own.
        inverse: An inverse Gauss-Newton matrix at ``theta``, this damping included; it only sets the pace.
        damping: Above 0; that of the forecast.
        gradient_norm: Target for ``||grad B||``.
        progress: Called at every gradient.

    Returns:
        ``gradient_norms`` are those of ``B``.

    Raises:
        DataError: If the damping is not above 0.
        UnsupportedError: If an edit replaces inputs.
    """
    _check_damping(damping)
    if any(edit.x is not None for edit in edits):
        raise UnsupportedError(
            "The proximal Bregman response is to edits of weights and labels, not of inputs."
        )
    outputs = objective.outputs(theta, objective.x)
    slopes = objective.weights[:, None] * objective.loss.residuals(outputs, objective.y)

    def walk(edit: Edit, progress: Progress | None) -> tuple[Tensor, float]:
        edited, descent = edit.apply(objective), _Descent(inverse, damping)
        at = theta
        for risk in _risks(edited, gradient_norm, lambda one: _less_tilt(one, slopes, theta)):
            told = _still(progress, 0.0, "proximal Bregman response")
            place = descent.settle(risk, risk.at(at), theta, gradient_norm, told)
            at = place.theta
        return at, float(place.held(theta, damping)[1].norm())

    return _each(theta, edits, gradient_norm, walk, progress)


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
        ``gradient_norms`` of the edited risks where Adam stops. None is asked for, so no model counts as converged.
    """

    def walk(edit: Edit, progress: Progress | None) -> tuple[Tensor, float]:
        edited = edit.apply(objective)
        single = edited.to(edited.x.device, torch.float32)
        at = train_network(single, theta.float(), schedule, seed, progress).theta.to(theta)
        return at, float(edited.risk_gradient(at).norm())

    return _each(theta, edits, 0.0, walk, progress)


def _check_damping(damping: float) -> None:
    if not (math.isfinite(damping) and damping > 0):
        raise DataError(f"Training again near theta needs a damping above 0, but it is {damping:g}.")


def _each(
    theta: Tensor,
    edits: Sequence[Edit],
    gradient_norm: float,
    walk: Callable[[Edit, Progress | None], tuple[Tensor, float]],
    progress: Progress | None,
) -> Retrained:
    """One model after the other: one network's passes keep a core busy, and many at once are no faster."""
    m = len(edits)
    thetas, norms = theta.expand(m, -1).clone(), torch.zeros(m, dtype=torch.float64)
    for at, edit in enumerate(edits):
        thetas[at], norms[at] = walk(
            edit, _named(part(progress, at / m, (at + 1) / m), f"model {at + 1} of {m}")
        )
    report(progress, 1.0, f"{m} of {m} models retrained")
    return Retrained(thetas, norms, norms <= gradient_norm)


def _named(progress: Progress | None, name: str) -> Progress | None:
    return None if progress is None else lambda fraction, words: progress(fraction, f"{name}: {words}")


def _still(progress: Progress | None, fraction: float, words: str) -> Callable[[], None]:
    """Report the same again: nobody knows how long it takes, but it must be possible to stop it."""
    return lambda: report(progress, fraction, words)


@dataclass(frozen=True, eq=False)
class _Place:
    """Parameters with the risk and its gradient there."""

    theta: Tensor
    value: float
    gradient: Tensor

    @property
    def norm(self) -> float:
        return float(self.gradient.norm())

    def held(self, anchor: Tensor, damping: float) -> tuple[float, Tensor]:
        """The risk and its gradient with ``damping/2 ||theta - anchor||^2`` added."""
        moved = self.theta - anchor
        return self.value + 0.5 * damping * float(moved @ moved), self.gradient + damping * moved


@dataclass(frozen=True, eq=False)
class _Risk:
    """A risk with its gradient, and how far its values are off by rounding."""

    risk_and_gradient: Callable[[Tensor], tuple[Tensor, Tensor]]
    dtype: torch.dtype

    def at(self, theta: Tensor) -> _Place:
        value, gradient = self.risk_and_gradient(theta.to(self.dtype))
        return _Place(theta, float(value), gradient.to(theta))

    @property
    def rounding(self) -> float:
        return 4 * torch.finfo(self.dtype).eps


def _risks(
    objective: NetworkObjective,
    gradient_norm: float,
    kind: Callable[[NetworkObjective], Callable[[Tensor], tuple[Tensor, Tensor]]],
) -> list[_Risk]:
    """The risk to advance on, in float32 where that is sharp enough, and then the exact one, to finish and to prove."""
    exact = _Risk(kind(objective), objective.x.dtype)
    if gradient_norm < SINGLE:
        return [exact]
    return [_Risk(kind(objective.to(objective.x.device, torch.float32)), torch.float32), exact]


def _less_tilt(
    objective: NetworkObjective, slopes: Tensor, theta: Tensor
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """``respond``'s ``B`` without its damping; ``slopes (n, c)`` are the weighted residuals at ``theta``."""
    tilt, start = slopes.to(objective.x), theta.to(objective.x)

    def of_outputs(f: Tensor, rows: slice) -> Tensor:
        losses = objective.loss.values(f, objective.y[rows])
        return objective.weights[rows] @ losses - (tilt[rows] * f).sum()

    def risk_and_gradient(u: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = objective.pulled_back(u, of_outputs)
        pull = objective.l2 * (u - start)
        return value + 0.5 * (pull @ (u - start)), gradient + pull

    return risk_and_gradient


class _Descent:
    """L-BFGS on a risk that is held to an anchor.

    The held risk's curvature does not depend on the anchor, so what one step has taught serves all later ones.
    """

    def __init__(self, inverse: Inverse, damping: float) -> None:
        self.damping, self.memory = damping, Memory(inverse, LEAST_CURVATURE * damping)

    def settle(
        self, risk: _Risk, place: _Place, anchor: Tensor, gradient_norm: float, told: Callable[[], None]
    ) -> _Place:
        """From ``place`` to where the held risk's gradient is small enough, or no step leads down."""
        for _ in range(STEP_GRADIENTS):
            told()
            gradient = place.held(anchor, self.damping)[1]
            if float(gradient.norm()) <= gradient_norm:
                break
            there = self._step(risk, place, anchor)
            if there is None:
                break
            self.memory.learn(there.theta - place.theta, there.held(anchor, self.damping)[1] - gradient)
            place = there
        return place

    def glide(self, risk: _Risk, before: _Place, place: _Place) -> _Place:
        """Where to look first for the end of the next damped step: as far again as the last one went, or not at all."""
        if before is place:
            return place
        there = risk.at(2 * place.theta - before.theta)
        return there if there.held(place.theta, self.damping)[0] < place.value else place

    def _step(self, risk: _Risk, place: _Place, anchor: Tensor) -> _Place | None:
        """Halve the step until the held risk falls enough, or rises by no more than rounding."""
        value, gradient = place.held(anchor, self.damping)
        step, length = -self.memory.product(gradient), 1.0
        slope, hidden = float(gradient @ step), risk.rounding * abs(place.value)
        while slope < 0 and length >= SMALLEST_STEP:
            there = risk.at(place.theta + length * step)
            enough = value + SUFFICIENT_DECREASE * length * slope + hidden
            if there.held(anchor, self.damping)[0] <= enough:
                return there
            length /= 2
        return None
