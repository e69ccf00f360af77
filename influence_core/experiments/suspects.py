"""Which training labels look wrong: every way to rank them, for models that are linear in their parameters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from influence_core import agreement
from influence_core.errors import DataError
from influence_core.experiments.without_itself import WithoutItself, forecast, prove
from influence_core.influence import left_out_pulls, self_influence
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.progress import Progress, part
from influence_core.retraining.leave_one_out import runner_up
from influence_core.solvers import Cholesky, ConjugateGradient
from influence_core.solvers.base import Solver
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
ASKING = {
    "harm": "harm to test answers (corrected forecast)",
    "gain": "expected gain of test accuracy (forecast)",
}
"""Rankings that ask every other test example: how much its mean loss falls without the training example, and how much the
mean probability of its true label rises if the training example bears its most likely other label, times how likely that
label is to the model without the example. The other half of the test examples has ranked nothing, and judges."""
QUEUES = METHODS | ASKING | {"copies": "copies, those under another label first"}
MIN_TESTED = 20
"""Fewer test examples than these rank nothing."""
DENSE_LIMIT = 256
"""Up to so many parameters the curvature is factored for a single solve."""
PROVABLE = 3e11
"""The ``n p (n + p)`` up to which it does: on two cores the packaged e-mails (9e10) take some 15 seconds."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """How suspect every training label is.

    Attributes:
        scores: ``(n,)`` by method; the largest first.
        unseen: What the model says of each training example when it has never seen it; the truth where "proven" is
            among the methods, else the corrected forecast.
        leverages: ``(n, c, c)`` the ``leverage_blocks`` that the scores are made of.
    """

    scores: dict[str, np.ndarray]
    unseen: WithoutItself
    leverages: Tensor


def methods_for(study: Study) -> tuple[str, ...]:
    """The keys of ``METHODS`` that can rank this study's training examples."""
    o = study.objective
    unseen = "proven" if o.n * o.dim * (o.n + o.dim) <= PROVABLE else "corrected"
    fit = {"published": o.loss.outputs == 1, "proven": unseen == "proven", "corrected": unseen == "corrected"}
    return tuple(one for one in METHODS if fit.get(one, True))


def first_queue(study: Study) -> str:
    """The key of the queue to begin with: by the leave-one-out loss.

    Of those that ask no test example it finds the most planted errors (``tests.benchmarks.planted``).
    """
    return next(one for one in ("proven", "corrected") if one in methods_for(study))


def queues_for(study: Study) -> tuple[str, ...]:
    """The keys of ``QUEUES`` that can."""
    return (*methods_for(study), *(ASKING if len(study.data.test) >= MIN_TESTED else ()), "copies")


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
    return Ranking({one: scores[one] for one in methods}, unseen, found.leverages)


def rank_by_tests(
    study: Study,
    objective: LinearObjective,
    theta: Tensor,
    ranking: Ranking,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """The scores of ``ASKING``: one solve for each.

    With the test examples' mean loss ``L``, the mean probability ``P`` of their true labels and ``A`` the curvature, harm is
    ``-grad L' d_i`` with the Newton step ``d_i`` without ``i``. Another label leaves the curvature as it is, so the gain is
    ``w_i grad P' A^-1 (grad l_i(label) - grad l_i(other))``, a Newton step, too; it is expected as often as the model
    without ``i`` gives the other label.

    Args:
        study: Whose test examples are asked.
        objective: What was minimised, labels as they are.
        theta: ``(p,)`` its optimum.
        ranking: Of the same labels, by whatever methods.
        progress: Called by the solver.

    Returns:
        ``(n,)`` each: harm in nats, gain as a probability; the largest first.

    Raises:
        SolveError: If the solve failed.
    """
    o, asked = objective, study.data.test.take(list(range(0, len(study.data.test), 2)))
    x, y = study.inputs(asked.x), asked.y.to(o.y)
    pulls = o.loss.residuals(o.outputs(theta, x), y) / len(y)
    surer = -torch.exp(-o.losses(theta, x, y))[:, None] * pulls
    gradients = torch.stack([o.output_pull(theta, x, one) for one in (pulls, surer)], 1)
    s = solver_for(o).prepare(Hessian(o, theta)).solve(gradients, progress).require()
    other = runner_up(o, theta)
    likely = torch.as_tensor(ranking.unseen.probabilities).to(theta).gather(1, other[:, None])[:, 0]
    gain = o.gradient_products(theta, o.x, o.y, s[:, 1]) - o.gradient_products(theta, o.x, other, s[:, 1])
    harm = -o.weighted_products(o.x, left_out_pulls(o, theta, ranking.leverages), s[:, 0])
    return {"harm": harm.cpu().numpy(), "gain": (likely * o.weights * gain).cpu().numpy()}


def solver_for(objective: LinearObjective, rtol: float = 1e-8) -> Solver:
    """The quickest exact way to a single solve."""
    return Cholesky() if objective.dim <= DENSE_LIMIT else ConjugateGradient(rtol=rtol)


def objective_of(study: Study) -> LinearObjective:
    """What was minimised, of a study that an experiment ``supports``."""
    assert isinstance(study.objective, LinearObjective)
    return study.objective


def relabelled(study: Study, labels: np.ndarray, removed: np.ndarray | None = None) -> LinearObjective:
    """The same with other training labels ``(n,)``, without the positions ``removed (m,)``.

    Raises:
        DataError: If no example of some class is left.
    """
    o = replace(objective_of(study), y=torch.as_tensor(labels).to(study.objective.y))
    if removed is None or not len(removed):
        return o
    left = o.without(removed.tolist())
    missing = set(labels.tolist()) - set(left.y[left.weights > 0].tolist())
    if missing:
        raise DataError(f"No training example of label {min(missing)} would be left; keep at least one.")
    return left


def judging(study: Study, method: str = "") -> slice:
    """Which test examples judge a queue: all, or those that have not ranked it."""
    return slice(1, None, 2) if method in ASKING else slice(None)


def accuracy(study: Study, theta: Tensor, method: str = "", labels: np.ndarray | None = None) -> float:
    """Share of the test examples that a model answers as they are labelled; of those that rank nothing.

    Args:
        study: Whose test examples they are.
        theta: ``(p,)`` the model.
        method: A key of ``QUEUES``.
        labels: ``(t,)`` other test labels than the study's.
    """
    test, rows = study.data.test, judging(study, method)
    answers = study.objective.probabilities(theta, study.inputs(test.x)).argmax(1)
    true = test.y.numpy() if labels is None else labels
    return agreement.accuracy(answers.cpu().numpy()[rows], true[rows])
