"""An edit of training examples and any quantity: what will become of it, and what does when the model is trained again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.engines import QUICK_LIMIT
from influence_core.errors import SolveError
from influence_core.experiments.any_question import TargetEffects
from influence_core.experiments.corrected import UNDAMPED, linear_objective, supports, undamped
from influence_core.experiments.explain import AUTOMATIC
from influence_core.experiments.group_forecast import GroupForecast, ready_factor
from influence_core.experiments.take_out import check_classes, train_again
from influence_core.experiments.targets import Target
from influence_core.influence import edited_step
from influence_core.retraining.edits import Edit, predict
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class TargetTruth:
    """What training again after an edit does to a quantity.

    Attributes:
        before: The quantity of the trained model, or of the control where there is one.
        after: Of the retrained model; the change is the difference.
        answers_before: ``(t,)`` the model's answers.
        answers_after: ``(t,)`` the retrained model's.
        gradient_norm: ``||grad R_edited||`` of the retrained model.
        asked_norm: The gradient norm that was asked for.
        converged: Whether it was reached.
        seconds: Time for retraining.
    """

    before: float
    after: float
    answers_before: np.ndarray
    answers_after: np.ndarray
    gradient_norm: float
    asked_norm: float
    converged: bool
    seconds: float

    @property
    def change(self) -> float:
        """The true change of the quantity, in its own unit."""
        return self.after - self.before

    @property
    def changed_answers(self) -> int:
        """How many of the answers are others now."""
        return int((self.answers_before != self.answers_after).sum())


@remember("forecast of an edit for any question", stored=False)
def forecast(
    study: Study, target: Target, effects: TargetEffects, edit: Edit, *, context: Context = ALONE
) -> GroupForecast:
    """The predicted change of a quantity if the edit is made, in the quantity's unit.

    Args:
        study: The trained model.
        target: What is asked about.
        effects: The answer to it; its ``s`` makes the sum of the members.
        edit: What is changed.
        context: Its engines' undamped dense factor, where one is ready, makes small groups faster.
    """
    o, theta = study.objective, study.theta
    alone = float(predict(o, theta, edit, torch.as_tensor(effects.s).to(theta)))
    if supports(study.spec):
        return GroupForecast(alone)
    try:
        step = edited_step(
            linear_objective(study), theta, edit, ready_factor(study, UNDAMPED, context), context.progress
        )
    except SolveError:
        return GroupForecast(alone)
    return GroupForecast(alone, target.value(study, theta + step) - effects.before)


@dataclass(frozen=True)
class Forecasts:
    """Of several edits, each on its own, in the quantity's unit."""

    each: tuple[GroupForecast, ...]


@remember("forecasts of removals for any question")
def forecast_removals(
    study: Study,
    target: Target,
    effects: TargetEffects,
    groups: Sequence[np.ndarray],
    *,
    context: Context = ALONE,
) -> Forecasts:
    """The forecast of each group of training examples being taken out.

    Args:
        study: The trained model.
        target: What is asked about.
        effects: The answer to it.
        groups: Positions ``(m,)`` of each group.
        context: As for ``forecast``; a factor that takes seconds is prepared.
    """
    if supports(study.spec) is None and study.objective.dim <= QUICK_LIMIT:
        undamped(study, context.named("preparing the exact solver"))
    removals = [Edit.removal(one.tolist()) for one in groups]
    parts = [
        context.step(at, len(groups)).named(f"group {at + 1} of {len(groups)}") for at in range(len(groups))
    ]
    found = [
        forecast(study, target, effects, one, context=part) for one, part in zip(removals, parts, strict=True)
    ]
    return Forecasts(tuple(found))


@remember("truth of an edit for any question")
def retrain(study: Study, target: Target, edit: Edit, *, context: Context = ALONE) -> TargetTruth:
    """Train again after an edit, and look at the quantity.

    Args:
        study: The trained model.
        target: What is asked about.
        edit: What is changed.
        context: Its engines' dense factor makes retraining faster.

    Raises:
        DataError: If no example of some class would be left.
    """
    check_classes(study, edit)
    started = time.perf_counter()
    inverse = ready_factor(study, AUTOMATIC, context)
    asked_norm, models = train_again(study, edit.sorted(), inverse, context)
    before, after = (study.theta, *models.theta.flip(0))[-2:]
    return TargetTruth(
        before=target.value(study, before),
        after=target.value(study, after),
        answers_before=target.answers(study, before),
        answers_after=target.answers(study, after),
        gradient_norm=float(models.gradient_norms[0]),
        asked_norm=asked_norm,
        converged=bool(models.converged.all()),
        seconds=time.perf_counter() - started,
    )
