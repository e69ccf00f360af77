"""The proximal Bregman response: what the damped Gauss-Newton inverse answers to first order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from influence_core.errors import UnsupportedError
from influence_core.network import NetworkObjective
from influence_core.progress import Progress
from influence_core.retraining.edits import Edit
from influence_core.retraining.one_by_one import check_damping, one_by_one, still
from influence_core.retraining.retrained import Retrained
from influence_core.solvers.base import Inverse
from influence_core.training.held import HeldDescent, sharper_risks


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
        ``theta (m, p)``; ``gradient_norms (m,)`` are those of ``B``.

    Raises:
        DataError: If the damping is not above 0.
        UnsupportedError: If an edit replaces inputs.
    """
    check_damping(damping)
    if any(edit.x is not None for edit in edits):
        raise UnsupportedError(
            "The proximal Bregman response is to edits of weights and labels, not of inputs."
        )
    outputs = objective.outputs(theta, objective.x)
    slopes = objective.weights[:, None] * objective.loss.residuals(outputs, objective.y)

    def walk(edit: Edit, progress: Progress | None) -> tuple[Tensor, float]:
        descent, at = HeldDescent(inverse, damping), theta
        for risk in sharper_risks(
            edit.apply(objective), gradient_norm, lambda one: _less_tilt(one, slopes, theta)
        ):
            tick = still(progress, 0.0, "proximal Bregman response")
            point = descent.settle(risk, risk.at(at), theta, gradient_norm, tick)
            at = point.theta
        return at, float(point.held(theta, damping)[1].norm())

    return one_by_one(theta, edits, gradient_norm, walk, progress)


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
