"""What an edit of several training examples will do to an answer: all of it together, and each example alone, added up."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.errors import SolveError
from influence_core.experiments.corrected import UNDAMPED, effects_of, linear_objective, supports
from influence_core.experiments.explanation import Explanation
from influence_core.influence import edited_step
from influence_core.retraining.edits import Edit, predict
from influence_core.solvers.base import Inverse
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True)
class GroupForecast:
    """The predicted change of a test loss, or of any quantity in its own unit, if some training examples are edited.

    Attributes:
        alone: First order, nats: each edited alone, added up; for a removal the sum of ``D``.
        together: One Newton step on the edited risk, nats: the loss where it leads. ``None`` for a model that is not linear
            with a smooth loss, and where the step could not be solved for.
        probability: The change of the probability of the label asked about, there; ``None`` as for ``together``.
    """

    alone: float
    together: float | None = None
    probability: float | None = None

    @property
    def best(self) -> float:
        """Together where that is known, nats."""
        return self.alone if self.together is None else self.together


@remember("group forecast", stored=False)
def run(study: Study, explanation: Explanation, edit: Edit, *, context: Context = ALONE) -> GroupForecast:
    """The forecast of one edit, for one question.

    Args:
        study: The trained model.
        explanation: The question, and each example's influence on its answer.
        edit: What is changed.
        context: Its engines' undamped dense factor, where one is ready, makes small groups faster.
    """
    alone = float(predict(study.objective, study.theta, edit, explanation.direction(study)))
    if supports(study.spec):
        return GroupForecast(alone)
    o, (x, _) = linear_objective(study), explanation.asked(study)
    try:
        step = edited_step(o, study.theta, edit, ready_factor(study, UNDAMPED, context), context.progress)
    except SolveError:
        return GroupForecast(alone)
    effects = effects_of(study, explanation.question, o.outputs(step, x))
    return GroupForecast(alone, float(effects.loss[0]), float(effects.probability[0]))


def ready_factor(study: Study, settings: SolverSettings, context: Context) -> Inverse | None:
    """The exact factor for these settings, where it is prepared."""
    prepared = context.engines.ready(study, settings)
    return prepared.engine.inverse if prepared and prepared.settings.solver == "cholesky" else None
