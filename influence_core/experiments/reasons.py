"""One model's reasons for one answer, and how they follow the distance and the labels of the training examples."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from influence_core.agreement import rank_agreement
from influence_core.experiments.explain import Explanation
from influence_core.experiments.ranked import Ranked
from influence_core.words import UNIT

NEAREST = 0.05
"""The share of the training examples that is called near."""
HINGE_UNIT = "hinge units"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reasons(Ranked):
    """What one model says about a test picture, and which training pictures made it say so.

    Attributes:
        model: The model in words.
        answer: The model's own.
        certainty: The probability of the label asked about, or its margin where the unit is hinge units.
        unit: Of the scores.
    """

    model: str
    answer: int
    certainty: float
    unit: str

    @classmethod
    def of(cls, explanation: Explanation, model: str) -> Reasons:
        """An explanation as one model's reasons, with its own distances."""
        ranking = {one.name: getattr(explanation, one.name) for one in fields(Ranked)}
        answer, certainty = explanation.predicted_label, explanation.probability
        return cls(**ranking, model=model, answer=answer, certainty=certainty, unit=UNIT)

    @property
    def flat(self) -> bool:
        """Whether the loss is flat here, beyond the hinge's margin, so that nothing matters."""
        return self.unit == HINGE_UNIT and self.certainty >= 1

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
