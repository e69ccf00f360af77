"""Which pixels of a training example would have to change to move a prediction (the paper's equation 5)?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from influence_core.data.readers.picture_sets import resized
from influence_core.experiments import features
from influence_core.experiments.explain import Explanation
from influence_core.models.backbones import Backbone
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class PixelMap:
    """The influence of every pixel of one training example; or of the test picture, of its own pixels.

    Attributes:
        train_id: The training example; ``None`` for the test picture.
        picture: ``(h, w)`` its pixels in 0..1, or ``(h, w, 3)`` uint8 of a photograph.
        loss_change: ``(h, w)`` ``w_i I_pert,loss`` in nats per unit of brightness: the predicted change of the test
            loss for each pixel's change from black to white, in all colours at once; positive = brighter raises the loss.
            Of a photograph it is the slope there: good for small changes only.
    """

    train_id: int | None
    picture: np.ndarray
    loss_change: np.ndarray

    @property
    def strongest(self) -> float:
        """The loss change of the pixel that matters most, nats, with its sign."""
        return float(self.loss_change.flat[np.abs(self.loss_change).argmax()])


@remember("pixels", stored=False)
def run(study: Study, explanation: Explanation, train_id: int) -> PixelMap:
    """The map of one training example for one question.

    Raises:
        DataError: If there is no such training example.
    """
    found, shape = features.run(study, explanation, train_id), study.data.image_shape
    if study.data.pictures is None:
        return PixelMap(train_id, found.x.reshape(shape), found.loss_change.reshape(shape))
    if study.backbone is not None:
        picture = study.data.pictures.read(train_id, study.backbone.side)
        change = _through(study.backbone, picture, found.loss_change)
    else:
        assert shape is not None
        picture = study.data.pictures.read(train_id, shape[0])
        change = found.loss_change.reshape(shape)
    return PixelMap(train_id, picture, change.sum(2) if change.ndim == 3 else change)


@remember("asked pixels", stored=False)
def of_test(study: Study, explanation: Explanation) -> PixelMap:
    """The map of the test picture itself: the slope of its own loss, ``grad_x l(x, label)``; nothing is trained for that."""
    x, label = explanation.asked(study)
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(study.objective.losses(study.theta, x, label).sum(), x)
    slope, shape = gradient[0].cpu().double().numpy(), study.data.image_shape
    pictures = study.data.pictures
    if pictures is None:
        return PixelMap(None, explanation.x.reshape(shape), slope.reshape(shape))
    side = study.backbone.side if study.backbone is not None else _side(shape)
    picture = resized(explanation.photo, side) if explanation.photo is not None else None
    if picture is None:
        assert explanation.test_id is not None
        picture = pictures.read(explanation.test_id, side)
    change = slope.reshape(shape) if study.backbone is None else _through(study.backbone, picture, slope)
    return PixelMap(None, picture, change.sum(2) if change.ndim == 3 else change)


def _side(shape: tuple[int, ...] | None) -> int:
    assert shape is not None
    return shape[0]


def _through(backbone: Backbone, picture: np.ndarray, per_feature: np.ndarray) -> np.ndarray:
    """``(side, side, 3)`` per unit of brightness: the chain rule through the whole frozen network."""
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].to(backbone.like).requires_grad_()
    outputs = backbone.features(pixels)
    (gradient,) = torch.autograd.grad(outputs, pixels, torch.from_numpy(per_feature).to(outputs)[None])
    return 255 * gradient[0].permute(1, 2, 0).cpu().double().numpy()
