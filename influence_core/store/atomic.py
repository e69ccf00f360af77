"""Written whole or not at all; the oldest forgotten until the rest fits; leftovers of killed processes swept away.

What is written lies beside its place under a temporary name, ``<stem>-<random>.tmp``, and moves there in one step.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path

ABANDONED_AFTER_SECONDS = 3600
_SUFFIX = ".tmp"


@contextmanager
def whole_file(path: Path, mode: int = 0o600) -> Iterator[BufferedRandom]:
    """A file to write and read, which takes its place once it is whole and on the disk; after an error there is none.

    Args:
        path: Its place; missing folders are made, and a file that is there is replaced.
        mode: Who may read and write it.

    Raises:
        OSError: The disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"{path.stem}-", suffix=_SUFFIX, dir=path.parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    finally:
        with suppress(OSError):  # after the move there is nothing left to remove
            os.unlink(name)


@contextmanager
def whole_folder(path: Path, unless_there: bool = False) -> Iterator[Path]:
    """A folder to fill, which takes its place once it is whole; after an error there is none.

    Args:
        path: Its place; missing folders above it are made.
        unless_there: Whether a folder that somebody else put there meanwhile stays, and is no error.

    Raises:
        OSError: The disk refuses, or something is there already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{path.name}-", suffix=_SUFFIX, dir=path.parent))
    try:
        yield scratch
        try:
            os.rename(scratch, path)
        except OSError:
            if not (unless_there and path.is_dir()):
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def forget_oldest(
    entries: Iterable[tuple[int, int, Path]], limit_bytes: int, remove: Callable[[Path], None]
) -> None:
    """Remove what was used longest ago until the rest is within the limit.

    Args:
        entries: When each was last used, its bytes, and its path.
        limit_bytes: What they may take together.
        remove: How one is removed.
    """
    oldest_first = sorted(entries)
    excess = sum(size for _, size, _ in oldest_first) - limit_bytes
    for _, size, path in oldest_first:
        if excess <= 0:
            break
        remove(path)
        excess -= size


def remove_abandoned(folder: Path, ours: re.Pattern[str]) -> None:
    """Remove what killed processes left half written; something younger may still be in the making.

    Args:
        folder: Where to look.
        ours: What the stems of our files are, so that no other file is ever touched.
    """
    with suppress(OSError):
        for path in folder.glob(f"*-*{_SUFFIX}"):
            with suppress(OSError):
                old = time.time() - path.stat().st_mtime > ABANDONED_AFTER_SECONDS
                if old and ours.fullmatch(path.name.rpartition("-")[0]):
                    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
