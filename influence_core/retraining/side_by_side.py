"""Models that differ from a trained one in one example each, trained side by side until each one's own gradient proves it.

They start with a Newton step, and advance with the one factored curvature of the whole study, corrected by what each
model's own steps have taught (L-BFGS): after two gradients most of them have arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from influence_core.influence import left_out_pulls
from influence_core.objective import LinearObjective
from influence_core.progress import Progress, named, part, report
from influence_core.retraining.edits import Edit
from influence_core.solvers.base import Inverse, Solution
from influence_core.training import minimise
from influence_core.training.descent import Memory

GRADIENT_TOL = 1e-4
"""A model is proven at this share of the gradient that changing its example brings in ..."""
ROUNDING = 4
"""... or where the gradient is below so many roundings of the sum that it is."""
ROUNDS = 40
"""Steps that models may take side by side before those left over are finished one by one."""
LESSONS = 4
"""Earlier steps that are remembered for a whole block; as its models arrive, more for those that are left."""
COLUMNS = 20
"""Numbers a parameter that a model needs while it is trained."""


@dataclass(frozen=True, eq=False)
class EditedModels:
    """Models in each of which one example is missing, or bears another label.

    Attributes:
        positions: ``(m,)`` the training position of the example.
        changes: ``(m, p)`` ``theta_edited_i - theta``, in the type that was asked for.
        gradient_norms: ``(m,)`` of each edited risk at exactly ``theta + change``, recomputed in the model's type.
        targets: ``(m,)`` what was asked of them.
    """

    positions: Tensor
    changes: Tensor
    gradient_norms: Tensor
    targets: Tensor

    @property
    def proven(self) -> Tensor:
        """``(m,)`` whether each model's gradient is as small as was asked for."""
        return self.gradient_norms <= self.targets


@dataclass(frozen=True, eq=False)
class Trainer:
    """What all blocks share: the trained model and its curvature; models are columns ``(p, m)`` here.

    Attributes:
        objective: What was minimised; its loss is smooth.
        theta: ``(p,)`` its optimum.
        inverse: An exact inverse of the undamped curvature at ``theta``.
        dtype: Of the changes.
        labels: ``(n,)`` the label that each example bears in its own model; ``None`` where it is left out of that.
    """

    objective: LinearObjective
    theta: Tensor
    inverse: Inverse
    dtype: torch.dtype
    labels: Tensor | None = None

    @cached_property
    def outputs(self) -> Tensor:
        """``(n, c)`` of the trained model."""
        return self.objective.outputs(self.theta, self.objective.x)

    @cached_property
    def residuals(self) -> Tensor:
        """``w_i dl_i/df``, ``(n, c)``, of the trained model."""
        o = self.objective
        return o.weights[:, None] * o.loss.residuals(self.outputs, o.y)

    def own(self, f: Tensor, at: Tensor) -> Tensor:
        """``w_i dl_i/df (m, c)`` of the examples ``at (m,)`` in their own models, whose outputs for them are ``f (m, c)``."""
        if self.labels is None:
            return torch.zeros_like(f)
        return self.objective.weights[at, None] * self.objective.loss.residuals(f, self.labels[at])

    def lost(self, at: Tensor) -> Tensor:
        """``w_i dl_i/df (m, c)`` at ``theta`` that is gone in their own models: what makes these models others."""
        return self.residuals[at] - self.own(self.outputs[at], at)

    def edit(self, at: Tensor) -> Edit:
        """What makes the own model of the example ``at (1,)``."""
        return (
            Edit.removal(at.cpu()) if self.labels is None else Edit.relabel(at.cpu(), self.labels[at].cpu())
        )

    @cached_property
    def gradient(self) -> Tensor:
        """``grad R (p,)``: what training has left."""
        return self.objective.risk_gradient(self.theta)

    @cached_property
    def unfinished(self) -> Tensor:
        """``A^-1 grad R (p,)``: the step that training has left."""
        return self.inverse.solve(self.gradient).value

    @cached_property
    def floor(self) -> float:
        """The gradient norm below which nothing but rounding is left."""
        o = self.objective
        # a softmax residual is a difference from 1, rounded as 1 is; those of the margin losses keep their digits
        sizes = self.residuals.norm(dim=1) if o.loss.outputs == 1 else o.weights
        return ROUNDING * torch.finfo(self.theta.dtype).eps * float(sizes @ o.x.norm(dim=1))

    def blocks(
        self, at: Tensor, leverages: Tensor | None, memory_bytes: int, words: str, progress: Progress | None
    ) -> Iterator[EditedModels]:
        """The own models of the examples ``at (m,)``, as many at a time as the memory holds."""
        size = max(1, memory_bytes // (COLUMNS * self.objective.dim * self.theta.element_size()))
        for start in range(0, len(at), size):
            stop = min(len(at), start + size)
            share = part(progress, start / len(at), stop / len(at))
            known = None if leverages is None else leverages[start:stop]
            yield self.train(at[start:stop], known, share, f"{start:,} of {len(at):,} {words}")
        report(progress, 1.0, f"{len(at):,} of {len(at):,} {words}")

    def train(
        self, at: Tensor, leverages: Tensor | None, progress: Progress | None, words: str
    ) -> EditedModels:
        """The own models of the examples ``at (m,)``."""
        x = self.objective.x[at]
        targets = (GRADIENT_TOL * x.norm(dim=1) * self.lost(at).norm(dim=1)).clamp_min(self.floor)
        block = _Block(self, at, leverages, targets)
        for taken in range(ROUNDS):
            if not len(block.moving):
                break
            report(progress, 0.9 * (1 - 0.5**taken), words)  # nobody knows how many there will be
            block.step()
        left = (~(block.norms <= targets)).nonzero()[:, 0].tolist()
        for done, column in enumerate(left):
            share = part(progress, 0.9 + 0.1 * done / len(left), 0.9 + 0.1 * (done + 1) / len(left))
            block.finish(column, named(share, words))
        return EditedModels(at, block.changes.T.to(self.dtype).contiguous(), block.norms, targets)

    def rounded(self, changes: Tensor) -> Tensor:
        """As they will be given."""
        return changes.to(self.dtype).to(self.theta.dtype)

    def gradients(self, changes: Tensor, at: Tensor) -> Tensor:
        """Every model's own risk gradient at ``theta + changes (p, m)``: two products with the features for all of them."""
        o = self.objective
        d, c, m = o.x.shape[1], o.loss.outputs, len(at)
        columns = changes.view(d, c, m).transpose(1, 2).reshape(d, m * c)
        total = torch.zeros_like(columns)
        for rows in o.chunks(o.n, 3 * c * m):
            f = torch.addmm(self.outputs[rows].repeat(1, m), o.x[rows], columns).view(-1, c)
            new = o.loss.residuals(f, o.y[rows].repeat_interleave(m)).view(-1, m, c)
            new.mul_(o.weights[rows, None, None])
            mine = ((at >= rows.start) & (at < rows.stop)).nonzero()[:, 0]
            here = at[mine] - rows.start
            new[here, mine] = self.own(f.view(-1, m, c)[here, mine], at[mine])
            total.addmm_(o.x[rows].T, new.sub_(self.residuals[rows, None]).view(-1, m * c))
        data = total.view(d, m, c).transpose(1, 2).reshape(o.dim, m)
        penalty = o.l2 if o.l2.ndim == 0 else o.l2[:, None]
        return data.add_(penalty * changes).add_(self.gradient[:, None])


class _Own(Inverse):
    """The inverse curvature of each model's own risk at ``theta``.

    With one output ``A^-1`` is corrected for the curvature that is gone (Sherman and Morrison); with more of them a
    correction would take another solve, and the first step teaches nearly as much.

    Attributes:
        moving: ``(k,)`` the columns of the block that are solved for.
    """

    def __init__(self, trainer: Trainer, at: Tensor, leverages: Tensor | None) -> None:
        o = trainer.objective
        self.inverse, self.x, self.moving = trainer.inverse, o.x[at], torch.arange(len(at), device=at.device)
        self.directions: Tensor | None = None
        if leverages is None:  # for every label softmax and logistic regression have the same curvature
            self.pulls = trainer.lost(at)
            return
        self.pulls = left_out_pulls(o, trainer.theta, leverages, at)
        if o.loss.outputs == 1:
            self.directions = self.inverse.solve(self.x.T.contiguous()).require()
            bend = o.loss.curvature(trainer.outputs[at], o.y[at])(torch.ones_like(leverages))[:, 0, 0]
            bend = bend * o.weights[at]
            self.gains = bend / (1 - bend * leverages[:, 0, 0])

    def newton(self) -> Tensor:
        """The Newton steps to the own models, ``(p, m)``."""
        if self.directions is not None:
            return self.directions * self.pulls[:, 0]
        brought = (self.x[:, :, None] * self.pulls[:, None, :]).flatten(1)
        return self.inverse.solve(brought.T.contiguous()).require()

    def solve(self, rhs: Tensor, progress: Progress | None = None) -> Solution:
        """For ``rhs (p, k)``, a column a moving model."""
        found = self.inverse.solve(rhs)
        if self.directions is not None:
            along = (self.x[self.moving].T * found.value).sum(0) * self.gains[self.moving]
            found.value.addcmul_(self.directions[:, self.moving], along)
        return found


class _Block:
    """Models that advance side by side; the best parameters of each are kept.

    A step that does not make its model's gradient smaller is taken back, but what it taught of the curvature is kept,
    and the model's next step is half as long.
    """

    def __init__(self, trainer: Trainer, at: Tensor, leverages: Tensor | None, targets: Tensor) -> None:
        self.trainer, self.at, self.targets = trainer, at, targets
        self.curvature = _Own(trainer, at, leverages)
        self.memory = Memory(self.curvature)
        self.changes = trainer.rounded(self.curvature.newton() - trainer.unfinished[:, None])
        self.gradients = trainer.gradients(self.changes, at)
        self.norms = self.gradients.norm(dim=0)
        self.lengths = torch.ones_like(self.norms)
        self.memory_columns = LESSONS * len(at)
        self._start_again()
        self.moving = (~(self.norms <= targets)).nonzero()[:, 0]

    def _start_again(self) -> None:
        """Models whose Newton step leads astray start from the trained model."""
        lost = self.trainer.lost(self.at)
        x = self.trainer.objective.x[self.at]
        at_theta = self.trainer.gradient[:, None] - (x[:, :, None] * lost[:, None, :]).flatten(1).T
        astray = ~(self.norms <= at_theta.norm(dim=0))
        self.changes[:, astray] = 0
        self.gradients[:, astray] = at_theta[:, astray]
        self.norms[astray] = at_theta[:, astray].norm(dim=0)

    def step(self) -> None:
        """One step of every model that has not arrived."""
        moving = self.curvature.moving = self.moving
        here, gradients = self.changes[:, moving], self.gradients[:, moving]
        there = self.trainer.rounded(here - self.memory.product(gradients) * self.lengths[moving])
        new = self.trainer.gradients(there, self.at[moving])
        norms = new.norm(dim=0)
        self._learn(there - here, new - gradients)
        better, sane = norms < self.norms[moving], torch.isfinite(norms)
        self.lengths[moving] *= torch.where(better, 2.0, 0.5)
        self.lengths.clamp_(max=1.0)
        gained = moving[better]
        self.changes[:, gained], self.gradients[:, gained] = there[:, better], new[:, better]
        self.norms[gained] = norms[better]
        going = sane & (self.norms[moving] > self.targets[moving])
        self.memory.keep(going)
        self.moving = moving[going]

    def _learn(self, moved: Tensor, turned: Tensor) -> None:
        """Remember a step; the fewer models are left, the more of them."""
        self.memory.add(moved, turned)
        kept = max(1, self.memory_columns // moved.shape[1])
        self.memory.pairs = self.memory.pairs[-kept:]

    def finish(self, column: int, progress: Progress | None) -> None:
        """A hard model alone, with Newton steps on its own risk and a line search."""
        trainer, at = self.trainer, self.at[column : column + 1]
        risk = trainer.edit(at).apply(trainer.objective)
        start, target = trainer.theta + self.changes[:, column], float(self.targets[column]) / 2
        found = minimise(risk, start, target, progress=progress)
        change = trainer.rounded(found.theta - trainer.theta)[:, None]
        gradient = trainer.gradients(change, at)
        norm = gradient.norm(dim=0)
        if not norm >= self.norms[column]:
            self.changes[:, column], self.norms[column] = change[:, 0], norm[0]
