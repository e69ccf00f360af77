"""How the answer gives way while the examples of a flip set go, and how many a single ranking would have taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.experiments.flip import contest_of, follow
from influence_core.experiments.flip_set import FlipSet
from influence_core.experiments.ranked import position_of
from influence_core.retraining.flipping import ROUGH
from influence_core.retraining.one_ranking import one_shot
from influence_core.store.remember import remember
from influence_core.studies import Study

POINTS = 8
"""Models of the curve, the trained one aside."""


@dataclass(frozen=True, eq=False)
class FlipCurve:
    """Models with ever more of the set's examples edited, each trained.

    Attributes:
        counts: ``(k,)`` how many, the strongest first; from 0 to all.
        margins: ``(k,)`` as in ``FlipSet``.
        bounds: ``(k,)`` how far each can be from that of the true optimum.
        probabilities: ``(k, classes)`` of the input.
    """

    counts: np.ndarray
    margins: np.ndarray
    bounds: np.ndarray
    probabilities: np.ndarray


@remember("flip curve")
def run(study: Study, found: FlipSet, *, context: Context = ALONE) -> FlipCurve:
    """Train with the first few examples edited, with some more, and so on.

    Args:
        study: A linear model.
        found: The set.
        context: Its engines keep the factor.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    contest = contest_of(study, torch.as_tensor(found.x), found.says if found.flipped else None)
    model = follow(study, contest, found.relabel, context.part(0.0, 0.3))
    ids = study.data.train.ids.numpy()
    at = torch.tensor([position_of(int(one), ids) for one in found.ids], dtype=torch.long)
    counts = np.unique(np.linspace(0, found.size, POINTS + 1).round().astype(int))
    rows = []
    for done, count in enumerate(counts):
        taken = torch.zeros_like(model.taken)
        taken[at[:count]] = True
        progress = context.part(0.3, 1.0).step(done, len(counts)).named("training along the curve").progress
        model.edit(taken, ROUGH, progress)
        model.sharpen(progress)
        rows.append((model.margin, model.bound, model.outputs))
    outputs = torch.stack([one for _, _, one in rows])
    return FlipCurve(
        counts,
        np.array([one for one, _, _ in rows]),
        np.array([one for _, one, _ in rows]),
        study.objective.loss.probabilities(outputs).cpu().numpy(),
    )


@dataclass(frozen=True)
class OneShot:
    """A set made by one ranking.

    Attributes:
        size: The fewest of its first examples that flip the answer, found by training with ever other numbers of them; ``None``
            where all that pull do not.
        forecast: How many the ranking itself expects to be needed; ``None`` where all are not enough.
    """

    size: int | None
    forecast: int | None


@remember("flip set by one ranking")
def by_one_ranking(
    study: Study, found: FlipSet, wanted: int | None = None, *, context: Context = ALONE
) -> OneShot:
    """How many examples one ranking at the trained model would need for the same flip.

    Args:
        study: A linear model.
        found: The set to compare with; it says whether examples are taken out or relabelled.
        wanted: As it was asked for.
        context: Its engines keep the factor.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    contest = contest_of(study, torch.as_tensor(found.x), wanted)
    model = follow(study, contest, found.relabel, context.part(0.0, 0.3))
    return OneShot(*one_shot(model, context.part(0.3, 1.0).named("taking one ranking's first").progress))
