"""What a model says about every test example, and which of them people will ask about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core import agreement


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

    def misclassified(self) -> np.ndarray:
        """Positions of the wrong answers, the most confident mistake first."""
        wrong = np.flatnonzero(self.wrong)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def least_confident(self) -> np.ndarray:
        """All positions, the least confident answer first."""
        return np.argsort(self.confidence, kind="stable")
