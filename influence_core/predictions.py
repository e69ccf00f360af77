"""What a model says about every test example, and which of them people will ask about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from influence_core import agreement
from influence_core.words import percent

LUCK = 0.05
"""Answers that guessing would give as well with more than this probability show nothing learnt."""


SURE = 0.99
"""An answer that is surer hardly moves, whichever single training example goes."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model on the whole test set.

    Attributes:
        ids: ``(t,)`` test ids.
        labels: ``(t,)`` true labels.
        probabilities: ``(t, classes)``.
    """

    ids: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """``(t,)`` the model's answers."""
        return self.probabilities.argmax(1)

    @property
    def wrong(self) -> np.ndarray:
        """``(t,)`` whether each answer is another than the true label."""
        return self.predicted != self.labels

    @property
    def confidence(self) -> np.ndarray:
        """``(t,)`` the probability of the model's answer."""
        return self.probabilities.max(1)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return agreement.accuracy(self.predicted, self.labels)

    @property
    def guessing(self) -> float:
        """Share that would be right if the answer were always the most frequent label."""
        return float(np.bincount(self.labels).max()) / len(self.labels)

    @property
    def luck(self) -> float:
        """Probability that somebody who always guesses so well is right at least as often: a binomial tail."""
        from scipy.special import bdtr

        right = round(self.accuracy * len(self.labels))
        return float(1 - bdtr(right - 1, len(self.labels), self.guessing)) if right else 1.0

    def confusion(self) -> np.ndarray:
        """``(classes, classes)`` how many examples of each true label (rows) get each answer (columns)."""
        classes = self.probabilities.shape[1]
        counts = np.zeros((classes, classes), dtype=int)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    def misclassified(self) -> np.ndarray:
        """Positions of the wrong answers, the most confident mistake first."""
        wrong = np.flatnonzero(self.wrong)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def first(self) -> int:
        """The position to begin with: the most confident mistake that one training example may still move."""
        wrong = self.misclassified()
        movable = wrong[self.confidence[wrong] <= SURE]
        return int(next(iter([*movable, *wrong, *self.least_confident()])))

    def first_right(self) -> int:
        """The position of the right answer that turns most easily: the least sure one."""
        right = np.flatnonzero(~self.wrong)
        return int(right[self.confidence[right].argmin()]) if len(right) else self.first()

    def no_signal(self, class_names: Sequence[str]) -> str:
        """That the model may have learnt nothing, in a sentence; "" where it is better than guessing.

        Args:
            class_names: What the labels mean.
        """
        if self.luck <= LUCK:
            return ""
        usual = class_names[int(np.bincount(self.labels).argmax())]
        return (
            f"The model has learnt nothing that shows: {percent(self.accuracy)} of {len(self.labels):,} test answers are "
            f"right, and always answering “{usual}” would be right in {percent(self.guessing)}. What it says about single "
            "examples is then chance."
        )

    def least_confident(self) -> np.ndarray:
        """All positions, the least confident answer first."""
        return np.argsort(self.confidence, kind="stable")
