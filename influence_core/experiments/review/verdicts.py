"""What a person says of a suspect (``keep``, ``relabel``, ``remove``, ``unsure``), and the ``table`` that holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np

from influence_core.errors import DataError
from influence_core.experiments.review.session import Kind, Review, Training, Verdict

_NO_NOTES: Mapping[int, str] = MappingProxyType({})


def keep(review: Review, train_id: int, when: datetime | None = None) -> Review:
    """The label is right.

    Raises:
        DataError: If there is no such example.
    """
    return _judge(review, "keep", train_id, None, when)


def relabel(review: Review, train_id: int, label: int, when: datetime | None = None) -> Review:
    """The label should be another one.

    Args:
        review: So far.
        train_id: The training example.
        label: Its label from now on.
        when: Now, where no time is given.

    Raises:
        DataError: If there is no such example or label.
    """
    if not 0 <= label < len(review.class_names):
        raise DataError(f"There is no label number {label}; choose 0 to {len(review.class_names) - 1}.")
    return _judge(review, "relabel", train_id, label, when)


def remove(review: Review, train_id: int, when: datetime | None = None) -> Review:
    """The example should not be learnt from.

    Raises:
        DataError: If there is no such example.
    """
    return _judge(review, "remove", train_id, None, when)


def unsure(review: Review, train_id: int, when: datetime | None = None) -> Review:
    """Nobody knows yet: the example stays as it is, and the queue goes on.

    Raises:
        DataError: If there is no such example.
    """
    return _judge(review, "unsure", train_id, None, when)


def with_verdicts(review: Review, verdicts: Iterable[Verdict]) -> Review:
    """The review after other verdicts; trainings that are not of their labels, because one was taken back, go.

    Args:
        review: So far.
        verdicts: In the order they were given; the last on each example counts.
    """
    given, last = tuple(verdicts), dict[int, Verdict]()
    for one in given:
        last.pop(one.train_id, None)
        last[one.train_id] = one
    first = dict.fromkeys((*review.looked_at, *(one.train_id for one in given)))
    looked_at = tuple(one for one in first if one in last)
    now = replace(review, verdicts=tuple(last.values()), looked_at=looked_at)
    begun, *later = review.trainings
    return replace(now, trainings=(begun, *(one for one in later if _fits(one, now))))


def _fits(training: Training, now: Review) -> bool:
    known = training.verdicts <= len(now.verdicts)
    return known and (not training.labels or training.labels == now.digest_after(training.verdicts))


def _judge(
    review: Review,
    kind: Kind,
    train_id: int,
    label: int | None,
    when: datetime | None,
) -> Review:
    """One verdict more; an earlier one on the same example counts no longer."""
    old = int(review.given[review.position(train_id)])
    moment = (when or datetime.now(UTC)).isoformat(timespec="seconds")
    verdict = Verdict(kind, train_id, old, old if label is None else label, moment)
    return with_verdicts(review, (*review.verdicts, verdict))


def table(
    review: Review, records: Callable[[int], Any] | None = None, notes: Mapping[int, str] = _NO_NOTES
) -> dict[str, Any]:
    """The verdicts as columns, in the order they were given; the CSV download holds exactly these.

    Args:
        review: So far.
        records: Gives the original of an example by id; its "file" becomes a column where there is one.
        notes: By example; a column where there are some, as is who gave them.
    """
    names, verdicts = review.class_names, review.verdicts
    columns: dict[str, Any] = {
        "training_id": np.array([one.train_id for one in verdicts], dtype=np.int64),
        "old_label": np.array([names[one.old] for one in verdicts], dtype=object),
        "new_label": np.array([names[one.new] for one in verdicts], dtype=object),
        "verdict": np.array([one.kind for one in verdicts], dtype=object),
        "time": np.array([one.time for one in verdicts], dtype=object),
        "score": review.scores[[review.position(one.train_id) for one in verdicts]],
    }
    files = [records(one.train_id).get("file", "") for one in verdicts] if records else []
    said = [notes.get(one.train_id, "") for one in verdicts]
    more = {"file": files, "note": said, "who": [one.who for one in verdicts]}
    return columns | {name: np.array(one, dtype=object) for name, one in more.items() if any(one)}
