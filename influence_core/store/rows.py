"""Rows that are stored one by one as they come: a stopped run costs only what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from influence_core.store.store import Store


class StoredRows:
    """Columns of equal length under one key; the column ``ids`` tells the rows apart.

    Args:
        store: Where they are kept.
        key: Of the store.

    >>> from influence_core.store import NO_STORE
    >>> rows = StoredRows(NO_STORE, "0" * 64)
    >>> rows.add({"ids": np.array([7, 3]), "loss": np.array([0.7, 0.3])})
    >>> rows.missing([3, 5])
    [5]
    >>> rows.take([3, 7])["loss"]
    array([0.3, 0.7])
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        kept = store.get(key)
        self._columns = dict(kept.arrays) if kept else {}

    @property
    def ids(self) -> np.ndarray:
        """``(k,)`` of the rows there are, in the order in which they came."""
        return self._columns.get("ids", np.zeros(0, int))

    def missing(self, ids: Sequence[int] | np.ndarray) -> list[int]:
        """Those of ``ids (k,)`` that have no row yet, in their order."""
        known = set(self.ids.tolist())
        return [int(one) for one in ids if int(one) not in known]

    def add(self, found: Mapping[str, np.ndarray]) -> None:
        """Append rows: the same columns every time, ``ids`` among them.

        To what somebody else may have added meanwhile, in another thread or process; rows that are there stay.
        """
        with self._store.alone():
            kept = self._store.get(self._key)
            if kept is not None:
                self._columns = dict(kept.arrays)
            new = ~np.isin(found["ids"], self.ids)
            self._columns = {
                name: np.concatenate([self._columns.get(name, values[:0]), values[new]])
                for name, values in found.items()
            }
            self._store.put(self._key, self._columns, {})

    def take(self, ids: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """The columns of ``ids (k,)``, in their order; every one must have a row."""
        at = {one: row for row, one in enumerate(self.ids.tolist())}
        rows = [at[int(one)] for one in ids]
        return {name: values[rows] for name, values in self._columns.items()}
