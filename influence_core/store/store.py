"""Results kept on disk by the digest of what they were computed from.

One file per entry. A file is written beside its place and moved there whole, so a reader never sees half an
entry, whoever dies. What is wrong with the disk never stops the work: it becomes a notice for the screen, and
the result is computed again.
"""

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
import platformdirs

from influence_core.errors import StoreError
from influence_core.store.atomic import forget_oldest, remove_abandoned, whole_file

FOLDER_VARIABLE = "INFLUENCE_EXPLORER_CACHE"
LIMIT_VARIABLE = "INFLUENCE_EXPLORER_CACHE_MB"
DEFAULT_LIMIT = 2 * 2**30
ENTRY, MATRIX, BESIDE = ".npz", ".npy", ".json"
"""An entry is one file; a matrix that is read as a memory map (`mapped`) is two."""
KEY = re.compile(r"[0-9a-f]{32,128}")
"""32 at least: no file of the user's is ever taken for an entry."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What was kept under one key: arrays by name, and JSON values."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]


class Store:
    """A content-addressed store that forgets what was used longest ago; safe for many threads and processes.

    >>> from tempfile import TemporaryDirectory
    >>> folder = TemporaryDirectory()
    >>> store = Store(Path(folder.name))
    >>> key = "0" * 64  # of `digest`: what the result was computed from
    >>> store.put(key, {"theta": np.array([1.0, 2.0])}, {"seconds": 0.5})
    True
    >>> store.get(key).arrays["theta"], store.get(key).meta
    (array([1., 2.]), {'seconds': 0.5})
    >>> folder.cleanup()

    Args:
        folder: where to keep the entries; None for INFLUENCE_EXPLORER_CACHE, else the user's cache folder.
        limit_bytes: what all entries may take; None for INFLUENCE_EXPLORER_CACHE_MB megabytes, else 2 GiB.

    Attributes:
        of_program: whether the program named the folder, and not the person who started it.
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self._notices: list[str] = []
        self._lock = Lock()
        named = folder or os.environ.get(FOLDER_VARIABLE)
        self.folder = Path(named or platformdirs.user_cache_dir("influence-explorer")).expanduser()
        self.of_program = folder is not None
        self.limit_bytes = self._limit_from_environment() if limit_bytes is None else limit_bytes
        remove_abandoned(self.folder, KEY)

    def get(self, key: str) -> Entry | None:
        """The entry kept under `key`, or None; a damaged one is removed, with a notice.

        Raises:
            StoreError: `key` is not a hex digest.
        """
        path = self.path(key)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            self.notify(f"A stored result could not be read ({reason(error)}); it is computed again.")
            return None
        try:
            with file:
                entry = read_entry(file, key)
        except Exception:  # a damaged file makes numpy and zipfile raise nearly anything
            self.notify("A stored result was damaged; it was removed and is computed again.")
            self.remove(path)
            return None
        with suppress(OSError):  # removed by another process since, or a folder that is only for reading
            os.utime(path)  # used just now, so it is forgotten last
        return entry

    def has(self, key: str) -> bool:
        """Whether there is an entry under `key`; it is not read.

        Raises:
            StoreError: `key` is not a hex digest.
        """
        return self.path(key).is_file()

    def put(self, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bool:
        """Keep arrays and JSON values under `key`; on reading, tuples come back as lists.

        Args:
            key: A hex digest of all that the result depends on.
            arrays: By any name.
            meta: By name: text, numbers, lists and dicts.

        Returns:
            Whether they were kept; if not, a notice says why.

        Raises:
            StoreError: `key` is not a hex digest, an array holds Python objects, or `meta` is not JSON.
        """
        path, header = self.path(key), _header(arrays, meta)
        if not self.has_room_for(_size_on_disk(arrays, header)):
            return False
        try:
            _write(path, key, arrays, header)
        except OSError as error:
            self.notify(f"A result could not be kept ({reason(error)}); it is computed again next time.")
            return False
        self.forget_oldest()
        return True

    def has_room_for(self, size: int) -> bool:
        """Whether a result of so many bytes is within the limit; if not, a notice says so."""
        if size <= self.limit_bytes:
            return True
        self.notify(
            f"A result is larger than the store's limit of {self.limit_bytes / 2**20:,.4g} MB, "
            f"so it was not kept. Raise {LIMIT_VARIABLE} to keep it."
        )
        return False

    def forget_oldest(self) -> None:
        """Forget what was used longest ago until the rest is within the limit."""
        forget_oldest(self._entries(), self.limit_bytes, self.remove)

    def notices(self) -> list[str]:
        """What went wrong since the last call, in plain sentences."""
        with self._lock:
            drained, self._notices = self._notices, []
        return drained

    def size(self) -> int:
        """Bytes taken by all entries."""
        return sum(size for _, size, _ in self._entries())

    def clear(self) -> None:
        """Remove every entry."""
        for _, _, path in self._entries():
            self.remove(path)

    def path(self, key: str, suffix: str = ENTRY) -> Path:
        """The file of `key`, once it is known to be nothing but a file name.

        Raises:
            StoreError: `key` is not a hex digest.
        """
        if not KEY.fullmatch(key):
            raise StoreError(f"Expected a key of 32 to 128 hex digits, got {key!r}. Make it with digest().")
        return self.folder / f"{key}{suffix}"

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """(last use, bytes, path) of each entry; files that are not ours are never touched."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.suffix in (ENTRY, MATRIX) and KEY.fullmatch(path.stem):
                    with suppress(OSError):  # another process removed it first
                        status = path.stat()
                        beside = path.with_suffix(BESIDE)
                        more = beside.stat().st_size if path.suffix == MATRIX and beside.exists() else 0
                        yield status.st_mtime_ns, status.st_size + more, path

    def remove(self, path: Path) -> None:
        """Remove a file; that another process removed it first is fine."""
        try:
            path.unlink(missing_ok=True)
            if path.suffix == MATRIX:
                path.with_suffix(BESIDE).unlink(missing_ok=True)
        except OSError as error:
            self.notify(f"A stored result could not be removed ({reason(error)}).")

    def notify(self, sentence: str) -> None:
        """Keep a sentence for the screen, once."""
        with self._lock:
            if sentence not in self._notices:
                self._notices.append(sentence)

    def _limit_from_environment(self) -> int:
        """The user's limit in bytes; one that is not a number is reported and not used."""
        text = os.environ.get(LIMIT_VARIABLE, "").strip()
        if text.isdecimal():
            return int(text) * 2**20
        if text:
            self.notify(
                f"{LIMIT_VARIABLE} should be a whole number of megabytes, not {text!r}; 2 GiB are used."
            )
        return DEFAULT_LIMIT


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


def reason(error: OSError) -> str:
    """What the operating system said, in everyday words where it matters."""
    return "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)


def write_entry(path: Path, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write an entry whole, in the place of what was there.

    Raises:
        OSError: The disk refuses.
        StoreError: An array holds Python objects, or ``meta`` is not JSON.
    """
    _write(path, key, arrays, _header(arrays, meta))


def _write(path: Path, key: str, arrays: Mapping[str, np.ndarray], header: bytes) -> None:
    with whole_file(path) as file:
        np.savez(file, **_members(key, arrays, header))


def _header(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bytes:
    """Array names and meta as JSON."""
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise StoreError(f"The array {name!r} holds Python objects. Convert it to numbers.")
    try:
        return json.dumps({"names": list(arrays), "meta": dict(meta)}).encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"Expected meta of text, numbers, lists and dicts (JSON): {error}.") from error


def _size_on_disk(arrays: Mapping[str, np.ndarray], header: bytes) -> int:
    """An upper bound: the values, and at most a kilobyte of the archive's own for each member."""
    return sum(array.nbytes for array in arrays.values()) + len(header) + 1024 * (len(arrays) + 2)


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
