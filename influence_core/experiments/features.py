"""Which features of a training example would have to change to move a prediction (the paper's equation 5)?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.agreement import highest, lowest
from influence_core.experiments.explain import Explanation
from influence_core.retraining.edits import pixel_influence
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class FeatureInfluence:
    """The influence of every feature of one training example.

    Attributes:
        train_id: The training example.
        names: ``(d,)`` what the features mean: columns of a table, words of a text; ``()`` for pixels.
        x: ``(d,)`` its features.
        loss_change: ``(d,)`` ``w_i I_pert,loss`` in nats per unit of the feature: the predicted change of the test
            loss for each feature raised by one; positive = a higher value raises the loss.
    """

    train_id: int
    names: tuple[str, ...]
    x: np.ndarray
    loss_change: np.ndarray

    def lowest(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the features whose rise would lower the test loss most, strongest first."""
        return lowest(self.loss_change, k)

    def highest(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the features whose rise would raise the test loss most, strongest first."""
        return highest(self.loss_change, k)


@remember("features", stored=False)
def run(study: Study, explanation: Explanation, train_id: int) -> FeatureInfluence:
    """The influence of one training example's features for one question.

    Raises:
        DataError: If there is no such training example.
    """
    at, o = explanation.position(train_id), study.objective
    per_feature = o.weights[at] * pixel_influence(o, study.theta, at, explanation.direction(study))
    return FeatureInfluence(
        train_id, study.data.feature_names, o.x[at].cpu().numpy(), per_feature.cpu().numpy()
    )
