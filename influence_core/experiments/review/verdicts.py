"""What a person says: a label is right, or another one; and the verdicts as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from influence_core.errors import DataError
from influence_core.experiments.review.session import Review, Verdict


def keep(review: Review, train_id: int, when: datetime | None = None) -> Review:
    """The label is right.

    Raises:
        DataError: If there is no such example, or it has a verdict already.
    """
    return relabel(review, train_id, int(review.given[review.position(train_id)]), when)


def relabel(review: Review, train_id: int, label: int, when: datetime | None = None) -> Review:
    """The label should be another one.

    Args:
        review: So far.
        train_id: The training example.
        label: Its label from now on.
        when: Now, where no time is given.

    Raises:
        DataError: If there is no such example or label, or it has a verdict already.
    """
    at = review.position(train_id)
    if at not in review.queue:
        raise DataError(f"Training example {train_id} has a verdict already; undo it first.")
    if not 0 <= label < len(review.class_names):
        raise DataError(f"There is no label number {label}; choose 0 to {len(review.class_names) - 1}.")
    moment = (when or datetime.now(UTC)).isoformat(timespec="seconds")
    verdict = Verdict(train_id, int(review.given[at]), label, moment, float(review.scores[at]))
    return replace(review, verdicts=(*review.verdicts, verdict))


def undo(review: Review) -> Review:
    """Take the last verdict back, and the trainings that knew it; where there is none, nothing happens."""
    left = review.verdicts[:-1]
    return replace(
        review, verdicts=left, trainings=tuple(one for one in review.trainings if one.verdicts <= len(left))
    )


def table(review: Review, records: Callable[[int], Any] | None = None) -> dict[str, Any]:
    """The verdicts as columns, in the order they were given; the CSV download holds exactly these.

    Args:
        review: So far.
        records: Gives the original of an example by id; its "file" becomes a column where there is one.
    """
    names, verdicts = review.class_names, review.verdicts
    columns: dict[str, Any] = {
        "training_id": np.array([one.train_id for one in verdicts], dtype=np.int64),
        "old_label": np.array([names[one.old] for one in verdicts], dtype=object),
        "new_label": np.array([names[one.new] for one in verdicts], dtype=object),
        "verdict": np.array(["relabel" if one.relabels else "keep" for one in verdicts], dtype=object),
        "time": np.array([one.time for one in verdicts], dtype=object),
        "score": np.array([one.score for one in verdicts]),
    }
    files = [records(one.train_id).get("file", "") for one in verdicts] if records else []
    return columns | ({"file": np.array(files, dtype=object)} if any(files) else {})
