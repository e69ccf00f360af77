"""Do the forecasts come true? Both forecasts of every training example beside its true effect, and its leverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from influence_core.agreement import Agreement, strongest
from influence_core.context import ALONE, Context
from influence_core.experiments import all_left_out, corrected
from influence_core.experiments.all_left_out import AllLeftOut
from influence_core.experiments.corrected import linear_objective
from influence_core.experiments.effects import Effects
from influence_core.experiments.explanation import Explanation
from influence_core.influence import largest_leverages
from influence_core.retraining.side_by_side import GRADIENT_TOL
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Both forecasts for one answer beside the truth, of all ``n`` training examples in training order.

    Attributes:
        ids: ``(n,)`` of the examples that are left out.
        influence: The paper's first-order number.
        corrected: The loss and the probability after one Newton step without the example.
        proven: After training without it.
        leverage: ``(n,)`` the largest share, 0 to 1, of any direction's curvature that is the example's own.
        remaining: Largest gradient norm of a left-out model, as a share of what leaving its example out had put there.
        is_proven: Whether every model reached the gradient norm that was asked for.
        seconds: Time for training all of them, once for all questions.
    """

    ids: np.ndarray
    influence: Effects
    corrected: Effects
    proven: Effects
    leverage: np.ndarray
    remaining: float
    is_proven: bool
    seconds: float

    @property
    def influence_agreement(self) -> Agreement:
        """The influence beside the truth, losses."""
        return Agreement.of(self.influence.loss, self.proven.loss)

    @property
    def corrected_agreement(self) -> Agreement:
        """The corrected forecast beside the truth, losses."""
        return Agreement.of(self.corrected.loss, self.proven.loss)

    @property
    def farther(self) -> np.ndarray:
        """``(n,)`` ``1 / (1 - leverage)``: how many times as far the model moves as to first order, at the most."""
        with np.errstate(divide="ignore"):
            return 1 / (1 - self.leverage)

    def drawn(self, most: int, seed: int = 0) -> np.ndarray:
        """Positions ``(<= most,)``, rising: all, or else those of most effect or largest miss, and as many at random.

        Args:
            most: Even.
            seed: Of the fair sample of the others.
        """
        n, half = len(self.ids), most // 2
        if n <= most:
            return np.arange(n)
        forecasts = (self.influence.loss, self.corrected.loss)
        sizes = [np.abs(self.proven.loss), *(np.abs(one - self.proven.loss) for one in forecasts)]
        first = strongest(np.max(sizes, axis=0), half)
        others = np.setdiff1d(np.arange(n), first)
        fair = np.random.default_rng(seed).choice(others, most - half, replace=False)
        return np.sort(np.concatenate([first, fair]))

    def disagreements(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the examples whose influence misses the true change of the loss most, worst first."""
        return strongest(self.influence.loss - self.proven.loss, k)


@remember("forecasts", stored=False)
def run(
    study: Study, explanation: Explanation, *, left_out: AllLeftOut | None = None, context: Context = ALONE
) -> Forecasts:
    """Hold both forecasts of every training example against the truth.

    Args:
        study: A linear model with a smooth loss.
        explanation: The question and its influences.
        left_out: The models without each example, where they are at hand; otherwise they are recalled or trained.
        context: Its store keeps what depends on the study alone.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o = linear_objective(study)
    if left_out is None:
        left_out = all_left_out.run(study, context=context.part(0.0, 0.8))
    known = corrected.leverages(study, context=context.part(0.8, 0.9))
    blocks = torch.as_tensor(known.blocks).to(study.theta)
    question = explanation.question
    return Forecasts(
        ids=left_out.ids,
        influence=explanation.influence,
        corrected=explanation.corrected or corrected.run(study, question, context=context.part(0.9, 1.0)),
        proven=explanation.proven or all_left_out.effects(study, left_out, question),
        leverage=largest_leverages(o, study.theta, blocks).cpu().double().numpy(),
        remaining=float((left_out.gradient_norms / left_out.targets).max()) * GRADIENT_TOL,
        is_proven=left_out.proven,
        seconds=left_out.seconds,
    )


def table(found: Forecasts) -> dict[str, Any]:
    """Truth and forecasts as columns, the largest true change of the loss first: what the CSV download holds."""
    order = strongest(found.proven.loss, len(found.ids))
    columns = {
        "training_id": found.ids,
        "proven_loss_change_nats": found.proven.loss,
        "corrected_loss_change_nats": found.corrected.loss,
        "influence_nats": found.influence.loss,
        "proven_probability_change": found.proven.probability,
        "corrected_probability_change": found.corrected.probability,
        "influence_probability_change": found.influence.probability,
        "leverage": found.leverage,
    }
    return {name: values[order] for name, values in columns.items()}
