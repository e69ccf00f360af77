"""A study is the trained result of a spec: its parameters come from the store or the package, or are trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor

from influence_core import data, devices
from influence_core.data import DataSet, Examples
from influence_core.data.brought import TABLE, picture_uploads, uploads
from influence_core.data.brought import own as brought
from influence_core.data.brought.recipes import IN_ZIP
from influence_core.data.examples import Pictures
from influence_core.data.fetching import Download
from influence_core.data.packaged import ASSETS
from influence_core.errors import UnsupportedError
from influence_core.models import backbones, rbf
from influence_core.models.backbones import Backbone
from influence_core.objective import Objective, share
from influence_core.progress import Progress, part, report
from influence_core.ranks import ALONE, Ranks
from influence_core.store import NO_STORE, Store, read_only
from influence_core.store.digest import digest
from influence_core.studies import changes
from influence_core.studies.families import FAMILIES
from influence_core.studies.spec import StudySpec
from influence_core.studies.study import Study
from influence_core.training import Trained, gradient_norm, minimise, train_network

PACKAGED = ASSETS / "studies"
"""Parameters that ship with the app, for studies that train for minutes; made by ``precompute``."""

FORMAT = 1
"""Raised when the same spec comes to mean something else, so that stored results of old versions are not reused."""

LONGEST_FINISH = 3_000
"""Last steps that a network's training may take to its gradient norm."""


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
    ranks: Ranks = ALONE,
) -> Study:
    """The trained study: parameters from the store or the package where they are there, trained otherwise.

    The gradient norm is always recomputed at the parameters, wherever they come from. A version is trained from the
    unchanged optimum.

    Args:
        spec: What to train.
        store: Where parameters are kept between runs.
        folder: Where the data lie, for data that are not packaged.
        device: A name of ``devices.NAMES``.
        progress: Told about loading and training.
        afresh: Train even where there are parameters.
        ranks: The processes that train it together.

    Raises:
        DataError: If the data cannot be read or the device is not there.
    """
    if changes.settled(spec.changes):
        return _open_version(spec, store, folder, device, progress, afresh, ranks)
    report(progress, 0.0, "reading the data")
    examples = _select(_load(spec, store, folder, part(progress, 0.0, 0.1)), spec)
    store = near(spec, store)
    if spec.backbone:
        examples = _with_features(spec, examples, store, folder, device, part(progress, 0.1, 0.9))
        progress = part(progress, 0.9, 1.0)
    objective, start = FAMILIES[spec.model].build(examples, spec.l2, spec.seed, device)
    shared, rest = share(objective, ranks), part(progress, 0.1, 1.0)
    return _trained(
        *(spec, examples, objective, lambda: _train(spec, shared, start, rest), store, folder, afresh, ranks)
    )


def _open_version(
    spec: StudySpec,
    store: Store,
    folder: str | None,
    device: str,
    progress: Progress | None,
    afresh: bool,
    ranks: Ranks,
) -> Study:
    """A version: the changed risk, minimised from the unchanged optimum; the other weights stay ``1/n``."""
    before = open_study(spec.unchanged, store, folder, device, part(progress, 0.0, 0.5), afresh, ranks)
    examples, objective = changed(before, spec.changes, device)

    def train() -> Trained:
        rest, shared = part(progress, 0.5, 1.0), share(objective, ranks)
        return minimise(shared, before.theta, spec.gradient_norm, max_steps=LONGEST_FINISH, progress=rest)

    return _trained(spec, examples, objective, train, near(spec, store), folder, afresh, ranks)


def changed(before: Study, made: Iterable[changes.Change], device: str = "auto") -> tuple[DataSet, Objective]:
    """The data and the risk of a version; nothing is trained.

    Args:
        before: The unchanged study, ``n`` training examples.
        made: Its changes.
        device: A name of ``devices.NAMES``.

    Raises:
        DataError: If a change cannot be made.
    """
    examples, multiples = changes.apply(before.data, made)
    built, _ = FAMILIES[before.spec.model].build(examples, before.spec.l2, before.spec.seed, device)
    unit = before.objective.unit
    return examples, replace(built, weights=multiples.to(built.weights) * unit, whole=unit)


def _trained(
    spec: StudySpec,
    examples: DataSet,
    objective: Objective,
    train: Callable[[], Trained],
    store: Store,
    folder: str | None,
    afresh: bool,
    ranks: Ranks,
) -> Study:
    """By the parameters at hand, or by training."""
    key = digest("study", FORMAT, spec.content, examples.content, str(objective.x.dtype))
    kept = ranks.of_first(None if afresh else store.get(key) or read_only(PACKAGED, key))
    if kept is not None and kept.arrays["theta"].shape == (objective.dim,):
        theta = torch.as_tensor(kept.arrays["theta"]).to(objective.x)
        norm = gradient_norm(objective, theta)
        return Study(spec, examples, objective, theta, norm, float(kept.meta["seconds"]), True, key, folder)
    found = train()
    if ranks.is_first:
        store.put(key, {"theta": found.theta.cpu().numpy()}, {"seconds": found.seconds, "study": spec.name})
    return Study(
        spec, examples, objective, found.theta, found.gradient_norm, found.seconds, False, key, folder
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
    key = _features_key(backbone, pictures, ids)
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


def _features_key(backbone: Backbone, pictures: Pictures, ids: list[int]) -> str:
    return digest("features", FORMAT, backbone.content, pictures.digest, torch.tensor(ids))


def parts(study: Study) -> tuple[str, ...]:
    """The keys of what is kept of a study so that it opens soon: its parameters, and a backbone's features.

    Args:
        study: Opened.
    """
    pictures, name = study.data.pictures, study.spec.backbone
    if pictures is None or name in ("", rbf.NAME):
        return (study.key,)
    ids = [*study.data.train.ids.tolist(), *study.data.test.ids.tolist()]
    return study.key, _features_key(backbones.build(name, study.folder), pictures, ids)


def near(spec: StudySpec, store: Store) -> Store:
    """Where numbers made of somebody's own data are kept: beside the data, so that they go when those are removed.

    Args:
        spec: What is trained.
        store: Where the others are.
    """
    if store is NO_STORE:
        return store
    if spec.source.startswith(IN_ZIP):
        return picture_uploads.beside(store, spec.source.removeprefix(IN_ZIP))
    return uploads.beside(store, spec.source) if spec.data == TABLE else store


def _load(spec: StudySpec, store: Store, folder: str | None, progress: Progress | None) -> DataSet:
    if spec.data in (brought.PHOTOS, brought.TEXTS):
        most = spec.n_train, spec.n_test
        return brought.load(
            *(
                spec.data,
                spec.source,
                store,
                folder,
                spec.seed,
                progress,
                spec.encoding,
                most,
                spec.same_labels,
                not spec.backbone,
            )
        )
    if spec.source:
        return uploads.load(store, spec.source)
    return data.load(spec.data, folder, progress)


def download_of(spec: StudySpec) -> Download | None:
    """How the data of a study are fetched when a person asks for it; ``None`` where they ship, or are a person's own.

    Args:
        spec: What would be trained.

    Raises:
        DataError: If it names a data set of torchvision that there is not.
    """
    row = data.CATALOGUE.get(spec.data)
    return row.download if row else brought.download_of(spec.source)


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
