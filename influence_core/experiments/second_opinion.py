"""What the model says of a training example, as far as it can be without having learnt from that very example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.experiments import corrected
from influence_core.influence import left_out_pulls
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class SecondOpinion:
    """What the model says of one training example.

    Attributes:
        probabilities: ``(classes,)``.
        unseen: Whether they are the corrected forecast of the model without the example (one Newton step), else they are those
            of the model that was trained on it.
        label: The example's label.
    """

    probabilities: np.ndarray
    unseen: bool
    label: int

    @property
    def proposals(self) -> list[int]:
        """The other labels, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable").tolist()
        return [label for label in order if label != self.label]


@remember("second opinion", stored=False)
def run(study: Study, train_id: int, *, context: Context = ALONE) -> SecondOpinion:
    """Ask the model about a training example; without it where that is at hand, and nothing is prepared for it.

    Args:
        study: Any study.
        train_id: The training example.
        context: Its store may have the leverages, which tell what the model without the example says.

    Raises:
        DataError: If no training example has this id.
    """
    train = study.data.train
    at = train.position(train_id)
    label = int(train.y[at])
    known = None
    if corrected.supports(study.spec) is None:
        known = corrected.leverages.recall(study, context=context)
    if known is None:
        return SecondOpinion(study.probabilities(train.x[at : at + 1])[0], False, label)
    o, theta, row = corrected.linear_objective(study), study.theta, torch.tensor([at])
    block = torch.as_tensor(known.blocks[at : at + 1]).to(theta)
    moved = torch.einsum("bae,be->ba", block, left_out_pulls(o, theta, block, row))
    outputs = o.outputs(theta, o.x[row]) + moved
    return SecondOpinion(o.loss.probabilities(outputs)[0].cpu().numpy(), True, label)
