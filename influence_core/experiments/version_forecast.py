"""What all changes of a version together will do, before it is trained: one Newton step from the unchanged optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.errors import SolveError
from influence_core.experiments.corrected import UNDAMPED, linear_objective, supports
from influence_core.experiments.effects import effects_of
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.group_forecast import GroupForecast, ready_factor
from influence_core.influence import Difference, changed_step
from influence_core.objective import LinearObjective
from influence_core.predictions import Predictions
from influence_core.store.remember import remember
from influence_core.studies import Study, changed
from influence_core.studies.changes import Change, settled


@dataclass(frozen=True, eq=False)
class VersionForecast:
    """The forecast of a version.

    Attributes:
        asked: What the changes do to the answer asked about.
        ids: ``(t,)`` test examples that are not added.
        labels: ``(t,)`` their true labels.
        probabilities: ``(t, classes)`` after the step; ``None`` for a model that is not linear with a smooth loss, and where
            the step could not be solved for.
        answer: ``(classes,)`` of the question's own test example, there; ``None`` as for ``probabilities``.
    """

    asked: GroupForecast
    ids: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray | None = None
    answer: np.ndarray | None = None

    @property
    def predictions(self) -> Predictions | None:
        """What the changed model is forecast to say; ``None`` where there is no such forecast."""
        if self.probabilities is None:
            return None
        return Predictions(self.ids, self.labels, self.probabilities)


@remember("forecast of a version", stored=False)
def run(
    study: Study, explanation: Explanation, made: Sequence[Change], *, context: Context = ALONE
) -> VersionForecast:
    """Relabelled, removed, reweighted and added examples, all together.

    Args:
        study: The unchanged study.
        explanation: A question to it, and its answer.
        made: The changes; those that count are made.
        context: Its engines' undamped dense factor, where one is ready, makes few changes faster.

    Raises:
        DataError: If a change cannot be made.
    """
    examples, objective = changed(study, made, study.theta.device.type)
    apart = difference(study, made)
    alone = -float(apart.gradient(study.objective, study.theta) @ explanation.direction(study))
    test = examples.test
    ids, labels = test.ids.numpy(), test.y.numpy()
    nothing = VersionForecast(GroupForecast(alone), ids, labels)
    if supports(study.spec) or not isinstance(objective, LinearObjective):
        return nothing
    o, factor = linear_objective(study), ready_factor(study, UNDAMPED, context)
    try:
        step = changed_step(o, study.theta, objective, apart, factor, context.progress)
    except SolveError:
        return nothing
    x, _ = explanation.asked(study)
    effects = effects_of(study, explanation.question, o.outputs(step, x).cpu().numpy())
    asked = GroupForecast(alone, float(effects.loss[0]), float(effects.probability[0]))
    there, inputs = study.theta + step, torch.cat([study.inputs(test.x), x])
    probabilities = o.probabilities(there, inputs).cpu().numpy()
    return VersionForecast(asked, ids, labels, probabilities[:-1], probabilities[-1])


def difference(study: Study, made: Sequence[Change]) -> Difference:
    """What sets a version's risk apart from the unchanged one, one row a change that counts.

    Args:
        study: The unchanged study.
        made: The changes.

    Raises:
        DataError: If there is no such example.
    """
    x, old, before, new, after = [], [], [], [], []
    unit = float(study.objective.unit)
    for one in settled(made):
        if one.kind == "retest":
            continue  # nothing is learnt from it
        is_new = one.kind == "add"
        of = study.data.test if is_new else study.data.train
        at = of.position(one.example)
        x.append(of.x[at])
        old.append(int(of.y[at]))
        new.append(old[-1] if one.label is None else one.label)
        before.append(0.0 if is_new else unit)
        after.append({"remove": 0.0, "reweight": one.weight}.get(one.kind, 1.0) * unit)  # type: ignore[operator]
    like = study.theta
    rows = study.inputs(torch.stack(x)) if x else like.new_zeros(0, study.data.train.x.shape[1])
    labels = [torch.tensor(one, dtype=torch.long, device=like.device) for one in (old, new)]
    weights = [torch.tensor(one, dtype=like.dtype, device=like.device) for one in (before, after)]
    return Difference(rows, labels[0], weights[0], labels[1], weights[1])
