"""Where the training set is thin: outliers, small classes, and test examples with nothing near them to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.experiments.likeness import BLOCK, distances
from influence_core.store.remember import remember
from influence_core.studies import Study

NEIGHBOURS = 5
"""How far an example lies is how far its neighbour of this number does, so that a copy or two hide nothing."""
FENCE = 1.5
"""An outlier lies farther beyond the upper quartile of its class than so many times the middle half is wide, Tukey's fence, by
the logarithms of the distances."""
SMALL = 10
"""A class of fewer training examples is too small to be learnt or checked."""
FAR = 0.01
"""A test example lies far where fewer than this share of the training examples lie as far from the others."""
CHANCE = 0.01
"""A class whose share of far test examples would come about by chance less often than this is a thin region."""


@dataclass(frozen=True, eq=False)
class Region:
    """The test examples of one class beside what was learnt.

    Attributes:
        label: Of the class.
        train: Training examples.
        test: Test examples.
        far_ids: ``(k,)`` ids of the test examples that lie far from all that was learnt, the farthest first.
        wrong_far: How many of those the model gets wrong.
        wrong: How many of all test examples of the class.
        is_thin: Whether more are far than chance explains.
    """

    label: int
    train: int
    test: int
    far_ids: np.ndarray
    wrong_far: int
    wrong: int
    is_thin: bool


@dataclass(frozen=True, eq=False)
class Regions:
    """A training set by what its model sees of it.

    Attributes:
        outlier_ids: ``(k,)`` training ids, the farthest beyond its fence first.
        times: ``(k,)`` how many times as far from its kind each lies as the median of its class.
        classes: One a class, in the order of the labels.
    """

    outlier_ids: np.ndarray
    times: np.ndarray
    classes: tuple[Region, ...]

    @property
    def small(self) -> tuple[Region, ...]:
        """Classes that are too small."""
        return tuple(one for one in self.classes if one.train < SMALL)

    @property
    def thin(self) -> tuple[Region, ...]:
        """Classes with more far test examples than chance explains."""
        return tuple(one for one in self.classes if one.is_thin)


@remember("health: regions")
def run(study: Study, *, context: Context = ALONE) -> Regions:
    """Measure how far every example lies from its neighbours, by the distances of `likeness.distances`.

    An outlier is a training example far from those of its own class; a test example is far where no training example of any
    class is near, beyond what is usual among the training examples themselves.

    Args:
        study: The trained model.
        context: Told how far it is.
    """
    train, test = study.data.train, study.data.test
    own, any_ = _among_training(study, context.part(0.0, 0.5))
    blocks = _blocks(test.x, context.part(0.5, 1.0), "test examples measured")
    from_test = np.concatenate([_nearest(distances(study, rows)) for _, rows in blocks])
    limit = float(np.quantile(any_, 1 - FAR))
    outliers, times = _outliers(own, train.y.numpy())
    labels = range(len(study.data.class_names))
    classes = tuple(_region(study, one, from_test, limit) for one in labels)
    return Regions(train.ids.numpy()[outliers], times, classes)


def _among_training(study: Study, context: Context) -> tuple[np.ndarray, np.ndarray]:
    """From each training example to its neighbours of its own class, and of any, itself not among them: ``(n,)`` each."""
    train, own, any_ = study.data.train, [], []
    for start, rows in _blocks(train.x, context, "training examples measured"):
        at, far = torch.arange(len(rows)), distances(study, rows)
        far[at, at + start] = torch.inf
        any_.append(_nearest(far))
        far[train.y[start : start + len(rows), None] != train.y] = torch.inf
        own.append(_nearest(far))
    return np.concatenate(own), np.concatenate(any_)


def _blocks(x: Tensor, context: Context, words: str) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(x), BLOCK):
        context.report(start / len(x), f"{start:,} of {len(x):,} {words}")
        yield start, x[start : start + BLOCK]


def _nearest(far: Tensor) -> np.ndarray:
    """``(b,)`` the ``NEIGHBOURS``-th smallest of ``far (b, n)``; the largest finite one where there are fewer."""
    found = far.topk(min(NEIGHBOURS, far.shape[1]), dim=1, largest=False).values
    return torch.where(found.isfinite(), found, 0.0).amax(dim=1).numpy()


def _outliers(own: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions beyond the fence of their class, the farthest first, and how many times the class's median they lie away."""
    beyond, times = np.full(len(own), -np.inf), np.zeros(len(own))
    logs = np.log(own.clip(np.finfo(float).tiny))
    for label in np.unique(labels):
        at = labels == label
        low, middle, high = np.quantile(logs[at], [0.25, 0.5, 0.75])
        if at.sum() >= SMALL and high > low:
            beyond[at] = (logs[at] - high) / (high - low) - FENCE
            times[at] = np.exp(logs[at] - middle)
    order = np.argsort(-beyond, kind="stable")
    order = order[beyond[order] > 0]
    return order, times[order]


def _region(study: Study, label: int, from_test: np.ndarray, limit: float) -> Region:
    from scipy.stats import binomtest  # takes seconds to import

    known, mine = study.predictions, np.flatnonzero(study.data.test.y.numpy() == label)
    far = mine[from_test[mine] > limit]
    far = far[np.argsort(-from_test[far], kind="stable")]
    surprising = len(far) > 0 and binomtest(len(far), len(mine), FAR, "greater").pvalue < CHANCE
    return Region(
        label=label,
        train=int((study.data.train.y == label).sum()),
        test=len(mine),
        far_ids=study.data.test.ids.numpy()[far],
        wrong_far=int(known.wrong[far].sum()),
        wrong=int(known.wrong[mine].sum()),
        is_thin=bool(surprising),
    )
