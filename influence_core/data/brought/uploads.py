"""Tables that people uploaded, kept until whoever sent one removes it."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from influence_core.data.brought import kept
from influence_core.data.brought.home import CONTENT, TABLES, home_of
from influence_core.data.brought.tables import Choices, data_set
from influence_core.data.examples import DataSet
from influence_core.data.readers.delimited import read
from influence_core.errors import DataError
from influence_core.store import Store
from influence_core.store.digest import digest

LONGEST_TITLE = 60
FORMAT = 2
"""Raised when a kept table comes to mean something else."""
_FORMER_NAMES = {"latin-1": "cp1252"}
"""Of encodings, in tables that were kept by version 0.2."""


@dataclass(frozen=True)
class UploadedTable:
    """An uploaded table as it is kept.

    Attributes:
        key: Its name: a digest of the file, the choices and the owner.
        title: The name on the screen.
        choices: What was said about it.
        classes: How many labels it has.
        n: How many training rows.
        owner: The browser that sent it; "" where none is known.
    """

    key: str
    title: str
    choices: Choices
    classes: int
    n: int
    owner: str = ""


def keep(store: Store, content: bytes, choices: Choices, title: str, owner: str = "") -> UploadedTable:
    """Keep a table, once it is known to make a data set.

    Args:
        store: whose home keeps it.
        content: the file.
        choices: what to predict, and how.
        title: the file's name; what is no letter, digit or plain sign in it becomes "_".
        owner: the browser that sent it.

    Raises:
        DataError: it makes none, there is no room, or the disk refuses.
    """
    made = data_set(read(content, choices.encoding, choices.header), choices, title)
    key = digest("table", FORMAT, content, asdict(choices), owner)[:32]
    about = {
        "owner": owner,
        "title": re.sub(r"[^\w .()-]", "_", title)[:LONGEST_TITLE] or "Your table",
        "choices": asdict(choices),
        "classes": len(made.class_names),
        "n": len(made.train),
        "size": len(content),
    }

    def fill(folder: Path) -> dict[str, Any]:
        (folder / CONTENT).write_bytes(content)
        return about

    home = home_of(store)
    kept.put(home.folder / TABLES, home, key, fill)
    return recall(store, key)


def recall(store: Store, key: str) -> UploadedTable:
    """What was said about a kept table.

    Args:
        store: whose home keeps it.
        key: its name there.

    Raises:
        DataError: it is not there, or no longer.
    """
    try:
        return _known(kept.get(home_of(store).folder / TABLES, key))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _forgotten() from error


def tables(store: Store, owner: str) -> tuple[UploadedTable, ...]:
    """Those that a browser sent, and those that nobody's browser is known to have sent; the newest first."""
    found = []
    for one in kept.every(home_of(store).folder / TABLES):
        with suppress(ValueError, KeyError, TypeError):
            table = _known(one)
            if table.owner in ("", owner):
                found.append(table)
    return tuple(found)


def remove(store: Store, key: str, owner: str) -> None:
    """Remove a table with its file; that it is gone already is fine.

    Raises:
        DataError: it is somebody else's, or the disk refuses.
    """
    kept.remove(home_of(store).folder / TABLES, key, owner)


def beside(store: Store, key: str) -> Store:
    """A store in the folder of a table, for what is computed of it: it goes when the table goes."""
    return kept.Beside(home_of(store).folder / TABLES / key, store.limit_bytes)


def load(store: Store, key: str) -> DataSet:
    """The data set of a kept table.

    Args:
        store: whose home keeps it.
        key: its name there.

    Raises:
        DataError: it is not there, or no longer.
    """
    table = recall(store, key)
    sent = read(content(store, key), table.choices.encoding, table.choices.header)
    return data_set(sent, table.choices, table.title)


def content(store: Store, key: str) -> bytes:
    """The file of a kept table, as it was sent.

    Raises:
        DataError: it is not there, or no longer.
    """
    try:
        return (home_of(store).folder / TABLES / key / CONTENT).read_bytes()
    except OSError as error:
        raise _forgotten() from error


def as_tuples(value: Any) -> Any:
    """What JSON made lists of."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def _known(one: kept.Kept) -> UploadedTable:
    facts = one.about
    choices: dict[str, Any] = {name: as_tuples(value) for name, value in facts["choices"].items()}
    choices["encoding"] = _FORMER_NAMES.get(choices["encoding"], choices["encoding"])
    return UploadedTable(
        one.key, facts["title"], Choices(**choices), facts["classes"], facts["n"], facts.get("owner", "")
    )


def _forgotten() -> DataError:
    return DataError(
        "This table is not on this machine: it was removed, or uploaded elsewhere. Upload it again."
    )
