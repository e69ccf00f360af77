"""One model's reasons for one answer, and how they follow the distance and the labels of the training examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.agreement import rank_agreement
from influence_core.experiments.explain import Explanation
from influence_core.words import UNIT

NEAREST = 0.05
"""The share of the training examples that is called near."""
HINGE_UNIT = "hinge units"


@dataclass(frozen=True, eq=False)
class Reasons:
    """What one model says about a test picture, and which training pictures made it say so.

    Attributes:
        model: The model in words.
        class_names: What the labels mean.
        kind: What one example is called.
        test_id: The test example; ``None`` for a picture of the reader's own.
        label: The label asked about.
        answer: The model's own.
        certainty: The probability of the label asked about, or its margin where the unit is hinge units.
        unit: Of the scores.
        ids: ``(n,)`` training ids.
        labels: ``(n,)`` their labels.
        distance: ``(n,)`` Euclidean distance of each to the test picture.
        scores: ``(n,)`` ``D``: predicted change of the test loss on removal; positive = helpful.
    """

    model: str
    class_names: tuple[str, ...]
    kind: str
    test_id: int | None
    label: int
    answer: int
    certainty: float
    unit: str
    ids: np.ndarray
    labels: np.ndarray
    distance: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, explanation: Explanation, model: str) -> Reasons:
        """An explanation as one model's reasons, with its own distances."""
        return cls(
            model=model,
            class_names=explanation.class_names,
            kind=explanation.kind,
            test_id=explanation.test_id,
            label=explanation.label,
            answer=explanation.predicted_label,
            certainty=explanation.probability,
            unit=UNIT,
            ids=explanation.ids,
            labels=explanation.labels,
            distance=explanation.distance,
            scores=explanation.scores,
        )

    @property
    def label_name(self) -> str:
        """The name of the label asked about."""
        return self.class_names[self.label]

    @property
    def flat(self) -> bool:
        """Whether the loss is flat here, beyond the hinge's margin, so that nothing matters."""
        return self.unit == HINGE_UNIT and self.certainty >= 1

    @property
    def same(self) -> np.ndarray:
        """``(n,)`` whether a training example bears the label asked about."""
        return self.labels == self.label

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of ``|D|`` with the distance: -1 where the nearest always matter most, 0 where it is unrelated."""
        return rank_agreement(np.abs(self.scores), self.distance)

    @property
    def near_agreement(self) -> float:
        """Among the nearest, the share whose sign is their label's: the same label helps, another harms."""
        near = np.argsort(self.distance, kind="stable")[: max(1, round(NEAREST * len(self.ids)))]
        return float(np.mean(np.where(self.same, self.scores > 0, self.scores < 0)[near]))

    @property
    def first_other(self) -> int:
        """Rank, from 1, of the first example of another label among the helpful; 0 where there is none."""
        others = np.flatnonzero(~self.same[self.helpful(len(self.ids))])
        return int(others[0]) + 1 if len(others) else 0

    def helpful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most helpful examples, strongest first."""
        order = np.argsort(-self.scores, kind="stable")[:k]
        return order[self.scores[order] > 0]

    def harmful(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the most harmful examples, strongest first."""
        order = np.argsort(self.scores, kind="stable")[:k]
        return order[self.scores[order] < 0]
