"""Do a network's forecasts come true? Three ways of training it again without an example (the paper's Figure 2, right)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import Agreement, strongest
from influence_core.context import ALONE, Context
from influence_core.engines import Prepared, SolverSettings
from influence_core.errors import DataError, require
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LeaveOneOut
from influence_core.experiments.network_retraining import ADAM, PAPER_ADAM, WARM_WAYS, WAYS, Trainer, models
from influence_core.network import NetworkObjective
from influence_core.operators import Hessian
from influence_core.spectrum import ExtremeEigenvalues, extreme_eigenvalues
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec, find
from influence_core.training import AdamSchedule, train_network

LIMIT = 200
"""The most that are left out: a network takes seconds to minutes each."""
PAPER_STUDY = "mnist-network"
"""Trained by the paper's schedule."""
PAPER_LEFT_OUT = 100
PRODUCTS = 80
"""Curvature products for the extreme eigenvalues."""
RANDOM_SCORES = 1_000
"""Random forecasts that a correlation is held against."""
OTHERS = 20
"""Other test examples, the first wrongly classified ones, that the same models are asked about."""


@dataclass(frozen=True, eq=False)
class Retrainings:
    """What one way of training again says of every left-out example.

    Attributes:
        way: A name of ``WAYS``.
        actual: ``(k,)`` change of the test loss without the example, less the control's, nats.
        control: The change of the test loss with nothing left out, nats: drift that is no example's doing.
        gradient_norms: ``(k,)`` where each model stopped: of the left-out risk, for "pbrf" of its own objective.
        target: The gradient norm asked for; ``None`` where a number of steps was.
        moved: ``(k,)`` distance of each model's parameters from the trained ones.
        control_moved: The same of the control.
        others: ``(t,)`` Pearson's correlation of forecast and truth for the other test examples, over the same models.
        seconds: Time for training all of them, whenever that was.
    """

    way: str
    actual: np.ndarray
    control: float
    gradient_norms: np.ndarray
    target: float | None
    moved: np.ndarray
    control_moved: float
    others: np.ndarray
    seconds: float

    @property
    def proved(self) -> bool:
        """Whether every model reached the gradient norm that was asked for."""
        return self.target is None or bool((self.gradient_norms <= self.target).all())

    def random_pearson(self, draws: int = RANDOM_SCORES, seed: int = 0) -> np.ndarray:
        """Correlations ``(draws,)`` of this truth with random forecasts: what no knowledge at all would reach."""
        scores = np.random.default_rng(seed).normal(size=(draws, len(self.actual)))
        return np.array([Agreement.of(one, self.actual).pearson for one in scores])


@dataclass(frozen=True, eq=False)
class NetworkLeaveOneOut:
    """``k`` examples, each left out on its own in every way; the most influential by ``|D|`` first.

    Attributes:
        train_ids: ``(k,)``.
        predicted: ``(k,)`` ``D``, the predicted change of the test loss, nats.
        retrainings: By way.
        other_ids: ``(t,)`` the other test examples of ``Retrainings.others``.
        eigenvalues: The ends of the Hessian's spectrum at the trained parameters, without damping.
        damping: Of the forecasts.
        p: Parameters.
    """

    train_ids: np.ndarray
    predicted: np.ndarray
    retrainings: dict[str, Retrainings]
    other_ids: np.ndarray
    eigenvalues: ExtremeEigenvalues
    damping: float
    p: int

    def agreement(self, way: str) -> Agreement:
        """The forecasts beside the truth by one way."""
        return Agreement.of(self.predicted, self.retrainings[way].actual)

    def pearson_without_strongest(self, way: str) -> float:
        """The correlation of one way without the example that changes most: one example alone can make a correlation."""
        actual = self.retrainings[way].actual
        rest = np.arange(len(actual)) != np.abs(actual).argmax()
        return Agreement.of(self.predicted[rest], actual[rest]).pearson

    def left_out(self, way: str) -> LeaveOneOut:
        """One way in the shape that the figure draws."""
        found = self.retrainings[way]
        target = np.inf if found.target is None else found.target
        return LeaveOneOut(
            train_ids=self.train_ids,
            predicted=self.predicted,
            newton=None,
            actual=found.actual,
            gradient_norms=found.gradient_norms,
            targets=np.full(len(self.train_ids), target),
            control=found.control,
            seconds=found.seconds,
        )


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_network:
        return None
    return "This check trains a network again; for a linear model leave examples out one by one."


@remember("network, left out", stored=False)
def run(
    study: Study,
    explanation: Explanation,
    k: int = 40,
    ways: Sequence[str] = WARM_WAYS,
    adam: AdamSchedule = ADAM,
    *,
    context: Context = ALONE,
) -> NetworkLeaveOneOut:
    """Leave out each of the ``k`` examples with the largest ``|D|``, and train the network again.

    Args:
        study: A trained network.
        explanation: The question and its forecasts.
        k: How many, up to 200.
        ways: Names of ``WAYS``.
        adam: The steps of the way "adam"; ``PAPER_ADAM`` are the paper's, at the paper's length.
        context: Its store keeps the models, one by one, for this and every other test example.

    Raises:
        DataError: If ``k`` is not between 2 and 200, there are not so many examples, or a way is unknown.
        UnsupportedError: If the study is no network.
    """
    require(supports(study.spec))
    o = study.objective
    assert isinstance(o, NetworkObjective)
    most = min(LIMIT, len(explanation.ids))
    if not 2 <= k <= most:
        raise DataError(f"Leave out between 2 and {most} training examples, not {k}.")
    if unknown := [way for way in ways if way not in WAYS]:
        raise DataError(
            f"There is no way '{unknown[0][:40]}' of training again; choose of {', '.join(WAYS)}."
        )
    at = strongest(explanation.scores, k)
    settings = SolverSettings("cholesky", study.spec.damping, "gauss-newton")
    ready = context.engines.prepare(study, settings, context.part(0.0, 0.05).progress)
    eigenvalues = _eigenvalues(study, PRODUCTS, context=context.part(0.05, 0.1))
    tests, rest = _Tests.of(study, explanation, ready), context.part(0.1, 1.0)
    retrainings = {}
    for step, way in enumerate(ways):
        trainer = Trainer(study, o, way, ready.engine.inverse, ready.settings.damping or 0.0, adam)
        trained = models(trainer, explanation.ids, at, rest.step(step, len(ways)))
        retrainings[way] = _retrainings(trainer, tests, at, trained)
    return NetworkLeaveOneOut(
        train_ids=explanation.ids[at],
        predicted=explanation.scores[at],
        retrainings=retrainings,
        other_ids=tests.ids,
        eigenvalues=eigenvalues,
        damping=explanation.provenance.damping,
        p=o.dim,
    )


@remember("extreme eigenvalues")
def _eigenvalues(study: Study, products: int, *, context: Context) -> ExtremeEigenvalues:
    hessian = Hessian(study.objective, study.theta)
    return extreme_eigenvalues(hessian, products, progress=context.progress)


@dataclass(frozen=True, eq=False)
class _Tests:
    """The test example asked about, in front, and others; with the forecasts of the others.

    Attributes:
        ids: ``(t,)`` of the others.
        x: ``(1 + t, d)``.
        y: ``(1 + t,)`` the label asked about; the true ones of the others.
        predicted: ``(t, n)``.
    """

    ids: np.ndarray
    x: Tensor
    y: Tensor
    predicted: np.ndarray

    @classmethod
    def of(cls, study: Study, explanation: Explanation, ready: Prepared) -> _Tests:
        """The others are the first ones that the model gets wrong."""
        test, device = study.data.test, study.theta.device
        others = np.flatnonzero(study.predictions.wrong & (test.ids.numpy() != explanation.test_id))[:OTHERS]
        x, y = study.inputs(test.x[others]), test.y[others].to(device)
        predicted = ready.engine.score(x, y).values.cpu().numpy() if len(others) else np.zeros((0, 0))
        asked, label = explanation.asked(study)
        return cls(test.ids[others].numpy(), torch.cat([asked, x]), torch.cat([label, y]), predicted)


def _retrainings(
    trainer: Trainer, tests: _Tests, at: np.ndarray, trained: dict[str, np.ndarray]
) -> Retrainings:
    o, theta = trainer.objective, trainer.study.theta
    thetas = torch.as_tensor(trained["theta"]).to(theta)
    losses = torch.stack([o.losses(one, tests.x, tests.y) for one in (theta, *thetas)])
    changes = (losses[1:] - losses[0]).cpu().numpy()
    moved = (thetas - theta).norm(dim=1).cpu().numpy()
    first = int(trainer.has_control)
    drift = changes[0] if first else np.zeros(len(tests.y))
    actual = changes[first:] - drift
    others = [Agreement.of(tests.predicted[j, at], actual[:, 1 + j]).pearson for j in range(len(tests.ids))]
    return Retrainings(
        way=trainer.way,
        actual=actual[:, 0],
        control=float(drift[0]),
        gradient_norms=trained["gradient_norms"][first:],
        target=trainer.target,
        moved=moved[first:],
        control_moved=float(moved[0]) if first else 0.0,
        others=np.array(others),
        seconds=float(trained["seconds"].sum()),
    )


@dataclass(frozen=True)
class PaperTime:
    """How long the paper's own schedule takes here, from the speed of a few of its steps.

    Attributes:
        seconds_a_step: Of Adam, with the paper's batch.
        training: Seconds for training once.
        retraining: Seconds for retraining without each of the paper's 100 examples, and the control.
    """

    seconds_a_step: float
    training: float
    retraining: float


@remember("paper's time", stored=False)
def paper_time(study: Study, steps: int = 20) -> PaperTime:
    """Measure a few of the paper's steps on a study's network and extrapolate; nothing is kept.

    Raises:
        UnsupportedError: If the study is no network.
    """
    require(supports(study.spec))
    assert isinstance(study.objective, NetworkObjective)
    o = study.objective.to(study.theta.device, torch.float32)
    start, times = study.theta.float(), []
    for count in (2, steps):
        started = time.perf_counter()
        train_network(o, start, AdamSchedule(count, PAPER_ADAM.batch, PAPER_ADAM.rate, ()), 0)
        times.append(time.perf_counter() - started)
    each = (times[1] - times[0]) / (steps - 2)
    training = find(PAPER_STUDY).schedule
    assert training is not None
    return PaperTime(each, each * training.steps, each * PAPER_ADAM.steps * (PAPER_LEFT_OUT + 1))
