"""An answer: what each training example does to one prediction, by every number that is known of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from influence_core.agreement import strongest, worst_miss
from influence_core.engines import SolverSettings
from influence_core.experiments.effects import Effects
from influence_core.experiments.questions import Question
from influence_core.experiments.ranked import Ranked
from influence_core.store.digest import digest
from influence_core.studies import Study
from influence_core.trust import Provenance

Number = Literal["proven", "corrected", "influence"]
NUMBERS: tuple[Number, ...] = ("proven", "corrected", "influence")
"""What may be known of an effect, the best first: trained again without the example; one Newton step without it; the
paper's first-order number."""
COLUMN_WORDS: dict[Number, str] = {"proven": "proven", "corrected": "corrected", "influence": "predicted"}
NUMBER_WORDS: dict[Number, str] = {
    "proven": "true change, after training again without it",
    "corrected": "corrected forecast, one Newton step without it",
    "influence": "influence, the first-order forecast of the paper",
}
SHORT_WORDS: dict[Number, str] = {
    "proven": "proven",
    "corrected": "corrected forecast",
    "influence": "influence",
}
"""The same beside a number."""
SMALL = 0.05
"""An example whose effect is at most this share of the answer's own loss is said to do little alone."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation(Ranked):
    """The answer: scores in nats, and how they came about.

    Attributes:
        true_label: The test input's true label where that is known.
        x: ``(d,)`` the test input.
        probabilities: ``(classes,)`` of the test input.
        own_probability: ``(n,)`` the model's probability for each training example's own label.
        own_loss: The loss of the label asked about, nats.
        s: ``(p,)`` inverse-curvature gradient of the test loss.
        provenance: How it was computed.
        settings: As they were asked for.
        from_store: Whether it was read rather than computed just now.
        photo: The reader's own photograph behind ``x``, if it is one.
        corrected: The corrected forecast, where it is at hand.
        proven: What leaving each example out truly does, where all models without one example are at hand.
        doubt: How far the corrected forecast is off for the examples that are hardest to forecast, as a share of the largest
            change; ``None`` where that has not been measured.
        left_open: How far finishing the training could move this loss, nats; ``None`` where that is not at hand.
        wanted: The number to show; the best at hand where none is named.
    """

    true_label: int | None
    x: np.ndarray
    probabilities: np.ndarray
    own_probability: np.ndarray
    own_loss: float
    s: np.ndarray
    provenance: Provenance
    settings: SolverSettings
    from_store: bool
    photo: np.ndarray | None = None
    corrected: Effects | None = None
    proven: Effects | None = None
    doubt: float | None = None
    left_open: float | None = None
    wanted: Number | None = None

    @cached_property
    def content(self) -> str:
        """A digest of the question and of its answer, by the number that is shown.

        Two test examples may be alike in every feature, and two settings come to the same ``s``; they are two questions.
        """
        asked = (self.x, self.label, self.test_id, self.true_label, self.photo)
        return digest(*asked, asdict(self.settings), self.s, self.number)

    @property
    def examples(self) -> str:
        """What the training examples are called, for example "training images"."""
        return f"training {self.kind}s"

    @property
    def probability(self) -> float:
        """Of the label asked about."""
        return float(self.probabilities[self.label])

    @property
    def predicted_label(self) -> int:
        """The model's answer."""
        return int(self.probabilities.argmax())

    @property
    def question(self) -> Question:
        """What was asked."""
        return Question(torch.as_tensor(self.x), self.label, self.test_id, self.true_label, self.photo)

    @cached_property
    def influence(self) -> Effects:
        """The first-order number ``D``."""
        return Effects(self.scores, self.own_loss)

    @property
    def numbers(self) -> dict[Number, Effects]:
        """The numbers at hand by their names, the best one first."""
        named: dict[Number, Effects | None] = {
            "proven": self.proven,
            "corrected": self.corrected,
            "influence": self.influence,
        }
        return {name: one for name, one in named.items() if one is not None}

    @property
    def number(self) -> Number:
        """The name of the number that is shown: the one that was asked for, or the best at hand."""
        return self.wanted if self.wanted in self.numbers else next(iter(self.numbers))

    @property
    def effects(self) -> Effects:
        """The number that is shown."""
        return self.numbers[self.number]

    @property
    def shown(self) -> np.ndarray:
        """``(n,)`` change of the test loss by the number that is shown; it ranks the examples."""
        return self.effects.loss

    @property
    def having(self) -> np.ndarray:
        """``(n,)`` effect of having each example on the probability asked about, by the number that is shown; plus: for it."""
        return -self.effects.probability

    @property
    def miss(self) -> float | None:
        """Largest miss of the number that is shown, as a share of the largest change by the best number at hand.

        ``None`` where that is the same number.
        """
        best = next(iter(self.numbers.values()))
        return None if best is self.effects else worst_miss(self.shown, best.loss)

    @property
    def largest_share(self) -> float:
        """The largest effect of a single example, as a share of the answer's own loss."""
        largest = float(np.abs(self.shown).max(initial=0.0))
        if self.own_loss == 0:
            return math.inf if largest else 0.0
        return largest / self.own_loss

    @property
    def small(self) -> bool:
        """Whether every single example moves the answer's loss by little; a forecast cannot tell."""
        return self.number == "proven" and self.largest_share <= SMALL

    def by(self, number: Number) -> Explanation:
        """The same explanation, showing a certain number where that is at hand."""
        return replace(self, wanted=number)

    def asked(self, study: Study) -> tuple[Tensor, Tensor]:
        """The test input ``(1, d)`` and the label asked about ``(1,)``, in the model's type and on its device."""
        return study.example(torch.as_tensor(self.x), self.label)

    def direction(self, study: Study) -> Tensor:
        """``s (p,)``, in the model's type and on its device."""
        return torch.as_tensor(self.s).to(study.theta)


def table(explanation: Explanation) -> dict[str, Any]:
    """The ranking as columns, by the number that is shown; the CSV download and ``--json`` hold exactly these."""
    order = strongest(explanation.shown, len(explanation.shown))
    columns = {
        "rank": np.arange(1, len(order) + 1),
        "training_id": explanation.ids[order],
        "label": np.array(explanation.class_names)[explanation.labels[order]],
    }
    for name, effects in explanation.numbers.items():
        word = COLUMN_WORDS[name]
        columns[f"{word}_loss_change_nats"] = effects.loss[order]
        columns[f"{word}_probability_change"] = effects.probability[order]
        columns[f"{word}_effect_of_having_it_pp"] = -100 * effects.probability[order]
    return columns | {
        "distance": explanation.distance[order],
        "own_label_probability": explanation.own_probability[order],
    }
