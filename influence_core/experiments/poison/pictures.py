"""Training pictures on their way through the frozen backbone, and the model on top, trained with them as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.models import rbf
from influence_core.models.backbones import Backbone
from influence_core.objective import LinearObjective
from influence_core.retraining.edits import Edit
from influence_core.studies import Study, StudySpec
from influence_core.training import minimise

GRADIENT_NORM = 1e-9
"""Every model on the way is trained to this."""


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.backbone not in ("", rbf.NAME) and spec.is_smooth_linear:
        return None
    return (
        "This page changes photographs by less than anybody can see, through the frozen network that turns them into "
        "features, and so needs a study on photographs."
    )


@dataclass(frozen=True, eq=False)
class Model:
    """What was minimised, and its optimum ``theta (p,)``."""

    objective: LinearObjective
    theta: Tensor

    @classmethod
    def of(cls, study: Study) -> Model:
        """A study's own."""
        assert isinstance(study.objective, LinearObjective)  # `supports` has looked
        return cls(study.objective, study.theta)

    @property
    def gradient_norm(self) -> float:
        """Of the risk, computed again: the proof of the training."""
        return float(self.objective.risk_gradient(self.theta).norm())


def retrain(study: Study, at: Sequence[int], features: Tensor, start: Tensor) -> Model:
    """The model with other ``features (m, d)`` of the training pictures ``at (m,)``, trained from ``start (p,)`` on."""
    edited = Edit(torch.tensor(at), x=features).apply(Model.of(study).objective)
    return Model(edited, minimise(edited, start, GRADIENT_NORM).theta)


class TracedPicture:
    """One training picture on its way through the backbone, with the graph back to its pixels.

    Args:
        study: A model on a frozen backbone.
        at: Training position, which gives the label.
        picture: ``(side, side, 3)`` brightness, or ``(1, 3, side, side)`` as the backbone takes it.
    """

    def __init__(self, study: Study, at: int, picture: np.ndarray | Tensor) -> None:
        backbone = _backbone(study)
        self._at, self._input = at, as_input(backbone, picture).requires_grad_()
        self._features = backbone.features(self._input)
        self.pixels = self._input.detach()
        self.features = study.inputs(self._features.detach()[0])

    def influence(self, model: Model, s: Tensor) -> Tensor:
        """``I_pert,loss (1, 3, side, side)``: closed form to the features, one backward pass to the pixels."""
        o = model.objective
        g = -o.input_gradient(model.theta, self.features, o.y[self._at], s)
        weighted = g[None].to(self._features)
        return torch.autograd.grad(self._features, self._input, weighted, retain_graph=True)[0]


def features_of(study: Study, pictures: Sequence[np.ndarray]) -> Tensor:
    """``(m, d)`` of ``m`` pictures ``(side, side, 3)``, without a graph."""
    backbone = _backbone(study)
    with torch.no_grad():
        found = [backbone.features(as_input(backbone, one))[0] for one in pictures]
    return study.inputs(torch.stack(found))


def original(study: Study, at: int) -> np.ndarray:
    """Training picture ``at`` as float32 brightness ``(side, side, 3)``."""
    assert study.data.pictures is not None
    read = study.data.pictures.read(int(study.data.train.ids[at]), _backbone(study).side)
    return np.asarray(read, dtype=np.float32)


def as_input(backbone: Backbone, picture: np.ndarray | Tensor) -> Tensor:
    """A picture ``(side, side, 3)``, or one that is an input already, as ``(1, 3, side, side)`` without a graph."""
    held = torch.as_tensor(picture).to(backbone.like)
    return (held.permute(2, 0, 1)[None] if held.ndim == 3 else held).detach().clone()


def _backbone(study: Study) -> Backbone:
    assert study.backbone is not None  # `supports` has looked
    return study.backbone
