"""Zips of pictures or texts that people uploaded: unpacked, and kept until whoever sent one removes it.

With the tables they may take as much room together as the store's own entries; what does not fit is refused.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from influence_core.data.brought import kept
from influence_core.data.brought.home import UPLOADS, home_of
from influence_core.data.readers.archives import Unpacked, unpack
from influence_core.data.readers.skipped import Skipped
from influence_core.errors import DataError
from influence_core.progress import Progress
from influence_core.store import Store
from influence_core.store.digest import digest

MAX_BYTES = 500 * 10**6
"""Of a zip as it is sent."""
LONGEST_TITLE = 60
_PICTURES = "pictures"


@dataclass(frozen=True)
class Upload:
    """An unpacked zip.

    Attributes:
        key: Digest of the zip and its owner.
        title: Its name on the screen.
        folder: Holds the classes' folders.
        skipped: What was not unpacked, and why.
        encoding: In which names were read that do not say it, a name of `encodings.ENCODINGS`; or "".
        readings: What some of those names are in every encoding, as in `archive_names.Names`.
    """

    key: str
    title: str
    folder: Path
    skipped: tuple[Skipped, ...]
    encoding: str = ""
    readings: tuple[tuple[str, str], ...] = ()


def key_of(archive: BinaryIO) -> str:
    """The digest of a zip.

    Raises:
        DataError: it is too large.
    """
    hasher, size = hashlib.sha256(), 0
    archive.seek(0)
    while chunk := archive.read(2**20):
        size += len(chunk)
        if size > MAX_BYTES:
            raise DataError(f"The zip has more than {MAX_BYTES // 10**6} MB. Send fewer or smaller files.")
        hasher.update(chunk)
    archive.seek(0)
    return hasher.hexdigest()


def keep(
    store: Store,
    archive: BinaryIO,
    title: str,
    progress: Progress | None = None,
    owner: str = "",
    encoding: str = "",
) -> Upload:
    """Unpack a zip, or find it unpacked already.

    Args:
        store: whose home keeps it.
        archive: the zip.
        title: its file's name; what is no letter, digit or plain sign in it becomes "_".
        progress: told while unpacking.
        owner: the browser that sent it.
        encoding: of names that do not say theirs; "": the most plausible. Another one is another upload.

    Raises:
        DataError: it cannot be unpacked, or there is no room; nothing is left of it then.
    """
    key = digest("zip", key_of(archive), owner, *([encoding] if encoding else []))
    home = home_of(store)
    with suppress(DataError):
        return recall(store, key)

    def fill(folder: Path) -> dict[str, Any]:
        return _about(unpack(archive, folder / _PICTURES, progress, encoding), folder, title, owner)

    kept.put(home.folder / UPLOADS, home, key, fill)
    return recall(store, key)


def _about(made: Unpacked, folder: Path, title: str, owner: str) -> dict[str, Any]:
    """What is known about an unpacked zip."""
    return {
        "owner": owner,
        "title": re.sub(r"[^\w .()-]", "_", title)[:LONGEST_TITLE] or "files",
        "folder": made.folder.relative_to(folder).as_posix(),
        "size": made.size,
        "skipped": [asdict(one) for one in made.skipped],
        "encoding": made.encoding,
        "readings": made.readings,
    }


def recall(store: Store, key: str) -> Upload:
    """An unpacked zip.

    Args:
        store: whose home keeps it.
        key: what `keep` called it.

    Raises:
        DataError: it is not there, or no longer.
    """
    try:
        return _known(kept.get(home_of(store).folder / UPLOADS, key))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "This zip is not on this machine: it was removed, or sent elsewhere. Upload it again."
        ) from error


def uploads(store: Store, owner: str) -> tuple[Upload, ...]:
    """Those that a browser sent, the newest first."""
    found = []
    for one in kept.every(home_of(store).folder / UPLOADS):
        with suppress(ValueError, KeyError, TypeError):
            if one.about["owner"] == owner:
                found.append(_known(one))
    return tuple(found)


def remove(store: Store, key: str, owner: str) -> None:
    """Remove a zip with its files; that it is gone already is fine.

    Raises:
        DataError: it is somebody else's, or the disk refuses.
    """
    kept.remove(home_of(store).folder / UPLOADS, key, owner)


def beside(store: Store, key: str) -> Store:
    """A store in the folder of a zip, for what is computed of its files: it goes when they go."""
    return kept.Beside(home_of(store).folder / UPLOADS / key, store.limit_bytes)


def _known(one: kept.Kept) -> Upload:
    facts = one.about
    skipped = tuple(Skipped(row["reason"], row["count"], tuple(row["examples"])) for row in facts["skipped"])
    readings = tuple((name, shown) for name, shown in facts.get("readings", ()))
    folder = one.folder / facts["folder"]
    return Upload(one.key, facts["title"], folder, skipped, facts.get("encoding", ""), readings)
