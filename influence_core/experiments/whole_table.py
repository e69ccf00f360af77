"""Everything against everything: the effect of every training example on every test answer, in parts on the disk.

A block of test examples is solved for together, multiplied with all training examples together, and written at once: the
table never lies in memory. What was killed goes on with the part it was at. Several processes share the training examples
out: each has its own columns of the table, and the first writes them all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import highest, lowest
from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.errors import DataError, require
from influence_core.experiments import all_left_out, corrected
from influence_core.experiments.effects import Effects as Answer
from influence_core.experiments.effects import effects_of_each
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.kept_table import Asked, Form, WholeTable
from influence_core.experiments.questions import Question
from influence_core.influence import InfluenceEngine
from influence_core.ranks import ALONE as ONE_PROCESS
from influence_core.ranks import Ranks
from influence_core.store.parts import Parts
from influence_core.studies import Study, share_of
from influence_core.words import sign_rule

__all__ = ["Asked", "Estimate", "Form", "WholeTable", "block_of", "estimate", "place", "run", "supports"]

BLOCK_BYTES = 2**28
"""Of the effects that are held at a time."""
LARGEST_BLOCK = 256
"""Test examples that are solved for together."""
MODELS = "float64"
"""Of the left-out models that proven effects are read off: those of pages are float32, and have a store entry of their own."""
FULL, TOP = ".npy", ".parquet"
SIDES = (("for", highest), ("against", lowest))
Effects = Callable[[Tensor, Tensor], Tensor]
"""``(t, d)`` inputs and ``(t,)`` labels to this process's own columns, ``(t, m)`` nats, positive = the loss rises without the
training example."""


@dataclass(frozen=True)
class Estimate:
    """What a table would take, on this machine as it is loaded now.

    Attributes:
        seconds: For the parts that are missing, by the first of them; preparation aside.
        memory: Bytes of numbers that are held at a time, beside the study and its factor.
        disk: Bytes of the whole table, about.
    """

    seconds: float
    memory: int
    disk: int


def supports(
    study: Study, form: Form, settings: SolverSettings = AUTOMATIC, ranks: Ranks = ONE_PROCESS
) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    solver = settings.resolved(study).solver
    if not ranks.alone and solver != "cholesky":
        return (
            f"Several processes share the work of the solver cholesky, and this is {solver}. Use one process."
        )
    return None if form.number == "influence" else corrected.supports(study.spec)


def run(
    study: Study,
    folder: Path,
    form: Form | None = None,
    settings: SolverSettings = AUTOMATIC,
    *,
    context: Context = ALONE,
) -> WholeTable:
    """Make the table, or what is missing of it.

    Args:
        study: The trained model.
        folder: Where it is kept, for good; one that holds another table is refused.
        form: What is computed and kept; the influence of the 100 strongest on each side where it is not given.
        settings: How to invert the curvature for "influence".
        context: Its engines are used where they are ready, and its ranks share the training examples out.

    Returns:
        The table, in every process; the folder is the first one's.

    Raises:
        UnsupportedError: If the study has no such numbers, or several processes cannot share them.
        DataError: If the folder holds another table.
        SolveError: If a solve failed.
        OSError: The disk refuses; what is there stays, and the work goes on from it.
    """
    form, ranks = form or Form(), context.ranks
    require(supports(study, form, settings, ranks))
    table = place(study, folder, form, settings)
    missing = _missing(table, ranks)
    if not missing:
        return table
    effects = _effects(share_of(study, ranks), form, settings, context.part(0.0, 0.3))
    work, started = context.part(0.3, 1.0), time.perf_counter()
    for done, part in enumerate(missing):
        _make(study, table, part, effects, ranks)
        each = (time.perf_counter() - started) / (done + 1)
        left = each * (len(missing) - done - 1)
        work.report((done + 1) / len(missing), f"part {part + 1} of {table.parts.count}, {left:.0f} s left")
    return table


def place(study: Study, folder: Path, form: Form, settings: SolverSettings = AUTOMATIC) -> WholeTable:
    """The table as far as it is there; nothing is computed.

    Raises:
        DataError: If the folder holds another table.
    """
    test, train, block = study.data.test, study.data.train, block_of(study)
    count = -(-len(test) // block)
    parts = Parts(folder, _description(study, form, settings, block), TOP if form.top else FULL, count)
    return WholeTable(parts, form, block, test.ids.numpy(), train.ids.numpy())


def estimate(
    study: Study,
    folder: Path,
    form: Form | None = None,
    settings: SolverSettings = AUTOMATIC,
    *,
    context: Context = ALONE,
) -> Estimate:
    """What a table that ``run`` is asked for would take: its first missing part is made, and kept."""
    form, ranks = form or Form(), context.ranks
    require(supports(study, form, settings, ranks))
    table, n, t = place(study, folder, form, settings), study.objective.n, len(study.data.test)
    missing, seconds = _missing(table, ranks), 0.0
    if missing:
        effects = _effects(share_of(study, ranks), form, settings, context)
        started = time.perf_counter()
        _make(study, table, missing[0], effects, ranks)
        seconds = (time.perf_counter() - started) * (len(missing) - 1)
    size, there = study.theta.element_size(), table.parts.path(0)
    disk = there.stat().st_size * table.parts.count if there.exists() else t * n * size
    return Estimate(seconds, 3 * table.block * n * size, disk)


def block_of(study: Study) -> int:
    """Test examples a part: the same whatever the machine, so that parts made on different days fit together."""
    held = BLOCK_BYTES // (study.objective.n * study.theta.element_size())
    return int(min(len(study.data.test), LARGEST_BLOCK, max(1, held)))


def _description(study: Study, form: Form, settings: SolverSettings, block: int) -> dict[str, Any]:
    decided = settings.resolved(study)
    solved = {"solver": decided.solver, "curvature": decided.curvature, "damping": decided.damping or 0.0}
    return {
        "what": f"{form.number} of every training example on every test answer",
        "axes": ["test example", "training example"],
        "shape": [len(study.data.test), study.objective.n],
        "kept": f"the {form.top} strongest for and against" if form.top else "all numbers",
        "dtype": str(study.theta.dtype).removeprefix("torch."),
        "unit": "nats",
        "sign": sign_rule(study.data.kind),
        "asked": "the model's own answers" if form.asked == "model" else "the true labels",
        "study": study.spec.address,
        "study_digest": study.key,
        "device": study.theta.device.type,
        "test_examples_a_part": block,
        "stand_in": study.data.stand_in,
        **(solved if form.number == "influence" else {}),
        **({"models": MODELS} if form.number == "proven" else {}),
    }


def _missing(table: WholeTable, ranks: Ranks) -> list[int]:
    """As the first process finds them: the folder is its own."""
    return ranks.of_first(table.parts.missing() if ranks.is_first else [])


def _make(study: Study, table: WholeTable, part: int, effects: Effects, ranks: Ranks) -> None:
    start, test, n = part * table.block, study.data.test, study.objective.n
    labels = test.y[start : start + table.block]
    if table.form.asked == "model":
        labels = torch.as_tensor(study.predictions.predicted[start : start + table.block])
    found = effects(test.x[start : start + table.block], labels.to(study.theta.device)).cpu()
    if not math.isfinite(float(found.sum())):
        raise DataError("The effects are not finite: check the data and the damping.")
    if table.form.top:
        own = _strongest(found.numpy(), table.form.top, ranks.rows(n).start)
        column, value = (ranks.collected(one[None], ranks.world) for one in own)
        if column is not None and value is not None:
            strongest = column.numpy(), value.numpy()
            table.parts.write(part, lambda file: _write_top(file, table, start, *strongest))
        return
    every = ranks.collected(found.T, n)
    if every is not None:
        whole = every.T.contiguous().numpy()
        table.parts.write(part, lambda file: np.save(file, whole, allow_pickle=False))


def _strongest(effects: np.ndarray, k: int, start: int) -> tuple[Tensor, Tensor]:
    """Columns of the table and nats, each ``(t, 2, k)``: for and against, strongest first, and 0 nats where there are fewer.

    Args:
        effects: ``(t, m)`` of this process's own columns.
        k: How many of each side.
        start: The first of these columns.
    """
    column = np.zeros((len(effects), 2, k), int)
    value = np.zeros(column.shape, effects.dtype)
    for row, side in np.ndindex(len(effects), 2):
        found = SIDES[side][1](effects[row], k)
        column[row, side, : len(found)], value[row, side, : len(found)] = start + found, effects[row, found]
    return torch.from_numpy(column), torch.from_numpy(value)


def _write_top(file: BinaryIO, table: WholeTable, start: int, column: np.ndarray, value: np.ndarray) -> None:
    """Parquet: test_id, side, rank, training_id, effect_nats; of the strongest of every process, ``(r, t, 2, k)``."""
    import pyarrow.parquet  # a table of all numbers does without

    column, value = (np.concatenate(list(one), axis=2) for one in (column, value))
    at = list(np.ndindex(len(value), 2))
    found = [SIDES[side][1](value[row, side], table.form.top) for row, side in at]
    sizes = [len(one) for one in found]
    row, side = np.repeat(np.array(at), sizes, axis=0).T
    place = np.concatenate(found)
    columns = {
        "test_id": table.test_ids[start + row],
        "side": np.array([name for name, _ in SIDES])[side],
        "rank": np.concatenate([np.arange(1, size + 1) for size in sizes]),
        "training_id": table.train_ids[column[row, side, place]],
        "effect_nats": value[row, side, place],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), file)


def _effects(own: Study, form: Form, settings: SolverSettings, context: Context) -> Effects:
    """Of the training examples that are this process's own."""
    if form.number == "influence":
        return _influence(context.engines.prepare(own, settings, context.progress).engine, context.ranks)
    if form.number == "corrected":
        return _one_by_one(corrected.forecaster(own, context=context))
    models = all_left_out.run(own, MODELS, context=context)
    return _one_by_one(lambda questions: effects_of_each(own, questions, models.changes))


def _influence(engine: InfluenceEngine, ranks: Ranks) -> Effects:
    def together(x: Tensor, y: Tensor) -> Tensor:
        x, y = engine.objective.examples(x, y)
        return engine.removal(
            ranks.columns(len(x), 1, lambda own: engine.inverse_gradients(x[own], y[own]).require())
        )

    return together


def _one_by_one(answers: Callable[[Sequence[Question]], Iterable[Answer]]) -> Effects:
    def each(x: Tensor, y: Tensor) -> Tensor:
        questions = [Question(row, int(label)) for row, label in zip(x, y, strict=True)]
        return torch.as_tensor(np.stack([one.loss for one in answers(questions)]))

    return each
