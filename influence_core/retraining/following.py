"""A linear model that stays trained while ever other training examples are taken out, relabelled, or put back.

It walks with the one factored curvature of the unedited risk, corrected by what all its steps so far have taught (L-BFGS):
a batch of edits more or less costs a few gradients, and no new factor.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor

from influence_core.errors import SolveError
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian, LinearOperator
from influence_core.progress import Progress
from influence_core.retraining.contest import Contest
from influence_core.retraining.edits import Edit
from influence_core.retraining.restoring import returns
from influence_core.solvers.base import Inverse, Solution
from influence_core.training import minimise
from influence_core.training.descent import Memory, walk
from influence_core.training.path import Path

SHARPEST = 1e-12
"""No smaller gradient norm is asked for; in float64 it is nearly rounding."""
FEW = 40
"""Examples that are trained on in less time than a factor of a curvature takes."""
SURE = 0.01
"""A model is trained to the end when its margin is known to this share of itself."""

Mark = tuple[Tensor, LinearObjective, Tensor, float]


class Following:
    """The model and the set of edited examples that it is trained with.

    Args:
        objective: Unedited; its loss is smooth.
        theta: ``(p,)`` its optimum.
        inverse: Of its undamped curvature.
        contest: The question: which answer to which input is to become another.
        labels: ``(n,)`` what each example is relabelled as when it is edited; ``None`` takes it out.
        leverages: ``(n, c, c)`` leverage blocks of the unedited risk, where they are at hand: the pulls are then corrected
            for each example's own curvature.

    Attributes:
        taken: ``(n,)`` which examples are edited.
        risk: The edited objective.
        theta: ``(p,)`` near its optimum.
        gradient_norm: ``||grad R_edited(theta)||``.
    """

    def __init__(
        self,
        objective: LinearObjective,
        theta: Tensor,
        inverse: Inverse,
        contest: Contest,
        labels: Tensor | None = None,
        leverages: Tensor | None = None,
    ) -> None:
        self.unedited, self.inverse, self.contest = objective, inverse, contest
        self.labels, self.leverages, self.memory = labels, leverages, Memory(inverse)
        self.taken = torch.zeros(objective.n, dtype=torch.bool, device=objective.x.device)
        self.risk, self.theta = objective, theta
        self.gradient_norm = float(objective.risk_gradient(theta).norm())

    @property
    def size(self) -> int:
        """How many examples are edited."""
        return int(self.taken.sum())

    @property
    def margin(self) -> float:
        """The contest's margin at the present parameters; below 0 the answer has changed."""
        return float(self.contest.margins(self.outputs[None])[0])

    @property
    def outputs(self) -> Tensor:
        """``(c,)`` of the contested input."""
        return self.risk.outputs(self.theta, self.contest.x[None])[0]

    @property
    def bound(self) -> float:
        """How far the margin can be from that of the true optimum."""
        return float(self.bounds(torch.tensor([self.gradient_norm]))[0])

    def bounds(self, gradient_norms: Tensor) -> Tensor:
        """``||grad margin|| ||grad R|| / l2``, ``(m,)``: a risk with the penalty l2 is strongly convex."""
        return self.contest.steepness * gradient_norms / float(self.unedited.l2.min())

    def norm_for(self, margin: float, share: float = SURE) -> float:
        """The gradient norm that bounds a margin to within a share of itself."""
        return max(SHARPEST, share * abs(margin) * float(self.unedited.l2.min()) / self.contest.steepness)

    def mark(self) -> Mark:
        """Where it stands, to come back to."""
        return self.taken, self.risk, self.theta, self.gradient_norm

    def back_to(self, mark: Mark) -> None:
        """Stand where it stood; what the steps since have taught is kept."""
        self.taken, self.risk, self.theta, self.gradient_norm = mark

    def edit(self, taken: Tensor, shrink: float, progress: Progress | None = None) -> None:
        """Train with another set of edited examples, warm from the present model.

        Args:
            taken: ``(n,)`` which are edited.
            shrink: Training ends at this share of the gradient that the change brings in.
            progress: Called after every step; may raise ``Cancelled``.
        """
        self.taken, self.risk = taken, self._edited(taken)
        self.settle(0.0, progress, shrink)

    def settle(self, target: float, progress: Progress | None = None, share: float = 0.0) -> None:
        """Train on to a gradient norm, or to a share of the one at the start if that is more."""
        path = Path(self.risk, self.theta, target, progress, share)
        walk(path, self.memory)
        self.theta, self.gradient_norm = path.theta, path.norm
        if not path.arrived:
            found = minimise(self.risk, path.theta, path.asked, progress=progress)
            self.theta, self.gradient_norm = found.theta, found.gradient_norm

    def sharpen(self, progress: Progress | None = None) -> None:
        """Train until the margin is known to the share ``SURE`` of itself, or the gradient gets no smaller."""
        before = float("inf")
        while self.bound > SURE * abs(self.margin) and self.gradient_norm < before:
            before = self.gradient_norm
            self.settle(self.norm_for(self.margin), progress)

    @property
    def learnt(self) -> Inverse:
        """The inverse curvature, corrected by all steps so far."""
        return _Learnt(self.memory, Hessian(self.risk, self.theta))

    def restored(self, position: int) -> Edit:
        """What puts one edited example back."""
        at = torch.tensor([position])
        if self.labels is None:
            return Edit(at, weight=float(self.unedited.weights[position]) / self.unedited.unit)
        return Edit.relabel(at, self.unedited.y[at.to(self.unedited.y.device)].cpu())

    def pulls(self, refinements: int = 0) -> Tensor:
        """What each example's edit takes from the margin, ``(n,)``: of those not edited if it were, of the others as it is.

        With ``V = H^-1 grad margin``, ``r_i`` and ``B_i`` the residual and the curvature of its loss, and ``dr_i`` and
        ``dB_i`` their weighted changes, ``x_i V . M_i^-1 dr_i`` with ``M_i = I + dB_i K_i`` (one Newton step on the risk
        with this edit more; without the leverages ``K_i`` it is ``I``), and ``x_i V . M_i dr_i`` for an edit that is made:
        putting it back takes a Newton step from a risk that lacks it.

        Args:
            refinements: Products with the edited curvature that sharpen ``V``; without one it is as the memory has it.
        """
        o, f = self.unedited, self.unedited.outputs(self.theta, self.unedited.x)
        v = self._direction(refinements)
        changes = self._changes(o.loss.residuals(f, o.y), lambda y: o.loss.residuals(f, y))
        changes = changes * o.weights[:, None]
        if self.leverages is not None:
            k = self.leverages
            bent = self._changes(o.loss.curvature(f, o.y)(k), lambda y: o.loss.curvature(f, y)(k))
            m = torch.eye(k.shape[1]).to(k) + o.weights[:, None, None] * bent
            taken = self.taken
            changes[taken] = (m[taken] @ changes[taken, :, None])[:, :, 0]
            changes[~taken] = torch.linalg.solve(m[~taken], changes[~taken])
        return o.weighted_products(o.x, changes, v)

    def returns(self, positions: Tensor, refinements: int = 0) -> Tensor:
        """What each of some edited examples ``(m,)``, put back alone, adds to the margin: a forecast.

        Where the leverages are at hand, so few are the parameters that it comes of the edited curvature itself
        (``restoring``); else it is the pull, as it is of a few examples, which are put back by training before that is factored.
        """
        if self.leverages is not None and len(positions) > FEW:
            steep = self.contest.gradient(self.outputs)
            with suppress(SolveError):  # a half-trained model's curvature may have no factor
                return returns(self.unedited, self.risk, self.theta, positions, self.labels, steep)
        return self.pulls(refinements)[positions]

    def _direction(self, refinements: int) -> Tensor:
        """``V = H^-1 grad margin (p,)`` with the curvature of the edited risk, as far as the memory knows it."""
        steep = self.contest.gradient(self.outputs)
        v = self.memory.product(steep)
        if refinements:
            curved = self.risk.hessian_product(self.theta)
        for _ in range(refinements):
            turned = curved(v[:, None])[:, 0]
            self.memory.learn(v, turned)
            v = v + self.memory.product(steep - turned)
        return v

    def _edited(self, taken: Tensor) -> LinearObjective:
        positions = taken.nonzero()[:, 0]
        if not len(positions):
            return self.unedited
        if self.labels is None:
            return self.unedited.without(positions)
        return replace(self.unedited, y=torch.where(taken, self.labels, self.unedited.y))

    def _changes(self, before: Tensor, after: Callable[[Tensor], Tensor]) -> Tensor:
        """What an edit makes of a derivative of the losses: ``after`` gives that for other labels."""
        if self.labels is None:
            return -before
        return after(self.labels) - before


def telling_labels(objective: LinearObjective, theta: Tensor, inverse: Inverse, contest: Contest) -> Tensor:
    """``(n,)`` the label that would make each training example pull the margin down most: its ``r_i`` loses 1 at that label.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        inverse: Of its curvature.
        contest: The question.
    """
    o = objective
    if o.loss.outputs == 1:
        return 1 - o.y
    steep = contest.gradient(o.outputs(theta, contest.x[None])[0])
    told = o.output_products(theta, o.x, inverse.solve(steep).require())
    return told.scatter(1, o.y[:, None], torch.inf).argmin(1)


class _Learnt(Inverse):
    """What a memory of ``(p,)`` pairs makes of its inverse ``H``, for any number of right-hand sides in four products.

    L-BFGS's two loops in one formula (Byrd, Nocedal and Schnabel 1994): with the steps ``S``, the changes of the gradient
    ``Y``, the upper triangle ``R`` of ``S'Y`` and its diagonal ``D``, it is ``V' H V + S R^-T D R^-1 S'``,
    ``V = I - Y R^-1 S'``.
    """

    def __init__(self, memory: Memory, operator: LinearOperator) -> None:
        self.operator, self.inverse = operator, memory.inverse
        empty = [(operator.like.new_zeros(operator.dim, 0),) * 2]
        pairs = [(moved[:, None], turned[:, None]) for moved, turned in memory.pairs]
        self.moved, self.turned = (torch.cat(side, 1) for side in zip(*(pairs or empty), strict=True))
        self.upper = (self.moved.T @ self.turned).triu()

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """For ``rhs (p,)`` or ``(p, k)``; how exact it is the residual says."""
        columns = rhs.reshape(len(rhs), -1)
        along = torch.linalg.solve_triangular(self.upper, self.moved.T @ columns, upper=True)
        q = self.inverse.solve(columns - self.turned @ along).value
        missed = self.upper.diagonal()[:, None] * along - self.turned.T @ q
        q = q + self.moved @ torch.linalg.solve_triangular(self.upper.T, missed, upper=False)
        return Solution(
            q.reshape(rhs.shape), rhs, self.operator, "converged", 0, settings="corrected by earlier steps"
        )
