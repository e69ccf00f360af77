"""How people's own studies are made: kept beside the store, one small file each, until somebody removes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from influence_core.errors import DataError
from influence_core.store import Store
from influence_core.store.atomic import remove_abandoned, whole_file
from influence_core.store.digest import digest

FOLDER = "recipes"
PREFIX = "own-"
"""What the names of such studies begin with."""
MAX_RECIPES = 200
NAME = re.compile(f"{PREFIX}[0-9a-f]{{32}}")


@dataclass(frozen=True)
class Recipe:
    """A study of somebody's own.

    Attributes:
        name: In the address.
        title: On the screen.
        fields: Of its `StudySpec`, without the name.
    """

    name: str
    title: str
    fields: dict[str, Any]


def keep(store: Store, fields: Mapping[str, Any]) -> str:
    """Keep the fields of a `StudySpec`; the same fields give the same name.

    Args:
        store: beside which it is kept.
        fields: text, numbers and lists by name, a "title" among them, no "name".

    Returns:
        The study's name.

    Raises:
        DataError: there are too many, or the disk refuses.
    """
    name = name_of(fields)
    if name not in (known := {one.name for one in recipes(store)}) and len(known) >= MAX_RECIPES:
        raise DataError(
            f"This server keeps {MAX_RECIPES} own studies at most. Remove one that is not needed."
        )
    try:
        remove_abandoned(store.folder / FOLDER, NAME)
        with whole_file(_path(store, name)) as file:
            file.write(json.dumps(dict(fields)).encode())
    except OSError as error:
        raise DataError(f"The study could not be kept on this machine's disk: {error.strerror}.") from error
    return name


def name_of(fields: Mapping[str, Any]) -> str:
    """What a study of these fields is called: the same on every machine."""
    return PREFIX + digest("recipe", dict(fields))[:32]


def recall(store: Store, name: str) -> Recipe:
    """A kept study.

    Args:
        store: beside which it is kept.
        name: what `keep` called it.

    Raises:
        DataError: there is none of this name.
    """
    try:
        fields = json.loads(_path(store, name).read_text(encoding="utf-8"))
        return Recipe(name, str(fields["title"]), fields)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "This study of somebody's own is not on this machine: it was removed, or built elsewhere. Build it again."
        ) from error


def recipes(store: Store) -> tuple[Recipe, ...]:
    """All of them, the newest first; several people may add and remove meanwhile."""
    found = []
    for path in (store.folder / FOLDER).glob(f"{PREFIX}*.json"):
        with suppress(OSError, DataError):
            found.append((path.stat().st_mtime_ns, recall(store, path.stem)))
    return tuple(one for _, one in sorted(found, key=lambda pair: -pair[0]))


def remove(store: Store, name: str) -> None:
    """Forget one; that somebody else removed it first is fine.

    Args:
        store: beside which it is kept.
        name: what `keep` called it.

    Raises:
        DataError: the disk refuses.
    """
    try:
        _path(store, name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"The study could not be removed: {error.strerror}.") from error


def _path(store: Store, name: str) -> Path:
    """Its file, once the name is known to be nothing but a file name."""
    if not NAME.fullmatch(name):
        raise DataError(f"Expected the name of an own study, got “{name[:40]}”. Choose one from the list.")
    return store.folder / FOLDER / f"{name}.json"
