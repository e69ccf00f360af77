"""Take training examples out and train again: the forecast beside the truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.data.digest import digest
from influence_core.edits import Edit
from influence_core.errors import DataError
from influence_core.experiments.explain import Explanation, Prepared
from influence_core.progress import Progress
from influence_core.retraining import retrain
from influence_core.store import Store
from influence_core.studies import FORMAT, Study

CERTAIN = 1e-6
"""Retraining ends at this share of the gradient that the edit itself brings in."""
CERTAIN_NETWORK = 1e-2
"""The same for a network, whose last steps are many and small."""


@dataclass(frozen=True, eq=False)
class TakeOut:
    """Forecast and truth for some training examples taken out together.

    Attributes:
        train_ids: What was taken out, together.
        predicted: Sum of ``D``: the predicted change of the test loss, nats.
        actual: The change after retraining without them, minus that of the control, nats.
        control: The change after retraining with nothing taken out, nats: what unfinished training contributes.
        before: ``(classes,)`` probabilities of the trained model, or of the control where there is one.
        after: ``(classes,)`` probabilities of the retrained model.
        gradient_norm: ``||grad R_without||`` of the retrained model.
        target: The gradient norm that was asked for.
        converged: Whether it was reached.
        seconds: Time for retraining.
    """

    train_ids: tuple[int, ...]
    predicted: float
    actual: float
    control: float
    before: np.ndarray
    after: np.ndarray
    gradient_norm: float
    target: float
    converged: bool
    seconds: float

    @property
    def flips(self) -> bool:
        """Whether the model's answer changes."""
        return int(self.before.argmax()) != int(self.after.argmax())


def run(
    study: Study,
    explanation: Explanation,
    train_ids: Sequence[int],
    prepared: Prepared | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> TakeOut:
    """Retrain without the examples, to a gradient norm that is small beside the one their removal brings in.

    Args:
        study: The trained model.
        explanation: The question and its forecast.
        train_ids: What to take out, together.
        prepared: A prepared engine, whose dense factor makes retraining faster.
        store: Where results are kept.
        progress: Called while training.

    Raises:
        DataError: If nothing is named, an id is unknown, or no example of some class would be left.
    """
    started = time.perf_counter()
    chosen = tuple(dict.fromkeys(int(one) for one in train_ids))
    if not chosen:
        raise DataError(f"Choose at least one training {explanation.kind} to take out.")
    at = [explanation.position(one) for one in chosen]
    _check_classes(explanation, at)
    o, theta = study.objective, study.theta
    edit = Edit.removal(at)
    certain = CERTAIN if o.is_convex else CERTAIN_NETWORK
    place = theta.device.type
    key = digest("take out", FORMAT, study.key, place, explanation.x, explanation.label, sorted(chosen))
    kept, predicted = store.get(key) if store else None, float(explanation.scores[at].sum())
    if kept is not None:
        stored: dict[str, Any] = {**kept.arrays, **kept.meta}
        return TakeOut(train_ids=chosen, predicted=predicted, **stored)
    target = certain * float(edit.gradient_change(o, theta).norm())
    edits = [edit] if study.gradient_norm <= target else [edit, Edit(edit.positions)]
    inverse = (
        prepared.engine.inverse
        if prepared and prepared.solver.exact and prepared.settings.solver == "cholesky"
        else None
    )
    models = retrain(o, theta, edits, inverse, target, progress)
    x = study.inputs(torch.as_tensor(explanation.x))[None]
    label = torch.tensor([explanation.label], device=theta.device)
    losses = [float(o.losses(one, x, label)) for one in (theta, *models.theta)]
    control = losses[2] - losses[0] if len(losses) > 2 else 0.0
    arrays: dict[str, np.ndarray] = {
        "before": explanation.probabilities
        if len(losses) == 2
        else _probabilities(study, models.theta[1], x),
        "after": _probabilities(study, models.theta[0], x),
    }
    facts: dict[str, Any] = {
        "actual": losses[1] - losses[0] - control,
        "control": control,
        "gradient_norm": float(models.gradient_norms[0]),
        "target": target,
        "converged": bool(models.converged.all()),
        "seconds": time.perf_counter() - started,
    }
    if store:
        store.put(key, arrays, facts)
    found: dict[str, Any] = {**arrays, **facts}
    return TakeOut(train_ids=chosen, predicted=predicted, **found)


def _probabilities(study: Study, theta: Tensor, x: Tensor) -> np.ndarray:
    return study.objective.probabilities(theta, x)[0].cpu().numpy()


def _check_classes(explanation: Explanation, at: list[int]) -> None:
    left = np.delete(explanation.labels, at)
    gone = sorted(set(explanation.labels[at].tolist()) - set(left.tolist()))
    if gone:
        raise DataError(f"This would leave no training {explanation.kind} of label {gone[0]}; keep at least one.")
