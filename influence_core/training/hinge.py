"""The linear support vector machine: its fit, and the proof of an optimum on a kink."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from influence_core.errors import UnsupportedError
from influence_core.objective import Objective
from influence_core.training.trained import Trained

MARGIN = 1e-8
"""An SVM example whose margin is this close to 1 lies on the kink, and may take any slope of the hinge."""


def fit_hinge(objective: Objective, tolerance: float = 1e-10, max_steps: int = 1_000_000) -> Trained:
    """The linear SVM through scikit-learn's dual coordinate descent; weights and penalty are the objective's.

    Args:
        objective: A linear model with the hinge.
        tolerance: scikit-learn's, of the dual.
        max_steps: Passes over the examples, at most.

    Returns:
        ``theta (p,)`` in the objective's type. The gradient norm is that of the smallest subgradient over all examples
        (``hinge_slopes``), in float64; at most a thousandth of ``l2`` counts as converged.

    Raises:
        UnsupportedError: If there is one penalty for each parameter, or the model is not linear.
    """
    if not objective.is_convex:
        raise UnsupportedError(
            "The hinge is fitted for linear models only; train a network with SmoothHingeLoss."
        )
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
    target = 1e-3 * l2
    return Trained(theta.to(objective.x), norm, steps, seconds, norm <= target, target)


def gradient_norm(objective: Objective, theta: Tensor) -> float:
    """``||grad R(theta)||``; of the smallest subgradient where the loss has a kink: 0 proves a convex optimum.

    Args:
        objective: Any; with the hinge a linear one.
        theta: ``(p,)``.

    Two examples on the kink of the hinge, where no gradient exists, but a subgradient that is 0:

    >>> from influence_core.losses import HingeLoss
    >>> from influence_core.objective import LinearObjective
    >>> x, y = torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.tensor([1, 0])
    >>> objective = LinearObjective.build(x, y, HingeLoss(), l2=0.5)
    >>> gradient_norm(objective, torch.ones(1, dtype=torch.float64)) < 1e-8
    True
    """
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
