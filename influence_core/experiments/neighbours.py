"""Which training examples are most like one of them: to the model's eye, and pixel by pixel?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from influence_core.data.readers.picture_sets import pixel_distances
from influence_core.experiments.distances import scaled
from influence_core.store.remember import remember
from influence_core.studies import Study

THUMB = 160
"""Side of a photograph whose pixels are compared."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The training examples nearest to one of them, nearest first; itself is not among them.

    Attributes:
        train_id: The example.
        by_features: ``(<= k,)`` training ids by Euclidean distance of what the model is given: a network's features of a
            photograph, pixels, counts of words, or a table's numbers in standard deviations.
        by_pixels: ``(<= k,)`` training ids by that of the pixels; ``None`` where the model is given the pixels themselves,
            or where there are none.
    """

    train_id: int
    by_features: np.ndarray
    by_pixels: np.ndarray | None


@remember("neighbours", stored=False)
def run(study: Study, train_id: int, k: int) -> Neighbours:
    """The ``k`` nearest of one training example.

    Raises:
        DataError: If there is no such training example.
    """
    train, pictures = study.data.train, study.data.pictures
    at, ids = train.position(train_id), train.ids.numpy()
    features, pixels = _distances(study, at), None
    if pictures is not None and study.backbone is not None:
        pixels = pixel_distances(pictures, pictures.read(train_id, THUMB), ids.tolist())
    return Neighbours(
        train_id, _nearest(features, at, ids, k), None if pixels is None else _nearest(pixels, at, ids, k)
    )


@remember("neighbours of some labels", stored=False)
def with_labels(
    study: Study, train_id: int, labels: np.ndarray, wanted: tuple[int, ...], k: int
) -> tuple[np.ndarray, ...]:
    """The ``k`` nearest of one training example that bear each of some labels, by what the model is given.

    Args:
        study: Whose training examples are compared.
        train_id: The example; it is not its own neighbour.
        labels: ``(n,)`` as they are now.
        wanted: Labels.
        k: How many of each.

    Returns:
        ``(<= k,)`` training positions for each of ``wanted``, the nearest first.

    Raises:
        DataError: If there is no such training example.
    """
    at = study.data.train.position(train_id)
    order = np.argsort(_distances(study, at), kind="stable")
    order = order[order != at]
    return tuple(order[labels[order] == one][:k] for one in wanted)


def _distances(study: Study, at: int) -> np.ndarray:
    """``(n,)`` from the training example at a position to every one."""
    x = study.data.train.x
    return torch.cdist(scaled(study, x[at][None]), scaled(study, x))[0].numpy()


def _nearest(distances: np.ndarray, at: int, ids: np.ndarray, k: int) -> np.ndarray:
    order = np.argsort(distances, kind="stable")
    return ids[order[order != at][:k]]
