"""The reasons behind an answer: the training examples that carry it, in a few groups by how they act on it.

One example of thousands moves an answer a little: true, and no reason. The effect of an example is a sum over the model's
parameters, ``D_i = w_i sum_p s_p g_ip``, with its gradient ``g_i`` and ``s = A^-1 dq/dtheta``. Two examples act alike where
their effects go through the same parameters, whatever their size: that is the cosine of their rows ``w_i s_p g_ip``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.experiments.any_question import TargetEffects
from influence_core.objective import LinearObjective
from influence_core.progress import report
from influence_core.store.remember import remember
from influence_core.studies import Study

SHARE = 0.5
"""The strongest examples are grouped, until they carry this share of the sum of all effects' sizes ..."""
MIN_CARRIERS, MAX_CARRIERS = 30, 200
"""... but not fewer and not more than so many."""
SIZES = (3, 4, 5, 6, 7)
"""Into so many groups; which, the silhouette decides."""
DIRECTIONS = 5
"""Main directions of the rows that are kept: what lies beyond them is each example's own."""
STARTS = 30
"""Starts of one clustering, of which the best is kept."""
STABLE = 0.8
"""Groups whose adjusted Rand index under another seed is below this are said to be unstable."""
NEIGHBOURS = 10
"""Nearest training examples whose labels suggest what a member looks like."""
CLEAR = 0.8
"""A group has a label's name where this share of its members bear it."""
FEATURES = 3
"""Features that a suggested name tells, where features have names."""


@dataclass(frozen=True, eq=False)
class Cause:
    """A group of training examples that act alike.

    Attributes:
        positions: ``(m,)`` of its members, the strongest first.
        medoid: Position of the member that is most like all others, by size.
        effect: Sum of its members' first-order effects on the quantity, if they are taken out, each alone.
        name: Suggested, from labels, neighbours and features.
    """

    positions: np.ndarray
    medoid: int
    effect: float
    name: str


@dataclass(frozen=True, eq=False)
class Causes:
    """Groups that carry an answer.

    Attributes:
        groups: The one with the largest effect first.
        carried: The share of the sum of all effects' sizes that their members carry.
        silhouettes: ``(len(SIZES),)`` of the clusterings among which the number of groups was chosen; NaN where there are too
            few examples.
        rand: Adjusted Rand index of these groups and those from another seed: 1 where they are the same.
    """

    groups: tuple[Cause, ...]
    carried: float
    silhouettes: np.ndarray
    rand: float

    @property
    def stable(self) -> bool:
        """Whether another seed gives nearly the same groups."""
        return self.rand >= STABLE


@remember("causes")
def run(study: Study, effects: TargetEffects, seed: int = 0, *, context: Context = ALONE) -> Causes:
    """Group the examples that carry an answer.

    The rows' main directions are clustered with k-means, each example weighing as much as its effect; of 3 to 7 groups
    the number with the best silhouette is taken.

    Args:
        study: The trained model.
        effects: The answer to any question.
        seed: Of the clustering; the next one tells how stable it is.
        context: Told how far it is.
    """
    at, carried = carriers(effects.influence)
    report(context.progress, 0.0, "looking at how each example acts")
    rows = _rows(study, effects, at)
    points, sizes = _directions(rows), np.abs(effects.influence[at])
    found = [_clustered(points, sizes, k, seed, context.step(i, len(SIZES))) for i, k in enumerate(SIZES)]
    silhouettes = np.array([_silhouette(points, one) for one in found])
    best = int(np.nanargmax(silhouettes))
    other = _clustered(points, sizes, SIZES[best], seed + 1, context)
    groups = _groups(study, effects, at, rows, found[best])
    return Causes(groups, carried, silhouettes, _rand(found[best], other))


def carriers(effects: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions ``(m,)`` of the strongest of ``effects (n,)``, and the share of the sum of sizes that they carry."""
    order, sizes = strongest(effects, len(effects)), np.abs(effects)
    shares = np.cumsum(sizes[order]) / max(float(sizes.sum()), np.finfo(float).tiny)
    m = min(len(effects), int(np.clip(np.searchsorted(shares, SHARE) + 1, MIN_CARRIERS, MAX_CARRIERS)))
    return order[:m], float(shares[m - 1])


def _rows(study: Study, effects: TargetEffects, at: np.ndarray) -> np.ndarray:
    """``w_i s_p g_ip``, ``(m, p)``: every row adds up to the effect of its example."""
    o, rows = study.objective, torch.as_tensor(at, device=study.theta.device)
    gradients = o.gradients(study.theta, o.x[rows], o.y[rows])
    s = torch.as_tensor(effects.s).to(gradients)
    return (gradients * s * o.weights[rows, None]).cpu().double().numpy()


def _directions(rows: np.ndarray) -> np.ndarray:
    """The rows as unit vectors in their main directions, ``(m, DIRECTIONS)``."""
    cosines = _unit(rows) @ _unit(rows).T
    values, vectors = np.linalg.eigh(cosines)
    kept = slice(-1, -1 - DIRECTIONS, -1)
    return _unit(vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0)))


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)


def _clustered(points: np.ndarray, sizes: np.ndarray, k: int, seed: int, context: Context) -> np.ndarray:
    """``(m,)`` the group of every point; too few points for ``k`` groups are one each."""
    from sklearn.cluster import KMeans  # takes a second to import

    context.report(0.0, f"{k} groups")
    if k >= len(np.unique(points, axis=0)):
        return np.unique(points, axis=0, return_inverse=True)[1].reshape(-1)
    return KMeans(k, n_init=STARTS, random_state=seed).fit(points, sample_weight=sizes).labels_


def _silhouette(points: np.ndarray, groups: np.ndarray) -> float:
    from sklearn.metrics import silhouette_score

    if not 1 < len(set(groups.tolist())) < len(groups):
        return -1.0
    return float(silhouette_score(points, groups))


def _rand(one: np.ndarray, other: np.ndarray) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(one, other))


def _groups(
    study: Study, effects: TargetEffects, at: np.ndarray, rows: np.ndarray, found: np.ndarray
) -> tuple[Cause, ...]:
    groups = []
    for one in np.unique(found):
        members = np.flatnonzero(found == one)  # the carriers are in the order of their size
        unit = _unit(rows[members])
        likeness = unit @ (np.abs(effects.influence[at[members]]) @ unit)
        medoid = int(at[members[int(likeness.argmax())]])
        effect = float(effects.influence[at[members]].sum())
        groups.append(Cause(at[members], medoid, effect, suggested_name(study, at[members], rows[members])))
    return _numbered(sorted(groups, key=lambda group: -abs(group.effect)))


def _numbered(groups: Sequence[Cause]) -> tuple[Cause, ...]:
    """The groups, those of one name told apart by a number."""
    all_names, seen, found = Counter(one.name for one in groups), Counter[str](), []
    for one in groups:
        seen[one.name] += 1
        number = f" ({seen[one.name]})" if all_names[one.name] > 1 else ""
        found.append(replace(one, name=one.name + number))
    return tuple(found)


def suggested_name(study: Study, positions: np.ndarray, rows: np.ndarray) -> str:
    """What a group may be called: its labels, what it looks like where that differs, the features it acts through.

    Args:
        study: The trained model.
        positions: ``(m,)`` its members.
        rows: ``(m, p)`` their effects, split over the parameters.
    """
    names, labels = study.data.class_names, study.data.train.y[positions].tolist()
    counted = Counter(labels).most_common(2)
    name = names[counted[0][0]]
    if counted[0][1] < CLEAR * len(labels):
        name += f" and {names[counted[1][0]]}"
    looks, count = Counter(neighbour_labels(study, positions)).most_common(1)[0]
    if looks != counted[0][0] and 2 * count > len(labels):
        name += f", looks like {names[looks]}"
    told = _features(study, rows)
    return f"{name}: {', '.join(told)}" if told else name


def neighbour_labels(study: Study, positions: np.ndarray) -> list[int]:
    """The commonest label among the nearest training examples of each member, in the features that the model sees.

    Texts are near by their share of common words: by counts, the shortest text would be everybody's neighbour.
    """
    x, y = study.data.train.x, study.data.train.y
    if study.data.worded:
        x = torch.nn.functional.normalize(x)
    distances = torch.cdist(x[positions], x)
    distances[torch.arange(len(positions)), torch.as_tensor(positions)] = torch.inf
    nearest = y[distances.topk(min(NEIGHBOURS, len(y) - 1), largest=False).indices]
    return nearest.mode(1).values.tolist()


def _features(study: Study, rows: np.ndarray) -> Sequence[str]:
    """The features through which a group acts most, where features have names."""
    names = study.data.feature_names
    if not names or not isinstance(study.objective, LinearObjective):
        return ()
    through = rows.sum(0).reshape(len(names), -1).sum(1)
    return tuple(names[one] for one in strongest(through, FEATURES) if through[one])
