"""Every training example relabelled to its runner-up, alone: the models are trained once, for every question after that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.experiments.all_left_out import DTYPE, Training, fill, rows_of
from influence_core.experiments.corrected import linear_objective, supports, undamped
from influence_core.experiments.effects import Effects, effects_by
from influence_core.experiments.questions import Question
from influence_core.retraining.leave_one_out import relabel_each, runner_up
from influence_core.store.remember import remember
from influence_core.studies import Study

__all__ = ["AllRelabelled", "effects", "recall", "run", "supports"]

NAME, AXES = "all relabelled, rows", ("training example that is relabelled", "change of the parameter")


@dataclass(frozen=True, eq=False)
class AllRelabelled:
    """The models in which one training example bears another label, in the order of the training set.

    Attributes:
        ids: ``(n,)`` of the examples that are relabelled.
        labels: ``(n,)`` the other label: of all but its own the one that the model holds for the likeliest.
        changes: ``(n, p)`` ``theta_relabelled_i - theta``, float32; a memory map where the store keeps it.
        gradient_norms: ``(n,)`` of each relabelled risk at its own parameters: the proof.
        targets: ``(n,)`` the gradient norms that were asked for.
        seconds: Time for training.
        kept: Whether the store keeps the table.
    """

    ids: np.ndarray
    labels: np.ndarray
    changes: np.ndarray
    gradient_norms: np.ndarray
    targets: np.ndarray
    seconds: float
    kept: bool

    @property
    def proven(self) -> bool:
        """Whether every model's gradient is as small as was asked for."""
        return bool((self.gradient_norms <= self.targets).all())


@remember("all relabelled", stored=False)
def run(study: Study, *, context: Context = ALONE) -> AllRelabelled:
    """Train the models in which one example bears its runner-up label, those that are not in the store yet.

    Args:
        study: A linear model with a smooth loss.
        context: As for ``all_left_out.run``.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o, rows = linear_objective(study), rows_of(study, NAME, AXES, context)
    labels = runner_up(o, study.theta)
    while len(rows.missing()):  # once, unless the store has forgotten the table meanwhile
        fill(rows, _training(study, labels, context.part(0.0, 0.1)), context.part(0.1, 1.0))
    return AllRelabelled(
        ids=study.data.train.ids.numpy(),
        labels=labels.cpu().numpy(),
        changes=rows.matrix,
        gradient_norms=rows.column("gradient_norm"),
        targets=rows.column("target"),
        seconds=float(rows.column("seconds").sum()),
        kept=rows.kept,
    )


def recall(study: Study, *, context: Context) -> AllRelabelled | None:
    """The table if the store has it whole; nothing is trained."""
    return None if len(rows_of(study, NAME, AXES, context).missing()) else run(study, context=context)


def effects(study: Study, table: AllRelabelled, question: Question) -> Effects:
    """What the other label of each training example truly does to an answer: one product with the table.

    Positive = the loss would rise, were the example relabelled.

    Args:
        study: The trained model.
        table: Its relabelled models.
        question: What is asked.
    """
    return effects_by(study, question, table.changes)


def _training(study: Study, labels: Tensor, context: Context) -> Training:
    """What trains the models in which the examples at some positions bear another label."""
    o, dtype, inverse = linear_objective(study), getattr(torch, DTYPE), undamped(study, context).inverse
    return lambda at, progress: relabel_each(o, study.theta, inverse, labels, at, dtype, progress=progress)
