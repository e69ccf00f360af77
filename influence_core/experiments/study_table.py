"""The whole table of a study as the store keeps it, and what is read off it once for every page that asks.

A table is read block by block, never whole. What stays is a few numbers of each example: which training examples come out on
top, how far one of them moves an answer, and how much of an answer hangs on few.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.errors import DataError
from influence_core.experiments import whole_table
from influence_core.experiments.corrected import leverages, linear_objective, supports
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.explanation import NUMBERS, Number
from influence_core.experiments.foils import TOP, Often, on_top, relative, self_influence
from influence_core.experiments.whole_table import Estimate, Form, WholeTable
from influence_core.store.remember import key_of, remember
from influence_core.store.store import LIMIT_VARIABLE, TABLE, Store, reason
from influence_core.studies import Study
from influence_core.words import storage

__all__ = ["NUMBERS", "TOP", "Overview", "expected", "folder", "is_made", "run", "supports"]

PROBE = 1024
"""Side of the matrices whose product tells how fast this machine is."""
EFFICIENCY = 0.5
"""What solving and streaming come to, of that speed."""


@dataclass(frozen=True, eq=False)
class Overview:
    """What a table of ``t`` test answers and ``n`` training examples comes to.

    Attributes:
        number: By which number; the questions are about the model's own answers.
        moved: ``(t,)`` the largest change of the answer's probability that leaving out one training example makes.
        held: ``(t,)`` share of the ``TOP`` strongest in the sum of the sizes of all effects on the loss.
        moves: ``(n,)`` the largest change of the probability of any answer that leaving out each training example makes.
        often: How often each training example is among the first ``TOP``, over all test examples; by the influence and
            relative to self-influence, where the number is the influence, else by nothing.
    """

    number: Number
    moved: np.ndarray
    held: np.ndarray
    moves: np.ndarray
    often: Often

    def most_moved(self) -> np.ndarray:
        """Positions ``(t,)`` of the test examples, the one that a single training example moves farthest first."""
        return np.argsort(-self.moved, kind="stable")

    def hanging_on_fewest(self) -> np.ndarray:
        """Positions ``(t,)`` of the test examples, the one whose effects lie with the fewest training examples first."""
        return np.argsort(-self.held, kind="stable")


@remember("overview of the whole table")
def run(study: Study, number: Number = "influence", *, context: Context = ALONE) -> Overview:
    """Read the table; what is missing of it is made first, and stays in the store.

    Args:
        study: A linear model with a smooth loss.
        number: By which number.
        context: Its store keeps the table and what is read off it; a stopped run goes on from the last part.

    Raises:
        UnsupportedError: If the model is not linear.
        DataError: If the store has no room for the table, or the disk refuses.
        SolveError: If a solve failed.
    """
    linear_objective(study)
    _check_room(study, context.store)
    with _refusals_told():
        own = self_influence(study, context.part(0.0, 0.3)) if number == "influence" else None
        where, form = folder(study, number, context.store), Form(number, top=0)
        _remove_damaged(study, number, context.store)
        table = whole_table.run(study, where, form, context=context.part(0.3, 0.95))
        return _read(study, table, own, context.part(0.95, 1.0))


def is_made(study: Study, number: Number = "influence", *, context: Context) -> bool:
    """Whether ``run`` has nothing left to make; nothing of the table is read."""
    if run.is_stored(study, number, context=context):
        return True
    return _left(study, number, context.store) == 0


def folder(study: Study, number: Number, store: Store) -> Path:
    """Where a store keeps the table of all numbers about the model's own answers."""
    return store.path(key_of("whole table", study, Form(number, top=0)), TABLE)


def expected(study: Study, number: Number = "influence", *, context: Context) -> Estimate:
    """What ``run`` would take, by arithmetic and the speed of this machine as it is loaded now; nothing is made.

    Args:
        study: A linear model with a smooth loss.
        number: "influence" or "corrected"; a table of proven effects takes its retrainings beside this.
        context: What its store and engines have need not be made.
    """
    o, t = linear_objective(study), len(study.data.test)
    span, n, p, size = o.span(), o.n, o.dim, study.theta.element_size()
    q = p if span is None else span.dim
    memory = 3 * whole_table.block_of(study) * n * size
    solves = t * (o.loss.outputs if number == "corrected" else 1) * _left(study, number, context.store)
    work = solves * (2.0 * n * p + 2.0 * q**2)
    if not leverages.is_stored(study, context=context):
        work += 2.0 * q**2 * min(n * o.loss.outputs, 2 * p)
    if context.engines.ready(study, AUTOMATIC) is None:
        work, memory = work + n * q**2 + q**3 / 3, memory + q**2 * size
    return Estimate(work / (EFFICIENCY * _speed()), memory, t * n * size)


@functools.cache
def _speed() -> float:
    """Multiplications and additions a second in a product of matrices, told once a process."""
    one = torch.ones(PROBE, PROBE, dtype=torch.float64)
    _ = one[:64] @ one  # the first one wakes the threads
    started = time.perf_counter()
    _ = one @ one
    return 2.0 * PROBE**3 / (time.perf_counter() - started)


def _left(study: Study, number: Number, store: Store) -> float:
    """Share of the table that is still to be made."""
    with suppress(DataError, OSError):  # damaged, or a store without a folder: all of it
        parts = _placed(study, number, store).parts
        return 1 - parts.told / parts.count
    return 1.0


def _placed(study: Study, number: Number, store: Store) -> WholeTable:
    return whole_table.place(study, folder(study, number, store), Form(number, top=0))


def _check_room(study: Study, store: Store) -> None:
    size = len(study.data.test) * study.objective.n * study.theta.element_size()
    if size > store.limit_bytes:
        raise DataError(
            f"The whole table takes {storage(size)}, and the store keeps at most {storage(store.limit_bytes)}. "
            f"Raise {LIMIT_VARIABLE}."
        )


def _remove_damaged(study: Study, number: Number, store: Store) -> None:
    """A table whose description is damaged is made again, as any stored result is."""
    try:
        _placed(study, number, store)
    except DataError:
        store.notify("A stored table was damaged; it was removed and is computed again.")
        store.remove(folder(study, number, store))


@contextmanager
def _refusals_told() -> Iterator[None]:
    """What the disk refuses, in words."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"The whole table could not be kept ({reason(error)}). What is there of it stays; try again."
        ) from error


def _read(study: Study, table: WholeTable, own: torch.Tensor | None, context: Context) -> Overview:
    """One pass over the table, a block of test examples after the other."""
    t, n = len(table.test_ids), len(table.train_ids)
    moved, held, moves = np.zeros(t), np.zeros(t), np.zeros(n)
    names = () if own is None else ("influence", "relative")
    counts, sure = np.zeros((len(names), n), int), study.predictions.confidence.astype(float)
    for at, values in table.blocks():
        effects = torch.from_numpy(values)
        sizes = effects.abs()
        first = sizes.topk(min(TOP, n), dim=1).values.sum(1)
        held[at] = (first / sizes.sum(1).clamp_min(torch.finfo(sizes.dtype).tiny)).numpy()
        p = torch.from_numpy(sure[at])
        changes = torch.expm1(torch.neg(effects, out=sizes), out=sizes).mul_(p[:, None])
        moved[at] = torch.maximum(changes.amax(1).minimum(1 - p), -changes.amin(1)).numpy()
        moves = np.maximum(moves, torch.maximum(changes.amax(0), -changes.amin(0)).numpy())
        if own is not None:
            counts += np.stack([on_top(effects), on_top(relative(effects, own.cpu()))])
        context.report(at.stop / t, f"{at.stop:,} of {t:,} answers read")
    return Overview(table.form.number, moved, held, moves, Often(names, counts, t, t))
