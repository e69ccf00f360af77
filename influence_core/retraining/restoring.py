"""What putting back one edited training example does to an output of a linear model: a forecast that bends with its loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from influence_core.influence import leverage_blocks
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.solvers import Cholesky

STEPS = 30
"""Of Newton's method, for all examples side by side."""
HALVINGS = 8
"""... of one of them, at most."""
SETTLED = 1e-9
"""It ends where every example's outputs have moved to this share."""


def returns(
    unedited: LinearObjective,
    edited: LinearObjective,
    theta: Tensor,
    positions: Tensor,
    labels: Tensor | None,
    steep: Tensor,
) -> Tensor:
    """What putting back each edited example, alone, adds to what has the gradient ``steep``.

    With ``H`` the curvature of the edited risk, ``K_i = J_i H^-1 J_i'`` and ``g_i(f)`` the weighted change of the derivative
    of the example's loss, its outputs move by the ``u`` with ``u = -K_i g_i(f_i + u)``: the optimum of the risk's quadratic
    and the example's own loss, as it is. One Newton step goes far too far instead, for the loss of an example that the model
    gets wrong has next to no curvature where it stands.

    Args:
        unedited: The risk with every example as it was.
        edited: The risk without the edited examples, or with them relabelled.
        theta: ``(p,)`` its optimum.
        positions: ``(m,)`` of edited examples.
        labels: ``(n,)`` what edited examples are relabelled as; ``None`` where they are taken out.
        steep: ``(p,)``.

    Returns:
        ``(m,)``. Costs one factor of the edited curvature and ``c`` solves an example.

    Raises:
        SolveError: If the edited curvature cannot be factored.
    """
    if not len(positions):
        return theta.new_zeros(0)
    factor = Cholesky().prepare(Hessian(edited, theta))
    own = _OwnLoss(unedited, positions, labels)
    pull = own.settled(
        unedited.outputs(theta, unedited.x[positions]), leverage_blocks(unedited, factor, positions)
    )
    return unedited.weighted_products(unedited.x[positions], -pull, factor.solve(steep).require())


@dataclass(frozen=True, eq=False)
class _OwnLoss:
    """What putting back makes of the losses of examples ``(m,)``."""

    o: LinearObjective
    positions: Tensor
    labels: Tensor | None

    def settled(self, f: Tensor, k: Tensor) -> Tensor:
        """``g_i (m, c)`` where the outputs ``f (m, c)`` settle that give way by ``k (m, c, c)``."""
        u = torch.zeros_like(f)
        missed = self._missed(f, k, u)
        for _ in range(STEPS):
            bent = torch.eye(k.shape[1]).to(k) + self._bends(f + u, k).mT
            step = torch.linalg.solve(bent, -missed)
            size = missed.norm(dim=1, keepdim=True)
            for _ in range(HALVINGS):
                tried = self._missed(f, k, u + step)
                worse = ~(tried.norm(dim=1, keepdim=True) < size)
                if not bool(worse.any()):
                    break
                step = torch.where(worse, step / 2, step)
            u, missed = u + step, self._missed(f, k, u + step)
            if float((step.norm(dim=1) / (1 + u.norm(dim=1))).max()) < SETTLED:
                break
        return self._pulls(f + u)

    def _missed(self, f: Tensor, k: Tensor, u: Tensor) -> Tensor:
        """``u + K g(f + u)``, 0 where they settle."""
        return u + (k @ self._pulls(f + u)[:, :, None])[:, :, 0]

    def _pulls(self, f: Tensor) -> Tensor:
        return self.o.weights[self.positions, None] * self._change(lambda y: self.o.loss.residuals(f, y))

    def _bends(self, f: Tensor, k: Tensor) -> Tensor:
        """``dg/df K (m, c, c)``."""
        return self.o.weights[self.positions, None, None] * self._change(
            lambda y: self.o.loss.curvature(f, y)(k)
        )

    def _change(self, derivative: Callable[[Tensor], Tensor]) -> Tensor:
        """Of the true label's loss, less that of the label which the edit gave it."""
        true = derivative(self.o.y[self.positions])
        return true if self.labels is None else true - derivative(self.labels[self.positions])
