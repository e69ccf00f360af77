"""Which training labels look wrong: every way to rank them, for models that are linear in their parameters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from influence_core import agreement
from influence_core.experiments.without_itself import WithoutItself, forecast, prove
from influence_core.influence import self_influence
from influence_core.objective import LinearObjective
from influence_core.progress import Progress, part
from influence_core.studies import Study

METHODS = {
    "exact": "self-influence (exact)",
    "published": "self-influence as in the 2017 figure",
    "proven": "leave-one-out loss (proven)",
    "corrected": "leave-one-out loss (corrected forecast)",
    "loss": "training loss",
    "random": "at random",
}
"""How suspects are ranked, and the words for it. "published" is for models with one output. The leave-one-out loss is an
example's own loss when the model has never seen it: "proven" where training again without each example takes about a
minute at most, else "corrected"."""
PROVABLE = 3e11
"""The ``n p (n + p)`` up to which it does: on two cores the packaged e-mails (9e10) take some 15 seconds."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """How suspect every training label is.

    Attributes:
        scores: ``(n,)`` by method; the largest first.
        unseen: What the model says of each training example when it has never seen it; the truth where "proven" is
            among the methods, else the corrected forecast.
    """

    scores: dict[str, np.ndarray]
    unseen: WithoutItself


def methods_for(study: Study) -> tuple[str, ...]:
    """The keys of ``METHODS`` that can rank this study's training examples."""
    o = study.objective
    unseen = "proven" if o.n * o.dim * (o.n + o.dim) <= PROVABLE else "corrected"
    fit = {"published": o.loss.outputs == 1, "proven": unseen == "proven", "corrected": unseen == "corrected"}
    return tuple(one for one in METHODS if fit.get(one, True))


def rank(
    objective: LinearObjective,
    theta: Tensor,
    methods: Collection[str],
    gram: Tensor | None = None,
    seed: int | tuple[int, ...] = 0,
    progress: Progress | None = None,
) -> Ranking:
    """How suspect every training label is. No test example is asked.

    Args:
        objective: What was minimised, labels as they are.
        theta: ``(p,)`` its optimum.
        methods: Keys of ``METHODS``.
        gram: ``(n, n)`` the examples multiplied with each other, where they are at hand (``Fitter.gram``).
        seed: Of the random order.
        progress: Called along the way.

    Raises:
        SolveError: If a model without one of the examples could not be trained to the end.
    """
    o, proven = objective, "proven" in methods
    found = self_influence(o, theta, gram=gram, progress=part(progress, 0.0, 0.3 if proven else 1.0))
    if proven:
        unseen = prove(o, theta, found.leverages, part(progress, 0.3, 1.0))
    else:
        unseen = forecast(o, theta, found.leverages)
    known = {
        "exact": found.exact,
        "published": found.published,
        "loss": o.losses(theta, o.x, o.y),
        "random": torch.as_tensor(np.random.default_rng(seed).random(o.n)),
    }
    scores = {name: one.cpu().numpy() for name, one in known.items() if one is not None}
    scores |= dict.fromkeys(("proven", "corrected"), unseen.losses)
    return Ranking({one: scores[one] for one in methods}, unseen)


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
