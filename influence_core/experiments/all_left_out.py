"""The truth for every training example: all leave-one-out models of a study, trained once, for every question after that."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.experiments.corrected import (
    Effects,
    effects_of,
    leverages,
    linear_objective,
    supports,
    undamped,
)
from influence_core.experiments.questions import Question
from influence_core.experiments.without_itself import WithoutItself, of_moves, own_moves
from influence_core.influence import leverage_blocks
from influence_core.retraining.leave_one_out import GRADIENT_TOL, leave_each_out
from influence_core.solvers.base import Inverse
from influence_core.store.mapped import MappedRows
from influence_core.store.remember import key_of, remember
from influence_core.studies import Study

__all__ = [
    "AllLeftOut",
    "Estimate",
    "WithoutItself",
    "effects",
    "estimate",
    "run",
    "supports",
    "without_itself",
]

DTYPE = "float32"
"""Of the table; what is proven is each model as it is kept."""
AXES = ("training example that is left out", "change of the parameter")
PROBE = 256
"""Models that are trained to estimate the time that all of them take."""
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
    rows = _rows(study, context)
    while len(rows.missing()):  # once, unless the store has forgotten the table meanwhile
        engine = undamped(study, context.part(0.0, 0.1))
        known = leverages(study, engine=engine, context=context.part(0.1, 0.25))
        blocks = torch.as_tensor(known.blocks).to(study.theta)
        for at in _runs(rows.missing()):
            _train(study, rows, at, blocks[at], engine.inverse, context.part(0.25, 1.0))
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
    return None if len(_rows(study, context).missing()) else run(study, context=context)


def estimate(study: Study, *, context: Context = ALONE) -> Estimate:
    """How long the table would take, from a few of its models trained now, and how large it would be.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o, missing = linear_objective(study), _rows(study, context).missing()
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
    n, c = len(table.ids), linear_objective(study).loss.outputs
    changes = torch.as_tensor(table.changes).view(n, -1, c)
    x = question.x.to(changes)
    moves = changes[:, :, 0] @ x[:, None] if c == 1 else torch.bmm(x.expand(n, 1, -1), changes)[:, 0]
    return effects_of(study, question, moves)


def without_itself(study: Study, table: AllLeftOut) -> WithoutItself:
    """The exact leave-one-out prediction of every training example."""
    o, changes = linear_objective(study), torch.as_tensor(table.changes)
    moves = [own_moves(o, rows, changes[rows]) for rows in o.chunks(o.n, o.dim)]
    return of_moves(o, study.theta, torch.cat(moves))


def _rows(study: Study, context: Context) -> MappedRows:
    o = linear_objective(study)
    key = key_of("all left out, rows", study, GRADIENT_TOL, DTYPE)
    return MappedRows(context.store, key, (o.n, o.dim), DTYPE, AXES)


def _runs(missing: np.ndarray) -> list[np.ndarray]:
    """Positions ``(k,)`` in runs without a gap."""
    return np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)


def _train(
    study: Study, rows: MappedRows, at: np.ndarray, blocks: Tensor, inverse: Inverse, context: Context
) -> None:
    """Train the models without the examples ``at (k,)``, without a gap, and keep each block of them as it comes."""
    o, n = linear_objective(study), rows.shape[0]

    def progress(_: float, __: str) -> None:
        done = n - len(rows.missing())
        context.report(done / n, f"{done:,} of {n:,} retrainings proven")

    started = time.perf_counter()
    models = leave_each_out(
        o, study.theta, inverse, torch.as_tensor(at), blocks, getattr(torch, DTYPE), progress=progress
    )
    for one in models:
        numbers = {
            "gradient_norm": one.gradient_norms.cpu().double().numpy(),
            "target": one.targets.cpu().double().numpy(),
            "seconds": np.full(len(one.targets), (time.perf_counter() - started) / len(one.targets)),
        }
        rows.add(int(one.positions[0]), one.changes.cpu().numpy(), numbers)
        started = time.perf_counter()
