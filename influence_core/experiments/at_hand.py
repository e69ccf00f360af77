"""The best that is known of an answer's effects, without making anybody wait."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from influence_core.context import ALONE, Context
from influence_core.engines import QUICK_LIMIT
from influence_core.errors import SolveError
from influence_core.experiments import all_left_out, corrected, hardest
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.explanation import Explanation
from influence_core.studies import Study


def improve(
    study: Study, explanation: Explanation, table: AllLeftOut | None = None, *, context: Context = ALONE
) -> Explanation:
    """The explanation with its proven effects, or else with the corrected forecast where that makes nobody wait.

    Args:
        study: The trained model.
        explanation: By the first order.
        table: The study's left-out models, where they are at hand.
        context: Its store keeps leverages and corrected forecasts.
    """
    if corrected.supports(study.spec):
        return explanation
    question = explanation.question
    if not corrected.is_prepared(study, context=context) and study.objective.dim > QUICK_LIMIT:
        return explanation
    try:
        unfinished = corrected.pulls(study, context=context).unfinished
        explanation = replace(explanation, left_open=corrected.left_open(study, question, unfinished))
        if table is not None and table.proven:
            return replace(explanation, proven=all_left_out.effects(study, table, question))
        effects = corrected.run(study, question, context=context)
    except SolveError:  # without the damping that was asked for there is no inverse, and so nothing better
        return explanation
    if not np.isfinite(effects.loss).all():
        return explanation
    checked = hardest.recall(study, context=context)
    doubt = None if checked is None else hardest.miss(study, checked, question, effects)
    return replace(explanation, corrected=effects, doubt=doubt)
