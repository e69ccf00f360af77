"""Where what people did is kept: in the user's data folder, whatever becomes of the cache beside it.

Earlier versions kept it in the cache; what they left there is moved over once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.data.brought import kept
from influence_core.errors import DataError
from influence_core.store import NO_STORE, Store, read_only
from influence_core.store.atomic import remove_abandoned
from influence_core.store.digest import digest
from influence_core.store.home import DEFAULT_HOME, HOME_VARIABLE, Home
from influence_core.store.store import ENTRY, KEY

RECIPES, UPLOADS, TABLES, ASKED = "recipes", "uploads", "tables", "asked"
"""Folders in it; the entries in itself are reviews."""
CONTENT, PICTURE = "content", "picture.npy"
"""The file of a table in its folder, and that of a picture somebody asked about."""
MOVED = "moved-to-home.txt"
"""A file that says of a cache that nothing which people did is in it."""
_OURS = re.compile("(own-)?[0-9a-f]{32,64}")
_REVIEW = {"method", "verdicts", "trainings"}
"""What an entry of a cache says about itself if it is a review."""
_TABLE = {"title", "choices", "classes", "n"}
"""The same of a table."""


def home_of(store: Store) -> Home:
    """Where the people whose results a store keeps have what they did.

    It is the folder named by INFLUENCE_EXPLORER_HOME, else one among the user's data; for a store whose folder the program
    named, a folder in that one.

    Args:
        store: Where it keeps nothing, the user's own is meant.
    """
    store = Store() if store is NO_STORE else store
    named = os.environ.get(HOME_VARIABLE)
    folder = store.folder / "home" if store.of_program else Path(named or DEFAULT_HOME).expanduser()
    return _home(folder, store.folder, store.limit_bytes)


@cache
def _home(folder: Path, cache_folder: Path, limit_bytes: int) -> Home:
    """Made once a program: leftovers are swept away, and what an earlier version left in the cache is moved over."""
    home = Home(folder, limit_bytes)
    for kind in (RECIPES, UPLOADS, TABLES, ASKED):
        remove_abandoned(folder / kind, _OURS)
    for read in folder.glob(f"*/*/{kept.READ}"):
        remove_abandoned(read, _OURS)
    if cache_folder.is_dir() and not (cache_folder / MOVED).exists():
        with suppress(OSError):  # a disk that refuses: the next start tries again
            _move_over(cache_folder, home)
            (cache_folder / MOVED).write_text(
                f"What people did lies in {folder} since then.\n", encoding="utf-8"
            )
    return home


def _move_over(cache_folder: Path, home: Home) -> None:
    """Recipes, unpacked zips, reviews, tables and pictures of an earlier version; what is there already stays.

    Raises:
        OSError: The disk refuses; what was not moved stays where it is.
    """
    for kind in (RECIPES, UPLOADS):
        for path in (cache_folder / kind).glob("*"):
            if _OURS.fullmatch(path.stem) and not (home.folder / kind / path.name).exists():
                (home.folder / kind).mkdir(parents=True, exist_ok=True)
                shutil.move(path, home.folder / kind / path.name)
    for path in cache_folder.glob(f"*{ENTRY}"):
        about = _about(path)
        if about.keys() >= _TABLE:
            _move_table(cache_folder, home, path, about)
        elif about.keys() >= _REVIEW and not home.path(path.stem).exists():
            entry = read_only(cache_folder, path.stem)
            if entry is not None:
                home.put(path.stem, entry.arrays, entry.meta)
                path.unlink()
        elif not about:
            _move_picture(cache_folder, home, path)


def _move_picture(cache_folder: Path, home: Home, path: Path) -> None:
    """One that somebody asked about, under the name that its link has; whose it was nobody knows."""
    entry = read_only(cache_folder, path.stem)
    if entry is None or set(entry.arrays) != {"picture"}:
        return
    picture = entry.arrays["picture"]

    def fill(folder: Path) -> dict[str, Any]:
        np.save(folder / PICTURE, picture, allow_pickle=False)
        return {"owner": "", "size": picture.nbytes}

    with suppress(DataError):  # no room: it stays in the cache
        kept.put(home.folder / ASKED, home, path.stem, fill)
        path.unlink()


def _move_table(cache_folder: Path, home: Home, path: Path, about: dict[str, Any]) -> None:
    of_content = digest("table's content", path.stem)
    entry = read_only(cache_folder, of_content)
    if entry is None:
        return
    content = entry.arrays["content"].tobytes()

    def fill(folder: Path) -> dict[str, Any]:
        (folder / CONTENT).write_bytes(content)
        return about | {"size": len(content)}

    with suppress(DataError):  # no room: it stays in the cache
        kept.put(home.folder / TABLES, home, path.stem, fill)
        path.unlink()
        (cache_folder / f"{of_content}{ENTRY}").unlink()


def _about(path: Path) -> dict[str, Any]:
    """What an entry says about itself, without the rest of it; nothing where it is damaged or none."""
    if KEY.fullmatch(path.stem):
        with suppress(Exception), np.load(path, allow_pickle=False) as archive:
            about: dict[str, Any] = json.loads(archive["header"].tobytes())["meta"]
            return about
    return {}
