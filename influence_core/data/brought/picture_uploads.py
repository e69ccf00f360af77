"""Zips of pictures that people uploaded: unpacked beside the store, the ones used longest ago forgotten first.

Together they may take as much room as the store's own entries. Each lies in `uploads/<digest of the zip>`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from influence_core.data.readers.archives import unpack
from influence_core.data.readers.skipped import Skipped
from influence_core.errors import DataError
from influence_core.progress import Progress
from influence_core.store import Store
from influence_core.store.atomic import forget_oldest, remove_abandoned, whole_folder

FOLDER = "uploads"
MAX_BYTES = 500 * 10**6
"""Of a zip as it is sent."""
LONGEST_TITLE = 60
_KEY = re.compile("[0-9a-f]{64}")
_ABOUT, _PICTURES = "about.json", "pictures"


@dataclass(frozen=True)
class Upload:
    """An unpacked zip.

    Attributes:
        key: Digest of the zip.
        title: Its name on the screen.
        folder: Holds the classes' folders.
        skipped: What was not unpacked, and why.
    """

    key: str
    title: str
    folder: Path
    skipped: tuple[Skipped, ...]


def key_of(archive: BinaryIO) -> str:
    """The name under which a zip is kept.

    Raises:
        DataError: it is too large.
    """
    hasher, size = hashlib.sha256(), 0
    archive.seek(0)
    while chunk := archive.read(2**20):
        size += len(chunk)
        if size > MAX_BYTES:
            raise DataError(f"The zip has more than {MAX_BYTES // 10**6} MB. Send fewer or smaller pictures.")
        hasher.update(chunk)
    archive.seek(0)
    return hasher.hexdigest()


def keep(store: Store, archive: BinaryIO, title: str, progress: Progress | None = None) -> Upload:
    """Unpack a zip, or find it unpacked already.

    Args:
        store: beside which it is kept.
        archive: the zip.
        title: its file's name; what is no letter, digit or plain sign in it becomes "_".
        progress: told while unpacking.

    Raises:
        DataError: it cannot be unpacked; nothing is left of it then.
    """
    key, home = key_of(archive), store.folder / FOLDER
    with suppress(DataError):
        return recall(store, key)
    try:
        remove_abandoned(home, _KEY)
        with whole_folder(home / key, unless_there=True) as scratch:
            size = _fill(scratch, archive, title, store.limit_bytes, progress)
    except OSError as error:
        raise DataError(f"The zip could not be kept on this machine's disk: {error.strerror}.") from error
    forget_oldest(_others(home, key), store.limit_bytes - size, partial(shutil.rmtree, ignore_errors=True))
    return recall(store, key)


def _fill(folder: Path, archive: BinaryIO, title: str, limit_bytes: int, progress: Progress | None) -> int:
    """Unpack a zip into a folder, with what is known about it beside; the bytes of the pictures."""
    made = unpack(archive, folder / _PICTURES, progress)
    if made.size > limit_bytes:
        raise DataError(
            f"Unpacked, the pictures have {made.size / 10**6:,.0f} MB; this server keeps at most "
            f"{limit_bytes / 10**6:,.0f} MB. Send fewer or smaller pictures."
        )
    facts = {
        "title": re.sub(r"[^\w .()-]", "_", title)[:LONGEST_TITLE] or "pictures",
        "folder": made.folder.relative_to(folder).as_posix(),
        "size": made.size,
        "skipped": [asdict(one) for one in made.skipped],
    }
    (folder / _ABOUT).write_text(json.dumps(facts), encoding="utf-8")
    return made.size


def recall(store: Store, key: str) -> Upload:
    """An unpacked zip, used just now.

    Args:
        store: beside which it is kept.
        key: what `keep` called it.

    Raises:
        DataError: it is not there, or no longer.
    """
    folder = store.folder / FOLDER / key
    try:
        if not _KEY.fullmatch(key):
            raise ValueError(key)
        facts = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        skipped = tuple(
            Skipped(one["reason"], one["count"], tuple(one["examples"])) for one in facts["skipped"]
        )
        found = Upload(key, facts["title"], folder / facts["folder"], skipped)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "This machine no longer has those pictures: uploads make room for newer ones, or they were sent elsewhere. "
            "Upload the zip again."
        ) from error
    with suppress(OSError):
        os.utime(folder / _ABOUT)
    return found


def _others(home: Path, newest: str) -> Iterator[tuple[int, int, Path]]:
    """Last use, bytes and folder of every upload but the newest, which stays."""
    for folder in home.iterdir():
        with suppress(OSError, ValueError, KeyError):
            facts: dict[str, Any] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            if _KEY.fullmatch(folder.name) and folder.name != newest:
                yield (folder / _ABOUT).stat().st_mtime_ns, int(facts["size"]), folder
