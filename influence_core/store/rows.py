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
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        kept = store.get(key)
        self._columns = dict(kept.arrays) if kept else {}

    def missing(self, ids: Sequence[int] | np.ndarray) -> list[int]:
        """Those of ``ids (k,)`` that have no row yet, in their order."""
        known = set(self._columns.get("ids", np.zeros(0, int)).tolist())
        return [int(one) for one in ids if int(one) not in known]

    def add(self, found: Mapping[str, np.ndarray]) -> None:
        """Append rows: the same columns every time, ``ids`` among them."""
        self._columns = {
            name: np.concatenate([self._columns.get(name, values[:0]), values])
            for name, values in found.items()
        }
        self._store.put(self._key, self._columns, {})

    def take(self, ids: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """The columns of ``ids (k,)``, in their order; every one must have a row."""
        at = {one: row for row, one in enumerate(self._columns["ids"].tolist())}
        rows = [at[int(one)] for one in ids]
        return {name: values[rows] for name, values in self._columns.items()}
