"""What if the loss has a kink? Forecasts for a support vector machine, through a smoothed hinge (section 4.3).

The machine is trained with the hinge. At that optimum everything that the forecast differentiates, the gradients of
training and test examples and the Hessian, takes ``SmoothHinge(t)`` in the hinge's place. The truth is the change of
the hinge itself after true training with the hinge. Leaving example ``i`` out means ``w_i = 0``: the other weights stay
``1/n`` and the penalty stays, so the gradients are those of the data alone. Losses are in hinge units, not in nats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from influence_core.errors import DataError, UnsupportedError
from influence_core.influence import InfluenceEngine, InfluenceScores
from influence_core.losses import HingeLoss, Loss, SmoothHingeLoss
from influence_core.operators import Hessian
from influence_core.progress import Progress, part, report
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import retrain
from influence_core.solvers import Cholesky
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study, StudySpec
from influence_core.training import MARGIN, hinge_slopes

SVM_STUDIES: dict[str, StudySpec] = {
    spec.name: spec
    for spec in (
        StudySpec(
            "one-or-seven-svm", "Digits 1 and 7, support vector machine", "digits", "svm", 0.01, (7, 1)
        ),
        StudySpec(
            "mnist-one-or-seven-svm",
            "Full MNIST 1 and 7, support vector machine",
            "mnist",
            "svm",
            0.01,
            (7, 1),
            n_train=11_800,
            n_test=2_100,
        ),
    )
}
"""Studies that answer this question and no other: a support vector machine gives margins, not probabilities."""

MACHINES = {spec.data: spec for spec in SVM_STUDIES.values()}
"""The support vector machine of each data set that has one."""

PAPER_TESTS = {"mnist-one-or-seven-svm": 7432}
"""The paper's test image (number 1,597 of the ones and sevens): a seven taken for a one."""
PANELS = (0.0, 0.001, 0.1)
"""The paper's temperatures; 0 is the hinge itself."""
CURVES = (0.0, 0.001, 0.01, 0.1)
TEMPERATURES = (0.0, *(float(f"{10 ** (step / 4):.2e}") for step in range(-16, 5)))
"""The hinge, and four temperatures a decade from 0.0001 to 10."""
CERTAIN = 1e-3
"""Retraining is proved by a subgradient below this share of the smallest one that a removal brings in."""


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

    @property
    def pearson(self) -> np.ndarray:
        """``(m,)`` correlation of forecast and truth."""
        return self._agreement(lambda a, b: np.corrcoef(a, b)[0, 1])

    @property
    def spearman(self) -> np.ndarray:
        """``(m,)`` rank correlation of forecast and truth."""
        return self._agreement(lambda a, b: spearmanr(a, b).statistic)

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

    def _agreement(self, measure: Callable[[np.ndarray, np.ndarray], float]) -> np.ndarray:
        return np.array([measure(self.actual, one) for one in self.predicted])


@dataclass(frozen=True, eq=False)
class Curves:
    """The loss as a function of the margin.

    Attributes:
        margins: ``(b,)``.
        temperatures: ``(m,)``; 0 is the hinge.
        values: ``(m, b)`` in hinge units.
    """

    margins: np.ndarray
    temperatures: np.ndarray
    values: np.ndarray


def curves(temperatures: Sequence[float] = CURVES, low: float = 0.8, high: float = 1.2) -> Curves:
    """``SmoothHinge(m, t) = t log(1 + exp((1 - m) / t))`` near the kink; ``max(0, 1 - m)`` for ``t = 0``."""
    margins = torch.linspace(low, high, 401, dtype=torch.float64)
    label = torch.ones(len(margins), dtype=torch.long)
    values = [_loss(t).values(margins[:, None], label).numpy() for t in temperatures]
    return Curves(margins.numpy(), np.array(temperatures), np.array(values))


def _loss(temperature: float) -> Loss:
    return SmoothHingeLoss(temperature) if temperature else HingeLoss()


def margins(study: Study) -> np.ndarray:
    """``(t,)`` the margins of the test examples: below 0 the model is wrong, above 1 the hinge is 0."""
    test = study.data.test
    f = study.objective.outputs(study.theta, study.inputs(test.x))[:, 0].cpu()
    return (f * (2 * test.y - 1)).numpy()


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


def run(
    study: Study,
    test_id: int | None = None,
    temperatures: Sequence[float] = TEMPERATURES,
    k: int = 100,
    store: Store | None = None,
    progress: Progress | None = None,
) -> SmoothHinge:
    """Forecasts at every temperature and the truth, for the same ``k`` training examples.

    Args:
        study: A support vector machine.
        test_id: The test example; ``default_test`` where none is named.
        temperatures: Above 0; the hinge itself is always there.
        k: Examples left out, one by one; only those that have a forecast under the hinge count.
        store: Where results and retrained models are kept.
        progress: Called while training and solving.

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
    test_id = default_test(study) if test_id is None else test_id
    rising = [0.0, *sorted(set(temperatures) - {0.0})]
    key = digest("smooth hinge", FORMAT, study.key, study.theta.device.type, test_id, rising, k)
    kept = store.get(key) if store else None
    arrays, facts = (kept.arrays, kept.meta) if kept else _compute(study, test_id, rising, k, store, progress)
    if store and kept is None:
        store.put(key, arrays, facts)
    found: dict[str, Any] = {**arrays, **facts}
    return SmoothHinge(test_id=test_id, class_names=study.data.class_names, **found)


def _compute(
    study: Study,
    test_id: int,
    temperatures: list[float],
    k: int,
    store: Store | None,
    progress: Progress | None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    started = time.perf_counter()
    o, train, place = study.objective, study.data.train, study.data.test.position(test_id)
    x, y = _asked(study, place)
    under_hinge = _forecast_hinge(study, x, y)
    at = torch.argsort(under_hinge.abs(), descending=True, stable=True)[:k]
    at = at[under_hinge[at] != 0]
    thetas, norms, target = _leave_out(study, at, store, part(progress, 0.0, 0.7))
    smoothed, residual = _forecasts(study, at, temperatures[1:], x, y, part(progress, 0.7, 1.0))
    after = torch.cat([o.losses(one, x, y) for one in thetas])
    rows = at.cpu()
    arrays = {
        "ids": train.ids[rows].numpy(),
        "labels": train.y[rows].numpy(),
        "margins": _training_margins(study)[rows].numpy(),
        "temperatures": np.array(temperatures),
        "predicted": torch.stack([under_hinge[at], *smoothed]).cpu().numpy(),
        "actual": (after - o.losses(study.theta, x, y)).cpu().numpy(),
        "gradient_norms": norms,
    }
    facts = {
        "label": int(y),
        "margin": float(margins(study)[place]),
        "target": target,
        "residual": residual,
        "n": o.n,
        "p": o.dim,
        "l2": study.spec.l2,
        "seconds": time.perf_counter() - started,
    }
    return arrays, facts


def _asked(study: Study, place: int) -> tuple[Tensor, Tensor]:
    """The test example as ``x (1, d)``, ``y (1,)``; raise ``DataError`` where its hinge is flat."""
    test = study.data.test
    x, y = study.inputs(test.x[place])[None], test.y[place][None].to(study.theta.device)
    if not study.objective.losses(study.theta, x, y) > 0:
        raise DataError(
            f"The hinge of test example {int(test.ids[place])} is 0: it lies beyond the margin, and a flat loss "
            "forecasts nothing. Choose a test example that the model gets wrong or nearly wrong."
        )
    return x, y


def _training_margins(study: Study) -> Tensor:
    o = study.objective
    return (o.outputs(study.theta, o.x)[:, 0] * (2 * o.y - 1)).cpu()


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
    study: Study, at: Tensor, temperatures: list[float], x: Tensor, y: Tensor, progress: Progress | None
) -> tuple[list[Tensor], float]:
    """``D (k,)`` of ``at (k,)`` with each ``SmoothHinge(t)`` at the hinge's optimum, and the largest residual."""
    found, residual = [], 0.0
    for done, t in enumerate(temperatures):
        report(progress, done / len(temperatures), f"forecasting with t = {t:g}")
        scores = forecast(study, t, x, y)
        found.append(scores.values[0, at])
        residual = max(residual, scores.solve.residual)
    return found, residual


def _leave_out(
    study: Study, at: Tensor, store: Store | None, progress: Progress | None
) -> tuple[Tensor, np.ndarray, float]:
    """The machine without each of ``at (k,)``: ``(k, p)``, the proof ``(k,)``, and what it must not exceed.

    The models do not depend on the test example, and many test examples share their strongest training examples.
    """
    o, theta = study.objective, study.theta
    target = CERTAIN * float((o.weights[at] * o.x[at].norm(dim=1)).min())
    ordered, order = at.cpu().sort()
    key = digest("without one", FORMAT, study.key, theta.device.type, ordered)
    kept = store.get(key) if store else None
    if kept is not None:
        thetas, norms = torch.as_tensor(kept.arrays["theta"]).to(theta), kept.arrays["norms"]
    else:
        edits = [Edit.removal(one) for one in ordered[:, None]]

        def told(fraction: float, _: str) -> None:
            done = round(fraction * len(edits))
            report(progress, fraction, f"{done} of {len(edits)} models trained again")

        models = retrain(o, theta, edits, gradient_norm=target, progress=told)
        thetas, norms = models.theta, models.gradient_norms.numpy()
        if store:
            store.put(key, {"theta": thetas.cpu().numpy(), "norms": norms}, {})
    back = order.argsort()
    return thetas[back], norms[back], target


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
