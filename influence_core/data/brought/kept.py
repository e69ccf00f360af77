"""What a browser sent, each a folder of its own: there whole or not at all, its owner's alone to list and to remove.

A folder holds `about.json` and what was sent. Its name is a digest of the content and of the owner, whom nobody else can
name: so it cannot be guessed either, and whoever is given it may open it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.errors import DataError
from influence_core.store import Store
from influence_core.store.atomic import remove_folder, whole_file, whole_folder
from influence_core.store.home import Home
from influence_core.store.store import KEY, LIMIT_VARIABLE, reason

ABOUT = "about.json"
READ = "read"
"""In the folder of something that was sent: what was computed of it."""


@dataclass(frozen=True)
class Kept:
    """Something that was sent.

    Attributes:
        key: Its name.
        about: What is known about it: "owner", "size" in bytes, and what its kind needs.
        folder: Where it lies.
        time: When it came, in nanoseconds.
    """

    key: str
    about: dict[str, Any]
    folder: Path
    time: int


class Beside(Store):
    """A store in the folder of something that was sent: what was computed of it goes when it goes.

    Args:
        folder: Of what was sent.
        limit_bytes: What all entries may take.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        super().__init__(folder / READ, limit_bytes)

    def put(self, key: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> bool:
        """As of any store, but nothing is kept of what was removed meanwhile."""
        return (self.folder.parent / ABOUT).exists() and super().put(key, arrays, meta)


def put(folder: Path, home: Home, key: str, fill: Callable[[Path], dict[str, Any]]) -> None:
    """Keep something.

    Args:
        folder: Of its kind.
        home: Says how much room there is.
        key: Its name; what is there already stays.
        fill: Given a new folder, fills it, and says what is known about it.

    Raises:
        DataError: There is no room, or the disk refuses; nothing is left of it then.
    """
    try:
        with whole_folder(folder / key, unless_there=True) as scratch:
            about = fill(scratch)
            _require_room(home, folder.parent, int(about["size"]))
            with whole_file(scratch / ABOUT) as file:
                file.write(json.dumps(about).encode())
    except OSError as error:
        raise DataError(f"This could not be kept on the server's disk: {reason(error)}.") from error


def get(folder: Path, key: str) -> Kept:
    """What was kept under a name.

    Raises:
        OSError, ValueError: There is none, or it cannot be read.
    """
    if not KEY.fullmatch(key):
        raise ValueError(key)
    path = folder / key / ABOUT
    about = json.loads(path.read_text(encoding="utf-8"))
    return Kept(key, about, folder / key, path.stat().st_mtime_ns)


def every(folder: Path) -> tuple[Kept, ...]:
    """All of a kind, the newest first; several people may send and remove meanwhile."""
    found = []
    with suppress(OSError):
        for one in folder.iterdir():
            with suppress(OSError, ValueError):
                found.append(get(folder, one.name))
    return tuple(sorted(found, key=lambda one: -one.time))


def remove(folder: Path, key: str, owner: str) -> None:
    """Remove what was sent, with its files; that it is gone already is fine.

    Raises:
        DataError: It is somebody else's, or the disk refuses.
    """
    try:
        found = get(folder, key)
    except (OSError, ValueError):
        return
    require_owner(found.about.get("owner", ""), owner)
    try:
        remove_folder(folder / key)
    except OSError as error:
        raise DataError(f"This could not be removed: {reason(error)}.") from error


def require_owner(whose: str, owner: str) -> None:
    """Refuse what belongs to somebody else; what earlier versions kept belongs to nobody.

    Raises:
        DataError: It does.
    """
    if whose not in ("", owner):
        raise DataError("Only the browser that made this can remove it.")


def _require_room(home: Home, kinds: Path, size: int) -> None:
    """Refuse what does not fit; what others sent never makes room for it."""
    folders = kinds.iterdir() if kinds.is_dir() else ()
    taken = sum(int(one.about.get("size", 0)) for kind in folders if kind.is_dir() for one in every(kind))
    if taken + size > home.limit_bytes:
        raise DataError(
            f"This server keeps at most {home.limit_bytes / 10**6:,.0f} MB of uploads, and {taken / 10**6:,.0f} MB are taken. "
            f"Remove what you no longer need, or ask the person who runs it to raise {LIMIT_VARIABLE}."
        )
