"""Newton's method to a stated gradient norm; networks are handed to L-BFGS, the hinge to its own fit."""

from __future__ import annotations

import math
import time
from contextlib import suppress

from torch import Tensor

from influence_core.errors import SolveError, UnsupportedError
from influence_core.objective import Objective
from influence_core.operators import Hessian
from influence_core.progress import Progress, report
from influence_core.solvers.base import Inverse
from influence_core.solvers.cholesky import Cholesky
from influence_core.solvers.conjugate_gradient import ConjugateGradient
from influence_core.training.descent import quasi_newton
from influence_core.training.hinge import fit_hinge
from influence_core.training.path import Path
from influence_core.training.trained import Trained

CG_STEPS = 500
"""Conjugate-gradient steps for one Newton step, at most."""
DENSE_LIMIT = 256
"""Up to so many parameters a Newton step takes a dense factor, which no bad scaling of the features slows down."""


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
    solves for more. A network takes L-BFGS on top of a dense Gauss-Newton inverse, which is rebuilt where progress
    stalls: a step costs one gradient.

    Args:
        objective: What to minimise; a hinge objective goes to ``fit_hinge``.
        theta: ``(p,)`` to start from (warm); zeros where none is given (cold; convex objectives only).
        gradient_norm: The target for ``||grad R||``. In float32 training ends where what is left of the gradient is
            rounding, if that is above (``rounding``).
        inverse: An inverse curvature near ``theta`` that the network's first steps may use.
        max_steps: Steps at most.
        progress: Called after every step.

    Returns:
        ``theta (p,)`` and its proof: gradient norm and target. Whether it converged is told, never raised.

    Raises:
        ShapeError: If ``theta`` is not ``(p,)``.
        UnsupportedError: For a cold start of a network, where zero is a saddle; for a hinge with a penalty for each
            parameter.

    Two examples, one of each class, at 1 and at -1; at the optimum ``sigmoid(-theta) = l2 theta``:

    >>> import torch
    >>> from influence_core.losses import LogisticLoss
    >>> from influence_core.objective import LinearObjective
    >>> x, y = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.tensor([1, 0])
    >>> trained = minimise(LinearObjective.build(x, y, LogisticLoss(), l2=0.1))
    >>> trained.converged, trained.gradient_norm <= 1e-10
    (True, True)
    >>> theta = trained.theta[0]
    >>> bool((torch.sigmoid(-theta) - 0.1 * theta).abs() < 1e-10)
    True
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
    path = Path(objective, start, gradient_norm, progress)
    if objective.is_convex:
        _newton(path, max_steps)
    else:
        quasi_newton(path, inverse, max_steps)
    norm = float(objective.risk_gradient(path.theta).norm())
    return Trained(
        path.theta, norm, path.steps, time.perf_counter() - started, norm <= path.target, path.target
    )


def _newton(path: Path, max_steps: int) -> None:
    while not path.arrived and path.steps < max_steps:
        if not path.move(-_newton_inverse(path).solve(path.gradient).value):
            return


def _newton_inverse(path: Path) -> Inverse:
    hessian = Hessian(path.objective, path.theta)
    if path.objective.dim <= DENSE_LIMIT:
        with suppress(SolveError):  # without a penalty the curvature may be singular
            return Cholesky().prepare(hessian)
    # solve ever more sharply as the optimum nears (quadratic convergence), but no sharper than the target needs
    rtol = min(0.1, max(math.sqrt(path.norm), 0.1 * path.target / path.norm))
    return ConjugateGradient(rtol, max_steps=CG_STEPS).prepare(hessian)
