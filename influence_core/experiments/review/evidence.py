"""What there is to know of a suspect: what the model says that never saw it, who taught it that, what the label does to tests."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core import agreement
from influence_core.context import ALONE, Context
from influence_core.errors import require
from influence_core.experiments import suspects
from influence_core.experiments.ranked import position_of
from influence_core.experiments.review.ranking import supports
from influence_core.influence import InfluenceEngine
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.retraining.leave_one_out import runner_up
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.training.refit import Fitter

VOICES = 6
"""Training examples that speak for the label, and so many against."""
RTOL = 1e-5
"""Of the solve behind their order."""


@dataclass(frozen=True)
class Outcome:
    """What a change of one training example does to the ``tests`` answers, told by training again.

    Attributes:
        tests: How many test examples there are.
        harmed: Of how many the loss falls with the change: those that the example harms as it is.
        mended: Wrong answers that turn right.
        broken: Right answers that turn wrong.
        loss: Change of the mean test loss, nats; negative: the change does good.
        gradient_norm: ``||grad R||`` of the changed model's own risk, recomputed.
    """

    tests: int
    harmed: int
    mended: int
    broken: int
    loss: float
    gradient_norm: float


@dataclass(frozen=True, eq=False)
class SuspectEvidence:
    """One training example with and without itself in the training set.

    Attributes:
        label: Its label.
        other: The most likely other label, by the model that never saw it.
        seen: ``(classes,)`` what the model says that was trained on it.
        unseen: ``(classes,)`` what the model says that was trained on all others.
        without: What leaving it out does to the test answers.
        relabelled: What the other label does to them; ``None`` where it is the last example of its label.
        voices: ``(<= k,)`` training positions that speak for its label to the model that never saw it, strongest first.
        against: ``(<= k,)`` those that speak against its label.
        pulls: ``(n,)`` predicted change of the loss of its label, in that model, if a training example is taken out, too:
            nats, positive = speaks for the label. Its own is 0.
        seconds: Time that it took.
    """

    label: int
    other: int
    seen: np.ndarray
    unseen: np.ndarray
    without: Outcome
    relabelled: Outcome | None
    voices: np.ndarray
    against: np.ndarray
    pulls: np.ndarray
    seconds: float

    @property
    def proposal(self) -> int:
        """The label that the model proposes that never saw the example."""
        return int(self.unseen.argmax())


@remember("evidence of a suspect", stored=False)
def evidence(
    study: Study,
    labels: np.ndarray,
    train_id: int,
    theta: np.ndarray,
    removed: np.ndarray | None = None,
    tests: np.ndarray | None = None,
    *,
    context: Context = ALONE,
) -> SuspectEvidence:
    """Train again without one example, and with its most likely other label.

    Args:
        study: The study under review.
        labels: ``(n,)`` as they are now.
        train_id: The example.
        theta: ``(p,)`` the model of these labels.
        removed: ``(m,)`` positions that it has not seen; not the example's.
        tests: ``(t,)`` labels by which the test answers are judged, where they are not the study's.
        context: Who is told while training.

    Raises:
        DataError: If no training example has this id.
        UnsupportedError: If the study's model is neither logistic nor softmax regression.
        SolveError: If the solve behind the order of the voices failed.
    """
    require(supports(study.spec))
    started, o = time.perf_counter(), suspects.relabelled(study, labels, removed)
    at = position_of(train_id, study.data.train.ids.numpy())
    before, label, alone = torch.as_tensor(theta).to(study.theta), int(labels[at]), o.without([at])
    fitter = Fitter(alone)
    after = fitter.fit(labels, before, context.part(0.0, 0.4).progress)
    seen, unseen = (o.probabilities(one, o.x[at : at + 1])[0].cpu().numpy() for one in (before, after))
    other = int(runner_up(alone, after)[at])
    mended = _relabelled(study, o, labels, (at, other), (before, after), tests, context.part(0.4, 0.7))
    pulls = _pulls(alone, after, at, context.part(0.7, 1.0))
    return SuspectEvidence(
        label=label,
        other=other,
        seen=seen,
        unseen=unseen,
        without=_outcome(study, before, after, tests, fitter.largest_norm),
        relabelled=mended,
        voices=agreement.highest(pulls, VOICES),
        against=agreement.lowest(pulls, VOICES),
        pulls=pulls,
        seconds=time.perf_counter() - started,
    )


def _relabelled(
    study: Study,
    o: LinearObjective,
    labels: np.ndarray,
    change: tuple[int, int],
    models: tuple[Tensor, Tensor],
    tests: np.ndarray | None,
    context: Context,
) -> Outcome | None:
    """What the other label does, by the model that starts where the model without the example ended."""
    (at, other), (before, without) = change, models
    if int(((o.y == o.y[at]) & (o.weights > 0)).sum()) == 1:
        return None
    fitter, new = Fitter(o), labels.copy()
    new[at] = other
    return _outcome(study, before, fitter.fit(new, without, context.progress), tests, fitter.largest_norm)


def _outcome(study: Study, before: Tensor, after: Tensor, tests: np.ndarray | None, norm: float) -> Outcome:
    test, o = study.data.test, study.objective
    x, y = study.inputs(test.x), (test.y if tests is None else torch.as_tensor(tests)).to(o.y)
    losses = [o.losses(theta, x, y) for theta in (before, after)]
    right = [o.probabilities(theta, x).argmax(1) == y for theta in (before, after)]
    change = losses[1] - losses[0]
    return Outcome(
        tests=len(test),
        harmed=int((change < 0).sum()),
        mended=int((right[1] & ~right[0]).sum()),
        broken=int((right[0] & ~right[1]).sum()),
        loss=float(change.mean()),
        gradient_norm=norm,
    )


def _pulls(alone: LinearObjective, theta: Tensor, at: int, context: Context) -> np.ndarray:
    """``D`` for the example's own label, asked of the model without it: its own weight there is 0."""
    operator = Hessian(alone, theta)
    engine = InfluenceEngine(alone, theta, operator, suspects.solver_for(alone, RTOL).prepare(operator))
    scores = engine.score(alone.x[at : at + 1], alone.y[at : at + 1], context.progress)
    scores.solve.require()
    return scores.values[0].cpu().numpy()
