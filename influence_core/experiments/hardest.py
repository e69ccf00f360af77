"""The retrainings that are hardest to forecast, proven once a study: what every corrected forecast is measured by.

A forecast fails first for the examples without which the model changes most. Which these are depends on the model alone:
those whose own outputs go farthest when they are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.experiments.corrected import (
    leverages,
    linear_objective,
    undamped,
)
from influence_core.experiments.effects import Effects, by_output, effects_by
from influence_core.experiments.questions import Question
from influence_core.influence import left_out_pulls
from influence_core.retraining.leave_one_out import leave_each_out
from influence_core.store.remember import remember
from influence_core.studies import Study

COUNT = 200
"""So many; with fewer, forecasts of some studies pass that are wrong elsewhere."""


@dataclass(frozen=True, eq=False)
class Hardest:
    """The models without each of the examples that are hardest to leave out.

    Attributes:
        positions: ``(m,)`` of the examples, in training order.
        changes: ``(m, c, d)`` ``theta_without_i - theta``, output by output, float32.
        proven: Whether every model's gradient is as small as was asked for.
    """

    positions: np.ndarray
    changes: np.ndarray
    proven: bool


@remember("hardest left out, by output")
def run(study: Study, *, context: Context = ALONE) -> Hardest:
    """Train the models without each of the ``COUNT`` examples that are hardest to leave out.

    Args:
        study: A linear model with a smooth loss.
        context: Its store keeps them and the leverages.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o, known = linear_objective(study), leverages(study, context=context.part(0.0, 0.7))
    blocks = torch.as_tensor(known.blocks).to(study.theta)
    pulled = left_out_pulls(o, study.theta, blocks)
    moves = (blocks @ pulled[:, :, None])[:, :, 0].abs().amax(dim=1)
    at = moves.topk(min(COUNT, o.n)).indices.sort().values
    inverse = undamped(study, context.part(0.7, 0.8)).inverse
    rest = context.part(0.8, 1.0).progress
    models = list(leave_each_out(o, study.theta, inverse, at, blocks[at], torch.float32, progress=rest))
    return Hardest(
        at.cpu().numpy(),
        by_output(torch.cat([one.changes for one in models]), o.loss.outputs).cpu().numpy(),
        all(bool(one.proven.all()) for one in models),
    )


_HELD: WeakKeyDictionary[Study, Hardest] = WeakKeyDictionary()
"""Of open studies: megabytes that every question is measured by."""


def recall(study: Study, *, context: Context) -> Hardest | None:
    """They, if the store has them: read once an open study, and never computed."""
    if study not in _HELD and (found := run.recall(study, context=context)) is not None:
        _HELD[study] = found
    return _HELD.get(study)


def is_prepared(study: Study, *, context: Context) -> bool:
    """Whether ``recall`` finds them; nothing is read."""
    return study in _HELD or run.is_stored(study, context=context)


def miss(study: Study, hardest: Hardest, question: Question, forecast: Effects) -> float:
    """Largest miss of a forecast of all ``n`` on these examples, of loss or probability; NaN if they are not proven.

    Each as a share of the largest change of all. Where the loss bends much, one may be right and the other far off.
    """
    if not hardest.proven:
        return float("nan")
    truth = effects_by(study, question, hardest.changes)
    pairs = ((forecast.loss, truth.loss), (forecast.probability, truth.probability))
    return max(largest_miss(one, true, hardest.positions) for one, true in pairs)


def largest_miss(forecast: np.ndarray, truth: np.ndarray, positions: np.ndarray) -> float:
    """Of a forecast ``(n,)`` beside the truth ``(m,)`` at some positions ``(m,)``, as a share of the largest change of all."""
    largest = max(float(np.abs(truth).max()), float(np.abs(forecast).max()))
    return float(np.abs(forecast[positions] - truth).max()) / max(largest, np.finfo(float).tiny)
