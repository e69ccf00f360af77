"""Take training examples out, or edit them, and train again: the forecast beside the truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError
from influence_core.experiments.explain import Explanation, Prepared
from influence_core.network import NetworkObjective
from influence_core.objective import Objective
from influence_core.operators import GaussNewton
from influence_core.progress import Progress, part
from influence_core.retraining.edits import Edit, predict
from influence_core.retraining.linear import retrain
from influence_core.retraining.networks import retrain_damped
from influence_core.retraining.retrained import Retrained
from influence_core.solvers.cholesky import Cholesky
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study

CERTAIN = 1e-6
"""Retraining ends at this share of the gradient that the edit itself brings in."""
CERTAIN_NETWORK = 0.1
"""The same for a network, which walks downhill in damped steps and no farther than it must ..."""
NETWORK_NORM = 1e-4
"""... but at least to this gradient norm."""
NETWORK_DAMPING = 0.01
"""Of the steps, where the study names no damping of its own."""


@dataclass(frozen=True, eq=False)
class TakeOut:
    """Forecast and truth for some training examples taken out together.

    Attributes:
        train_ids: What was taken out or edited, together.
        predicted: The predicted change of the test loss, nats; for a removal the sum of ``D``.
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
    chosen = tuple(dict.fromkeys(int(one) for one in train_ids))
    if not chosen:
        raise DataError(f"Choose at least one training {explanation.kind} to take out.")
    edit = Edit.removal([explanation.position(one) for one in chosen])
    return run_edit(study, explanation, edit, prepared, store, progress)


def run_edit(
    study: Study,
    explanation: Explanation,
    edit: Edit,
    prepared: Prepared | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> TakeOut:
    """The same for any edit of training examples: forecast, then training again after it.

    Raises:
        DataError: If no example of some class would be left.
    """
    started = time.perf_counter()
    o, theta = study.objective, study.theta
    at = edit.positions.tolist()
    _check_classes(explanation, edit.apply(o))
    chosen = tuple(int(one) for one in explanation.ids[at])
    place, s = theta.device.type, torch.as_tensor(explanation.s).to(theta)
    predicted = float(predict(o, theta, edit, s))
    order = edit.positions.argsort()
    changed = [None if part is None else part[order].cpu() for part in (edit.x, edit.y)]
    content = (sorted(at), edit.weight, *changed, *_pace(study))
    key = digest("take out", FORMAT, study.key, place, explanation.x, explanation.label, content)
    kept = store.get(key) if store else None
    if kept is not None:
        stored: dict[str, Any] = {**kept.arrays, **kept.meta}
        return TakeOut(train_ids=chosen, predicted=predicted, **stored)
    target = _target(o, float(edit.gradient_change(o, theta).norm()))
    edits = [edit] if study.gradient_norm <= target else [edit, Edit(edit.positions)]
    models = _retrain(study, edits, prepared, target, progress)
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


def _target(objective: Objective, brought: float) -> float:
    """The gradient norm to train to, after an edit that brings in a gradient of the norm ``brought``."""
    if isinstance(objective, NetworkObjective):
        return min(NETWORK_NORM, CERTAIN_NETWORK * brought)
    return CERTAIN * brought


def _pace(study: Study) -> tuple[float, ...]:
    """The damping of a network's steps, and how far they go."""
    if isinstance(study.objective, NetworkObjective):
        return study.spec.damping or NETWORK_DAMPING, NETWORK_NORM, CERTAIN_NETWORK
    return ()


def _retrain(
    study: Study, edits: Sequence[Edit], prepared: Prepared | None, target: float, progress: Progress | None
) -> Retrained:
    o, theta, inverse = study.objective, study.theta, None
    if prepared and prepared.solver.exact and prepared.settings.solver == "cholesky":
        inverse = prepared.engine.inverse
    if not isinstance(o, NetworkObjective):
        return retrain(o, theta, edits, inverse, target, progress)
    damping = _pace(study)[0]
    if inverse is None:
        inverse = Cholesky().prepare(GaussNewton(o, theta, damping), part(progress, 0.0, 0.1))
        progress = part(progress, 0.1, 1.0)
    return retrain_damped(o, theta, edits, inverse, damping, target, progress)


def _probabilities(study: Study, theta: Tensor, x: Tensor) -> np.ndarray:
    return study.objective.probabilities(theta, x)[0].cpu().numpy()


def _check_classes(explanation: Explanation, edited: Objective) -> None:
    left = edited.y[edited.weights > 0].cpu().numpy()
    gone = sorted(set(explanation.labels.tolist()) - set(left.tolist()))
    if gone:
        name = explanation.class_names[gone[0]]
        raise DataError(
            f"This would leave no training {explanation.kind} labelled {name}; keep at least one."
        )
