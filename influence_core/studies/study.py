"""A trained study: data, objective and parameters, with everything that a question needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np
import torch
from torch import Tensor

from influence_core.data import DataSet
from influence_core.data.readers.picture_sets import resized
from influence_core.errors import UnsupportedError
from influence_core.models import backbones, rbf
from influence_core.models.backbones import Backbone
from influence_core.objective import Objective
from influence_core.predictions import Predictions
from influence_core.studies.own import is_brought
from influence_core.studies.spec import StudySpec


@dataclass(frozen=True, eq=False)
class Study:
    """A trained model with everything a question needs.

    Attributes:
        spec: What was trained on what.
        data: Examples with stable ids.
        objective: What was minimised.
        theta: ``(p,)``, the trained parameters.
        gradient_norm: ``||grad R(theta)||`` at ``theta``.
        seconds: Training time, when it was trained.
        from_store: Whether the parameters were read rather than trained just now.
        key: Digest of spec, data and precision.
        folder: Where the data lie, for data that are not packaged; weights of a backbone too.
    """

    spec: StudySpec
    data: DataSet
    objective: Objective
    theta: Tensor
    gradient_norm: float
    seconds: float
    from_store: bool
    key: str
    folder: str | None = None

    @property
    def content(self) -> tuple[str, str]:
        """What makes its results: the key, and the type of device they are computed on."""
        return self.key, self.theta.device.type

    def file_name(self, example: int) -> str:
        """The file in which somebody brought an example, without its folder, which may be a label; "" where nobody did."""
        return PurePosixPath(self.data.file(example)).name if is_brought(self.spec) else ""

    @cached_property
    def backbone(self) -> Backbone | None:
        """The frozen network before the features, on the model's device; ``None`` where there is none.

        Raises:
            DataError: If its weights are missing.
        """
        if self.spec.backbone in ("", rbf.NAME) or self.data.pictures is None:
            return None
        return backbones.build(self.spec.backbone, self.folder).to(self.theta.device)

    def features(self, photo: np.ndarray) -> Tensor:
        """What the model sees of a photograph: the backbone's features, or pixels.

        Args:
            photo: ``(side, side, 3)`` uint8.

        Returns:
            ``(d,)``.

        Raises:
            UnsupportedError: If the study does not look at photographs.
        """
        if self.backbone is None:
            shape = self.data.image_shape
            if shape is None or self.data.pictures is None:
                raise UnsupportedError("This study does not look at photographs; choose one that does.")
            seen = torch.from_numpy(resized(photo, shape[0])).to(self.data.train.x).div(255)
            return (seen if len(shape) == 3 else seen.mean(2)).reshape(-1)
        return backbones.features_of(self.backbone, [resized(photo, self.backbone.side)])[0].double()

    @property
    def like(self) -> Tensor:
        """A tensor whose type and device the model's inputs share."""
        return self.theta

    def inputs(self, x: Tensor) -> Tensor:
        """``x`` in the model's type and on its device."""
        return x.to(self.theta)

    @cached_property
    def predictions(self) -> Predictions:
        """What the model says about every test example."""
        test = self.data.test
        return Predictions(test.ids.numpy(), test.y.numpy(), self.probabilities(test.x))

    def example(self, x: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """An input ``(d,)`` and its label as the model takes them, ``(1, d)`` and ``(1,)``."""
        return self.inputs(x)[None], torch.tensor([label], device=self.theta.device)

    def own_probability(self) -> np.ndarray:
        """``(n,)`` the model's probability for each training example's own label."""
        train = self.data.train
        return self.probabilities(train.x)[np.arange(len(train)), train.y.numpy()]

    def probabilities(self, x: Tensor) -> np.ndarray:
        """Class probabilities ``(b, classes)`` of inputs ``(b, d)``."""
        return self.objective.probabilities(self.theta, self.inputs(x)).cpu().numpy()
