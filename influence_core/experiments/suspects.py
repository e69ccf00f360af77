"""Which training labels look wrong: every way to rank them, for models that are linear in their parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from influence_core import agreement
from influence_core.influence import self_influence
from influence_core.objective import LinearObjective
from influence_core.progress import Progress
from influence_core.studies import Study

METHODS = {
    "exact": "self-influence (exact)",
    "published": "self-influence as in the 2017 figure",
    "loss": "training loss",
    "random": "at random",
}
"""How suspects are ranked, and the words for it. "published" is for models with one output."""


def methods_for(study: Study) -> tuple[str, ...]:
    """The keys of ``METHODS`` that can rank this study's training examples."""
    return tuple(one for one in METHODS if one != "published" or study.objective.loss.outputs == 1)


def rank(
    objective: LinearObjective,
    theta: Tensor,
    gram: Tensor | None = None,
    seed: int | tuple[int, ...] = 0,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """How suspect every training label is, ``(n,)`` by method; the largest first. No test example is asked.

    Args:
        objective: What was minimised, labels as they are.
        theta: ``(p,)`` its optimum.
        gram: ``(n, n)`` the examples multiplied with each other, where they are at hand (``Fitter.gram``).
        seed: Of the random order.
        progress: Called along the way.
    """
    o = objective
    found = self_influence(o, theta, gram=gram, progress=progress)
    scores: dict[str, Tensor | None] = {
        "exact": found.exact,
        "published": found.published,
        "loss": o.losses(theta, o.x, o.y),
        "random": torch.as_tensor(np.random.default_rng(seed).random(o.n)),
    }
    return {name: one.cpu().numpy() for name, one in scores.items() if one is not None}


def objective_of(study: Study) -> LinearObjective:
    """What was minimised, of a study that an experiment ``supports``."""
    assert isinstance(study.objective, LinearObjective)
    return study.objective


def relabelled(study: Study, labels: np.ndarray) -> LinearObjective:
    """The same with other training labels ``(n,)``."""
    return replace(objective_of(study), y=torch.as_tensor(labels).to(study.objective.y))


def accuracy(study: Study, theta: Tensor) -> float:
    """Share of the test examples that a model ``theta (p,)`` answers as they are labelled."""
    test = study.data.test
    answers = study.objective.probabilities(theta, study.inputs(test.x)).argmax(1)
    return agreement.accuracy(answers.cpu().numpy(), test.y.numpy())
