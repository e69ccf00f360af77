"""Which pixels of a training example would have to change to move a prediction (the paper's equation 5)?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.experiments import features
from influence_core.experiments.explain import Explanation
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class PixelMap:
    """The influence of every pixel of one training example.

    Attributes:
        train_id: The training example.
        picture: ``(h, w)`` its pixels in 0..1.
        loss_change: ``(h, w)`` ``w_i I_pert,loss`` in nats per unit of brightness: the predicted change of the test
            loss for each pixel's change from black to white; positive = brighter raises the loss.
    """

    train_id: int
    picture: np.ndarray
    loss_change: np.ndarray

    @property
    def strongest(self) -> float:
        """The loss change of the pixel that matters most, nats, with its sign."""
        return float(self.loss_change.flat[np.abs(self.loss_change).argmax()])


def run(study: Study, explanation: Explanation, train_id: int) -> PixelMap:
    """The map of one training example for one question.

    Raises:
        DataError: If there is no such training example.
    """
    found, shape = features.run(study, explanation, train_id), study.data.image_shape
    return PixelMap(train_id, found.x.reshape(shape), found.loss_change.reshape(shape))
