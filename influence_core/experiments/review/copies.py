"""Training examples that are there more than once, as a queue: those first of which a copy bears another label."""

from __future__ import annotations

import numpy as np

from influence_core.context import ALONE, Context
from influence_core.experiments.health import duplicates
from influence_core.experiments.health.duplicates import Copies
from influence_core.studies import Study


def scores(study: Study, labels: np.ndarray, context: Context = ALONE) -> np.ndarray:
    """``(n,)`` how many copies bear another label, and below one, growing with it, how many copies there are.

    Args:
        study: Whose examples are compared; copies in the test set count.
        labels: ``(n,)`` of the training examples, as they are now.
        context: Its store keeps the copies.
    """
    found = np.zeros(len(labels))
    at_of = {int(one): at for at, one in enumerate(study.data.train.ids)}
    for group in duplicates.run(study, context=context).groups:
        places = [at_of[one] for one in group.train_ids]
        borne = np.array([*labels[places], *group.test_labels])
        copies = len(borne) - 1
        found[places] = (borne[: len(places), None] != borne).sum(1) + copies / (copies + 1)
    return found


def counts(score: float) -> tuple[int, int]:
    """The copies, and how many bear another label, of one of the ``scores``.

    >>> counts(0.0), counts(1 + 2 / 3)
    ((0, 0), (2, 1))
    """
    others = int(score)
    part = score - others
    return round(part / (1 - part)), others


def of(study: Study, train_id: int, context: Context = ALONE) -> Copies | None:
    """The group of copies to which a training example belongs, if it does to one."""
    groups = duplicates.run(study, context=context).groups
    return next((one for one in groups if train_id in one.train_ids), None)
