"""Some training examples of a linear model edited together: one Newton step on the edited risk.

First order adds the examples up as if each were edited alone. But members of a group stand in for one another: without
one, the others hold the model; without all of them, nothing does. The curvature of the edited risk knows that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.objective import LinearObjective, Objective
from influence_core.operators import Hessian
from influence_core.progress import Progress
from influence_core.retraining.edits import Edit
from influence_core.solvers import Cholesky, ConjugateGradient
from influence_core.solvers.base import Inverse

DENSE_LIMIT = 256
"""Up to so many parameters the edited curvature is factored, which no bad scaling of the features slows down."""
PASSES = 100
"""About so many passes over the training data are what a solve with the edited curvature takes."""


def edited_step(
    objective: LinearObjective,
    theta: Tensor,
    edit: Edit,
    inverse: Inverse | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """How one Newton step on the edited risk moves the parameters.

    With the edited examples' Jacobian ``J (m c, p)``, ``dB`` the change of their weighted curvatures ``w_i B_i`` and ``dr``
    that of their weighted residuals ``w_i r_i``, it is

        ``-(H + J' dB J)^-1 J' dr = -H^-1 J' (I + dB K)^-1 dr``,  ``K = J H^-1 J'``.

    For a removal ``dB = -w B`` and ``dr = -w r``; with ``K`` at 0 it is the first-order step. The right-hand form (Woodbury)
    takes ``m c`` solves with ``H``; where they would take longer than the one solve with the edited curvature itself, or
    no inverse is at hand, the left-hand form is solved, by conjugate gradient or, for few parameters, a dense factor.
    What training has left of the gradient at ``theta`` is not walked: it is no doing of the edit.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        edit: Of ``m`` examples: their weights, labels or inputs.
        inverse: Of the risk's own curvature ``H``, exact and without damping, if one is prepared.
        progress: Called by the solver.

    Returns:
        ``(p,)``.

    Raises:
        SolveError: If a solve failed.

    Two examples at 2, each of curvature 1, and a penalty of 1: ``H = 3``, and 2 without one of them, whose own gradient
    ``w r x`` is -1. The first-order step would be a third:

    >>> from influence_core import Hessian, LogisticLoss
    >>> o = LinearObjective.build(torch.tensor([[2.0], [2.0]]), torch.tensor([1, 1]), LogisticLoss(), 1.0, torch.ones(2))
    >>> edited_step(o, torch.zeros(1), Edit.removal([0]), Cholesky().prepare(Hessian(o, torch.zeros(1))))
    tensor([-0.5000])
    """
    apart = _difference(objective, edit)
    if inverse is not None and _is_small(objective, apart):
        return _by_rows(objective, theta, apart, inverse, progress)
    return _whole(edit.apply(objective), theta, edit.gradient_change(objective, theta), progress)


@dataclass(frozen=True, eq=False)
class Difference:
    """What sets one risk apart from another, example by example: ``sum_j after_j l(x_j, new_j) - before_j l(x_j, old_j)``.

    Attributes:
        x: ``(m, d)`` inputs.
        old: ``(m,)`` labels that go.
        before: ``(m,)`` weights that go; 0 for an example that was not there.
        new: ``(m,)`` labels that come.
        after: ``(m,)`` weights that come; 0 for one that is taken out.
    """

    x: Tensor
    old: Tensor
    before: Tensor
    new: Tensor
    after: Tensor

    def gradient(self, objective: Objective, theta: Tensor) -> Tensor:
        """Its gradient ``(p,)`` at ``theta``."""
        new = objective.gradients(theta, self.x, self.new)
        return self.after @ new - self.before @ objective.gradients(theta, self.x, self.old)


def changed_step(
    objective: LinearObjective,
    theta: Tensor,
    changed: LinearObjective,
    difference: Difference,
    inverse: Inverse | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """The same step towards the optimum of a risk that differs in several ways at once: labels, weights, more examples.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        changed: The other risk.
        difference: Of the two.
        inverse: As for ``edited_step``.
        progress: Called by the solver.

    Returns:
        ``(p,)``.

    Raises:
        SolveError: If a solve failed.
    """
    if not len(difference.x):
        return torch.zeros_like(theta)
    if inverse is not None and _is_small(objective, difference):
        return _by_rows(objective, theta, difference, inverse, progress)
    return _whole(changed, theta, difference.gradient(objective, theta), progress)


def _is_small(o: LinearObjective, difference: Difference) -> bool:
    """Whether solves with the risk's own curvature take less time than one with the other curvature."""
    return len(difference.x) * o.loss.outputs <= min(o.dim, PASSES * o.n / o.dim)


def _whole(edited: LinearObjective, theta: Tensor, change: Tensor, progress: Progress | None) -> Tensor:
    """``-(H + J' dB J)^-1 J' dr``, with the other risk's curvature itself."""
    solver = Cholesky() if edited.dim <= DENSE_LIMIT else ConjugateGradient()
    return -solver.prepare(Hessian(edited, theta)).solve(change, progress).require()


def moves_without(
    objective: LinearObjective,
    theta: Tensor,
    positions: Tensor,
    sets: Sequence[Tensor],
    x: Tensor,
    inverse: Inverse,
    progress: Progress | None = None,
) -> list[Tensor]:
    """How the outputs at one input move where each of many small sets is taken out, by the step of ``edited_step``.

    All sets are of the same few examples, so that their ``m c`` solves with ``H`` are all that is solved.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        positions: ``(m,)`` the examples.
        sets: ``(s, k)`` each: ``s`` sets of ``k`` places in ``positions``.
        x: ``(d,)`` the input.
        inverse: Of the risk's own curvature, exact and without damping.
        progress: Called by the solver.

    Returns:
        ``(s, c)`` for each of ``sets``.

    Raises:
        SolveError: If a solve failed.
    """
    apart = _difference(objective, Edit.removal(positions))
    solved, bent, pulls = _response(objective, theta, apart, inverse, progress)
    own = (x @ solved.reshape(len(x), -1)).view(objective.loss.outputs, -1)
    return [_moves(own, bent, pulls, one) for one in sets]


def _moves(own: Tensor, bent: Tensor, pulls: Tensor, sets: Tensor) -> Tensor:
    """``-own (I + dB K)^-1 dr`` with the rows and columns of each of ``sets (s, k)``: ``(s, c)``."""
    c = len(own)
    at = (sets[:, :, None] * c + torch.arange(c, device=sets.device)).flatten(1)
    eye = torch.eye(at.shape[1], dtype=bent.dtype, device=bent.device)
    pulled = torch.linalg.solve(eye + bent[at[:, :, None], at[:, None, :]], pulls[at])
    return -torch.einsum("osk,sk->so", own[:, at], pulled)


def _by_rows(
    o: LinearObjective, theta: Tensor, difference: Difference, inverse: Inverse, progress: Progress | None
) -> Tensor:
    """``-H^-1 J' (I + dB K)^-1 dr``."""
    solved, bent, pulls = _response(o, theta, difference, inverse, progress)
    eye = torch.eye(len(pulls), dtype=bent.dtype, device=bent.device)
    return -(solved @ torch.linalg.solve(eye + bent, pulls))


def _response(
    o: LinearObjective, theta: Tensor, difference: Difference, inverse: Inverse, progress: Progress | None
) -> tuple[Tensor, Tensor, Tensor]:
    """``H^-1 J' (p, m c)``, ``dB K (m c, m c)`` and ``dr (m c,)`` of a difference."""
    x = difference.x
    (m, d), c = x.shape, o.loss.outputs
    solved = inverse.solve(o.output_jacobian(x), progress).require()
    k = (x @ solved.reshape(d, -1)).view(m, c, -1)
    f = o.outputs(theta, x)
    bent, pulls = torch.zeros_like(k), torch.zeros_like(f)
    for y, w in ((difference.old, -difference.before), (difference.new, difference.after)):
        bent += w[:, None, None] * o.loss.curvature(f, y)(k)
        pulls += w[:, None] * o.loss.residuals(f, y)
    return solved, bent.view(m * c, -1), pulls.view(-1)


def _difference(o: LinearObjective, edit: Edit) -> Difference:
    """Of an edit; other inputs are rows of their own."""
    at = o.positions(edit.positions)
    (x, y), (before, after) = edit.after(o), edit.weights(o)
    if edit.x is None:
        return Difference(x, o.y[at], before, y, after)
    nothing = torch.zeros_like(before)
    gone, come = torch.cat([before, nothing]), torch.cat([nothing, after])
    return Difference(torch.cat([o.x[at], x]), torch.cat([o.y[at], y]), gone, torch.cat([o.y[at], y]), come)
