"""A handful of real retrainings for one test example: may this answer be believed?"""

from __future__ import annotations

import numpy as np

from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.experiments import take_out
from influence_core.experiments.explain import Explanation
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.trust import SpotCheck

STRONGEST = 3
OTHERS = 2
AMONG = 100
"""The others are drawn from this many of the strongest."""


@remember("spot check", stored=False)
def run(study: Study, explanation: Explanation, *, context: Context = ALONE) -> SpotCheck:
    """Retrain without each of the three strongest examples and of two drawn among the next, one at a time.

    Args:
        study: The trained model.
        explanation: The question and its forecast.
        context: Its engines' dense factor makes retraining faster.

    Raises:
        DataError: If taking one out would leave a class without examples.
    """
    at = chosen(explanation.scores)
    found = []
    for step, one in enumerate(at):
        train_ids = [int(explanation.ids[one])]
        found.append(take_out.run(study, explanation, train_ids, context=context.step(step, len(at))))
    return SpotCheck(
        tuple(one.train_ids[0] for one in found),
        tuple(one.forecast.alone for one in found),
        tuple(one.actual for one in found),
        sum(one.seconds for one in found),
        all(one.converged for one in found),
    )


def chosen(scores: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positions of the strongest examples and of some drawn among the next ones."""
    order = strongest(scores, len(scores))
    rest = order[STRONGEST:AMONG]
    drawn = np.random.default_rng(seed).choice(rest, min(OTHERS, len(rest)), replace=False)
    return np.concatenate([order[:STRONGEST], drawn])
