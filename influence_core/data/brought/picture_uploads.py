"""Zips of pictures that people uploaded: unpacked beside the store, the ones used longest ago forgotten first.

Together they may take as much room as the store's own entries. Each lies in `uploads/<digest of the zip>`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from influence_core.data.readers.archives import ABANDONED, unpack
from influence_core.data.readers.skipped import Skipped
from influence_core.errors import DataError
from influence_core.progress import Progress
from influence_core.store import ABANDONED_AFTER_SECONDS, Store

FOLDER = "uploads"
MOST_BYTES = 500 * 10**6
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
        if size > MOST_BYTES:
            raise DataError(
                f"The zip has more than {MOST_BYTES // 10**6} MB. Send fewer or smaller pictures."
            )
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
        home.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(home)
        with tempfile.TemporaryDirectory(
            prefix=f"{key}-", suffix=ABANDONED, dir=home, ignore_cleanup_errors=True
        ) as scratch:
            whole = Path(scratch) / "whole"
            made = unpack(archive, whole / _PICTURES, progress)
            if made.size > store.limit_bytes:
                raise DataError(
                    f"Unpacked, the pictures have {made.size / 10**6:,.0f} MB; this server keeps at most "
                    f"{store.limit_bytes / 10**6:,.0f} MB. Send fewer or smaller pictures."
                )
            facts = {
                "title": re.sub(r"[^\w .()-]", "_", title)[:LONGEST_TITLE] or "pictures",
                "folder": made.folder.relative_to(whole).as_posix(),
                "size": made.size,
                "skipped": [asdict(one) for one in made.skipped],
            }
            (whole / _ABOUT).write_text(json.dumps(facts), encoding="utf-8")
            with suppress(OSError):  # somebody else was faster: their folder is the same
                os.rename(whole, home / key)
    except OSError as error:
        raise DataError(f"The zip could not be kept on this machine's disk: {error.strerror}.") from error
    _forget_oldest(home, key, store.limit_bytes)
    return recall(store, key)


def recall(store: Store, key: str) -> Upload:
    """An unpacked zip, used just now.

    Raises:
        DataError: it is not there, or no longer.
    """
    place = store.folder / FOLDER / key
    try:
        if not _KEY.fullmatch(key):
            raise ValueError(key)
        facts = json.loads((place / _ABOUT).read_text(encoding="utf-8"))
        skipped = tuple(
            Skipped(one["reason"], one["count"], tuple(one["examples"])) for one in facts["skipped"]
        )
        found = Upload(key, facts["title"], place / facts["folder"], skipped)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "This machine no longer has those pictures: uploads make room for newer ones, or they were sent elsewhere. "
            "Upload the zip again."
        ) from error
    with suppress(OSError):
        os.utime(place / _ABOUT)
    return found


def _forget_oldest(home: Path, newest: str, most: int) -> None:
    """Remove the uploads used longest ago until the rest is within the limit; the newest stays."""
    found = []
    for place in home.iterdir():
        with suppress(OSError, ValueError, KeyError):
            facts: dict[str, Any] = json.loads((place / _ABOUT).read_text(encoding="utf-8"))
            found.append(((place / _ABOUT).stat().st_mtime_ns, int(facts["size"]), place))
    excess = sum(size for _, size, _ in found) - most
    for _, size, place in sorted(found):
        if excess > 0 and _KEY.fullmatch(place.name) and place.name != newest:
            shutil.rmtree(place, ignore_errors=True)
            excess -= size


def _remove_abandoned(home: Path) -> None:
    """Remove what killed processes left half unpacked; a younger folder may still be in the making."""
    for place in home.glob(f"*-*{ABANDONED}"):
        with suppress(OSError):
            old = time.time() - place.stat().st_mtime > ABANDONED_AFTER_SECONDS
            if old and _KEY.fullmatch(place.name.split("-")[0]):
                shutil.rmtree(place, ignore_errors=True)
