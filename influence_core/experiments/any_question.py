"""What each training example does to any quantity over any test examples: one right-hand side, by every number at hand."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import highest, lowest, strongest
from influence_core.context import ALONE, Context
from influence_core.engines import QUICK_LIMIT, SolverSettings, needs_preparation
from influence_core.errors import SolveError
from influence_core.experiments import hardest
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.corrected import UNDAMPED, linear_objective, pulls, supports, undamped
from influence_core.experiments.effects import by_output
from influence_core.experiments.explain import AUTOMATIC, provenance
from influence_core.experiments.explanation import COLUMN_WORDS, NUMBERS, Explanation, Number
from influence_core.experiments.targets import Target
from influence_core.objective import LinearObjective
from influence_core.solvers.base import Inverse
from influence_core.store.digest import digest
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.trust import Provenance
from influence_core.words import UNIT

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
        provenance: How the first-order numbers came about; what is in nats there is in the quantity's unit.
        doubt: How far the corrected forecast is off for the examples that are hardest to forecast, as a share of the largest
            change; ``None`` where that has not been measured.
        from_store: Whether they were read rather than computed just now.
    """

    before: float
    good: int
    s: np.ndarray
    influence: np.ndarray
    provenance: Provenance
    corrected: np.ndarray | None = None
    proven: np.ndarray | None = None
    doubt: float | None = None
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
        provenance=provenance(study, prepared, solve, influence, time.perf_counter() - started),
    )


def of_explanation(explanation: Explanation, unit: str = "") -> TargetEffects:
    """The answer to one question as that about the probability of its label, ``dp = -p dl``, by the numbers at hand.

    Args:
        explanation: The answer.
        unit: "nats" for the logarithm of the probability, minus the loss.
    """
    in_nats = unit == UNIT
    slope = 1.0 if in_nats else explanation.probability
    corrected, proven = (
        None if one is None else -one.loss if in_nats else one.probability
        for one in (explanation.corrected, explanation.proven)
    )
    return TargetEffects(
        before=-explanation.own_loss if in_nats else explanation.probability,
        good=1,
        s=-slope * explanation.s,
        influence=-slope * explanation.scores,
        provenance=explanation.provenance,
        corrected=corrected,
        proven=proven,
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
    if not np.isfinite(better).all():
        return found
    return replace(found, corrected=better, doubt=_doubt(study, target, better, context))


def _doubt(study: Study, target: Target, forecast: np.ndarray, context: Context) -> float | None:
    """How far the forecast is off where it is hardest, as far as that was retrained; NaN where a training did not end."""
    known = hardest.recall(study, context=context)
    if known is None:
        return None
    if not known.proven:
        return float("nan")
    truth = changes_at(study, target, torch.as_tensor(known.changes))
    return hardest.largest_miss(forecast, truth, known.positions)


def table(study: Study, target: Target, found: TargetEffects) -> dict[str, Any]:
    """The ranking as columns, by the best number at hand: what having each example does, in the unit of its name.

    Args:
        study: Whose training examples these are.
        target: What was asked about.
        found: The answer.
    """
    order, train = strongest(found.shown, len(found.shown)), study.data.train
    columns = {
        "rank": np.arange(1, len(order) + 1),
        "training_id": train.ids.numpy()[order],
        "label": np.array(study.data.class_names)[train.y.numpy()[order]],
    }
    for name in NUMBERS:
        if (values := getattr(found, name)) is not None:
            columns[f"{COLUMN_WORDS[name]}_effect_of_having_it_{target.unit}"] = target.scaled(-values[order])
    return columns


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
    o, pulled = linear_objective(study), pulls(study, context=context.part(0.0, 0.5)).values
    inverse = undamped(study, context.part(0.5, 0.9)).inverse
    before = target.outputs(study, study.theta)
    if before.numel() <= SOLVES:
        return Changes(_by_outputs(study, target, before, pulled, inverse))
    s = inverse.solve(target.gradient(study)).require()
    change = o.weighted_products(o.x, pulled, s).cpu().double().numpy()
    at = strongest(change, SOLVES)
    rows = torch.as_tensor(at, device=o.x.device)
    columns = (o.x[rows, :, None] * pulled[rows, None, :]).flatten(1).T
    steps = inverse.solve(columns.contiguous()).require().T.contiguous()
    change[at] = changes_at(study, target, by_output(steps, o.loss.outputs))
    return Changes(change)


def _by_outputs(study: Study, target: Target, before: Tensor, pulls: Tensor, inverse: Inverse) -> np.ndarray:
    """How each training example moves each output of the target, and the quantity there, ``(n,)``."""
    o, x, (t, c) = linear_objective(study), study.inputs(target.x), before.shape
    solved = inverse.solve(o.output_jacobian(x)).require()
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
    """The change ``(m,)`` of a quantity at the parameters ``theta + changes (m, c, d)``, by output, each on its own."""
    o, x = linear_objective(study), target.x.to(changes)
    before, found = target.outputs(study, study.theta), []
    for rows in changes.split(max(1, OUTPUTS // before.numel())):
        moves = (rows.flatten(0, 1) @ x.T).view(len(rows), -1, len(x)).transpose(1, 2)
        found.append(_changes(target, o, before, moves.cpu().double()))
    return np.concatenate(found)


def _changes(target: Target, o: LinearObjective, before: Tensor, moves: Tensor) -> np.ndarray:
    """Of the quantity ``(m,)`` where the outputs ``before (t, c)`` have moved by ``moves (m, t, c)``."""
    return (target.values(o.loss, before + moves) - target.values(o.loss, before[None])).numpy()
