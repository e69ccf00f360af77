"""What the model says about every test example, and which of them people will ask about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class Predictions:
    """The model on the whole test set.

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
    def confidence(self) -> np.ndarray:
        """``(t,)`` the probability of the model's answer."""
        return self.probabilities.max(1)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float((self.predicted == self.labels).mean())

    def misclassified(self) -> np.ndarray:
        """Positions of the wrong answers, the most confident mistake first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def least_confident(self) -> np.ndarray:
        """All positions, the least confident answer first."""
        return np.argsort(self.confidence, kind="stable")


def run(study: Study) -> Predictions:
    """Predictions for the whole test set."""
    test = study.data.test
    return Predictions(test.ids.numpy(), test.y.numpy(), study.probabilities(test.x))
