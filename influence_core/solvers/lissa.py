"""LiSSA: the inverse as a series of products with small random batches (Agarwal et al.; the paper's section 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import UnsupportedError
from influence_core.operators import Curvature, LinearOperator
from influence_core.progress import Progress, part, report
from influence_core.solvers.base import Solution, Status, check_rhs
from influence_core.spectrum import extreme_eigenvalues

SAFETY = 2.0
"""How far above the largest eigenvalue seen the scale is put, since batches not seen may be larger."""
PROBES = 8
"""Batches whose largest eigenvalue is measured to choose the scale."""
PROBE_STEPS = 15
"""Products a measurement: the largest eigenvalue stands apart, and is found to within a few per cent."""
GROWTH = 1e3
"""The iterate cannot exceed ``||rhs|| scale / smallest eigenvalue``; a norm that many times over it has diverged."""
DEPTH_LIMIT = 20_000


@dataclass(frozen=True)
class LiSSA:
    """``x <- rhs + x - A_batch x / scale``; ``x / scale`` tends to ``A^-1 rhs``, the operator's damping included.

    Attributes:
        batch: Examples a step, drawn uniformly with replacement.
        depth: Steps; ``None`` chooses them so that the weakest direction is cut off by at most ``truncation``.
        repeats: Independent runs that are averaged; their spread is the standard error.
        scale: ``None`` takes twice the largest eigenvalue of a few batches.
        truncation: Aim of the automatic depth.
        seed: Of the draws.
        average: Share of a run's last iterates that are averaged, which takes out most of the batches' noise; 0 takes
            the last iterate alone, as the paper does.
    """

    batch: int = 64
    depth: int | None = None
    repeats: int = 4
    scale: float | None = None
    truncation: float = 1e-3
    seed: int = 0
    average: float = 0.0

    name = "LiSSA"
    exact = False

    def prepare(self, operator: LinearOperator, progress: Progress | None = None) -> LiSSAInverse:
        """Find the scale and the depth.

        Raises:
            UnsupportedError: If the operator is no sum over examples.
        """
        if not isinstance(operator, Curvature):
            raise UnsupportedError("LiSSA needs an operator that is a sum over training examples.")
        scale = self.scale or self._scale(operator, progress)
        depth = self.depth or self._depth(operator, scale)
        return LiSSAInverse(operator, self, scale, depth)

    def memory(self, operator: LinearOperator) -> int:
        """The runs, the iterate, its successor and their sum; before that, the vectors that find the scale."""
        return max(self.repeats + 4, PROBE_STEPS) * operator.dim

    def _scale(self, operator: Curvature, progress: Progress | None) -> float:
        """Batches suffice: the largest eigenvalue of their mean, which is the whole, is at most the mean of theirs."""
        generator = torch.Generator().manual_seed(self.seed)
        probed = [operator.subset(self._draw(operator, generator)) for _ in range(PROBES)]
        sizes = [
            extreme_eigenvalues(
                one, PROBE_STEPS, progress=part(progress, at / len(probed), (at + 1) / len(probed))
            ).size
            for at, one in enumerate(probed)
        ]
        return SAFETY * max(sizes)

    def _depth(self, operator: Curvature, scale: float) -> int:
        """``(1 - smallest / scale)^depth = truncation`` : the weakest direction converges last."""
        smallest = operator.smallest_known
        if smallest <= 0:
            return DEPTH_LIMIT
        return min(DEPTH_LIMIT, math.ceil(scale / smallest * math.log(1 / self.truncation)))

    def _draw(self, operator: Curvature, generator: torch.Generator) -> Tensor:
        return torch.randint(operator.n, (self.batch,), generator=generator).to(operator.like.device)


@dataclass(frozen=True, eq=False)
class LiSSAInverse:
    """Runs the series for one operator."""

    operator: Curvature
    settings: LiSSA
    scale: float
    depth: int

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """Mean and standard error over the repeats; stops at the first sign of divergence."""
        block = check_rhs(self.operator, rhs)
        generator = torch.Generator().manual_seed(self.settings.seed + 1)
        runs, history, steps = [], [], 0
        status: Status = "converged"
        for repeat in range(self.settings.repeats):
            value, status, norms = self._run(block, generator, repeat, progress)
            runs.append(value)
            history += norms
            steps += len(norms)
            if status != "converged":
                break
        stacked = torch.stack(runs)
        spread = stacked.std(0) / len(runs) ** 0.5 if len(runs) > 1 else None
        return Solution(
            stacked.mean(0).view(rhs.shape),
            rhs,
            self.operator,
            status,
            steps,
            tuple(history),
            None if spread is None else spread.view(rhs.shape),
            self._words(),
        )

    def _run(
        self, rhs: Tensor, generator: torch.Generator, repeat: int, progress: Progress | None
    ) -> tuple[Tensor, Status, list[float]]:
        smallest = self.operator.smallest_known
        bound = GROWTH * float(rhs.norm()) * (self.scale / smallest if smallest > 0 else self.depth)
        value, norms = rhs.clone(), []
        total = torch.zeros_like(rhs)
        for step in range(self.depth):
            batch = self.operator.subset(self.settings._draw(self.operator, generator))
            value = rhs + value - batch.matvec(value) / self.scale
            if step >= self.depth - self._averaged:
                total += value
            norms.append(float(value.norm()) / self.scale)
            if not norms[-1] * self.scale <= bound:
                return value / self.scale, "diverged" if math.isfinite(bound) else "not finite", norms
            if step % 50 == 0:
                done = (repeat + step / self.depth) / self.settings.repeats
                report(progress, done, f"run {repeat + 1} of {self.settings.repeats}")
        return total / (self._averaged * self.scale), "converged", norms

    @property
    def _averaged(self) -> int:
        """Iterates that are averaged."""
        return max(1, round(self.settings.average * self.depth))

    @property
    def truncation(self) -> float:
        """The share of the weakest direction that is still missing, ``(1 - smallest / scale)^t`` over the mean's steps."""
        left = max(0.0, 1 - self.operator.smallest_known / self.scale)
        steps = np.arange(self.depth - self._averaged, self.depth) + 1
        return float(np.mean(left**steps))

    def _words(self) -> str:
        s = self.settings
        cut = f"weakest direction cut off by {self.truncation:.1%}"
        drawn = f"{s.repeats} repeats, batch {s.batch}, seed {s.seed}"
        drawn += f", last {s.average:.0%} averaged" if s.average else ""
        return f"scale {self.scale:.3g}, depth {self.depth} ({cut}), {drawn}"
