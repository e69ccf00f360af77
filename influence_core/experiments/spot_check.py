"""A handful of real retrainings for one test example: may this answer be believed?"""

from __future__ import annotations

import numpy as np

from influence_core.experiments import take_out
from influence_core.experiments.explain import Explanation, Prepared
from influence_core.progress import Progress, part
from influence_core.store import Store
from influence_core.studies import Study
from influence_core.trust import SpotCheck

STRONGEST = 3
OTHERS = 2
AMONG = 100
"""The others are drawn from this many of the strongest."""


def run(
    study: Study,
    explanation: Explanation,
    prepared: Prepared | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> SpotCheck:
    """Retrain without each of the three strongest examples and of two drawn among the next, one at a time.

    Args:
        study: The trained model.
        explanation: The question and its forecast.
        prepared: A prepared engine, whose dense factor makes retraining faster.
        store: Where results are kept.
        progress: Called while training.

    Raises:
        DataError: If taking one out would leave a class without examples.
    """
    at = chosen(explanation.scores)
    found = []
    for step, one in enumerate(at):
        share = part(progress, step / len(at), (step + 1) / len(at))
        found.append(take_out.run(study, explanation, [int(explanation.ids[one])], prepared, store, share))
    return SpotCheck(
        tuple(one.train_ids[0] for one in found),
        tuple(one.predicted for one in found),
        tuple(one.actual for one in found),
        sum(one.seconds for one in found),
        all(one.converged for one in found),
    )


def chosen(scores: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positions of the strongest examples and of some drawn among the next ones."""
    order = np.argsort(-np.abs(scores), kind="stable")
    rest = order[STRONGEST:AMONG]
    drawn = np.random.default_rng(seed).choice(rest, min(OTHERS, len(rest)), replace=False)
    return np.concatenate([order[:STRONGEST], drawn])
