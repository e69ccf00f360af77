"""A matrix too large to be read whole: kept as a memory map, written a block of rows at a time, each with its checksum.

Two files lie in the store under one key: the ``.npy``, and a ``.json`` that says what its axes are, which rows are done,
and what belongs to each row. A block counts only once the JSON names it, so a run that is stopped loses at most the block
it was at; a block whose bytes are not what was once written is not read but made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.store.atomic import whole_file
from influence_core.store.store import BESIDE, MATRIX, Store, reason

_PIECE = 2**24
"""Bytes that are read at once to be checked."""


class MappedRows:
    """Rows of a matrix ``(n, p)``, each with a few numbers of its own; in memory alone where a store cannot keep them.

    Args:
        store: Where they are kept; it forgets them with its oldest entries.
        key: Of the store: a digest of all that the rows depend on.
        shape: ``(n, p)``.
        dtype: Of the matrix.
        axes: What its two axes are, for whoever finds the file.

    Attributes:
        kept: Whether the store keeps them; where it cannot, a notice says why.

    >>> from influence_core.store import NO_STORE
    >>> rows = MappedRows(NO_STORE, "0" * 64, (3, 2), "float32", ("example", "parameter"))
    >>> rows.add(1, np.array([[1.0, 2.0]]), {"loss": np.array([0.5])})
    >>> rows.missing(), rows.matrix[1], rows.column("loss")[1]
    (array([0, 2]), array([1., 2.], dtype=float32), np.float64(0.5))
    """

    def __init__(
        self, store: Store, key: str, shape: tuple[int, int], dtype: str, axes: Sequence[str]
    ) -> None:
        self._store, self.shape, self.dtype = store, shape, np.dtype(dtype)
        self._path = store.path(key, MATRIX)
        self._header = {"key": key, "axes": list(axes), "shape": list(shape), "dtype": self.dtype.str}
        self._blocks: list[dict[str, Any]] = []
        self._held: np.ndarray | None = None
        self._map: np.ndarray | None = None
        bytes_needed = shape[0] * shape[1] * self.dtype.itemsize
        self.kept = store.has_room_for(bytes_needed)
        if self.kept:
            self._blocks = self._read()
        else:
            self._held = np.zeros(shape, self.dtype)

    @property
    def matrix(self) -> np.ndarray:
        """``(n, p)``, read from the disk where it is looked at; what is written to it stays here. A missing row is 0."""
        if self._held is not None:
            return self._held
        if self._map is None:
            self._map = (
                np.load(self._path, mmap_mode="c") if self._blocks else np.zeros(self.shape, self.dtype)
            )
        return self._map

    def column(self, name: str) -> np.ndarray:
        """``(n,)`` of the numbers that belong to the rows; NaN where a row is missing."""
        values = np.full(self.shape[0], np.nan)
        for block in self._blocks:
            values[block["start"] : block["stop"]] = block["columns"][name]
        return values

    def missing(self) -> np.ndarray:
        """Positions ``(k,)`` of the rows that are still to be made, rising."""
        there = np.zeros(self.shape[0], bool)
        for block in self._blocks:
            there[block["start"] : block["stop"]] = True
        return np.flatnonzero(~there)

    def add(self, start: int, rows: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        """Keep the rows ``start, start + 1, ...``.

        Args:
            start: Position of the first.
            rows: ``(m, p)``.
            columns: By name ``(m,)`` numbers that belong to the rows; the same names every time.
        """
        rows = np.ascontiguousarray(rows, self.dtype)
        numbers = {name: np.asarray(values, float).tolist() for name, values in columns.items()}
        block = {"start": start, "stop": start + len(rows), "sha256": _sha256(rows), "columns": numbers}
        if self.kept:
            try:
                self._write(start, rows, block)
            except OSError as error:
                self._hold(error)
        if self._held is not None:
            self._held[start : start + len(rows)] = rows
        self._blocks.append(block)

    def _write(self, start: int, rows: np.ndarray, block: dict[str, Any]) -> None:
        """The bytes first, and then the word that they are there."""
        if not self._blocks:
            self._begin()
        with self._path.open("r+b") as file:  # never through the map: a full disk would end the process
            file.seek(self._offset() + start * self.shape[1] * self.dtype.itemsize)
            file.write(rows.reshape(-1).view(np.uint8).data)
            file.flush()
            os.fsync(file.fileno())
        self._tell([*self._blocks, block])
        self._store.forget_oldest()

    def _begin(self) -> None:
        """A file of the whole size, empty; its rows take no space before they are written."""
        with whole_file(self._path) as file:
            header = {"descr": self.dtype.str, "fortran_order": False, "shape": self.shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + self.shape[0] * self.shape[1] * self.dtype.itemsize)
        self._map = None

    def _tell(self, blocks: list[dict[str, Any]]) -> None:
        """Which blocks are there."""
        body = json.dumps(self._header | {"blocks": blocks})
        with whole_file(self._path.with_suffix(BESIDE)) as file:
            file.write(json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest()}).encode() + b"\n")
            file.write(body.encode())

    def _hold(self, error: OSError) -> None:
        """Go on in memory, with what the disk has so far."""
        self._store.notify(f"A table could not be kept ({reason(error)}); it is computed again next time.")
        self.kept = False
        try:
            self._held = np.array(self.matrix)
        except OSError:  # forgotten meanwhile, or the disk is gone
            self._held, self._blocks = np.zeros(self.shape, self.dtype), []

    def _offset(self) -> int:
        """Where the first row begins."""
        with self._path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            return file.tell()

    def _read(self) -> list[dict[str, Any]]:
        """The blocks that are there and whole; what is damaged is told, and is missing."""
        try:
            told = _told(self._path.with_suffix(BESIDE))
            if told is None:
                return []
            if {name: told[name] for name in self._header} != self._header:
                raise ValueError("another table")
            kept = np.load(self._path, mmap_mode="r", allow_pickle=False)
            if kept.shape != self.shape or kept.dtype != self.dtype:
                raise ValueError("another matrix")
            blocks = [
                one for one in told["blocks"] if _sha256(kept[one["start"] : one["stop"]]) == one["sha256"]
            ]
        except Exception:  # as for the store's entries: a damaged file raises nearly anything
            self._store.notify("A stored table was damaged; it was removed and is computed again.")
            self._store.remove(self._path)
            return []
        if len(blocks) < len(told["blocks"]):
            self._store.notify("A part of a stored table was damaged; that part is computed again.")
        with suppress(OSError):
            os.utime(self._path)  # used just now, so it is forgotten last
        return blocks


def _told(path: Path) -> dict[str, Any] | None:
    """What the JSON says; ``None`` where there is none.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        first, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if json.loads(first)["sha256"] != hashlib.sha256(body).hexdigest():
        raise ValueError("the checksum does not match")
    told: dict[str, Any] = json.loads(body)
    return told


def _sha256(rows: np.ndarray) -> str:
    """Of the rows' bytes, some at a time, so that a map is never read whole."""
    hasher = hashlib.sha256()
    each = max(1, _PIECE // max(1, rows.shape[1] * rows.itemsize))
    for start in range(0, len(rows), each):
        hasher.update(np.ascontiguousarray(rows[start : start + each]).reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()
