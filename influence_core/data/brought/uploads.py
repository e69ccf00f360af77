"""Tables that people uploaded, kept in the store until it needs the room."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

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
    """An uploaded table as the store has it.

    Attributes:
        key: Its name in the store: a digest of the file and the choices.
        title: The name on the screen.
        choices: What was said about it.
        classes: How many labels it has.
        n: How many training rows.
    """

    key: str
    title: str
    choices: Choices
    classes: int
    n: int


def keep(store: Store, content: bytes, choices: Choices, title: str) -> UploadedTable:
    """Keep a table, once it is known to make a data set.

    Args:
        store: where to keep it.
        content: the file.
        choices: what to predict, and how.
        title: the file's name; what is no letter, digit or plain sign in it becomes "_".

    Raises:
        DataError: it makes none, or the store cannot keep it.
    """
    made, _ = data_set(read(content, choices.encoding, choices.header), choices, title)
    key = digest("table", FORMAT, content, asdict(choices))[:32]
    title = re.sub(r"[^\w .()-]", "_", title)[:LONGEST_TITLE] or "Your table"
    facts = {
        "title": title,
        "choices": asdict(choices),
        "classes": len(made.class_names),
        "n": len(made.train),
    }
    whole = store.put(_content_key(key), {"content": np.frombuffer(content, np.uint8)}, {})
    if not (whole and store.put(key, {}, facts)):
        raise DataError("The table could not be kept on this machine's disk: " + " ".join(store.notices()))
    return UploadedTable(key, title, choices, len(made.class_names), len(made.train))


def recall(store: Store, key: str) -> UploadedTable:
    """What was said about a kept table.

    Args:
        store: where it is kept.
        key: its name there.

    Raises:
        DataError: the store no longer has it.
    """
    entry = store.get(key)
    if entry is None or "choices" not in entry.meta:
        raise _forgotten()
    facts: dict[str, Any] = entry.meta["choices"]
    choices: dict[str, Any] = {name: _as_tuples(one) for name, one in facts.items()}
    choices["encoding"] = _FORMER_NAMES.get(choices["encoding"], choices["encoding"])
    return UploadedTable(key, entry.meta["title"], Choices(**choices), entry.meta["classes"], entry.meta["n"])


def load(store: Store, key: str) -> DataSet:
    """The data set of a kept table.

    Args:
        store: where it is kept.
        key: its name there.

    Raises:
        DataError: the store no longer has it.
    """
    kept, entry = recall(store, key), store.get(_content_key(key))
    if entry is None:
        raise _forgotten()
    content = entry.arrays["content"].tobytes()
    return data_set(read(content, kept.choices.encoding, kept.choices.header), kept.choices, kept.title)[0]


def _as_tuples(value: Any) -> Any:
    """What JSON made lists of."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _content_key(key: str) -> str:
    return digest("table's content", key)


def _forgotten() -> DataError:
    return DataError(
        "This machine no longer has that table: kept results make room for newer ones, or it was uploaded elsewhere. "
        "Upload it again."
    )
