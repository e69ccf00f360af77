"""Take training examples out, or edit them, and train again: the forecast beside the truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.errors import DataError
from influence_core.experiments import group_forecast, track_record, truths
from influence_core.experiments.explain import Explanation
from influence_core.experiments.group_forecast import GroupForecast, ready_factor
from influence_core.network import NetworkObjective
from influence_core.objective import Objective
from influence_core.operators import GaussNewton
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import retrain
from influence_core.retraining.networks import retrain_damped
from influence_core.retraining.retrained import Retrained
from influence_core.solvers.base import Inverse
from influence_core.solvers.cholesky import Cholesky
from influence_core.store.remember import remember
from influence_core.studies import Study

GRADIENT_TOL = 1e-6
"""Retraining ends at this share of the gradient that the edit itself brings in."""
NETWORK_TOL = 0.1
"""The same for a network, which walks downhill in damped steps and no farther than it must ..."""
NETWORK_NORM = 1e-4
"""... but at least to this gradient norm."""
NETWORK_DAMPING = 0.01
"""Of the steps, where the study names no damping of its own."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What training again after an edit does to a test loss.

    Attributes:
        actual: The change after retraining, minus that of the control, nats.
        control: The change after retraining with nothing taken out, nats: what unfinished training contributes.
        before: ``(classes,)`` probabilities of the trained model, or of the control where there is one.
        after: ``(classes,)`` probabilities of the retrained model.
        gradient_norm: ``||grad R_without||`` of the retrained model.
        target: The gradient norm that was asked for.
        converged: Whether it was reached.
        seconds: Time for retraining.
    """

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


@dataclass(frozen=True, eq=False)
class TakeOut(Truth):
    """Forecast and truth for some training examples taken out, or edited, together.

    Attributes:
        train_ids: What was taken out or edited.
        forecast: The predicted change of the test loss, of all together and of each alone, added up.
    """

    train_ids: tuple[int, ...]
    forecast: GroupForecast


@remember("take out", stored=False)
def run(
    study: Study, explanation: Explanation, train_ids: Sequence[int], *, context: Context = ALONE
) -> TakeOut:
    """Retrain without the examples, to a gradient norm that is small beside the one their removal brings in.

    Args:
        study: The trained model.
        explanation: The question and its forecast.
        train_ids: What to take out, together.
        context: Its engines' dense factor makes retraining faster.

    Raises:
        DataError: If nothing is named, an id is unknown, or no example of some class would be left.
    """
    chosen = tuple(dict.fromkeys(int(one) for one in train_ids))
    if not chosen:
        raise DataError(f"Choose at least one training {explanation.kind} to take out.")
    edit = Edit.removal([explanation.position(one) for one in chosen])
    found = run_edit(study, explanation, edit, context=context)
    if len(chosen) == 1 and found.converged:
        truths.add(study, explanation, np.array(chosen), np.array([found.actual]), context=context)
    return found


def run_edit(study: Study, explanation: Explanation, edit: Edit, *, context: Context = ALONE) -> TakeOut:
    """The same for any edit of training examples: forecast, then training again after it.

    How the two agree is noted in the study's track record.

    Raises:
        DataError: If no example of some class would be left.
    """
    check_classes(study, edit)
    forecast = group_forecast.run(study, explanation, edit, context=context.part(0.0, 0.2))
    x, label = explanation.asked(study)
    inverse, rest = ready_factor(study, explanation.settings, context), context.part(0.2, 1.0)
    found = _retrained(study, x, label, edit.sorted(), inverse=inverse, context=rest)
    if found.converged and forecast.together is not None:
        track_record.note(study, explanation, edit, forecast.together, found.actual, context=context)
    train_ids = tuple(int(one) for one in explanation.ids[edit.positions.tolist()])
    return TakeOut(**vars(found), train_ids=train_ids, forecast=forecast)


def recall(study: Study, explanation: Explanation, edit: Edit, *, context: Context) -> Truth | None:
    """What training again after an edit did, where somebody has trained it to the end; nothing is trained.

    Args:
        study: The trained model.
        explanation: The question.
        edit: What was changed.
        context: Its store has it, or not.
    """
    x, label = explanation.asked(study)
    found = _retrained.recall(study, x, label, edit.sorted(), inverse=None, context=context)
    return found if found is not None and found.converged else None


@remember("take out, retrained")
def _retrained(
    study: Study, x: Tensor, label: Tensor, edit: Edit, *, inverse: Inverse | None, context: Context
) -> Truth:
    started = time.perf_counter()
    o, theta = study.objective, study.theta
    target, models = train_again(study, edit, inverse, context)
    losses = [float(o.losses(one, x, label)) for one in (theta, *models.theta)]
    control = losses[2] - losses[0] if len(losses) > 2 else 0.0
    before = theta if len(losses) == 2 else models.theta[1]
    return Truth(
        actual=losses[1] - losses[0] - control,
        control=control,
        before=o.probabilities(before, x)[0].cpu().numpy(),
        after=o.probabilities(models.theta[0], x)[0].cpu().numpy(),
        gradient_norm=float(models.gradient_norms[0]),
        target=target,
        converged=bool(models.converged.all()),
        seconds=time.perf_counter() - started,
    )


def train_again(
    study: Study, edit: Edit, inverse: Inverse | None, context: Context
) -> tuple[float, Retrained]:
    """The model after an edit, and behind it the control without one where the study's own training leaves so much open.

    Args:
        study: The trained model.
        edit: What is changed.
        inverse: An exact factor, if one is prepared.
        context: Told how far it is.

    Returns:
        The gradient norm that is asked for, and the models.
    """
    o, theta = study.objective, study.theta
    target = _target(o, float(edit.gradient_change(o, theta).norm()))
    edits = [edit] if study.gradient_norm <= target else [edit, Edit(edit.positions)]
    return target, _retrain(study, edits, inverse, target, context)


def _target(objective: Objective, brought: float) -> float:
    """The gradient norm to train to, after an edit that brings in a gradient of the norm ``brought``."""
    if isinstance(objective, NetworkObjective):
        return min(NETWORK_NORM, NETWORK_TOL * brought)
    return GRADIENT_TOL * brought


def _retrain(
    study: Study, edits: Sequence[Edit], inverse: Inverse | None, target: float, context: Context
) -> Retrained:
    o, theta = study.objective, study.theta
    if not isinstance(o, NetworkObjective):
        return retrain(o, theta, edits, inverse, target, context.progress)
    damping = study.spec.damping or NETWORK_DAMPING
    if inverse is None:
        inverse = Cholesky().prepare(GaussNewton(o, theta, damping), context.part(0.0, 0.1).progress)
        context = context.part(0.1, 1.0)
    return retrain_damped(o, theta, edits, inverse, damping, target, context.progress)


def check_classes(study: Study, edit: Edit) -> None:
    """Raise ``DataError`` where an edit leaves no training example of some class."""
    edited, names = edit.apply(study.objective), study.data.class_names
    left = edited.y[edited.weights > 0].tolist()
    gone = sorted(set(study.data.train.y.tolist()) - set(left))
    if gone:
        raise DataError(
            f"This would leave no training {study.data.kind} labelled {names[gone[0]]}; keep at least one."
        )
