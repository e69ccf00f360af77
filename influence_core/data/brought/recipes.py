"""How people's own studies are made: one small file each, until the browser that built one removes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from influence_core.data.brought import kept, picture_uploads
from influence_core.data.brought.home import RECIPES, home_of
from influence_core.errors import DataError
from influence_core.store import Store
from influence_core.store.atomic import whole_file
from influence_core.store.digest import digest
from influence_core.store.store import reason

IN_ZIP = "zip:"
"""What the source of a study begins with that is an uploaded zip; the upload's key follows."""
PREFIX = "own-"
"""What the names of such studies begin with."""
MAX_RECIPES = 200
_OWNER = "owner"
NAME = re.compile(f"{PREFIX}[0-9a-f]{{32}}")


@dataclass(frozen=True)
class Recipe:
    """A study of somebody's own.

    Attributes:
        name: In the address.
        title: On the screen.
        fields: Of its `StudySpec`, without the name.
        owner: The browser that built it; "" where none is known.
    """

    name: str
    title: str
    fields: dict[str, Any]
    owner: str = ""


def keep(store: Store, fields: Mapping[str, Any], owner: str = "") -> str:
    """Keep the fields of a `StudySpec`; the same fields and owner give the same name.

    Args:
        store: whose home keeps it.
        fields: text, numbers and lists by name, a "title" among them, no "name".
        owner: the browser that built it.

    Returns:
        The study's name, which nobody can guess who does not know the owner.

    Raises:
        DataError: there are too many, or the disk refuses.
    """
    name, path = name_of(fields, owner), _path(store, name_of(fields, owner))
    if not path.exists() and len(_every(store)) >= MAX_RECIPES:
        raise DataError(
            f"This server keeps {MAX_RECIPES} own studies at most. Remove one that is not needed."
        )
    try:
        with whole_file(path) as file:
            file.write(json.dumps({_OWNER: owner} | dict(fields)).encode())
    except OSError as error:
        raise DataError(f"The study could not be kept on the server's disk: {reason(error)}.") from error
    return name


def name_of(fields: Mapping[str, Any], owner: str = "") -> str:
    """What a study of these fields is called: the same on every machine."""
    return PREFIX + digest("recipe", dict(fields), owner)[:32]


def recall(store: Store, name: str) -> Recipe:
    """A kept study, for whoever knows its name.

    Args:
        store: whose home keeps it.
        name: what `keep` called it.

    Raises:
        DataError: there is none of this name.
    """
    try:
        fields = _read(_path(store, name))
        owner = str(fields.pop(_OWNER, ""))
        lists = {name: tuple(one) for name, one in fields.items() if isinstance(one, list)}
        return Recipe(name, str(fields["title"]), fields | lists, owner)
    except (OSError, KeyError) as error:
        raise DataError(
            "This study of somebody's own is not on this machine: it was removed, or built elsewhere. Build it again."
        ) from error


def recipes(store: Store, owner: str = "") -> tuple[Recipe, ...]:
    """Those of a browser, and those of earlier versions, which belong to nobody; the newest first."""
    return tuple(one for one in _every(store) if one.owner in ("", owner))


def remove(store: Store, name: str, owner: str = "") -> None:
    """Forget one, and the zip it was built from where nothing else is; that it is gone already is fine.

    Args:
        store: whose home keeps it.
        name: what `keep` called it.
        owner: the browser that asks.

    Raises:
        DataError: it is somebody else's, or the disk refuses.
    """
    path, source = _path(store, name), ""
    with suppress(FileNotFoundError):
        fields = _read(path)
        kept.require_owner(fields.get(_OWNER, ""), owner)
        source = str(fields.get("source", ""))
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"The study could not be removed: {reason(error)}.") from error
    if source.startswith(IN_ZIP):
        discard(store, source.removeprefix(IN_ZIP), owner)


def discard(store: Store, key: str, owner: str) -> None:
    """Remove an uploaded zip from which no study is built.

    Args:
        store: whose home keeps it.
        key: the upload's.
        owner: the browser that asks.

    Raises:
        DataError: it is somebody else's, or the disk refuses.
    """
    if not any(one.fields.get("source") == IN_ZIP + key for one in _every(store)):
        picture_uploads.remove(store, key, owner)


def _read(path: Path) -> dict[str, Any]:
    """What the file says; nothing where it is damaged.

    Raises:
        OSError: It cannot be read.
    """
    with suppress(ValueError):
        fields = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(fields, dict):
            return fields
    return {}


def _every(store: Store) -> list[Recipe]:
    found = []
    for path in (home_of(store).folder / RECIPES).glob(f"{PREFIX}*.json"):
        with suppress(OSError, DataError):
            found.append((path.stat().st_mtime_ns, recall(store, path.stem)))
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def _path(store: Store, name: str) -> Path:
    """Its file, once the name is known to be nothing but a file name."""
    if not NAME.fullmatch(name):
        raise DataError(f"Expected the name of an own study, got “{name[:40]}”. Choose one from the list.")
    return home_of(store).folder / RECIPES / f"{name}.json"
