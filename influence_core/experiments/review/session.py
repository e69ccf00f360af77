"""A queue of suspects and what a person said about them so far; it never changes, a verdict makes another one.

``keep``, ``relabel`` and ``undo`` are what a person says; ``table`` holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from influence_core.errors import DataError
from influence_core.experiments.ranked import position_of
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.store.digest import digest

LONGEST_NAME = 40


def session_name(session: str) -> str:
    """The name, if a session may have it.

    Raises:
        DataError: If it may not.
    """
    if not (0 < len(session) <= LONGEST_NAME and session.isprintable() and session == session.strip()):
        raise DataError(
            f"A session needs a name of 1 to {LONGEST_NAME} letters, without spaces around it; got “{session[:60]}”."
        )
    return session


@dataclass(frozen=True)
class Verdict:
    """What a person said about one training label.

    Attributes:
        train_id: The training example.
        old: Its label before.
        new: Its label from now on; the same where it is kept.
        time: When, in ISO 8601 with its time zone.
        score: How suspect it was.
    """

    train_id: int
    old: int
    new: int
    time: str
    score: float

    @property
    def relabels(self) -> bool:
        """Whether the label changes."""
        return self.old != self.new


@dataclass(frozen=True)
class Training:
    """One training on the labels as they stood.

    Attributes:
        verdicts: How many had been given.
        relabelled: How many of them changed the label.
        accuracy: On the test examples, as they are labelled.
        gradient_norm: ``||grad R||``, recomputed.
        seconds: Time it took.
        model: Digest of the parameters that it gave; "" where it was not noted.
        unseen_accuracy: Leave-one-out accuracy: of the answers to each training example had the model never seen that
            one; proven where the ranking is, else the corrected forecast. ``None`` where labels were not ranked.
    """

    verdicts: int
    relabelled: int
    accuracy: float
    gradient_norm: float
    seconds: float
    model: str = ""
    unseen_accuracy: float | None = None


@dataclass(frozen=True, eq=False)
class Review:
    """A queue of suspects and what was said about them so far; ``n`` training examples.

    Attributes:
        session: The name it is kept under.
        study: The study's name.
        class_names: What the labels mean.
        method: A key of ``suspects.QUEUES``: how suspects are ranked.
        flips: Which labels were flipped at the start to practise on, or ``None`` for the labels as they are.
        ids: ``(n,)`` training ids.
        given: ``(n,)`` labels at the start.
        true: ``(n,)`` the data's own labels; they differ from ``given`` where labels were flipped.
        scores: ``(n,)`` how suspect each is; the largest first.
        verdicts: In the order they were given.
        trainings: In the order they were done; the first on the labels at the start.
        theta: ``(p,)`` of the last training.
        owner: Whose it is: a word that only they know.
    """

    session: str
    study: str
    class_names: tuple[str, ...]
    method: str
    flips: FlipSettings | None
    ids: np.ndarray
    given: np.ndarray
    true: np.ndarray
    scores: np.ndarray
    verdicts: tuple[Verdict, ...]
    trainings: tuple[Training, ...]
    theta: np.ndarray
    owner: str = ""

    @cached_property
    def order(self) -> np.ndarray:
        """``(n,)`` positions, the most suspect first."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def queue(self) -> np.ndarray:
        """Positions without a verdict, the most suspect first."""
        done = np.isin(self.ids, [one.train_id for one in self.verdicts])
        return self.order[~done[self.order]]

    @property
    def current(self) -> int | None:
        """Position of the suspect to look at now; ``None`` where all are done."""
        return int(self.queue[0]) if len(self.queue) else None

    @cached_property
    def labels(self) -> np.ndarray:
        """``(n,)`` labels after all verdicts."""
        labels = self.given.copy()
        for one in self.verdicts:
            labels[self.position(one.train_id)] = one.new
        return labels

    @property
    def relabelled(self) -> int:
        """How many verdicts change the label."""
        return sum(one.relabels for one in self.verdicts)

    def recent(self, k: int) -> tuple[int, int]:
        """How many of the last verdicts, ``k`` at most, changed the label, and how many there are."""
        last = self.verdicts[-k:]
        return sum(one.relabels for one in last), len(last)

    def verdict_on(self, train_id: int) -> Verdict | None:
        """What was said of a training example, if anything was."""
        return next((one for one in self.verdicts if one.train_id == train_id), None)

    @property
    def flipped(self) -> int:
        """How many labels were flipped at the start."""
        return int((self.given != self.true).sum())

    @property
    def fixed(self) -> int:
        """How many of the flipped labels are right again."""
        return int(((self.given != self.true) & (self.labels == self.true)).sum())

    @property
    def unseen_accuracy(self) -> float | None:
        """The leave-one-out accuracy of the last ranking; ``None`` where it was not noted."""
        known = [one.unseen_accuracy for one in self.trainings if one.unseen_accuracy is not None]
        return known[-1] if known else None

    @property
    def up_to_date(self) -> bool:
        """Whether ``theta`` knows the labels as they are now: no verdict since the last training changed one.

        After an undo ``theta`` may be that of a training which was taken back.
        """
        last = self.trainings[-1]
        if last.model and last.model != digest(self.theta):
            return False
        return not any(one.relabels for one in self.verdicts[last.verdicts :])

    def position(self, train_id: int) -> int:
        """Position of a training id.

        Raises:
            DataError: If no training example has it.
        """
        return position_of(train_id, self.ids)


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
