"""A handful of real retrainings for one test example: may this answer be believed?"""

from __future__ import annotations

import numpy as np
import torch

from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.experiments import corrected, take_out, truths
from influence_core.experiments.effects import by_output, effects_by
from influence_core.experiments.explain import Explanation
from influence_core.experiments.truths import Truths
from influence_core.retraining.leave_one_out import leave_each_out
from influence_core.store.remember import remember
from influence_core.studies import Study

STRONGEST = 2
OTHERS = 1
AMONG = 100
"""The others are drawn from this many of the strongest."""
ODD = 2
"""The worst fitted: a forecast misses the examples that weigh most, and does not rank them first."""


SIDE_BY_SIDE = 20
"""So many of the strongest are left out where models are trained side by side, within seconds."""


def count(study: Study) -> int:
    """How many retrainings a check takes."""
    return STRONGEST + OTHERS + ODD if corrected.supports(study.spec) else SIDE_BY_SIDE


@remember("spot check", stored=False)
def run(study: Study, explanation: Explanation, *, context: Context = ALONE) -> Truths:
    """Retrain without each of the strongest examples of a linear model, side by side; of other models, without a few.

    Args:
        study: The trained model.
        explanation: The question and its forecast.
        context: Its engines' dense factor makes retraining faster; its store keeps what came to its end (``truths``).

    Raises:
        DataError: If taking one out would leave a class without examples.
    """
    if corrected.supports(study.spec) is None:
        _side_by_side(study, explanation, strongest(explanation.shown, SIDE_BY_SIDE), context)
    else:
        at = chosen(explanation.shown, explanation.own_probability)
        for step, one in enumerate(at):
            take_out.run(study, explanation, [int(explanation.ids[one])], context=context.step(step, len(at)))
    return truths.recall(study, explanation, context=context)


def _side_by_side(study: Study, explanation: Explanation, at: np.ndarray, context: Context) -> None:
    """The models without each of the examples ``at (k,)``; those that came to their end are kept as truths."""
    o, rest = corrected.linear_objective(study), context.part(0.5, 1.0)
    inverse = corrected.undamped(study, context.part(0.0, 0.5)).inverse
    for models in leave_each_out(o, study.theta, inverse, torch.as_tensor(at), progress=rest.progress):
        found = effects_by(
            study, explanation.question, by_output(models.changes, o.loss.outputs).cpu().numpy()
        ).loss
        proven, ids = models.proven.cpu().numpy(), explanation.ids[models.positions.cpu().numpy()]
        truths.add(study, explanation, ids[proven], found[proven], context=context)


def chosen(scores: np.ndarray, own_probability: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positions of the strongest examples, of some drawn among the next ones, and of those that the model fits worst."""
    order = strongest(scores, len(scores))
    rest = order[STRONGEST:AMONG]
    drawn = np.random.default_rng(seed).choice(rest, min(OTHERS, len(rest)), replace=False)
    first = np.concatenate([order[:STRONGEST], drawn])
    odd = [one for one in np.argsort(own_probability, kind="stable") if one not in first]
    return np.concatenate([first, odd[:ODD]]).astype(int)
