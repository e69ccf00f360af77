"""Do the forecasts come true? Each of the most influential examples left out in turn (the paper's Figure 2)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import explain
from influence_core.experiments.explain import Explanation, Prepared, Settings
from influence_core.objective import LinearObjective
from influence_core.progress import Progress, part, report
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import BLOCK_MODELS, retrain, retrain_cold
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study
from influence_core.trust import rank_agreement

LIMIT = 500
"""The paper's number of examples, and the most that are left out."""
CERTAIN = 1e-5
"""Retraining ends at this share of the gradient that leaving the example out brings in ..."""
FLOOR = 1e-14
"""... but not below what float64 can reach."""
COLD = 1e-9
"""The gradient norm of the control."""


@dataclass(frozen=True)
class Fit:
    """Forecasts beside the truth.

    Attributes:
        pearson: Their correlation; NaN where one of them does not vary.
        spearman: The same of their ranks.
        slope: Of the forecast on the truth: 1 where the sizes are right on average, below 1 where they are too small.
        worst: Largest ``|forecast - truth|`` as a share of the largest ``|truth|``.
    """

    pearson: float
    spearman: float
    slope: float
    worst: float

    @classmethod
    def of(cls, predicted: np.ndarray, actual: np.ndarray) -> Fit:
        """Of forecasts ``(k,)`` and truths ``(k,)``."""
        p, a = predicted - predicted.mean(), actual - actual.mean()
        varies = bool(p.any() and a.any())
        largest = float(np.abs(actual).max())
        return cls(
            pearson=float(p @ a / np.sqrt((p @ p) * (a @ a))) if varies else math.nan,
            spearman=rank_agreement(predicted, actual),
            slope=float(p @ a / (a @ a)) if varies else math.nan,
            worst=float(np.abs(predicted - actual).max()) / largest if largest else math.nan,
        )


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """``k`` examples, each left out on its own; the most influential by ``|D|`` first.

    Attributes:
        train_ids: ``(k,)``.
        predicted: ``(k,)`` ``D``, the predicted change of the test loss, nats.
        newton: ``(k,)`` the same after one Newton step on the risk without the example; ``None`` for networks.
        actual: ``(k,)`` the change after retraining without the example, nats.
        gradient_norms: ``(k,)`` of each left-out risk at its own parameters: the proof that training came to its end.
        targets: ``(k,)`` the gradient norms that were asked for.
        control: The change of the test loss after training on everything from scratch, nats: the floor of all noise.
        seconds: Time for retraining; preparation, the Newton forecasts and the control aside.
    """

    train_ids: np.ndarray
    predicted: np.ndarray
    newton: np.ndarray | None
    actual: np.ndarray
    gradient_norms: np.ndarray
    targets: np.ndarray
    control: float
    seconds: float

    @property
    def converged(self) -> bool:
        """Whether every model reached its gradient norm."""
        return bool((self.gradient_norms <= self.targets).all())

    @property
    def fit(self) -> Fit:
        """The forecasts ``D`` beside the truth."""
        return Fit.of(self.predicted, self.actual)

    @property
    def newton_fit(self) -> Fit | None:
        """The Newton forecasts beside the truth."""
        return None if self.newton is None else Fit.of(self.newton, self.actual)


def run(
    study: Study,
    explanation: Explanation,
    k: int = 100,
    prepared: Prepared | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
    prepare: Callable[[Study, Settings, Progress | None], Prepared] = explain.prepare,
) -> LeaveOneOut:
    """Leave out each of the ``k`` examples with the largest ``|D|``, one at a time, and train again.

    Args:
        study: The trained model.
        explanation: The question and its forecasts.
        k: How many, up to 500.
        prepared: A prepared engine; it serves where it is the automatic choice without damping.
        store: Where results are kept, example by example: more of them later, or after a cancelled run, cost the rest.
        progress: Called often.
        prepare: Gives the engine that is needed where ``prepared`` does not serve.

    Raises:
        DataError: If ``k`` is not between 2 and 500, or there are not so many examples.
        UnsupportedError: If the model cannot be trained again here.
    """
    most = min(LIMIT, len(explanation.ids))
    if not 2 <= k <= most:
        raise DataError(f"Leave out between 2 and {most} training examples, not {k}.")
    _check_model(study)
    at = np.argsort(-np.abs(explanation.scores), kind="stable")[:k]
    place = study.theta.device.type
    key = digest("leave one out", FORMAT, study.key, place, explanation.x, explanation.label, CERTAIN)
    kept = store.get(key) if store else None
    known = dict(kept.arrays) if kept else {}
    missing = at[~np.isin(explanation.ids[at], known.get("ids", []))]
    if len(missing):
        settings = Settings(damping=0.0).resolved(study)
        if prepared is None or prepared.settings != settings:
            prepared = prepare(study, settings, part(progress, 0.0, 0.3))
        told = part(progress, 0.3, 0.9)
        for start in range(0, len(missing), BLOCK_MODELS):
            block = missing[start : start + BLOCK_MODELS]
            share = part(told, start / len(missing), (start + len(block)) / len(missing))
            words = f"{k - len(missing) + start} of {k} left out"
            found = _leave_out(study, explanation, block, prepared, share, words)
            known = {name: np.concatenate([known.get(name, found[name][:0]), found[name]]) for name in found}
            if store:
                store.put(key, known, {})
    rows = [int(np.flatnonzero(known["ids"] == one)[0]) for one in explanation.ids[at]]
    mine = {name: values[rows] for name, values in known.items()}
    return LeaveOneOut(
        train_ids=mine["ids"],
        predicted=explanation.scores[at],
        newton=mine["newton"],
        actual=mine["actual"],
        gradient_norms=mine["gradient_norms"],
        targets=mine["targets"],
        control=_control(study, explanation, store, part(progress, 0.9, 1.0)),
        seconds=float(mine["seconds"].sum()),
    )


def table(left_out: LeaveOneOut) -> dict[str, np.ndarray]:
    """Forecasts, truth and proof as columns, the most influential example first: what the CSV download holds."""
    columns = {"training_id": left_out.train_ids, "predicted_loss_change_nats": left_out.predicted}
    if left_out.newton is not None:
        columns["newton_loss_change_nats"] = left_out.newton
    return columns | {
        "actual_loss_change_nats": left_out.actual,
        "gradient_norm": left_out.gradient_norms,
        "gradient_norm_asked_for": left_out.targets,
    }


def _check_model(study: Study) -> None:
    if not (isinstance(study.objective, LinearObjective) and study.objective.loss.smooth):
        raise UnsupportedError(
            "Leaving many examples out one by one needs a linear model with a smooth loss; choose such a study, or take "
            "out single examples on the Explain page."
        )


def _leave_out(
    study: Study,
    explanation: Explanation,
    at: np.ndarray,
    prepared: Prepared,
    progress: Progress | None,
    words: str,
) -> dict[str, np.ndarray]:
    """The columns of the examples ``at (m,)``: truth, proof, Newton forecast and each one's share of the time."""
    o, theta, engine = study.objective, study.theta, prepared.engine
    rows = torch.as_tensor(at, device=theta.device)
    x, label = study.inputs(torch.as_tensor(explanation.x))[None], torch.tensor([explanation.label])
    label = label.to(theta.device)
    brought = o.gradients(theta, o.x[rows], o.y[rows]).norm(dim=1) * o.weights[rows]
    targets = (CERTAIN * brought).clamp_min(FLOOR)
    started = time.perf_counter()
    edits = [Edit.removal([i]) for i in at.tolist()]
    told = None if progress is None else lambda fraction, _: report(progress, 0.8 * fraction, words)
    models = retrain(o, theta, edits, engine.inverse, targets, told)
    losses = torch.cat([o.losses(one, x, label) for one in models.theta])
    seconds = time.perf_counter() - started
    s = engine.inverse_gradients(x, label).require()[:, 0]
    newton = engine.newton_removal(s, rows, part(progress, 0.8, 1.0))
    return {
        "ids": explanation.ids[at],
        "actual": (losses - o.losses(theta, x, label)).cpu().numpy(),
        "newton": newton.cpu().numpy(),
        "gradient_norms": models.gradient_norms.numpy(),
        "targets": targets.cpu().double().numpy(),
        "seconds": np.full(len(at), seconds / len(at)),
    }


def _control(study: Study, explanation: Explanation, store: Store | None, progress: Progress | None) -> float:
    """The change of the test loss after training on everything from scratch; the parameters serve every question."""
    o, theta = study.objective, study.theta
    key = digest("trained from scratch", FORMAT, study.key, theta.device.type, COLD)
    kept = store.get(key) if store else None
    if kept is not None:
        cold = torch.as_tensor(kept.arrays["theta"]).to(theta)
    else:
        report(progress, 0.0, "the control: training on everything from scratch")
        cold = retrain_cold(o, None, COLD, progress).theta[0]
        if store:
            store.put(key, {"theta": cold.cpu().numpy()}, {})
    x = study.inputs(torch.as_tensor(explanation.x))[None]
    label = torch.tensor([explanation.label], device=theta.device)
    return float(o.losses(cold, x, label) - o.losses(theta, x, label))
