"""Everything against everything: the effect of every training example on every test answer, in parts on the disk.

A block of test examples is solved for together, multiplied with all training examples together, and written at once: the
table never lies in memory. What was killed goes on with the part it was at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from influence_core.agreement import highest, lowest
from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.errors import DataError, require
from influence_core.experiments import all_left_out, corrected
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.explanation import Number
from influence_core.experiments.questions import Question
from influence_core.store.parts import Parts
from influence_core.studies import Study
from influence_core.words import sign_rule

Asked = Literal["model", "true"]
BLOCK_BYTES = 2**28
"""Of the effects that are held at a time."""
LARGEST_BLOCK = 256
"""Test examples that are solved for together."""
FULL, TOP = ".npy", ".parquet"
Effects = Callable[[Tensor, Tensor], Tensor]
"""``(t, d)`` inputs and ``(t,)`` labels to ``(t, n)`` nats, positive = the loss rises without the training example."""


@dataclass(frozen=True)
class Form:
    """What is computed and kept.

    Attributes:
        number: "influence", "corrected" or "proven".
        top: So many training examples for and as many against are kept of each test example; 0 keeps all numbers.
        asked: About the model's own answers ("model") or the true labels ("true").

    Raises:
        DataError: If there is no such number or question, or ``top`` is negative.
    """

    number: Number = "influence"
    top: int = 100
    asked: Asked = "model"

    def __post_init__(self) -> None:
        for value, known in ((self.number, get_args(Number)), (self.asked, get_args(Asked))):
            if value not in known:
                raise DataError(f"There is no “{str(value)[:40]}”; choose one of {', '.join(known)}.")
        if self.top < 0:
            raise DataError(f"The number of examples on each side must be 0 or more, but is {self.top}.")


@dataclass(frozen=True, eq=False)
class WholeTable:
    """The effects of ``n`` training examples on ``t`` test answers, as they lie on the disk.

    Attributes:
        parts: The files.
        form: What is kept.
        block: Test examples a part.
        test_ids: ``(t,)``.
        train_ids: ``(n,)``.
    """

    parts: Parts
    form: Form
    block: int
    test_ids: np.ndarray
    train_ids: np.ndarray

    def effects(self, test_id: int) -> np.ndarray:
        """``(n,)`` of one test example, nats, positive = helpful; read from its place in the file, nothing else is.

        Raises:
            DataError: If there is no such test example, or only the strongest are kept.
        """
        if self.form.top:
            raise DataError(
                "This table keeps the strongest of each test example only; read them with strongest()."
            )
        part, row = divmod(self._position(test_id), self.block)
        return np.array(np.load(self.parts.path(part), mmap_mode="r", allow_pickle=False)[row])

    def strongest(self, test_id: int) -> pd.DataFrame:
        """Columns side, rank, training_id, effect_nats of one test example: those for and those against, strongest first.

        Raises:
            DataError: If there is no such test example, or all numbers are kept.
        """
        if not self.form.top:
            raise DataError("This table keeps all numbers; read them with effects().")
        part = self.parts.path(self._position(test_id) // self.block)
        found = pd.read_parquet(part, filters=[("test_id", "==", test_id)])
        return found.drop(columns="test_id").reset_index(drop=True)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {int(one): at for at, one in enumerate(self.test_ids)}

    def _position(self, test_id: int) -> int:
        if test_id not in self._places:
            raise DataError(f"There is no test example {test_id} in this table.")
        return self._places[test_id]


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


def supports(study: Study, form: Form) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
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
        context: Its engines are used where they are ready.

    Raises:
        UnsupportedError: If the study has no such numbers.
        DataError: If the folder holds another table.
        SolveError: If a solve failed.
        OSError: The disk refuses; what is there stays, and the work goes on from it.
    """
    form = form or Form()
    require(supports(study, form))
    table = place(study, folder, form, settings)
    missing = table.parts.missing()
    if not missing:
        return table
    effects = _effects(study, form, settings, context.part(0.0, 0.3))
    work, started = context.part(0.3, 1.0), time.perf_counter()
    for done, part in enumerate(missing):
        _make(study, table, part, effects)
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
    form = form or Form()
    require(supports(study, form))
    table, n, t = place(study, folder, form, settings), study.objective.n, len(study.data.test)
    missing, seconds = table.parts.missing(), 0.0
    if missing:
        effects = _effects(study, form, settings, context)
        started = time.perf_counter()
        _make(study, table, missing[0], effects)
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
    }


def _make(study: Study, table: WholeTable, part: int, effects: Effects) -> None:
    start = part * table.block
    test = study.data.test
    labels = test.y[start : start + table.block]
    if table.form.asked == "model":
        labels = torch.as_tensor(study.predictions.predicted[start : start + table.block])
    found = effects(test.x[start : start + table.block], labels.to(study.theta.device)).cpu().numpy()
    if not np.isfinite(found).all():
        raise DataError("The effects are not finite: check the data and the damping.")
    if table.form.top:
        table.parts.write(part, lambda file: _write_top(file, table, start, found))
    else:
        table.parts.write(part, lambda file: np.save(file, np.ascontiguousarray(found), allow_pickle=False))


def _write_top(file: BinaryIO, table: WholeTable, start: int, effects: np.ndarray) -> None:
    """Parquet: test_id, side, rank, training_id, effect_nats."""
    import pyarrow.parquet  # a table of all numbers does without

    sides = [("for", highest), ("against", lowest)] * len(effects)
    row = np.repeat(np.arange(len(effects)), 2)
    found = [pick(effects[at], table.form.top) for at, (_, pick) in zip(row, sides, strict=True)]
    sizes = [len(one) for one in found]
    column, row = np.concatenate(found), np.repeat(row, sizes)
    columns = {
        "test_id": table.test_ids[start + row],
        "side": np.repeat([name for name, _ in sides], sizes),
        "rank": np.concatenate([np.arange(1, size + 1) for size in sizes]),
        "training_id": table.train_ids[column],
        "effect_nats": effects[row, column],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), file)


def _effects(study: Study, form: Form, settings: SolverSettings, context: Context) -> Effects:
    if form.number == "influence":
        engine = context.engines.prepare(study, settings, context.progress).engine
        return lambda x, y: engine.removal(engine.inverse_gradients(study.inputs(x), y).require())
    if form.number == "corrected":
        forecast = corrected.forecaster(study, context=context)
    else:
        models = all_left_out.run(study, context=context)
        forecast = lambda question: all_left_out.effects(study, models, question)  # noqa: E731

    def each(x: Tensor, y: Tensor) -> Tensor:
        questions = (Question(row, int(label)) for row, label in zip(x, y, strict=True))
        return torch.as_tensor(np.stack([forecast(one).loss for one in questions]))

    return each
