"""The truth for every training example: all leave-one-out models of a study, trained once, for every question after that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.experiments.corrected import (
    leverages,
    linear_objective,
    supports,
    undamped,
)
from influence_core.experiments.effects import Effects, effects_by
from influence_core.experiments.questions import Question
from influence_core.experiments.without_itself import WithoutItself, of_moves, own_moves
from influence_core.influence import leverage_blocks
from influence_core.progress import Progress
from influence_core.retraining.leave_one_out import leave_each_out
from influence_core.retraining.side_by_side import GRADIENT_TOL, EditedModels
from influence_core.store.mapped import MappedRows
from influence_core.store.remember import key_of, remember
from influence_core.studies import Study

__all__ = [
    "AllLeftOut",
    "Estimate",
    "Limit",
    "WithoutItself",
    "effects",
    "estimate",
    "run",
    "supports",
    "within",
    "without_itself",
]

DTYPE = "float32"
"""Of the table; what is proven is each model as it is kept."""
AXES = ("training example that is left out", "change of the parameter")
PROBE = 256
"""Models that are trained to estimate the time that all of them take."""
Training = Callable[[Tensor, Progress], Iterator[EditedModels]]
"""Trains the models of the examples at positions ``(m,)``, and tells how far it is."""
MULTIPLIED = 2.0
"""Leverages from the inverse take about so many times the solves that make it."""


@dataclass(frozen=True, eq=False)
class AllLeftOut:
    """The models without each training example, in the order of the training set.

    Attributes:
        ids: ``(n,)`` of the examples that are left out.
        changes: ``(n, p)`` ``theta_without_i - theta``, float32; a memory map where the store keeps it.
        gradient_norms: ``(n,)`` of each left-out risk at its own parameters: the proof.
        targets: ``(n,)`` the gradient norms that were asked for.
        seconds: Time for training.
        kept: Whether the store keeps the table.
    """

    ids: np.ndarray
    changes: np.ndarray
    gradient_norms: np.ndarray
    targets: np.ndarray
    seconds: float
    kept: bool

    @property
    def proven(self) -> bool:
        """Whether every model's gradient is as small as was asked for."""
        return bool((self.gradient_norms <= self.targets).all())


@dataclass(frozen=True)
class Estimate:
    """What the table would take.

    Attributes:
        seconds: For the models that are still missing, on this machine as it is loaded now; the factor aside.
        bytes: Of the whole table on the disk.
    """

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Limit:
    """What a table may take if it is made without having been asked for.

    Attributes:
        seconds: Of time; 0 and nothing is made.
        bytes: On the disk.
    """

    seconds: float = 120.0
    bytes: float = 2.0**30

    def allows(self, estimate: Estimate) -> bool:
        """Whether the table may be made."""
        return estimate.seconds <= self.seconds and estimate.bytes <= self.bytes


@remember("all left out", stored=False)
def run(study: Study, *, context: Context = ALONE) -> AllLeftOut:
    """Train the models without each training example, those that are not in the store yet.

    Args:
        study: A linear model with a smooth loss.
        context: Its store keeps the table block by block, so that a cancelled run goes on where it was. Without a store,
            or in one that is too small, which a notice says, the table is held in memory.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    rows = rows_of(study, "all left out, rows", AXES, context)
    while len(rows.missing()):  # once, unless the store has forgotten the table meanwhile
        fill(rows, _training(study, context.part(0.0, 0.25)), context.part(0.25, 1.0))
    return AllLeftOut(
        ids=study.data.train.ids.numpy(),
        changes=rows.matrix,
        gradient_norms=rows.column("gradient_norm"),
        targets=rows.column("target"),
        seconds=float(rows.column("seconds").sum()),
        kept=rows.kept,
    )


def recall(study: Study, *, context: Context) -> AllLeftOut | None:
    """The table if the store has it whole; nothing is trained."""
    rows = rows_of(study, "all left out, rows", AXES, context)
    return None if len(rows.missing()) else run(study, context=context)


@remember("all left out within a limit", stored=False)
def within(study: Study, limit: Limit, *, context: Context = ALONE) -> AllLeftOut | Estimate:
    """The table if it is there, or may be made; else what it would take.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    found = recall(study, context=context)
    if found is not None:
        return found
    expected = estimate(study, context=context.part(0.0, 0.001).named("estimating the time"))
    return run(study, context=context.part(0.001, 1.0)) if limit.allows(expected) else expected


def estimate(study: Study, *, context: Context = ALONE) -> Estimate:
    """How long the table would take, from a few of its models trained now, and how large it would be.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o, missing = linear_objective(study), rows_of(study, "all left out, rows", AXES, context).missing()
    size = o.n * o.dim * np.dtype(DTYPE).itemsize
    if not len(missing):
        return Estimate(0.0, size)
    inverse = undamped(study, context.part(0.0, 0.7)).inverse
    probe = torch.as_tensor(missing[:: max(1, len(missing) // PROBE)][:PROBE])
    started = time.perf_counter()
    blocks = leverage_blocks(o, inverse, probe)
    solved = time.perf_counter()
    for _ in leave_each_out(o, study.theta, inverse, probe, blocks, progress=context.part(0.7, 1.0).progress):
        pass
    each, a_solve = (time.perf_counter() - solved) / len(probe), (solved - started) / blocks[:, 0].numel()
    known = leverages.recall(study, context=context) is not None
    solves = 0.0 if known else min(o.n * o.loss.outputs, MULTIPLIED * o.dim)
    return Estimate(each * len(missing) + a_solve * solves, size)


def effects(study: Study, table: AllLeftOut, question: Question) -> Effects:
    """What leaving out each training example truly does to an answer: one product with the table.

    Args:
        study: The trained model.
        table: Its left-out models.
        question: What is asked.
    """
    return effects_by(study, question, table.changes)


def without_itself(study: Study, table: AllLeftOut) -> WithoutItself:
    """The exact leave-one-out prediction of every training example."""
    o, changes = linear_objective(study), torch.as_tensor(table.changes)
    moves = [own_moves(o, rows, changes[rows]) for rows in o.chunks(o.n, o.dim)]
    return of_moves(o, study.theta, torch.cat(moves))


def _training(study: Study, context: Context) -> Training:
    """What trains the models without the examples at some positions, once the curvature is prepared."""
    o, dtype = linear_objective(study), getattr(torch, DTYPE)
    engine = undamped(study, context.part(0.0, 0.4))
    known = leverages(study, engine=engine, context=context.part(0.4, 1.0))
    blocks = torch.as_tensor(known.blocks).to(study.theta)
    return lambda at, progress: leave_each_out(
        o, study.theta, engine.inverse, at, blocks[at], dtype, progress=progress
    )


def rows_of(study: Study, name: str, axes: tuple[str, str], context: Context) -> MappedRows:
    """Where the store keeps the models of a table, by the name of what was trained."""
    o = linear_objective(study)
    return MappedRows(context.store, key_of(name, study, GRADIENT_TOL, DTYPE), (o.n, o.dim), DTYPE, axes)


def fill(rows: MappedRows, models: Training, context: Context) -> None:
    """Train the models that are missing, and keep each block of them as it comes.

    Args:
        rows: Where they are kept.
        models: Trains those at positions without a gap.
        context: Who is told how many are done.
    """
    n, missing = rows.shape[0], rows.missing()

    def progress(_: float, __: str) -> None:
        done = n - len(rows.missing())
        context.report(done / n, f"{done:,} done")

    for at in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
        started = time.perf_counter()
        for one in models(torch.as_tensor(at), progress):
            numbers = {
                "gradient_norm": one.gradient_norms.cpu().double().numpy(),
                "target": one.targets.cpu().double().numpy(),
                "seconds": np.full(len(one.targets), (time.perf_counter() - started) / len(one.targets)),
            }
            rows.add(int(one.positions[0]), one.changes.cpu().numpy(), numbers)
            started = time.perf_counter()
