"""What each training example does to any quantity over any test examples: one right-hand side, by every number at hand."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import highest, lowest, strongest
from influence_core.context import ALONE, Context
from influence_core.engines import QUICK_LIMIT, SolverSettings, needs_preparation
from influence_core.errors import SolveError
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.corrected import UNDAMPED, held_pulls, linear_objective, supports, undamped
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.explanation import NUMBERS, Explanation, Number
from influence_core.experiments.targets import Target
from influence_core.objective import LinearObjective
from influence_core.solvers.base import Inverse
from influence_core.store.digest import digest
from influence_core.store.remember import remember
from influence_core.studies import Study

OUTPUTS = 2**22
"""Of left-out models that are held at a time."""
SOLVES = 32
"""At most so many right-hand sides does a corrected forecast take beside its slope's."""


@dataclass(frozen=True, eq=False)
class TargetEffects:
    """What taking out each training example does to a quantity; all changes in its own unit.

    Attributes:
        before: The quantity of the trained model.
        good: 1 where more of it is better, -1 where less is.
        s: ``(p,)`` inverse curvature times its gradient.
        influence: ``(n,)`` first order: ``w_i s . grad l_i``.
        corrected: ``(n,)`` the quantity after a Newton step without the example; by its slope where that is weak (``corrected``).
        proven: ``(n,)`` the quantity itself, of the models that were trained without each example.
        solver: How the curvature was inverted, in words.
        residual: Of that solve, relative.
        seconds: Time for the first-order numbers.
        from_store: Whether they were read rather than computed just now.
    """

    before: float
    good: int
    s: np.ndarray
    influence: np.ndarray
    solver: str
    residual: float
    seconds: float
    corrected: np.ndarray | None = None
    proven: np.ndarray | None = None
    from_store: bool = False

    @cached_property
    def content(self) -> str:
        """A digest of the question's slope, through the curvature: what groups and forecasts are made of."""
        return digest(self.s, self.before, self.good)

    @property
    def number(self) -> Number:
        """The best number at hand."""
        return next(one for one in NUMBERS if getattr(self, one) is not None)

    @property
    def shown(self) -> np.ndarray:
        """``(n,)`` the best number at hand: change of the quantity if the example is taken out."""
        best: np.ndarray = getattr(self, self.number)
        return best

    @property
    def having(self) -> np.ndarray:
        """``(n,)`` what having each example does to the quantity."""
        return -self.shown

    def helpful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the examples that do most for the better, strongest first."""
        return highest(self.good * self.having, k)

    def harmful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the examples that do most for the worse, strongest first."""
        return lowest(self.good * self.having, k)


@remember("any question")
def run(
    study: Study, target: Target, settings: SolverSettings = AUTOMATIC, *, context: Context = ALONE
) -> TargetEffects:
    """The first-order effect of every training example.

    Args:
        study: The trained model.
        target: What is asked about.
        settings: How to invert the curvature; where that takes long to prepare, conjugate gradient answers, as exactly.
        context: Its engines are used where they are ready.

    Raises:
        SolveError: If the answer is not finite.
    """
    waiting = needs_preparation(study, settings) and not context.engines.ready(study, settings)
    way = settings.quick if waiting else settings
    prepared = context.engines.prepare(study, way, context.part(0.0, 0.7).progress)
    started = time.perf_counter()
    engine = prepared.engine
    solve = engine.inverse.solve(target.gradient(study), context.part(0.7, 1.0).progress)
    influence = engine.removal(solve.value)
    if not bool(torch.isfinite(influence).all()):
        solve.require()
        raise SolveError("The scores are not finite: check the data and the damping.")
    return TargetEffects(
        before=target.value(study, study.theta),
        good=target.good,
        s=solve.value.cpu().numpy(),
        influence=influence.cpu().double().numpy(),
        solver=f"{prepared.solver.name}, {solve.settings}",
        residual=solve.residual,
        seconds=time.perf_counter() - started,
    )


def of_explanation(explanation: Explanation) -> TargetEffects:
    """The answer to one question as that about the probability of its label: ``dp = -p dl``, by the numbers at hand."""
    facts, p = explanation.provenance, explanation.probability
    corrected, proven = explanation.corrected, explanation.proven
    return TargetEffects(
        before=p,
        good=1,
        s=-p * explanation.s,
        influence=-p * explanation.scores,
        solver=f"{facts.solver}, {facts.settings}",
        residual=facts.residual,
        seconds=facts.seconds,
        corrected=None if corrected is None else corrected.probability,
        proven=None if proven is None else proven.probability,
    )


def improve(
    study: Study, target: Target, found: TargetEffects, table: AllLeftOut | None = None, *, context: Context
) -> TargetEffects:
    """The same with proven effects, or corrected forecasts, where they make nobody wait.

    Args:
        study: The trained model.
        target: What is asked about.
        found: By the first order.
        table: The study's left-out models, where they are at hand.
        context: Its engines have the factor, where it is prepared; a small one is prepared here.
    """
    if supports(study.spec):
        return found
    if table is not None and table.proven:
        return replace(found, proven=proven(study, target, table=table, context=context).change)
    if study.objective.dim > QUICK_LIMIT and not context.engines.ready(study, UNDAMPED):
        return found
    try:
        better = corrected(study, target, context=context).change
    except SolveError:  # without the damping that was asked for there is no inverse, and so nothing better
        return found
    return replace(found, corrected=better) if np.isfinite(better).all() else found


@dataclass(frozen=True, eq=False)
class Changes:
    """``change (n,)`` of the quantity, each training example taken out alone."""

    change: np.ndarray


@remember("any question, corrected")
def corrected(study: Study, target: Target, *, context: Context = ALONE) -> Changes:
    """The corrected forecast: the parameters by a Newton step without each example, the quantity itself at their outputs.

    For few test outputs ``J`` one solve each tells how all training examples move them. Where there are more than
    ``SOLVES``, the quantity's slope ranks the examples first, ``w_i (J_i s)' (I - w_i B_i K_i)^-1 r_i``; then the steps of
    the ``SOLVES`` strongest are solved for, and for the others the slope remains.

    Args:
        study: A linear model with a smooth loss.
        target: What is asked about.
        context: Its store keeps the leverages, its engines the factor.

    Raises:
        UnsupportedError: If the model is not linear.
        SolveError: If a solve failed.
    """
    o, pulls = linear_objective(study), held_pulls(study, context.part(0.0, 0.5))
    inverse = undamped(study, context.part(0.5, 0.9)).inverse
    before = target.outputs(study, study.theta)
    if before.numel() <= SOLVES:
        return Changes(_by_outputs(study, target, before, pulls, inverse))
    s = inverse.solve(target.gradient(study)).require()
    change = o.weighted_products(o.x, pulls, s).cpu().double().numpy()
    at = strongest(change, SOLVES)
    rows = torch.as_tensor(at, device=o.x.device)
    columns = (o.x[rows, :, None] * pulls[rows, None, :]).flatten(1).T
    change[at] = changes_at(study, target, inverse.solve(columns.contiguous()).require().T.contiguous())
    return Changes(change)


def _by_outputs(study: Study, target: Target, before: Tensor, pulls: Tensor, inverse: Inverse) -> np.ndarray:
    """How each training example moves each output of the target, and the quantity there, ``(n,)``."""
    o, x, (t, c) = linear_objective(study), study.inputs(target.x), before.shape
    jacobian = x.new_zeros(x.shape[1], c, t, c)
    jacobian.diagonal(dim1=1, dim2=3).copy_(x.T[:, :, None])
    solved = inverse.solve(jacobian.view(o.dim, t * c)).require()
    moves = o.weighted_products(o.x, pulls, solved).cpu().double().view(o.n, t, c)
    return _changes(target, o, before, moves)


@remember("any question, proven")
def proven(study: Study, target: Target, *, table: AllLeftOut, context: Context = ALONE) -> Changes:
    """The true changes: the quantity itself at the parameters without each example.

    Args:
        study: The trained model.
        target: What is asked about.
        table: Its left-out models.
        context: Its store keeps the result.
    """
    return Changes(changes_at(study, target, torch.as_tensor(table.changes)))


def changes_at(study: Study, target: Target, changes: Tensor) -> np.ndarray:
    """The change ``(m,)`` of a quantity at the parameters ``theta + changes (m, p)``, each on its own."""
    o, x = linear_objective(study), target.x.to(changes)
    before, found = target.outputs(study, study.theta), []
    for rows in changes.split(max(1, OUTPUTS // before.numel())):
        if o.loss.outputs == 1:
            moves = (rows @ x.T)[:, :, None]
        else:
            moves = torch.matmul(x, rows.view(len(rows), x.shape[1], -1))
        found.append(_changes(target, o, before, moves.cpu().double()))
    return np.concatenate(found)


def _changes(target: Target, o: LinearObjective, before: Tensor, moves: Tensor) -> np.ndarray:
    """Of the quantity ``(m,)`` where the outputs ``before (t, c)`` have moved by ``moves (m, t, c)``."""
    return (target.values(o.loss, before + moves) - target.values(o.loss, before[None])).numpy()
