"""How an objective is minimised: Newton's method to a stated gradient norm, Adam with a schedule for networks."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.errors import SolveError, UnsupportedError
from influence_core.objective import Objective
from influence_core.operators import GaussNewton, Hessian
from influence_core.progress import Progress, report
from influence_core.solvers.base import Inverse
from influence_core.solvers.cholesky import Cholesky
from influence_core.solvers.conjugate_gradient import ConjugateGradient

SUFFICIENT_DECREASE = 1e-4
SMALLEST_STEP = 1e-8
ROUNDING = 1e-12
"""A predicted fall below this share of the risk cannot be told from rounding."""
CG_STEPS = 500
DENSE_LIMIT = 256
"""Up to so many parameters a Newton step takes a dense factor, which no bad scaling of the features slows down."""
MEMORY = 60
"""Steps that one Gauss-Newton inverse serves before it is rebuilt."""
NETWORK_DAMPING = 1e-3
MARGIN = 1e-8
"""An SVM example whose margin is this close to 1 lies on the kink, and may take any slope of the hinge."""


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
    inverse: Inverse | None = None,
    max_steps: int = 400,
    progress: Progress | None = None,
) -> Trained:
    """Minimise to a stated gradient norm, with a line search at every step.

    A convex objective takes Newton's method, with a dense factor for few parameters and inexact conjugate-gradient
    solves for more. A network takes L-BFGS on top of
    a dense Gauss-Newton inverse, which is rebuilt where progress stalls: a step costs one gradient.

    Args:
        objective: What to minimise; a hinge objective goes to ``fit_hinge``.
        theta: ``(p,)`` to start from (warm); zeros where none is given (cold; convex objectives only).
        gradient_norm: The target for ``||grad R||``.
        inverse: An inverse curvature near ``theta`` that the network's first steps may use.
        max_steps: Steps at most.
        progress: Called after every step.

    Raises:
        UnsupportedError: For a cold start of a network, where zero is a saddle.
    """
    if not objective.loss.smooth:
        trained = fit_hinge(objective)
        report(progress, 1.0, f"subgradient norm {trained.gradient_norm:.1e}")
        return trained
    if theta is None and not objective.is_convex:
        raise UnsupportedError("A network has no cold start at zero: give its initial parameters.")
    started = time.perf_counter()
    start = objective.x.new_zeros(objective.dim) if theta is None else theta
    objective.check_theta(start)
    path = _Path(objective, start, gradient_norm, progress)
    if objective.is_convex:
        _newton(path, max_steps)
    else:
        _quasi_newton(path, inverse, max_steps)
    norm = float(objective.risk_gradient(path.theta).norm())
    return Trained(path.theta, norm, path.steps, time.perf_counter() - started, norm <= gradient_norm)


class _Path:
    """Where a minimisation stands: parameters, risk and gradient, moved by a line search."""

    def __init__(self, objective: Objective, theta: Tensor, target: float, progress: Progress | None) -> None:
        self.objective, self.target, self.progress = objective, target, progress
        self.theta, self.risk = theta.clone(), float(objective.risk(theta))
        self.gradient = objective.risk_gradient(theta)
        self.first, self.steps = self.norm, 0

    @property
    def norm(self) -> float:
        return float(self.gradient.norm())

    @property
    def arrived(self) -> bool:
        return self.norm <= self.target

    def move(self, step: Tensor) -> bool:
        """Halve ``step`` until the risk falls enough; near the optimum, where rounding hides it, the gradient must."""
        slope, length = float(self.gradient @ step), 1.0
        while slope < 0 and length >= SMALLEST_STEP:
            there = self.theta + length * step
            risk, hidden = (
                float(self.objective.risk(there)),
                abs(length * slope) < ROUNDING * max(1.0, abs(self.risk)),
            )
            if hidden or risk <= self.risk + SUFFICIENT_DECREASE * length * slope:
                gradient = self.objective.risk_gradient(there)
                if hidden and not float(gradient.norm()) < self.norm:
                    length /= 2
                    continue
                self.theta, self.risk, self.gradient = there, risk, gradient
                self.steps += 1
                report(self.progress, self._fraction(), f"gradient norm {self.norm:.1e}")
                return True
            length /= 2
        return False

    def _fraction(self) -> float:
        if self.arrived or self.first <= self.target:
            return 1.0
        return max(0.0, math.log(self.first / self.norm) / math.log(self.first / max(self.target, 1e-300)))


def _newton(path: _Path, max_steps: int) -> None:
    while not path.arrived and path.steps < max_steps:
        if not path.move(-_newton_inverse(path).solve(path.gradient).value):
            return


def _newton_inverse(path: _Path) -> Inverse:
    hessian = Hessian(path.objective, path.theta)
    if path.objective.dim <= DENSE_LIMIT:
        with suppress(SolveError):  # without a penalty the curvature may be singular
            return Cholesky().prepare(hessian)
    # solve ever more sharply as the optimum nears (quadratic convergence), but no sharper than the target needs
    rtol = min(0.1, max(math.sqrt(path.norm), 0.1 * path.target / path.norm))
    return ConjugateGradient(rtol, max_steps=CG_STEPS).prepare(hessian)


def _quasi_newton(path: _Path, inverse: Inverse | None, max_steps: int) -> None:
    while not path.arrived and path.steps < max_steps:
        norm, risk = path.norm, path.risk
        if inverse is None:
            inverse = Cholesky().prepare(GaussNewton(path.objective, path.theta, NETWORK_DAMPING))
        pairs: list[tuple[Tensor, Tensor]] = []
        for _ in range(MEMORY):
            theta, gradient = path.theta, path.gradient
            if path.arrived or not path.move(-quasi_newton_direction(gradient, pairs, inverse)):
                break
            moved, turned = path.theta - theta, path.gradient - gradient
            if float(moved @ turned) > 0:
                pairs.append((moved, turned))
        inverse = None
        if not (path.norm < norm or path.risk < risk - ROUNDING * abs(risk)):
            return


def quasi_newton_direction(
    gradient: Tensor, pairs: Sequence[tuple[Tensor, Tensor]], inverse: Inverse
) -> Tensor:
    """L-BFGS's product of the inverse curvature with the gradient, by its two loops.

    Args:
        gradient: ``(p,)``, or ``(p, m)`` for ``m`` models that advance side by side.
        pairs: Earlier ``(step, change of the gradient)``, oldest first, shaped as the gradient.
        inverse: An inverse curvature, which the pairs correct.

    Returns:
        Shaped as the gradient; the step downhill is its negative.
    """
    q, factors = gradient.clone(), []
    for moved, turned in reversed(pairs):
        factor = (moved * q).sum(0) / (moved * turned).sum(0)
        factors.append(factor)
        q -= factor * turned
    q = inverse.solve(q).value
    for (moved, turned), factor in zip(pairs, reversed(factors), strict=True):
        q = q + (factor - (turned * q).sum(0) / (moved * turned).sum(0)) * moved
    return q


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


def fit_hinge(objective: Objective, tolerance: float = 1e-10, max_steps: int = 1_000_000) -> Trained:
    """The linear SVM through scikit-learn's dual coordinate descent; weights and penalty are the objective's.

    The reported gradient norm is that of the smallest subgradient over all examples (``hinge_slopes``).

    Raises:
        UnsupportedError: If there is one penalty for each parameter.
    """
    if objective.l2.ndim:
        raise UnsupportedError(
            "The hinge is fitted with one penalty for all parameters, but l2 has one for each."
        )
    from sklearn.svm import LinearSVC  # takes a second to import, and few studies are SVMs

    started = time.perf_counter()
    exact = objective.to("cpu", torch.float64)  # the kink is found by its digits
    l2 = float(exact.l2)
    model = LinearSVC(
        loss="hinge", C=1 / l2, tol=tolerance, max_iter=max_steps, fit_intercept=False, random_state=24
    ).fit(exact.x.numpy(), exact.y.numpy(), sample_weight=exact.weights.numpy())
    theta = torch.as_tensor(model.coef_[0])
    norm = gradient_norm(exact, theta)
    steps, seconds = int(model.n_iter_), time.perf_counter() - started
    return Trained(theta.to(objective.x), norm, steps, seconds, norm <= 1e-3 * l2)


def gradient_norm(objective: Objective, theta: Tensor) -> float:
    """``||grad R(theta)||``; of the smallest subgradient where the loss has a kink: 0 proves a convex optimum."""
    if objective.loss.smooth:
        return float(objective.risk_gradient(theta).norm())
    o = objective
    slopes = o.weights * hinge_slopes(o, theta)
    directions = o.loss.directions(o.outputs(theta, o.x), o.y)[:, 0]
    return float((o.x.T @ (slopes * directions) + o.l2 * theta).norm())


def hinge_slopes(objective: Objective, theta: Tensor) -> Tensor:
    """The sizes ``-g'(m_i)`` of the hinge's slope that make the subgradient of the risk smallest.

    1 for a margin ``m_i`` below 1 and 0 above it. On the kink, where every slope from 0 to 1 is one, bounded least
    squares decides; at the optimum ``w_i`` times the slopes are the SVM's dual variables.

    Args:
        objective: A linear model with the hinge.
        theta: ``(p,)``, the optimum or near it.

    Returns:
        ``(n,)`` in 0..1; 0 on the kink for examples of no weight.
    """
    from scipy.optimize import lsq_linear

    o = objective
    f = o.outputs(theta, o.x)
    directions = o.loss.directions(f, o.y)[:, 0]
    short = 1 + directions * f[:, 0]
    slopes = (short > MARGIN).to(theta)
    on = ((short.abs() <= MARGIN) & (o.weights > 0)).nonzero()[:, 0]
    if len(on):
        rest = -(o.x.T @ (o.weights * slopes * directions) + o.l2 * theta)
        size = o.weights[on].max()
        columns = (o.weights[on] / size * directions[on])[:, None] * o.x[on]
        best = lsq_linear(columns.T.cpu().numpy(), (rest / size).cpu().numpy(), bounds=(0, 1)).x
        slopes[on] = torch.as_tensor(best).to(slopes)
    return slopes
