"""An entry of the store as a file: arrays by name and JSON values, with a checksum over all of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from influence_core.errors import StoreError
from influence_core.store.atomic import whole_file


@dataclass(frozen=True, eq=False)
class Entry:
    """What was kept under one key: arrays by name, and JSON values."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]


def read_only(folder: Path, key: str) -> Entry | None:
    """The entry of a folder that nobody writes to, such as one that ships with the app.

    Args:
        folder: Where it lies.
        key: As in a store.

    Returns:
        The entry; None if it is missing or damaged.
    """
    try:
        with (folder / f"{key}.npz").open("rb") as file:
            return read_entry(file, key)
    except Exception:  # as in `Store.get`
        return None


def write_entry(path: Path, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write an entry whole, in the place of what was there.

    Raises:
        OSError: The disk refuses.
        StoreError: An array holds Python objects, or ``meta`` is not JSON.
    """
    members = _members(key, arrays, _header(arrays, meta))
    with whole_file(path) as file:
        np.savez(file, **members)


def _header(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bytes:
    """Array names and meta as JSON."""
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise StoreError(f"The array {name!r} holds Python objects. Convert it to numbers.")
    try:
        return json.dumps({"names": list(arrays), "meta": dict(meta)}).encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"Expected meta of text, numbers, lists and dicts (JSON): {error}.") from error


def size_on_disk(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> int:
    """Bytes that an entry takes at most: the values, and a kilobyte of the archive's own for each member.

    Raises:
        StoreError: As for ``write_entry``.
    """
    values = sum(array.nbytes for array in arrays.values())
    return values + len(_header(arrays, meta)) + 1024 * (len(arrays) + 2)


def _members(key: str, arrays: Mapping[str, np.ndarray], header: bytes) -> dict[str, Any]:
    """The archive's members; arrays are numbered, so that any name may be used."""
    numbered = {f"array{number}": array for number, array in enumerate(arrays.values())}
    checksum = _checksum(key, header, list(numbered.values()))
    texts = {"header": header, "checksum": checksum}
    return {name: np.frombuffer(text, np.uint8) for name, text in texts.items()} | numbered


def _checksum(key: str, header: bytes, arrays: list[np.ndarray]) -> bytes:
    """sha256 over the key, the header and every array's element type, shape and bytes."""
    hasher = hashlib.sha256(f"{key} {len(header)} ".encode() + header)
    for array in arrays:
        hasher.update(f" {array.dtype.descr} {array.shape} ".encode())
        flat = np.ascontiguousarray(array).reshape(-1)
        if flat.nbytes:
            hasher.update(flat.view(np.uint8).data)
    return hasher.digest()


def read_entry(file: BinaryIO, key: str) -> Entry:
    """The entry in `file`.

    Raises:
        ValueError: It is not what was once put there under `key`; a damaged file makes numpy and zipfile raise nearly
            anything else.
    """
    with np.load(file, allow_pickle=False) as archive:
        header = archive["header"].tobytes()
        described = json.loads(header)
        arrays = [archive[f"array{number}"] for number in range(len(described["names"]))]
        if archive["checksum"].tobytes() != _checksum(key, header, arrays):
            raise ValueError("the checksum does not match")
    return Entry(dict(zip(described["names"], arrays, strict=True)), described["meta"])
