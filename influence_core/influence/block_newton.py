"""Some training examples of a linear model edited together: one Newton step on the edited risk.

First order adds the examples up as if each were edited alone. But members of a group stand in for one another: without
one, the others hold the model; without all of them, nothing does. The curvature of the edited risk knows that.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from influence_core.objective import LinearObjective
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
    rows = len(edit.positions) * (1 if edit.x is None else 2)
    columns = rows * objective.loss.outputs
    if inverse is not None and columns <= min(objective.dim, PASSES * objective.n / objective.dim):
        return _by_rows(objective, theta, edit, inverse, progress)
    solver = Cholesky() if objective.dim <= DENSE_LIMIT else ConjugateGradient()
    edited = solver.prepare(Hessian(edit.apply(objective), theta))
    return -edited.solve(edit.gradient_change(objective, theta), progress).require()


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
    solved, bent, pulls = _response(objective, theta, Edit.removal(positions), inverse, progress)
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
    o: LinearObjective, theta: Tensor, edit: Edit, inverse: Inverse, progress: Progress | None
) -> Tensor:
    """``-H^-1 J' (I + dB K)^-1 dr``."""
    solved, bent, pulls = _response(o, theta, edit, inverse, progress)
    eye = torch.eye(len(pulls), dtype=bent.dtype, device=bent.device)
    return -(solved @ torch.linalg.solve(eye + bent, pulls))


def _response(
    o: LinearObjective, theta: Tensor, edit: Edit, inverse: Inverse, progress: Progress | None
) -> tuple[Tensor, Tensor, Tensor]:
    """``H^-1 J' (p, m c)``, ``dB K (m c, m c)`` and ``dr (m c,)`` of an edit."""
    x, changes = _changes(o, edit)
    (m, d), c = x.shape, o.loss.outputs
    jacobian = x.new_zeros(d, c, m, c)
    jacobian.diagonal(dim1=1, dim2=3).copy_(x.T[:, :, None])
    solved = inverse.solve(jacobian.view(o.dim, -1), progress).require()
    k = (x @ solved.reshape(d, -1)).view(m, c, -1)
    f = o.outputs(theta, x)
    bent, pulls = torch.zeros_like(k), torch.zeros_like(f)
    for y, w in changes:
        bent += w[:, None, None] * o.loss.curvature(f, y)(k)
        pulls += w[:, None] * o.loss.residuals(f, y)
    return solved, bent.view(m * c, -1), pulls.view(-1)


def _changes(o: LinearObjective, edit: Edit) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The rows ``x`` that an edit touches, and what it takes from them and gives to them: labels with signed weights."""
    at = o.positions(edit.positions)
    (x, y), (before, after) = edit.after(o), edit.weights(o)
    if edit.x is None:
        return x, [(o.y[at], -before), (y, after)]
    return torch.cat([o.x[at], x]), [(torch.cat([o.y[at], y]), torch.cat([-before, after]))]
