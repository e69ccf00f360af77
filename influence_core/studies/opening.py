"""A study is the trained result of a spec: its parameters come from the store or the package, or are trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from influence_core import data, devices
from influence_core.data import DataSet, Examples
from influence_core.data.brought import own as brought
from influence_core.data.brought import uploads
from influence_core.data.examples import Pictures
from influence_core.data.packaged import ASSETS
from influence_core.data.readers.picture_sets import resized
from influence_core.errors import UnsupportedError
from influence_core.models import backbones, rbf
from influence_core.models.backbones import Backbone
from influence_core.objective import Objective
from influence_core.predictions import Predictions
from influence_core.progress import Progress, part, report
from influence_core.store import NO_STORE, Store, read_only
from influence_core.store.digest import digest
from influence_core.studies.families import FAMILIES
from influence_core.studies.spec import StudySpec
from influence_core.training import Trained, gradient_norm, minimise, train_network

PACKAGED = ASSETS / "studies"
"""Parameters that ship with the app, for studies that train for minutes; made by ``precompute``."""

FORMAT = 1
"""Raised when the same spec comes to mean something else, so that stored results of old versions are not reused."""

LONGEST_FINISH = 3_000
"""Last steps that a network's training may take to its gradient norm."""


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


def sizes(spec: StudySpec, folder: str | None = None) -> tuple[int, int]:
    """Training examples ``n`` and parameters ``p`` of a study, without training it.

    Args:
        spec: What would be trained.
        folder: Where the data lie, for data that are not packaged.

    Raises:
        DataError: If the data cannot be read.
    """
    examples = _select(data.load(spec.data, folder), spec)
    if spec.backbone:
        n = len(examples.train)
        return n, n if spec.backbone == rbf.NAME else backbones.build(spec.backbone, folder).width
    return len(examples.train), FAMILIES[spec.model].build(examples, spec.l2, spec.seed, "cpu")[0].dim


def open_study(
    spec: StudySpec,
    store: Store = NO_STORE,
    folder: str | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    afresh: bool = False,
) -> Study:
    """The trained study: parameters from the store or the package where they are there, trained otherwise.

    The gradient norm is always recomputed at the parameters, wherever they come from.

    Args:
        spec: What to train.
        store: Where parameters are kept between runs.
        folder: Where the data lie, for data that are not packaged.
        device: A name of ``devices.NAMES``.
        progress: Told about loading and training.
        afresh: Train even where there are parameters.

    Raises:
        DataError: If the data cannot be read or the device is not there.
    """
    report(progress, 0.0, "reading the data")
    examples = _select(_load(spec, store, folder, part(progress, 0.0, 0.1)), spec)
    if spec.backbone:
        examples = _with_features(spec, examples, store, folder, device, part(progress, 0.1, 0.9))
        progress = part(progress, 0.9, 1.0)
    objective, start = FAMILIES[spec.model].build(examples, spec.l2, spec.seed, device)
    key = digest("study", FORMAT, spec.content, examples.content, str(objective.x.dtype))
    kept = None if afresh else store.get(key) or read_only(PACKAGED, key)
    if kept is not None and kept.arrays["theta"].shape == (objective.dim,):
        theta = torch.as_tensor(kept.arrays["theta"]).to(objective.x)
        norm = gradient_norm(objective, theta)
        return Study(spec, examples, objective, theta, norm, float(kept.meta["seconds"]), True, key, folder)
    trained = _train(spec, objective, start, part(progress, 0.1, 1.0))
    store.put(key, {"theta": trained.theta.cpu().numpy()}, {"seconds": trained.seconds, "study": spec.name})
    return Study(
        spec, examples, objective, trained.theta, trained.gradient_norm, trained.seconds, False, key, folder
    )


def _with_features(
    spec: StudySpec,
    examples: DataSet,
    store: Store,
    folder: str | None,
    device: str,
    progress: Progress | None,
) -> DataSet:
    """Features in the place of pixels: a backbone's, or those of a kernel on the pixels."""
    pictures, train, test = examples.pictures, examples.train, examples.test
    if pictures is None:
        raise UnsupportedError(f"A backbone needs photographs, and the data “{examples.name}” are none.")
    ids = train.ids.tolist(), test.ids.tolist()
    if spec.backbone == rbf.NAME:
        found = rbf.features(pictures, *ids, store=store, progress=progress)
        of_train, of_test = found.train, found.test
    else:
        x = _deep_features(spec, pictures, [*ids[0], *ids[1]], store, folder, device, progress).double()
        of_train, of_test = x[: len(train)], x[len(train) :]
    return replace(
        examples,
        train=Examples(of_train, train.y, train.ids),
        test=Examples(of_test, test.y, test.ids),
        image_shape=None,
    )


def _deep_features(
    spec: StudySpec,
    pictures: Pictures,
    ids: list[int],
    store: Store,
    folder: str | None,
    device: str,
    progress: Progress | None,
) -> Tensor:
    """A backbone's: those that ship with the app, or computed once for the same pictures and weights."""
    backbone = backbones.build(spec.backbone, folder)
    key = digest("features", FORMAT, backbone.content, pictures.digest, torch.tensor(ids))
    kept = store.get(key)
    if kept is not None:
        return torch.as_tensor(kept.arrays["features"])
    ready = backbones.shipped(backbone, pictures, ids)
    if ready is not None:
        return ready
    chosen, _ = devices.choose(device, backbone.width, is_network=True)
    found = backbones.extract(backbone.to(chosen), pictures, ids, progress)
    store.put(key, {"features": found.numpy()}, {"backbone": spec.backbone})
    return found


def _load(spec: StudySpec, store: Store, folder: str | None, progress: Progress | None) -> DataSet:
    if spec.data in (brought.PHOTOS, brought.TEXTS):
        return brought.load(spec.data, spec.source, store, folder, spec.seed, progress, spec.encoding)
    if spec.source:
        return uploads.load(store, spec.source)
    return data.load(spec.data, folder, progress)


def _select(examples: DataSet, spec: StudySpec) -> DataSet:
    kept = examples.keep_classes(spec.classes) if spec.classes else examples
    return kept.first(spec.n_train, spec.n_test) if spec.n_train or spec.n_test else kept


def _train(spec: StudySpec, objective: Objective, start: Tensor | None, progress: Progress | None) -> Trained:
    if spec.schedule is None or start is None:
        return minimise(objective, None, spec.gradient_norm, progress=progress)
    first = train_network(objective, start, spec.schedule, spec.seed, part(progress, 0.0, 0.7))
    last = minimise(
        objective,
        first.theta,
        spec.gradient_norm,
        max_steps=LONGEST_FINISH,
        progress=part(progress, 0.7, 1.0),
    )
    seconds = first.seconds + last.seconds
    return Trained(
        last.theta, last.gradient_norm, first.steps + last.steps, seconds, last.converged, last.target
    )
