"""Conjugate gradient on a block of right-hand sides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from influence_core.operators import LinearOperator
from influence_core.progress import Progress, report
from influence_core.solvers.base import Solution, Status, check_rhs


class Preconditioner(Protocol):
    """Builds, for an operator, a symmetric positive definite map ``(p, k) -> (p, k)`` close to its inverse."""

    @property
    def name(self) -> str:
        """The name on screen."""
        ...

    def build(self, operator: LinearOperator, progress: Progress | None = None) -> Callable[[Tensor], Tensor]:
        """The costly part, once an operator."""
        ...

    def memory(self, operator: LinearOperator) -> int:
        """As a solver's."""
        ...


@dataclass(frozen=True)
class ConjugateGradient:
    """Matrix-free exact solver; starts at zero and stops at a relative residual.

    Attributes:
        rtol: Stop once ``||rhs - A x|| <= rtol ||rhs||`` for every column.
        max_steps: Products at most; ``None`` is ``10 p``.
        preconditioner: Optional.

    As many steps as there are different eigenvalues, whatever the number of parameters:

    >>> from influence_core.operators import DenseOperator
    >>> operator = DenseOperator(torch.diag(torch.tensor([1.0, 1.0, 1.0, 5.0, 5.0, 9.0], dtype=torch.float64)))
    >>> solution = ConjugateGradient().prepare(operator).solve(torch.ones(6, dtype=torch.float64))
    >>> solution.steps, solution.residual < 1e-8
    (3, True)
    """

    rtol: float = 1e-8
    max_steps: int | None = None
    preconditioner: Preconditioner | None = None

    exact = True

    @property
    def name(self) -> str:
        """Names the preconditioner, if there is one."""
        return "conjugate gradient" + (f" with {self.preconditioner.name}" if self.preconditioner else "")

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> ConjugateGradientInverse:
        """Build the preconditioner, if there is one."""
        apply = self.preconditioner.build(operator, progress) if self.preconditioner else None
        return ConjugateGradientInverse(operator, self, apply)

    def memory(self, operator: LinearOperator) -> int:
        """Solution, residual, direction and their successors, and the preconditioner."""
        return 6 * operator.dim + (self.preconditioner.memory(operator) if self.preconditioner else 0)


@dataclass(frozen=True, eq=False)
class ConjugateGradientInverse:
    """Solves with one operator."""

    operator: LinearOperator
    settings: ConjugateGradient
    precondition: Callable[[Tensor], Tensor] | None = None

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """All columns advance together; a finished column stands still.

        ``p' A p <= 0`` for a search direction proves negative curvature: the solve ends with that status and the last
        good value. The residual that stops the iteration is the recurrence's; ``Solution.residual`` is the true one.
        """
        block = check_rhs(self.operator, rhs)
        apply = self.precondition or (lambda r: r)
        target = self.settings.rtol * block.norm(dim=0)
        limit = self.settings.max_steps if self.settings.max_steps is not None else 10 * self.operator.dim
        value, residual = torch.zeros_like(block), block.clone()
        shaped = apply(residual)
        direction = shaped.clone()
        inner = (residual * shaped).sum(0)
        size = residual.norm(dim=0)
        start = worst = _ratio(size, target)
        history: list[float] = []
        status: Status = "converged" if math.isfinite(worst) else "not finite"
        while status == "converged" and worst > 1:
            if len(history) >= limit:
                status = "too few steps"
                break
            product = self.operator.matvec(direction)
            bend = (direction * product).sum(0)
            active = size > target
            if bool((active & (bend <= 0)).any()):
                status = "negative curvature"
                break
            step = torch.where(active, inner / bend, 0)
            value.addcmul_(step, direction)
            residual.addcmul_(step, product, value=-1)
            shaped = apply(residual)
            previous, inner = inner, (residual * shaped).sum(0)
            direction = torch.addcmul(shaped, torch.where(active, inner / previous, 0), direction)
            size = residual.norm(dim=0)
            worst = _ratio(size, target)
            history.append(worst * self.settings.rtol)
            if not math.isfinite(worst):
                status = "not finite"
            report(
                progress,
                math.log(start / max(1.0, worst)) / math.log(max(start, 2.0)),
                f"{len(history)} steps",
            )
        words = f"asked for a relative residual of {self.settings.rtol:g}"
        return Solution(
            value.view(rhs.shape), rhs, self.operator, status, len(history), tuple(history), None, words
        )


def _ratio(size: Tensor, target: Tensor) -> float:
    """How far the worst column is from its target; a zero right-hand side is there already."""
    return float(torch.where(size == 0, 0, size / target).max())  # NaN stays NaN
