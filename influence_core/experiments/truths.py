"""The real retrainings of one answer, whoever asked for them and on whichever page: what its forecasts are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.agreement import Agreement
from influence_core.context import ALONE, Context
from influence_core.experiments.explanation import Explanation
from influence_core.store.remember import key_of
from influence_core.store.rows import StoredRows
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class Truths:
    """What leaving out single training examples truly did to an answer.

    Attributes:
        train_ids: ``(k,)`` of those that were left out, each on its own.
        actual: ``(k,)`` change of the test loss after training again to the end, nats.
    """

    train_ids: np.ndarray
    actual: np.ndarray

    def agreement(self, explanation: Explanation) -> Agreement:
        """The number that an explanation shows, beside these."""
        at = [explanation.position(int(one)) for one in self.train_ids]
        return Agreement.of(explanation.shown[at], self.actual)


def recall(study: Study, explanation: Explanation, *, context: Context = ALONE) -> Truths:
    """All that are known."""
    rows = _rows(study, explanation, context)
    found = rows.take(rows.ids)
    return Truths(rows.ids, found["actual"] if found else np.zeros(0))


def add(
    study: Study,
    explanation: Explanation,
    train_ids: np.ndarray,
    actual: np.ndarray,
    *,
    context: Context = ALONE,
) -> None:
    """Keep retrainings that came to their end.

    Args:
        study: The trained model.
        explanation: The question.
        train_ids: ``(k,)``.
        actual: ``(k,)`` change of the test loss, nats.
        context: Its store keeps them.
    """
    rows = _rows(study, explanation, context)
    new = np.isin(train_ids, rows.missing(train_ids))
    if new.any():
        rows.add({"ids": np.asarray(train_ids)[new], "actual": np.asarray(actual, float)[new]})


def _rows(study: Study, explanation: Explanation, context: Context) -> StoredRows:
    return StoredRows(context.store, key_of("truths", study, explanation.x, explanation.label))
