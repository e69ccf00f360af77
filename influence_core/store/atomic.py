"""Written whole or not at all; the oldest forgotten until the rest fits; leftovers of killed processes swept away.

What is written lies beside its place under a temporary name, ``<stem>-<random>.tmp``, and moves there in one step.
Whoever writes holds a lock on it, which the operating system lets go when the process ends, however it ends: so a
leftover is told from what is in the making.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from threading import Lock

if sys.platform != "win32":
    import fcntl

ABANDONED_AFTER_SECONDS = 3600
"""On Windows, which has no such locks."""
_SUFFIX = ".tmp"
_ALONE = Lock()


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
    with _in_the_making(lambda: _new_file(path)) as scratch:
        try:
            with scratch.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(scratch, mode)
            os.replace(scratch, path)
        finally:
            with suppress(OSError):  # after the move there is nothing left to remove
                os.unlink(scratch)


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
    with _in_the_making(lambda: _new_folder(path)) as scratch:
        try:
            yield scratch
            try:
                os.rename(scratch, path)
            except OSError:
                if not (unless_there and path.is_dir()):
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Alone among all threads of this process, and among all processes that name the same file where its disk has locks.

    Args:
        path: An empty file, made where it is missing.
    """
    with _ALONE, ExitStack() as held:
        with suppress(OSError):  # a folder that is only for reading, or a disk without locks
            path.parent.mkdir(parents=True, exist_ok=True)
            file = held.enter_context(path.open("ab"))
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_folder(path: Path) -> None:
    """Remove a folder in one step, as others see it; that there is none is fine.

    Args:
        path: Of the folder; a process that is killed meanwhile leaves a leftover, never half a folder.

    Raises:
        OSError: The disk refuses.
    """
    with _in_the_making(lambda: _new_folder(path)) as scratch:
        try:
            with suppress(FileNotFoundError):
                os.rename(path, scratch / path.name)
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
    """Remove what killed processes left half written; what somebody still writes stays.

    Args:
        folder: Where to look.
        ours: What the stems of our files are, so that no other file is ever touched.
    """
    with suppress(OSError):
        for path in folder.glob(f"*-*{_SUFFIX}"):
            if ours.fullmatch(path.name.rpartition("-")[0]):
                with suppress(OSError):
                    _remove_unless_held(path)


def _new_file(path: Path) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f"{path.stem}-", suffix=_SUFFIX, dir=path.parent)
    os.close(descriptor)
    return Path(name)


def _new_folder(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{path.name}-", suffix=_SUFFIX, dir=path.parent))


@contextmanager
def _in_the_making(make: Callable[[], Path]) -> Iterator[Path]:
    """A new file or folder, held until the end."""
    if sys.platform == "win32":
        yield make()
        return
    descriptor = None
    while descriptor is None:
        scratch = make()
        try:
            descriptor = _lock(scratch, alone=False)
        except (
            OSError
        ):  # a disk without locks: nobody can tell that it is a leftover, so it is never swept away
            yield scratch
            return
    try:
        yield scratch
    finally:
        os.close(descriptor)


def _lock(path: Path, alone: bool) -> int | None:
    """A descriptor that holds the lock; ``None`` where another process swept the file away before that.

    Raises:
        OSError: Somebody else holds it.
    """
    assert sys.platform != "win32"
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        gone = os.fstat(descriptor).st_nlink == 0
    except BaseException:
        os.close(descriptor)
        raise
    if gone:
        os.close(descriptor)
        return None
    return descriptor


def _remove_unless_held(path: Path) -> None:
    if sys.platform == "win32":
        if time.time() - path.stat().st_mtime > ABANDONED_AFTER_SECONDS:
            _remove(path)
        return
    descriptor = _lock(path, alone=True)
    if descriptor is not None:
        try:
            _remove(path)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()
