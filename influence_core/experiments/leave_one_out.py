"""Do the forecasts come true? Each of the most influential examples left out in turn (the paper's Figure 2)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import Agreement, strongest
from influence_core.context import ALONE, Context
from influence_core.engines import Prepared, SolverSettings
from influence_core.errors import DataError, require
from influence_core.experiments import truths
from influence_core.experiments.explain import Explanation
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import BLOCK_MODELS, retrain, retrain_cold
from influence_core.store.remember import key_of, remember
from influence_core.store.rows import StoredRows
from influence_core.studies import Study, StudySpec

LIMIT = 500
"""The paper's number of examples, and the most that are left out."""
GRADIENT_TOL = 1e-5
"""Retraining ends at this share of the gradient that leaving the example out brings in ..."""
FLOOR = 1e-14
"""... but not below what float64 can reach."""
COLD = 1e-9
"""The gradient norm of the control."""


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
    def agreement(self) -> Agreement:
        """The forecasts ``D`` beside the truth."""
        return Agreement.of(self.predicted, self.actual)

    @property
    def newton_agreement(self) -> Agreement | None:
        """The Newton forecasts beside the truth."""
        return None if self.newton is None else Agreement.of(self.newton, self.actual)


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_smooth_linear:
        return None
    return (
        "Leaving many examples out one by one takes a linear model with a smooth loss. Choose such a study, or take out "
        "single examples on the page “Explain”."
    )


@remember("leave one out", stored=False)
def run(study: Study, explanation: Explanation, k: int = 100, *, context: Context = ALONE) -> LeaveOneOut:
    """Leave out each of the ``k`` examples with the largest ``|D|``, one at a time, and train again.

    Args:
        study: The trained model.
        explanation: The question and its forecasts.
        k: How many, up to 500.
        context: Its store keeps the truth example by example: more of them later, or after a cancelled run, cost the rest.

    Raises:
        DataError: If ``k`` is not between 2 and 500, or there are not so many examples.
        UnsupportedError: If the model cannot be trained again here.
    """
    most = min(LIMIT, len(explanation.ids))
    if not 2 <= k <= most:
        raise DataError(f"Leave out between 2 and {most} training examples, not {k}.")
    require(supports(study.spec))
    at = strongest(explanation.scores, k)
    found = _truths(study, explanation, at, context.part(0.0, 0.9))
    proven = found["gradient_norms"] <= found["targets"]
    truths.add(study, explanation, found["ids"][proven], found["actual"][proven], context=context)
    return LeaveOneOut(
        train_ids=found["ids"],
        predicted=explanation.scores[at],
        newton=found["newton"],
        actual=found["actual"],
        gradient_norms=found["gradient_norms"],
        targets=found["targets"],
        control=_control(study, explanation, context.part(0.9, 1.0)),
        seconds=float(found["seconds"].sum()),
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


def _truths(
    study: Study, explanation: Explanation, at: np.ndarray, context: Context
) -> dict[str, np.ndarray]:
    """The columns of the examples ``at (k,)``: from the store, and the rest left out block by block."""
    key = key_of("leave one out, truths", study, explanation.x, explanation.label, GRADIENT_TOL)
    rows, ids = StoredRows(context.store, key), explanation.ids[at]
    missing = at[np.isin(ids, rows.missing(ids))]
    if len(missing):
        prepared = context.engines.prepare(
            study, SolverSettings(damping=0.0), context.part(0.0, 1 / 3).progress
        )
        rest = context.part(1 / 3, 1.0)
        for start in range(0, len(missing), BLOCK_MODELS):
            block = missing[start : start + BLOCK_MODELS]
            share = rest.part(start / len(missing), (start + len(block)) / len(missing))
            done = len(at) - len(missing) + start
            rows.add(_leave_out(study, explanation, block, prepared, share, f"{done} of {len(at)} left out"))
    return rows.take(ids)


def _leave_out(
    study: Study, explanation: Explanation, at: np.ndarray, prepared: Prepared, context: Context, words: str
) -> dict[str, np.ndarray]:
    """The columns of the examples ``at (m,)``: truth, proof, Newton forecast and each one's share of the time."""
    o, theta, engine = study.objective, study.theta, prepared.engine
    rows = torch.as_tensor(at, device=theta.device)
    x, label = explanation.asked(study)
    brought = o.gradients(theta, o.x[rows], o.y[rows]).norm(dim=1) * o.weights[rows]
    targets = (GRADIENT_TOL * brought).clamp_min(FLOOR)
    started = time.perf_counter()
    edits = [Edit.removal([i]) for i in at.tolist()]
    models = retrain(o, theta, edits, engine.inverse, targets, context.part(0.0, 0.8).named(words).progress)
    losses = torch.cat([o.losses(one, x, label) for one in models.theta])
    seconds = time.perf_counter() - started
    s = engine.inverse_gradients(x, label).require()[:, 0]
    newton = engine.newton_removal(s, rows, context.part(0.8, 1.0).progress)
    return {
        "ids": explanation.ids[at],
        "actual": (losses - o.losses(theta, x, label)).cpu().numpy(),
        "newton": newton.cpu().numpy(),
        "gradient_norms": models.gradient_norms.numpy(),
        "targets": targets.cpu().double().numpy(),
        "seconds": np.full(len(at), seconds / len(at)),
    }


def _control(study: Study, explanation: Explanation, context: Context) -> float:
    """The change of the test loss after training on everything from scratch."""
    o, (x, label) = study.objective, explanation.asked(study)
    cold = torch.as_tensor(_from_scratch(study, COLD, context=context).theta).to(study.theta)
    return float(o.losses(cold, x, label) - o.losses(study.theta, x, label))


@dataclass(frozen=True, eq=False)
class _Cold:
    """Parameters ``(p,)`` trained from zero; they serve every question."""

    theta: np.ndarray


@remember("trained from scratch")
def _from_scratch(study: Study, gradient_norm: float, *, context: Context) -> _Cold:
    context.report(0.0, "the control: training on everything from scratch")
    cold: Tensor = retrain_cold(study.objective, None, gradient_norm, context.progress).theta[0]
    return _Cold(cold.cpu().numpy())
