"""Results kept on disk by the digest of what they were computed from.

One file per entry. A file is written beside its place and moved there whole, so a reader never sees half an
entry, whoever dies. What is wrong with the disk never stops the work: it becomes a notice for the screen, and
the result is computed again.
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import platformdirs

from influence_core.errors import StoreError
from influence_core.store.atomic import forget_oldest, one_at_a_time, remove_abandoned, remove_folder
from influence_core.store.entries import Entry, read_entry, size_on_disk, write_entry

FOLDER_VARIABLE = "INFLUENCE_EXPLORER_CACHE"
LIMIT_VARIABLE = "INFLUENCE_EXPLORER_CACHE_MB"
DEFAULT_LIMIT = 2 * 2**30
ENTRY, MATRIX, BESIDE, TABLE = ".npz", ".npy", ".json", ".table"
"""An entry is one file; a matrix that is read as a memory map (`mapped`) is two; a table in parts (`parts`) is a folder."""
KEY = re.compile(r"[0-9a-f]{32,128}")
"""32 at least: no file of the user's is ever taken for an entry."""


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
        path = self.path(key)
        if not self.has_room_for(size_on_disk(arrays, meta)):
            return False
        try:
            write_entry(path, key, arrays, meta)
        except OSError as error:
            self.notify(f"A result could not be kept ({reason(error)}); it is computed again next time.")
            return False
        self.forget_oldest()
        return True

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else reads in order to write meanwhile, in no thread and, where the disk has locks, in no process."""
        with one_at_a_time(self.folder / "rows.lock"):
            yield

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
                if path.suffix in (ENTRY, MATRIX, TABLE) and KEY.fullmatch(path.stem):
                    with suppress(OSError):  # another process removed it first
                        more = [path.with_suffix(BESIDE)] if path.suffix == MATRIX else path.glob("*")
                        found = [path.stat(), *(one.stat() for one in more if one.exists())]
                        yield max(one.st_mtime_ns for one in found), sum(one.st_size for one in found), path

    def remove(self, path: Path) -> None:
        """Remove an entry; that another process removed it first is fine."""
        try:
            if path.suffix == TABLE:
                remove_folder(path)
                return
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


def reason(error: OSError) -> str:
    """What the operating system said, in everyday words where it matters."""
    return "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
