"""A queue of suspects and what a person said about them so far; it never changes, a verdict makes another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from influence_core.errors import DataError
from influence_core.experiments.ranked import position_of
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.store.digest import digest

LONGEST_NAME = 40
Kind = Literal["keep", "relabel", "remove", "unsure"]


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
    """What a person said about one training example.

    Attributes:
        kind: "unsure" leaves it as it is until somebody knows.
        train_id: The training example.
        old: Its label before.
        new: Its label from now on; the same unless it is relabelled.
        time: When, in ISO 8601 with its time zone.
        who: Said so; "" where nobody has signed.
    """

    kind: Kind
    train_id: int
    old: int
    new: int
    time: str
    who: str = field(default="", compare=False)

    @property
    def relabels(self) -> bool:
        """Whether the label changes."""
        return self.old != self.new

    @property
    def finds_fault(self) -> bool:
        """Whether the example is not right as it is."""
        return self.relabels or self.kind == "remove"


@dataclass(frozen=True)
class Training:
    """One training on the labels as they stood.

    Attributes:
        verdicts: How many had been given.
        relabelled: How many labels they changed.
        accuracy: On the test examples, as they are labelled.
        gradient_norm: ``||grad R||``, recomputed.
        seconds: Time it took.
        model: Digest of the parameters that it gave; "" where it was not noted.
        unseen_accuracy: Leave-one-out accuracy: of the answers to each training example had the model never seen that
            one; proven where the ranking is, else the corrected forecast. ``None`` where labels were not ranked.
        labels: Digest of the labels and of what was removed; "" where it was not noted.
    """

    verdicts: int
    relabelled: int
    accuracy: float
    gradient_norm: float
    seconds: float
    model: str = ""
    unseen_accuracy: float | None = None
    labels: str = ""


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
        verdicts: The last on each example, in the order they were given.
        looked_at: Ids of those examples, in the order in which they were first judged.
        trainings: In the order they were done; the first on the labels at the start.
        theta: ``(p,)`` of the last training.
        owner: Whose it is: a word that only they know.
        listed: Whose list of changes holds the verdicts; ``None`` where an earlier version kept them in the review's file.
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
    listed: str | None = ""
    looked_at: tuple[int, ...] = ()

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
        return self._after(len(self.verdicts))[0]

    @cached_property
    def removed(self) -> np.ndarray:
        """``(m,)`` positions of what is removed after all verdicts."""
        return np.flatnonzero(self._after(len(self.verdicts))[1])

    @property
    def relabelled(self) -> int:
        """How many verdicts change the label."""
        return sum(one.relabels for one in self.verdicts)

    def count(self, kind: str) -> int:
        """How many verdicts are of a kind."""
        return sum(one.kind == kind for one in self.verdicts)

    def recent(self, k: int) -> tuple[int, int]:
        """Of the last examples with a sure verdict, ``k`` at most: how many have a fault, and how many there are.

        Their order is that in which they were first judged: whoever judges one again has looked at no other.
        """
        on = {one.train_id: one for one in self.verdicts}
        last = [on[one] for one in self.looked_at if on[one].kind != "unsure"][-k:]
        return sum(one.finds_fault for one in last), len(last)

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
        """Whether ``theta`` is of the labels as they are now; after an undo it may be that of a training taken back."""
        last = self.trainings[-1]
        return last.labels == self.digest_after(len(self.verdicts)) and last.model == digest(self.theta)

    def digest_after(self, k: int) -> str:
        """Names the labels, and what is removed, after the first ``k`` verdicts: what a training is of."""
        return digest("labels", *self._after(k))

    def _after(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels ``(n,)`` and what is removed ``(n,)``."""
        labels, removed = self.given.copy(), np.zeros(len(self.ids), dtype=bool)
        for one in self.verdicts[:k]:
            at = self.position(one.train_id)
            labels[at], removed[at] = one.new, one.kind == "remove"
        return labels, removed

    def position(self, train_id: int) -> int:
        """Position of a training id.

        Raises:
            DataError: If no training example has it.
        """
        return position_of(train_id, self.ids)
