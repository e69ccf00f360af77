"""A table of all models in which one training example is edited, each alone: made block by block, kept, and asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import Context
from influence_core.experiments.corrected import linear_objective
from influence_core.experiments.effects import Effects, by_output, effects_by
from influence_core.experiments.questions import Question
from influence_core.progress import Progress
from influence_core.retraining.side_by_side import GRADIENT_TOL, EditedModels
from influence_core.store.mapped import MappedRows
from influence_core.store.remember import key_of
from influence_core.store.store import MATRIX
from influence_core.studies import Study

DTYPE = "float32"
"""Of a table, where nothing else is asked for; what is proven is each model as it is kept."""
Training = Callable[[torch.Tensor, Progress], Iterator[EditedModels]]
"""Trains the models of the examples at positions ``(m,)``, and tells how far it is."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelTable:
    """The models with one training example edited, in the order of the training set.

    Attributes:
        ids: ``(n,)`` of the examples that are edited.
        changes: ``(n, c, d)`` ``theta_edited_i - theta``, output by output, float32 as a rule; a memory map where the
            store keeps it.
        gradient_norms: ``(n,)`` of each edited risk at its own parameters: the proof.
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
class Making:
    """How a table is made.

    Attributes:
        name: Of what is kept.
        axes: What the two axes of the table are.
        share: Of the time, for what comes before the first model.
        training: What trains the models in a type of number, once everything before is prepared.
        dtype: Of the table.
    """

    name: str
    axes: tuple[str, str]
    share: float
    training: Callable[[Study, Context, torch.dtype], Training]
    dtype: str = DTYPE

    def rows(self, study: Study, context: Context) -> MappedRows:
        """Where the store keeps the models."""
        o = linear_objective(study)
        return MappedRows(context.store, self._key(study), (o.n, o.dim), self.dtype, self.axes)

    def is_begun(self, study: Study, context: Context) -> bool:
        """Whether the store has some of the models; nothing is read."""
        return context.store.path(self._key(study), MATRIX).exists()

    def _key(self, study: Study) -> str:
        return key_of(self.name, study, GRADIENT_TOL, self.dtype)

    def table(self, study: Study, context: Context) -> ModelTable:
        """The table, once the models are trained that are not in the store yet."""
        rows, dtype = self.rows(study, context), getattr(torch, self.dtype)
        while context.ranks.any(
            len(rows.missing()) > 0
        ):  # once, unless the store has forgotten the table meanwhile
            training = self.training(study, context.part(0.0, self.share), dtype)
            _fill(rows, training, study.objective.loss.outputs, context.part(self.share, 1.0))
        return ModelTable(
            ids=study.data.train.ids.numpy(),
            changes=rows.matrix.reshape(len(rows.matrix), study.objective.loss.outputs, -1),
            gradient_norms=rows.column("gradient_norm"),
            targets=rows.column("target"),
            seconds=float(rows.column("seconds").sum()),
            kept=rows.kept,
        )


def effects(study: Study, table: ModelTable, question: Question) -> Effects:
    """What editing each training example truly does to an answer: one product with the table.

    Positive = the loss rises, with the example edited.

    Args:
        study: The trained model.
        table: Its edited models.
        question: What is asked.
    """
    return effects_by(study, question, table.changes)


def _fill(rows: MappedRows, models: Training, outputs: int, context: Context) -> None:
    """Train the models that are missing, and keep each block of them as it comes, output by output."""
    n, missing = rows.shape[0], rows.missing()

    def progress(_: float, __: str) -> None:
        done = n - len(rows.missing())
        context.report(done / n, f"{done:,} done")

    for at in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
        started, start = time.perf_counter(), int(at[0]) if len(at) else 0
        for one in models(torch.as_tensor(at), progress):
            numbers = {
                "gradient_norm": one.gradient_norms.cpu().double().numpy(),
                "target": one.targets.cpu().double().numpy(),
                "seconds": np.full(len(one.targets), (time.perf_counter() - started) / len(one.targets)),
            }
            rows.add(start, by_output(one.changes, outputs).flatten(1).cpu().numpy(), numbers)
            started, start = time.perf_counter(), start + len(one.targets)
