"""Training examples that no test answer depends on: without each of them alone, no probability moves by a thousandth point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.errors import DataError, SolveError
from influence_core.experiments import all_left_out, study_table
from influence_core.experiments.corrected import linear_objective, supports
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.explanation import Number
from influence_core.experiments.group_forecast import ready_factor
from influence_core.experiments.take_out import check_classes, train_again
from influence_core.retraining.edits import Edit
from influence_core.store.remember import remember
from influence_core.studies import Study

__all__ = ["MOVES", "Unused", "estimate", "run", "supports"]

MOVES = 1e-5
"""A test answer depends on an example whose absence moves its probability by at least so much, a thousandth of a point."""
TOGETHER = 64
"""Left-out models that are asked about all test examples together."""
RATE = 1e10
"""Multiplications a second that a modest processor does; only for an estimate of the time."""


@dataclass(frozen=True, eq=False)
class Unused:
    """How much the test answers depend on each training example.

    Attributes:
        ids: ``(n,)`` training ids, that on which the answers depend least first.
        largest: ``(n,)`` the largest change of the probability of the model's answer to any test example without it.
        number: "proven", or "influence" where the models without each example are not at hand.
        answers: Test examples that were asked.
        changed: How many of their answers are others without all of ``unused`` together, after training again; ``None``
            where there are none, or where that would leave a class without examples.
        accuracy: Share of right answers then.
    """

    ids: np.ndarray
    largest: np.ndarray
    number: str
    answers: int
    changed: int | None
    accuracy: float | None

    @property
    def unused(self) -> np.ndarray:
        """``(k,)`` ids of those on which no answer depends."""
        return self.ids[self.largest < MOVES]


def estimate(study: Study, proven: bool, *, context: Context = ALONE) -> float:
    """About how many seconds ``run`` takes; 0 where a whole table has the answer."""
    if study_table.is_made(study, _number(proven), context=context):
        return 0.0
    o, t = study.objective, len(study.data.test)
    work = 2.0 * o.n * o.dim * t
    return (work if proven else work + 2.0 * o.dim**2 * t + o.n * o.dim**2) / RATE


@remember("health: unused")
def run(study: Study, proven: bool, *, context: Context = ALONE) -> Unused:
    """The largest change that each training example makes to any test answer, the table of all of them never held.

    Args:
        study: A linear model with a smooth loss.
        proven: Whether to read it off the models without each example, which are trained if they are not at hand; else it is
            the influence, by which a probability ``p`` becomes ``p exp(-D)``.
        context: Its store has the whole table, which is read where it is there, or the models; its engines the exact solver.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    linear_objective(study)
    largest = _largest(study, proven, context.part(0.0, 0.9))
    order = largest.argsort(stable=True).numpy()
    none = order[largest.numpy()[order] < MOVES]
    changed, accuracy = _together(study, none, context.part(0.9, 1.0)) or (None, None)
    return Unused(
        ids=study.data.train.ids.numpy()[order],
        largest=largest.numpy()[order],
        number=_number(proven),
        answers=len(study.data.test),
        changed=changed,
        accuracy=accuracy,
    )


def _number(proven: bool) -> Number:
    return "proven" if proven else "influence"


def _largest(study: Study, proven: bool, context: Context) -> Tensor:
    """``(n,)`` the largest move of any answer without each training example."""
    if study_table.is_made(study, _number(proven), context=context):
        return torch.from_numpy(study_table.run(study, _number(proven), context=context).moves)
    largest = torch.zeros(study.objective.n, dtype=torch.float64)
    for at, moved in (_proven if proven else _by_influence)(study, context):
        largest[at] = torch.maximum(largest[at], moved.cpu().double())
    return largest


def _proven(study: Study, context: Context) -> Iterator[tuple[slice, Tensor]]:
    """Positions, and the largest move of any answer: the outputs of left-out models at all test examples."""
    o, n = linear_objective(study), study.objective.n
    table = all_left_out.run(study, context=context.part(0.0, 0.5))
    x, rest = study.inputs(study.data.test.x), context.part(0.5, 1.0)
    outputs, said = o.outputs(study.theta, x), torch.as_tensor(study.predictions.predicted)
    before = _probability(study, outputs[None], said)
    for start in range(0, n, TOGETHER):
        at = slice(start, min(start + TOGETHER, n))
        changes = torch.as_tensor(np.array(table.changes[at])).to(x)
        moved = _probability(study, outputs + x @ changes.transpose(1, 2), said) - before
        yield at, moved.abs().amax(1)
        rest.report(at.stop / n, f"{at.stop:,} of {n:,} training {study.data.kind}s asked about")


def _probability(study: Study, outputs: Tensor, said: Tensor) -> Tensor:
    """``(m, t)`` the probability of the labels ``said (t,)`` by outputs ``(m, t, c)``."""
    if outputs.shape[2] == 1:
        return torch.sigmoid(outputs[..., 0] * (2 * said.to(outputs) - 1))
    return outputs.softmax(2).gather(2, said.to(outputs.device).view(1, -1, 1).expand(len(outputs), -1, 1))[
        ..., 0
    ]


def _by_influence(study: Study, context: Context) -> Iterator[tuple[slice, Tensor]]:
    """The same by the first order, for one block of test examples after another."""
    prepared = context.engines.prepare(study, AUTOMATIC, context.part(0.0, 0.3).progress)
    test, known, start = study.data.test, study.predictions, 0
    said = torch.as_tensor(known.predicted)
    for block in prepared.engine.scores(study.inputs(test.x), said, context.part(0.3, 1.0).progress):
        block.solve.require()
        p = torch.as_tensor(known.confidence[start : start + len(block.values)]).to(block.values)
        yield slice(None), (p[:, None] * torch.expm1(-block.values)).abs().amax(0)
        start += len(block.values)


def _together(study: Study, at: np.ndarray, context: Context) -> tuple[int, float] | None:
    """How many test answers change without the examples at ``at (k,)``, all left out together, and the accuracy then."""
    if not len(at):
        return None
    try:
        edit = Edit.removal(np.sort(at).tolist())
        check_classes(study, edit)
        _, models = train_again(study, edit, ready_factor(study, AUTOMATIC, context), context)
    except (DataError, SolveError):  # a class would be gone: they cannot all be left out
        return None
    if not bool(models.converged.all()):
        return None
    test, known = study.data.test, study.predictions
    said = study.objective.probabilities(models.theta[0], study.inputs(test.x)).argmax(1).cpu().numpy()
    return int((said != known.predicted).sum()), float((said == known.labels).mean())
