"""How much of its own fit each training example of a linear model carries: the leverage blocks, and the pull that leaves."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from influence_core.objective import LinearObjective
from influence_core.progress import Progress, report
from influence_core.solvers.base import Inverse

BLOCK = 50
"""Examples whose leverages are solved for together."""


def leverage_blocks(
    objective: LinearObjective,
    inverse: Inverse,
    positions: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """``K_i = J_i A^-1 J_i'`` with the outputs' Jacobian ``J_i``, by the cheaper of two exact ways.

    They depend on the model alone, so one set of them serves every question and every left-out model.

    Args:
        objective: What was minimised.
        inverse: Of its curvature; exact, or the blocks are not.
        positions: ``(m,)`` training positions; all of them where none are given.
        progress: Called after each block of solves.

    Returns:
        ``(m, c, c)``. Costs ``c`` solves an example, or for many examples ``p`` solves and one product of the examples
        with the inverse.

    Raises:
        SolveError: If a solve failed.

    One example at 2, whose curvature ``w x^2 / 4`` is 1 and whose penalty is 1:

    >>> from influence_core import Cholesky, Hessian, LogisticLoss
    >>> o = LinearObjective.build(torch.tensor([[2.0]]), torch.tensor([1]), LogisticLoss(), l2=1.0)
    >>> leverage_blocks(o, Cholesky().prepare(Hessian(o, torch.zeros(1))))
    tensor([[[2.]]])
    """
    o = objective
    at = torch.arange(o.n, device=o.x.device) if positions is None else o.positions(positions)
    one_by_one = len(at) * (2 * o.loss.outputs - 1) <= 2 * o.dim
    return (_solved if one_by_one else _multiplied)(o, inverse, at, progress)


def left_out_pulls(
    objective: LinearObjective, theta: Tensor, blocks: Tensor, positions: Tensor | None = None
) -> Tensor:
    """``w_i (I - w_i B_i K_i)^-1 r_i``: what an example pulls with once its own curvature is gone too.

    With ``r_i = dl_i/df`` and ``B_i = d2l_i/df2``, Woodbury's identity makes ``A^-1 J_i'`` times this the Newton step on
    the risk without example ``i``; with ``K_i`` at 0 it is the first-order step.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        blocks: ``(m, c, c)`` the leverage blocks ``K_i`` of ``positions``.
        positions: ``(m,)`` training positions; all of them where none are given.

    Returns:
        ``(m, c)``.
    """
    o = objective
    at = torch.arange(o.n, device=o.x.device) if positions is None else positions
    pulls = []
    for chunk, bent in _own_curvature(o, theta, blocks, at):
        rows = at[chunk]
        pull = o.weights[rows][:, None] * o.loss.residuals(o.outputs(theta, o.x[rows]), o.y[rows])
        pulls.append(torch.linalg.solve(torch.eye(bent.shape[1]).to(bent) - bent, pull))
    return torch.cat(pulls)


def largest_leverages(objective: LinearObjective, theta: Tensor, blocks: Tensor) -> Tensor:
    """``h_i``, the largest eigenvalue of ``w_i B_i K_i``: the most of any direction's curvature that is one example's own.

    From 0 to 1. Without the example the curvature in that direction is ``1 - h_i`` of what it was, so the parameters move
    ``1 / (1 - h_i)`` times as far along it as to first order.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        blocks: ``(n, c, c)`` the leverage blocks ``K_i`` of all training examples, of the undamped curvature.

    Returns:
        ``(n,)``.

    One example at 2 has a curvature of 1, and the penalty brings another 1:

    >>> from influence_core import LogisticLoss
    >>> o = LinearObjective.build(torch.tensor([[2.0]]), torch.tensor([1]), LogisticLoss(), l2=1.0)
    >>> largest_leverages(o, torch.zeros(1), torch.tensor([[[2.0]]]))
    tensor([0.5000])
    """
    at = torch.arange(objective.n, device=objective.x.device)
    found = [
        torch.linalg.eigvals(bent).real.amax(1) for _, bent in _own_curvature(objective, theta, blocks, at)
    ]
    return torch.cat(found).clamp(0, 1)


def _own_curvature(
    o: LinearObjective, theta: Tensor, blocks: Tensor, at: Tensor
) -> Iterator[tuple[slice, Tensor]]:
    """``w_i B_i K_i (b, c, c)`` of the examples ``at (m,)``, a chunk at a time."""
    for chunk in o.chunks(len(at), o.x.shape[1] + 4 * o.loss.outputs**2):
        rows = at[chunk]
        curvature = o.loss.curvature(o.outputs(theta, o.x[rows]), o.y[rows])
        yield chunk, curvature(blocks[chunk]) * o.weights[rows][:, None, None]


def _solved(o: LinearObjective, inverse: Inverse, at: Tensor, progress: Progress | None) -> Tensor:
    """``c`` solves an example: the rows of ``J_i`` are ``x_i`` in the place of one output."""
    d, c = o.x.shape[1], o.loss.outputs
    blocks = o.x.new_empty(len(at), c, c)
    for start in range(0, len(at), BLOCK):
        x = o.x[at[start : start + BLOCK]]
        solved = inverse.solve(o.output_jacobian(x)).require().view(d, c, len(x), c)
        blocks[start : start + BLOCK] = torch.einsum("bd,dabe->bae", x, solved)
        report(progress, (start + len(x)) / len(at), f"leverage of {start + len(x)} of {len(at)} examples")
    return blocks


def _multiplied(o: LinearObjective, inverse: Inverse, at: Tensor, progress: Progress | None) -> Tensor:
    """The inverse itself, an output at a time: ``K_i[a, e] = sum_jk x_ij A^-1[(j, a), (k, e)] x_ik``.

    Over the features ``j, k`` that any example has: many pixels of a drawing are always empty.
    """
    d, c = o.x.shape[1], o.loss.outputs
    blocks = o.x.new_empty(len(at), c, c)
    used = (o.x[at] != 0).any(0).nonzero()[:, 0]
    u, features = len(used), o.x[:, used]
    for e in range(c):
        unit = o.x.new_zeros(d, c, u)
        unit[used, e, torch.arange(u, device=used.device)] = 1
        solved = inverse.solve(unit.view(o.dim, u)).require().view(d, c, u)
        columns = solved[used, e:].reshape(u, -1)
        for chunk in o.chunks(len(at), c * u):
            x, k = features[at[chunk]], blocks[chunk]
            products = (x @ columns).view(len(x), c - e, u)
            k[:, e:, e] = k[:, e, e:] = torch.einsum("bad,bd->ba", products, x)
            report(progress, (e + chunk.start / len(at)) / c, f"leverages of output {e + 1} of {c}")
    return blocks
