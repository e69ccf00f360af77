"""The truth for every training example: all leave-one-out models of a study, trained once, for every question after that."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.experiments.corrected import (
    leverages,
    linear_objective,
    supports,
    undamped,
)
from influence_core.experiments.edited_models import DTYPE, Making, ModelTable, Training, effects
from influence_core.experiments.without_itself import WithoutItself, of_moves, own_moves
from influence_core.influence import leverage_blocks
from influence_core.objective import everything_of
from influence_core.retraining.leave_one_out import leave_each_out
from influence_core.store.remember import remember
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

PROBE = 256
"""Models that are trained to estimate the time that all of them take."""
MULTIPLIED = 2.0
"""Leverages from the inverse take about so many times the solves that make it."""


class AllLeftOut(ModelTable):
    """The models without each training example."""


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
def run(study: Study, dtype: str = DTYPE, *, context: Context = ALONE) -> AllLeftOut:
    """Train the models without each training example, those that are not in the store yet.

    Args:
        study: A linear model with a smooth loss.
        dtype: Of the models: "float64" takes twice the room, and comes out the same to 1e-10 of the largest effect however
            the work is divided; the roundings of "float32" come to 1e-9.
        context: Its store keeps the table block by block, so that a cancelled run goes on where it was. Without a store,
            or in one that is too small, which a notice says, the table is held in memory.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    return AllLeftOut(**vars(replace(_MAKING, dtype=dtype).table(study, context)))


def recall(study: Study, *, context: Context) -> AllLeftOut | None:
    """The float32 table, which pages read, if the store has it whole; nothing is trained."""
    return None if len(_MAKING.rows(study, context).missing()) else run(study, context=context)


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
    o, missing = linear_objective(study), _MAKING.rows(study, context).missing()
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
    known = leverages.is_stored(study, context=context)
    solves = 0.0 if known else min(o.n * o.loss.outputs, MULTIPLIED * o.dim)
    return Estimate(each * len(missing) + a_solve * solves, size)


def without_itself(study: Study, table: AllLeftOut) -> WithoutItself:
    """The exact leave-one-out prediction of every training example."""
    o, changes = linear_objective(study), torch.as_tensor(table.changes)
    moves = [own_moves(o, rows, changes[rows]) for rows in o.chunks(o.n, o.dim)]
    return of_moves(o, study.theta, torch.cat(moves))


def _training(study: Study, context: Context, dtype: torch.dtype) -> Training:
    """What trains the models without the examples at some positions, once the curvature is prepared."""
    o, engine = linear_objective(study), undamped(study, context.part(0.0, 0.4))
    known = leverages(study, engine=engine, context=context.part(0.4, 1.0))
    blocks = torch.as_tensor(known.blocks).to(study.theta)
    all_examples, start = everything_of(o)
    return lambda at, progress: leave_each_out(
        all_examples, study.theta, engine.inverse, start + at, blocks[at], dtype, progress=progress
    )


_MAKING = Making(
    "all left out, by output",
    ("training example that is left out", "change of the parameter, by output"),
    0.25,
    _training,
)
