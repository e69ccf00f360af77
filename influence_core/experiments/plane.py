"""All examples in a plane: the two directions in which the training examples differ most, in the model's own features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.experiments.distances import scaled
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class Plane:
    """Where the examples lie.

    Attributes:
        train: ``(n, 2)``.
        test: ``(t, 2)``.
        mean: ``(d,)`` of the training features.
        directions: ``(2, d)`` orthonormal.
        share: ``(2,)`` of the training features' variance that each direction shows.
    """

    train: np.ndarray
    test: np.ndarray
    mean: np.ndarray
    directions: np.ndarray
    share: np.ndarray


@remember("plane")
def run(study: Study, *, context: Context = ALONE) -> Plane:
    """The first two principal components of the training features, and every example along them.

    A row's numbers are in standard deviations, or its largest unit would be the map. What a plane shows of many dimensions is
    little, and ``share`` says how little: two examples that lie together may be far apart.

    Args:
        study: Its features are the model's inputs: pixels, a backbone's features, columns or words.
        context: Its store keeps the plane.
    """
    from sklearn.decomposition import PCA  # takes a second to import

    context.report(0.1, "finding the plane")
    train = scaled(study, study.data.train.x).numpy()
    found = PCA(2, svd_solver="randomized", random_state=0).fit(train)
    return Plane(
        found.transform(train),
        found.transform(scaled(study, study.data.test.x).numpy()),
        found.mean_,
        found.components_,
        found.explained_variance_ratio_,
    )


def place(study: Study, plane: Plane, x: Tensor) -> np.ndarray:
    """Where an input ``x (d,)`` lies, ``(2,)``."""
    return (scaled(study, x[None])[0].numpy() - plane.mean) @ plane.directions.T
