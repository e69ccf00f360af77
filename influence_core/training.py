"""How an objective is minimised: Newton's method to a stated gradient norm, Adam with a schedule for networks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import lsq_linear
from sklearn.svm import LinearSVC
from torch import Tensor

from influence_core.errors import UnsupportedError
from influence_core.objective import Objective
from influence_core.operators import GaussNewton
from influence_core.progress import Progress, report
from influence_core.solvers.conjugate_gradient import ConjugateGradient

SUFFICIENT_DECREASE = 1e-4
SMALLEST_STEP = 1e-8
MARGIN = 1e-6


@dataclass(frozen=True, eq=False)
class Trained:
    """Parameters and the proof of their optimality.

    Attributes:
        theta: ``(p,)``.
        gradient_norm: ``||grad R(theta)||``, recomputed at ``theta``.
        steps: Outer steps.
        seconds: Wall-clock time.
        converged: Whether the asked gradient norm was reached.
    """

    theta: Tensor
    gradient_norm: float
    steps: int
    seconds: float
    converged: bool


def minimise(
    objective: Objective,
    theta: Tensor | None = None,
    gradient_norm: float = 1e-10,
    max_steps: int = 200,
    progress: Progress | None = None,
) -> Trained:
    """Newton's method with inexact conjugate-gradient solves and a line search, to a stated gradient norm.

    The curvature is the Gauss-Newton matrix, which for convex objectives is the Hessian: convergence is quadratic
    there, and for a network every step still descends.

    Args:
        objective: A smooth objective; a hinge objective goes to ``fit_hinge``.
        theta: ``(p,)`` to start from (warm); zeros where none is given (cold; convex objectives only).
        gradient_norm: The target for ``||grad R||``.
        max_steps: Newton steps at most.
        progress: Called after every step.

    Raises:
        UnsupportedError: For a cold start of a network, where zero is a saddle.
    """
    if not objective.loss.smooth:
        return fit_hinge(objective)
    if theta is None and not objective.is_convex:
        raise UnsupportedError("A network has no cold start at zero: give its initial parameters.")
    started = time.perf_counter()
    theta = objective.x.new_zeros(objective.dim) if theta is None else theta.clone()
    gradient, risk, steps = objective.risk_gradient(theta), float(objective.risk(theta)), 0
    first = float(gradient.norm())
    while (norm := float(gradient.norm())) > gradient_norm and steps < max_steps:
        tolerance = min(0.1, max(math.sqrt(norm), 0.1 * gradient_norm / norm)) if norm < 1 else 0.1
        inverse = ConjugateGradient(rtol=tolerance, max_steps=500).prepare(GaussNewton(objective, theta))
        step = -inverse.solve(gradient).value
        moved = _line_search(objective, theta, step, gradient, risk)
        if moved is None:
            break
        theta, risk = moved
        gradient = objective.risk_gradient(theta)
        steps += 1
        report(progress, _fraction(first, float(gradient.norm()), gradient_norm), f"gradient norm {gradient.norm():.1e}")
    norm = float(objective.risk_gradient(theta).norm())
    return Trained(theta, norm, steps, time.perf_counter() - started, norm <= gradient_norm)


def _line_search(
    objective: Objective, theta: Tensor, step: Tensor, gradient: Tensor, risk: float
) -> tuple[Tensor, float] | None:
    """Halve the step until the risk falls enough; near the optimum, where rounding hides the fall, the gradient must."""
    slope = float(gradient @ step)
    length = 1.0
    while length >= SMALLEST_STEP:
        there = theta + length * step
        value = float(objective.risk(there))
        if value <= risk + SUFFICIENT_DECREASE * length * slope:
            return there, value
        if abs(length * slope) < 1e-12 * max(1.0, abs(risk)):
            smaller = bool(objective.risk_gradient(there).norm() < gradient.norm())
            return (there, value) if smaller else None
        length /= 2
    return None


def _fraction(first: float, now: float, target: float) -> float:
    if now <= target or first <= target:
        return 1.0
    return min(1.0, max(0.0, math.log(first / now) / math.log(first / target)))


@dataclass(frozen=True)
class AdamSchedule:
    """Adam with batches in shuffled epochs and a learning rate that falls in steps.

    Attributes:
        steps: Optimiser steps.
        batch: Examples a step.
        rate: First learning rate.
        drops: Fractions of ``steps`` after which the rate is divided by ten.
    """

    steps: int
    batch: int
    rate: float
    drops: tuple[float, ...] = (0.5, 0.8)

    def rate_at(self, step: int) -> float:
        """The learning rate of one step."""
        return self.rate * 0.1 ** sum(step >= drop * self.steps for drop in self.drops)


def train_network(
    objective: Objective, theta: Tensor, schedule: AdamSchedule, seed: int, progress: Progress | None = None
) -> Trained:
    """Adam on mini-batches of the whole risk, penalty included; the same seed gives the same batches."""
    started = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    theta = theta.detach().clone()
    optimiser = torch.optim.Adam([theta], lr=schedule.rate)
    epoch: Tensor = torch.empty(0, dtype=torch.long)
    for step in range(schedule.steps):
        if len(epoch) < schedule.batch:
            epoch = torch.cat([epoch, torch.randperm(objective.n, generator=generator)])
        batch, epoch = epoch[: schedule.batch].to(objective.x.device), epoch[schedule.batch :]
        theta.grad = objective.subset(batch).risk_gradient(theta)
        optimiser.param_groups[0]["lr"] = schedule.rate_at(step)
        optimiser.step()
        if step % 10 == 0:
            report(progress, step / schedule.steps, f"step {step:,} of {schedule.steps:,}")
    theta.grad = None
    norm = float(objective.risk_gradient(theta).norm())
    return Trained(theta, norm, schedule.steps, time.perf_counter() - started, False)


def fit_hinge(objective: Objective, tolerance: float = 1e-9, max_steps: int = 1_000_000) -> Trained:
    """The linear SVM through scikit-learn's dual coordinate descent; weights and penalty are the objective's.

    The reported gradient norm is that of the smallest subgradient: examples on the margin may take any slope
    between 0 and ``w_i``, and the best choice is found by bounded least squares.
    """
    started = time.perf_counter()
    x, y, w, l2 = (part.detach().cpu().numpy() for part in (objective.x, objective.y, objective.weights, objective.l2))
    model = LinearSVC(
        loss="hinge", C=1 / float(l2), tol=tolerance, max_iter=max_steps, fit_intercept=False, random_state=24
    ).fit(x, y, sample_weight=w)
    theta = model.coef_[0]
    norm = _smallest_subgradient(theta, x * (2 * y - 1)[:, None], w, float(l2))
    found = torch.as_tensor(theta).to(objective.x)
    return Trained(found, norm, int(model.n_iter_), time.perf_counter() - started, norm <= 1e-3 * float(l2))


def _smallest_subgradient(theta: np.ndarray, signed: np.ndarray, w: np.ndarray, l2: float) -> float:
    margins = signed @ theta
    inside, on = margins < 1 - MARGIN, (abs(margins - 1) <= MARGIN) & (w > 0)
    rest = l2 * theta - signed[inside].T @ w[inside]
    if not on.any():
        return float(np.linalg.norm(rest))
    best = lsq_linear(signed[on].T, rest, bounds=(0, w[on]))
    return float(np.linalg.norm(rest - signed[on].T @ best.x))
