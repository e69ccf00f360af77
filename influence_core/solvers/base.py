"""What every solver shares: a frozen settings object prepares an inverse once; the inverse solves often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from influence_core.errors import ShapeError, SolveError
from influence_core.operators import LinearOperator
from influence_core.progress import Progress

Status = Literal["converged", "too few steps", "negative curvature", "diverged", "not finite"]

REMEDIES: dict[str, str] = {
    "too few steps": "Allow more steps, add damping, or use the Cholesky solver.",
    "negative curvature": "The curvature is indefinite here: add damping, use the Gauss-Newton curvature, or train "
    "the model to convergence.",
    "diverged": "Raise the scale tenfold (it must exceed the largest eigenvalue of a single batch), use larger "
    "batches, or use conjugate gradient.",
    "not finite": "The right-hand side or the curvature holds NaN or infinity: check the data and the model.",
}


@dataclass(frozen=True, eq=False)
class Solution:
    """``value`` solves ``operator value = rhs`` as far as ``status`` says. A failure is data until ``require``.

    >>> from influence_core.operators import DenseOperator
    >>> from influence_core.solvers import ConjugateGradient
    >>> operator = DenseOperator(torch.tensor([[2.0, 0.0], [0.0, -1.0]]))
    >>> solution = ConjugateGradient().prepare(operator).solve(torch.ones(2))
    >>> solution.status
    'negative curvature'
    >>> solution.require()
    Traceback (most recent call last):
    influence_core.errors.SolveError: The solve ended with 'negative curvature' after 1 steps. ...


    Attributes:
        value: ``(p,)`` or ``(p, k)``, as the right-hand side.
        rhs: The right-hand side.
        operator: The exact operator, against which the residual is taken.
        status: "converged", or what went wrong.
        steps: Products with the operator that this solve took (0 for a direct solver).
        history: The solver's own measure of progress, one value a step.
        spread: Standard error of ``value`` for stochastic solvers, same shape.
        settings: What was used, in words.
    """

    value: Tensor
    rhs: Tensor
    operator: LinearOperator
    status: Status
    steps: int
    history: tuple[float, ...] = ()
    spread: Tensor | None = None
    settings: str = ""

    @cached_property
    def residuals(self) -> Tensor:
        """True relative residuals ``||rhs - operator value|| / ||rhs||``, ``(k,)``; one product, computed when asked."""
        rhs, value = self.rhs.detach().reshape(len(self.rhs), -1), self.value.reshape(len(self.rhs), -1)
        size = rhs.norm(dim=0)
        error = (rhs - self.operator.matvec(value)).norm(dim=0)
        return torch.where(size > 0, error / torch.where(size > 0, size, 1), error)

    @property
    def residual(self) -> float:
        """The largest of the residuals."""
        return float(self.residuals.max())

    def require(self) -> Tensor:
        """The value, if the solve succeeded.

        Raises:
            SolveError: Otherwise, naming the remedy.
        """
        if self.status != "converged":
            raise SolveError(
                f"The solve ended with '{self.status}' after {self.steps} steps. {REMEDIES[self.status]}"
            )
        return self.value


class Inverse(Protocol):
    """An applied inverse of one operator."""

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """Solve for ``rhs (p,)`` or ``(p, k)``, all columns as one block."""
        ...


class Solver(Protocol):
    """Frozen settings of a solver."""

    @property
    def name(self) -> str:
        """The name on screen."""
        ...

    @property
    def exact(self) -> bool:
        """Whether the solver claims the exact answer, so that its residual judges it."""
        ...

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> Inverse:
        """The costly part, once an operator."""
        ...

    def memory(self, operator: LinearOperator) -> int:
        """Numbers that it holds at most, besides what a product takes, for one right-hand side: a formula, not measured."""
        ...


def check_rhs(operator: LinearOperator, rhs: Tensor) -> Tensor:
    """``rhs`` as a block ``(p, k)``.

    Raises:
        ShapeError: If its first dimension is not ``p``.
    """
    if rhs.ndim not in (1, 2) or rhs.shape[0] != operator.dim:
        raise ShapeError(
            f"A right-hand side must have shape ({operator.dim},) or ({operator.dim}, k), "
            f"but has {tuple(rhs.shape)}."
        )
    return rhs.detach().reshape(operator.dim, -1)
