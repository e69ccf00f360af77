"""A backbone so small that every derivative can be checked by hand, and pictures for it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from influence_core.data import DataSet, Examples
from influence_core.data.readers.picture_sets import SheetPictures, data_set
from influence_core.losses import LogisticLoss
from influence_core.models.backbones import Backbone
from influence_core.objective import LinearObjective
from influence_core.studies import Study, StudySpec
from influence_core.training import minimise

SIDE, WIDTH = 8, 6


def toy_backbone(seed: int = 0) -> Backbone:
    """8 x 8 pictures to 6 features, smooth, float64."""
    generator = torch.Generator().manual_seed(seed)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(36, WIDTH), nn.Softplus()
    )
    for one in layers.parameters():
        nn.init.normal_(one, 0, 0.3, generator=generator)
    layers = layers.double().eval().requires_grad_(False)
    mean, scale = (torch.full((3,), value, dtype=torch.float64) for value in (127.0, 64.0))
    return Backbone("toy", SIDE, WIDTH, mean, scale, layers, "0" * 64)


def toy_pictures(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 8, 8, 3) uint8 and labels (n,): class 1 is redder and darker below."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    pictures = generator.normal(120, 45, (n, SIDE, SIDE, 3))
    pictures[labels == 1, :, :, 0] += 35
    pictures[labels == 1, SIDE // 2 :] -= 20
    return np.rint(pictures.clip(0, 255)).astype(np.uint8), labels


def toy_photo_study(n: int = 60, n_train: int = 40, l2: float = 0.01) -> Study:
    """A logistic head on the toy backbone's features, trained to its optimum; `study.backbone` is the toy's."""
    backbone, (pictures, labels) = toy_backbone(), toy_pictures(n)
    data = data_set(
        "toy", "Toy photos", SheetPictures(pictures), labels, np.arange(n) < n_train, ("blue", "red")
    )
    with torch.no_grad():
        x = backbone.features(torch.from_numpy(pictures).permute(0, 3, 1, 2).double())
    train, test = (Examples(x[one.ids], one.y, one.ids) for one in (data.train, data.test))
    made = DataSet("toy", "Toy photos", train, test, data.class_names, None, pictures=data.pictures)
    objective = LinearObjective.build(train.x, train.y, LogisticLoss(), l2)
    trained = minimise(objective, None, 1e-12)
    spec = StudySpec("toy-photos", "Toy photos", "toy", "logistic", l2, backbone="toy")
    study = Study(spec, made, objective, trained.theta, trained.gradient_norm, 0.0, False, "f" * 64)
    study.__dict__["backbone"] = backbone  # what the cached property would build from a name
    return study
