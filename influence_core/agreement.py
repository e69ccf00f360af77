"""The one comparison of forecast and truth, and of answers and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Forecasts beside the truth.

    Attributes:
        pearson: Their correlation; NaN where one of them does not vary.
        spearman: The same of their ranks.
        slope: Of the forecast on the truth (forecast / truth): 1 where the sizes are right on average, below 1 where
            forecasts are too small; NaN as for ``pearson``.
        worst: Largest ``|forecast - truth|`` as a share of the largest ``|truth|``; infinite where the truth is 0.

    >>> Agreement.of([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    Agreement(pearson=1.0, spearman=1.0, slope=0.5, worst=0.5)
    """

    pearson: float
    spearman: float
    slope: float
    worst: float

    @classmethod
    def of(cls, forecast: Sequence[float] | np.ndarray, truth: Sequence[float] | np.ndarray) -> Agreement:
        """Of forecasts ``(k,)`` and truths ``(k,)``."""
        forecast, truth = np.asarray(forecast, dtype=float), np.asarray(truth, dtype=float)
        worst = worst_miss(forecast, truth)
        if not (_vary(forecast) and _vary(truth)):
            return cls(math.nan, math.nan, math.nan, worst)
        (f, f_size), (t, t_size) = _centred(forecast), _centred(truth)
        return cls(
            pearson=float(f @ t / np.sqrt((f @ f) * (t @ t))),
            spearman=rank_agreement(forecast, truth),
            slope=float(f @ t / (t @ t)) * (f_size / t_size),
            worst=worst,
        )


def _centred(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Less their mean, over the largest of that, whose square might be too small or too large for a number."""
    off = values - values.mean()
    size = float(np.abs(off).max())
    return off / size, size


def worst_miss(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Largest ``|forecast - truth|`` as a share of the largest ``|truth|``; infinite where the truth is 0."""
    largest, miss = (float(np.abs(one).max(initial=0.0)) for one in (truth, forecast - truth))
    if not largest:
        return math.inf if miss else 0.0
    return miss / largest


def rank_agreement(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> float:
    """Spearman's rank correlation; NaN where one of them has no order, all its values being equal."""
    from scipy.stats import spearmanr  # takes seconds to import

    if not (_vary(one) and _vary(other)):
        return math.nan
    return round(float(spearmanr(one, other).statistic), 14)  # a few ranks often give exactly a limit


def _vary(values: Sequence[float] | np.ndarray) -> bool:
    return len(set(map(float, values))) > 1


def strongest(values: np.ndarray, k: int) -> np.ndarray:
    """Positions ``(<= k,)`` of the values ``(n,)`` that are largest in size, the largest first."""
    return np.argsort(-np.abs(values), kind="stable")[:k]


def highest(values: np.ndarray, k: int) -> np.ndarray:
    """Positions ``(<= k,)`` of the values ``(n,)`` above 0 that are highest, the highest first."""
    above = np.flatnonzero(values > 0)
    if len(above) > k > 0:
        above = above[values[above] >= np.partition(values[above], -k)[-k]]
    return above[np.argsort(-values[above], kind="stable")][:k]


def lowest(values: np.ndarray, k: int) -> np.ndarray:
    """Positions ``(<= k,)`` of the values ``(n,)`` below 0 that are lowest, the lowest first."""
    return highest(-values, k)


def shared_strongest(one: np.ndarray, other: np.ndarray, k: int) -> int:
    """How many positions are among the ``k`` strongest of both."""
    return len(np.intersect1d(strongest(one, k), strongest(other, k)))


def accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """Share of the answers ``(t,)`` that are the labels ``(t,)``.

    >>> accuracy(np.array([1, 0, 1]), np.array([1, 1, 1]))
    0.6666666666666666
    """
    return float((answers == labels).mean())
