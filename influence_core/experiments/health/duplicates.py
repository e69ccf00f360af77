"""Which examples are there more than once: in the training set, in training and test set, under different labels?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.data import DataSet
from influence_core.experiments.health import near
from influence_core.experiments.health.near import Pairs
from influence_core.experiments.health.signatures import of_pictures, seen
from influence_core.store.remember import remember
from influence_core.studies import Study

How = Literal["equal", "nearly equal", "mirrored"]


@dataclass(frozen=True)
class Copies:
    """One example, so often as it is there.

    Attributes:
        train_ids: Of those to train on, in their order.
        test_ids: Of those to test on.
        train_labels: As many as ``train_ids``.
        test_labels: As many as ``test_ids``.
        how: The least that any two that were linked have in common.
    """

    train_ids: tuple[int, ...]
    test_ids: tuple[int, ...]
    train_labels: tuple[int, ...]
    test_labels: tuple[int, ...]
    how: How

    @property
    def leaks(self) -> bool:
        """Whether what is asked about was learnt from."""
        return bool(self.train_ids and self.test_ids)

    @property
    def conflicts(self) -> bool:
        """Whether it bears different labels."""
        return len({*self.train_labels, *self.test_labels}) > 1


@dataclass(frozen=True)
class Duplicates:
    """All examples that are there more than once.

    Attributes:
        groups: The larger first.
        compared: Examples that were looked at.
    """

    groups: tuple[Copies, ...]
    compared: int

    @property
    def conflicts(self) -> tuple[Copies, ...]:
        """Those under different labels."""
        return tuple(one for one in self.groups if one.conflicts)

    @property
    def leaks(self) -> tuple[Copies, ...]:
        """Those to train on and to test on."""
        return tuple(one for one in self.groups if one.leaks)

    @property
    def repeated(self) -> tuple[Copies, ...]:
        """Those more than once in the training set."""
        return tuple(one for one in self.groups if len(one.train_ids) > 1)


@remember("health: duplicates")
def run(study: Study, *, context: Context = ALONE) -> Duplicates:
    """Find every example that is there more than once.

    Pictures are equal by what is seen of them, and nearly equal by `near.pictures`, resized, saved again with loss or
    mirrored; texts by the words that the model knows and `near.texts`; rows of a table only where all their values are equal.
    Pairs that are both of the test set are left out.

    Args:
        study: The trained model; what matters is its data.
        context: Told how far it is.
    """
    return of_data(study.data, context)


def of_data(data: DataSet, context: Context = ALONE) -> Duplicates:
    """The same of data that no model was trained on."""
    context.report(0.0, "looking for equal examples")
    rows = seen(data) if data.pictured else torch.cat([data.train.x, data.test.x]).numpy()
    first_of = _equal(rows)
    if data.worded:
        empty = ~rows.any(axis=1)
        first_of[empty] = np.flatnonzero(empty)  # no known word in common is no copy
    alone = np.unique(first_of)
    pairs = _near(data, rows[alone], context.part(0.1, 1.0))
    return _grouped(data, first_of, alone, pairs)


def _near(data: DataSet, rows: np.ndarray, context: Context) -> Pairs:
    if data.pictured:
        return near.pictures(of_pictures(rows), context)
    if data.worded:
        return near.texts(torch.from_numpy(rows), context)
    nothing = np.zeros(0, int)
    return Pairs(nothing, nothing, nothing.astype(bool))


def _equal(rows: np.ndarray) -> np.ndarray:
    """``(m,)`` the position of the first row that equals each."""
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(row.tobytes(), at) for at, row in enumerate(rows)])


def _grouped(data: DataSet, first_of: np.ndarray, alone: np.ndarray, pairs: Pairs) -> Duplicates:
    """Groups of examples that are linked, but for those of the test set alone."""
    m, n = len(first_of), len(data.train)
    group = _linked(np.stack([first_of, np.arange(m)]), alone[np.stack([pairs.first, pairs.second])])
    mirrored = set(group[alone[pairs.first[pairs.mirrored]]].tolist())
    nearly = set(group[alone[pairs.first]].tolist())
    order = np.argsort(group, kind="stable")
    found = []
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(members) > 1 and members[0] < n:
            one = int(group[members[0]])
            how: How = "mirrored" if one in mirrored else "nearly equal" if one in nearly else "equal"
            found.append(_copies(data, members, how))
    ordered = sorted(found, key=lambda one: -len(one.train_ids) - len(one.test_ids))
    return Duplicates(tuple(ordered), m)


def _linked(*links: np.ndarray) -> np.ndarray:
    """``(m,)`` the number of the group to which links ``(2, l)`` tie each."""
    from scipy.sparse import coo_array  # takes a moment to import
    from scipy.sparse.csgraph import connected_components

    ends = np.concatenate(links, 1)
    m = int(ends.max()) + 1
    return connected_components(coo_array((np.ones(ends.shape[1]), ends), (m, m)), directed=False)[1]


def _copies(data: DataSet, members: np.ndarray, how: How) -> Copies:
    n = len(data.train)
    train, test = members[members < n], members[members >= n] - n
    return Copies(
        tuple(data.train.ids[train].tolist()),
        tuple(data.test.ids[test].tolist()),
        tuple(data.train.y[train].tolist()),
        tuple(data.test.y[test].tolist()),
        how,
    )
