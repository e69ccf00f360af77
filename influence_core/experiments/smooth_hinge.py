"""What if the loss has a kink? Forecasts for a support vector machine, through a smoothed hinge (section 4.3).

The machine is trained with the hinge. At that optimum everything that the forecast differentiates, the gradients of
training and test examples and the Hessian, takes ``SmoothHinge(t)`` in the hinge's place. The truth is the change of
the hinge itself after true training with the hinge. Leaving example ``i`` out means ``w_i = 0``: the other weights stay
``1/n`` and the penalty stays, so the gradients are those of the data alone. Losses are in hinge units, not in nats.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import Agreement
from influence_core.context import ALONE, Context
from influence_core.data import Examples
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import left_out_machines
from influence_core.influence import InfluenceEngine, InfluenceScores
from influence_core.losses import HingeLoss, SmoothHingeLoss
from influence_core.operators import Hessian
from influence_core.solvers import Cholesky
from influence_core.store.remember import remember
from influence_core.studies import MACHINES, Study, StudySpec
from influence_core.training import MARGIN, hinge_slopes

PAPER_TESTS = {MACHINES["mnist"].name: 7432}
"""The paper's test image (number 1,597 of the ones and sevens): a seven taken for a one."""
PANELS = (0.0, 0.001, 0.1)
"""The paper's temperatures; 0 is the hinge itself."""
TEMPERATURES = (0.0, *(float(f"{10 ** (step / 4):.2e}") for step in range(-16, 5)))
"""The hinge, and four temperatures a decade from 0.0001 to 10."""


@dataclass(frozen=True, eq=False)
class SmoothHinge:
    """Forecast and truth for ``k`` training examples, each left out alone, at ``m`` temperatures.

    Attributes:
        test_id: The test example.
        label: Its true label, whose hinge is forecast.
        margin: Its margin; below 0 the model is wrong.
        class_names: What the labels mean.
        ids: ``(k,)`` training ids, those of largest ``|D|`` under the hinge itself, the largest first.
        labels: ``(k,)`` their labels.
        margins: ``(k,)`` their margins.
        temperatures: ``(m,)``, rising; the first is 0, the hinge itself.
        predicted: ``(m, k)`` ``D``: predicted change of the test loss on removal, in hinge units; positive = helpful.
        actual: ``(k,)`` the change of the hinge after true training without the example.
        gradient_norms: ``(k,)`` of the smallest subgradient of each left-out model, over all its examples.
        target: What those norms must not exceed.
        residual: Largest true relative residual of the solves.
        n: Training examples.
        p: Parameters.
        l2: The trained penalty.
        seconds: Time for forecasts and retraining.
    """

    test_id: int
    label: int
    margin: float
    class_names: tuple[str, ...]
    ids: np.ndarray
    labels: np.ndarray
    margins: np.ndarray
    temperatures: np.ndarray
    predicted: np.ndarray
    actual: np.ndarray
    gradient_norms: np.ndarray
    target: float
    residual: float
    n: int
    p: int
    l2: float
    seconds: float

    @property
    def proved(self) -> bool:
        """Whether every left-out model is an optimum."""
        return bool((self.gradient_norms <= self.target).all())

    @property
    def on_kink(self) -> np.ndarray:
        """``(k,)`` whether the example lies on the kink of the trained model."""
        return np.abs(self.margins - 1) <= MARGIN

    @cached_property
    def agreements(self) -> tuple[Agreement, ...]:
        """``(m,)`` of forecast and truth, one a temperature."""
        return tuple(Agreement.of(one, self.actual) for one in self.predicted)

    @property
    def pearson(self) -> np.ndarray:
        """``(m,)`` correlation of forecast and truth."""
        return np.array([one.pearson for one in self.agreements])

    @property
    def spearman(self) -> np.ndarray:
        """``(m,)`` rank correlation of forecast and truth."""
        return np.array([one.spearman for one in self.agreements])

    @property
    def size_ratio(self) -> np.ndarray:
        """``(m,)`` largest forecast over largest true change: 1 where the size is right."""
        return np.abs(self.predicted).max(1) / np.abs(self.actual).max()

    def index(self, temperature: float) -> int:
        """Where a temperature stands.

        Raises:
            DataError: If there is no forecast at this temperature.
        """
        found = np.flatnonzero(np.isclose(self.temperatures, temperature, rtol=1e-9, atol=0))
        if not len(found):
            known = ", ".join(f"{one:g}" for one in self.temperatures)
            raise DataError(f"There is no forecast at t = {temperature:g}; choose one of {known}.")
        return int(found[0])


def margins(study: Study, examples: Examples | None = None) -> np.ndarray:
    """``(t,)`` the margins of the test examples, or of others: below 0 the model is wrong, above 1 the hinge is 0."""
    asked = examples or study.data.test
    f = study.objective.outputs(study.theta, study.inputs(asked.x))[:, 0].cpu()
    return (f * (2 * asked.y - 1)).numpy()


def askable(study: Study) -> np.ndarray:
    """Test ids whose hinge is not 0: wrong answers first, the narrowest first among wrong and right ones."""
    found = margins(study)
    order = np.lexsort((np.abs(found), found >= 0))
    return study.data.test.ids.numpy()[order[found[order] < 1]]


def default_test(study: Study) -> int:
    """The paper's test example, or the wrong answer with the smallest margin.

    Raises:
        DataError: If the hinge of every test example is 0.
    """
    offered = askable(study)
    if not len(offered):
        raise DataError("The hinge of every test example is 0 here, so there is nothing to forecast.")
    return PAPER_TESTS.get(study.spec.name, int(offered[0]))


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.data in MACHINES:
        return None
    return (
        "This page trains a model of its own, a support vector machine that tells the digits 1 and 7 apart, and so needs "
        "a study on digits."
    )


@remember("smooth hinge")
def run(
    study: Study,
    test_id: int | None = None,
    temperatures: Sequence[float] = TEMPERATURES,
    k: int = 100,
    *,
    context: Context = ALONE,
) -> SmoothHinge:
    """Forecasts at every temperature and the truth, for the same ``k`` training examples.

    Args:
        study: A support vector machine.
        test_id: The test example; ``default_test`` where none is named.
        temperatures: Above 0; the hinge itself is always there.
        k: Examples left out, one by one; only those that have a forecast under the hinge count.
        context: Its store keeps the retrained models too, which serve other test examples.

    Raises:
        UnsupportedError: If the study was not trained with the hinge.
        DataError: If there is no such test example, its hinge is 0, or a temperature or ``k`` makes no sense.
    """
    if not isinstance(study.objective.loss, HingeLoss):
        raise UnsupportedError(
            f"The study '{study.spec.name}' was not trained with the hinge: choose an SVM."
        )
    if not all(np.isfinite(t) and t >= 0 for t in temperatures) or k < 2:
        raise DataError(f"Temperatures must be at least 0 and k at least 2, but are {temperatures} and {k}.")
    started, o, train = time.perf_counter(), study.objective, study.data.train
    position = study.data.test.position(default_test(study) if test_id is None else test_id)
    x, y = _asked(study, position)
    under_hinge = _forecast_hinge(study, x, y)
    at = torch.argsort(under_hinge.abs(), descending=True, stable=True)[:k]
    at = at[under_hinge[at] != 0]
    models = left_out_machines.leave_out(study, at, context.part(0.0, 0.7))
    smooth = sorted(set(temperatures) - {0.0})
    smoothed, residual = _forecasts(study, at, smooth, x, y, context.part(0.7, 1.0))
    after = torch.cat([o.losses(one, x, y) for one in torch.as_tensor(models.theta).to(study.theta)])
    rows = at.cpu()
    return SmoothHinge(
        test_id=int(study.data.test.ids[position]),
        label=int(y),
        margin=float(margins(study)[position]),
        class_names=study.data.class_names,
        ids=train.ids[rows].numpy(),
        labels=train.y[rows].numpy(),
        margins=margins(study, train)[rows.numpy()],
        temperatures=np.array([0.0, *smooth]),
        predicted=torch.stack([under_hinge[at], *smoothed]).cpu().numpy(),
        actual=(after - o.losses(study.theta, x, y)).cpu().numpy(),
        gradient_norms=models.gradient_norms,
        target=models.target,
        residual=residual,
        n=o.n,
        p=o.dim,
        l2=study.spec.l2,
        seconds=time.perf_counter() - started,
    )


def _asked(study: Study, position: int) -> tuple[Tensor, Tensor]:
    """The test example as ``x (1, d)``, ``y (1,)``; raise ``DataError`` where its hinge is flat."""
    test = study.data.test
    x, y = study.example(test.x[position], int(test.y[position]))
    if not study.objective.losses(study.theta, x, y) > 0:
        raise DataError(
            f"The hinge of test example {int(test.ids[position])} is 0: it lies beyond the margin, and a flat loss "
            "forecasts nothing. Choose a test example that the model gets wrong or nearly wrong."
        )
    return x, y


def _forecast_hinge(study: Study, x: Tensor, y: Tensor) -> Tensor:
    """``D (n,)`` with the hinge itself: where it is straight it has no curvature, so ``H`` is ``l2``.

    Examples on the kink take the slope that the optimum gives them, so that ``sum_i D_i + l2 theta . s = 0`` holds.
    """
    o, theta = study.objective, study.theta
    s = o.gradients(theta, x, y)[0] / o.l2
    residuals = hinge_slopes(o, theta)[:, None] * o.loss.directions(o.outputs(theta, o.x), o.y)
    return o.weights * (residuals * o.output_products(theta, o.x, s)).sum(1)


def forecast(study: Study, temperature: float, x: Tensor, y: Tensor) -> InfluenceScores:
    """``D (t, n)`` of test examples ``x (t, d)``, ``y (t,)`` in hinge units, with ``SmoothHinge(temperature)``.

    It takes the hinge's place in the Hessian and in the gradients of training and test examples, at the hinge's optimum.
    """
    smooth = replace(study.objective, loss=SmoothHingeLoss(temperature))
    operator = Hessian(smooth, study.theta)
    return InfluenceEngine(smooth, study.theta, operator, Cholesky().prepare(operator)).score(x, y)


def _forecasts(
    study: Study, at: Tensor, temperatures: list[float], x: Tensor, y: Tensor, context: Context
) -> tuple[list[Tensor], float]:
    """``D (k,)`` of ``at (k,)`` with each ``SmoothHinge(t)`` at the hinge's optimum, and the largest residual."""
    found, residual = [], 0.0
    for done, t in enumerate(temperatures):
        context.report(done / len(temperatures), f"forecasting with t = {t:g}")
        scores = forecast(study, t, x, y)
        found.append(scores.values[0, at])
        residual = max(residual, scores.solve.residual)
    return found, residual


def table(result: SmoothHinge) -> dict[str, np.ndarray]:
    """Truth and forecasts as columns, one row a left-out example; the CSV download holds exactly these."""
    columns = {
        "training_id": result.ids,
        "label": np.array(result.class_names)[result.labels],
        "margin": result.margins,
        "actual_loss_change": result.actual,
    }
    forecasts = zip(result.temperatures, result.predicted, strict=True)
    return columns | {f"predicted_loss_change_t={t:g}": values for t, values in forecasts}
