"""How a study of somebody's own was made, without its data: of the same file another installation makes the same study."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from influence_core.data.brought import own, picture_uploads, recipes, uploads
from influence_core.data.brought.tables import Choices
from influence_core.data.readers.encodings import ENCODINGS
from influence_core.errors import DataError
from influence_core.models import backbones, rbf
from influence_core.progress import Progress
from influence_core.store import Store
from influence_core.studies.own import UPLOADED
from influence_core.words import plain_title

LARGEST_L2, LARGEST_SEED = 1e3, 2**31 - 1
MODELS = ("logistic", "softmax")
"""Families that a study of somebody's own is built of."""
_NEEDED = {"title", "data", "model", "l2"}
_LONGEST = 300
_DIGEST = re.compile("[0-9a-f]{64}")
_UNKNOWN = "The file does not say in a way that this version understands how its study was made. Build the study again."


@dataclass(frozen=True)
class Origin:
    """How a study on an uploaded zip or table was made.

    Attributes:
        file: What the file was called.
        contents: A digest of what is in it: of a zip every file's name and content, however it was packed.
        encoding: In which names in a zip were read that do not say it, or "".
        fields: Those of the `StudySpec` but its name and source; of a table the `Choices`.
        is_table: Whether the file is a table.
    """

    file: str
    contents: str
    encoding: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    is_table: bool = False


def origin_of(store: Store, name: str) -> Origin | None:
    """How the study of a name was made; ``None`` where it ships, is gone, or lies in a folder of the server, which stays untold.

    Args:
        store: Whose home keeps it.
        name: Of the unchanged study.
    """
    with suppress(DataError):
        if name.startswith(UPLOADED):
            table = uploads.recall(store, name.removeprefix(UPLOADED))
            contents = hashlib.sha256(uploads.content(store, table.key)).hexdigest()
            return Origin(table.title, contents, fields=asdict(table.choices), is_table=True)
        if recipes.NAME.fullmatch(name):
            fields = recipes.recall(store, name).fields
            source = str(fields.pop("source", ""))
            if source.startswith(recipes.IN_ZIP):
                sent = picture_uploads.recall(store, source.removeprefix(recipes.IN_ZIP))
                return Origin(sent.title, contents_of(sent.folder), sent.encoding, fields)
    return None


def contents_of(folder: Path) -> str:
    """A digest of the names and contents of all files in a folder."""
    hasher = hashlib.sha256()
    files = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
    for name in sorted(files):
        with files[name].open("rb") as file:
            hasher.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return hasher.hexdigest()


def make(
    origin: Origin, file: BinaryIO, store: Store, owner: str = "", progress: Progress | None = None
) -> str:
    """The same study here.

    Args:
        origin: How it was made.
        file: The file that it was made of, or another zip of the same files.
        store: Whose home keeps it.
        owner: The browser that sends it.
        progress: Told while a zip is unpacked.

    Returns:
        Its name, which is another one for every owner.

    Raises:
        DataError: If these are other data, ``origin`` says something that cannot be, or there is no room.
    """
    try:
        return (_make_of_table if origin.is_table else _make_of_zip)(origin, file, store, owner, progress)
    except DataError:
        raise
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
    ) as error:  # it may be anything
        raise DataError(_UNKNOWN) from error


def read(told: dict[str, Any]) -> Origin:
    """What a file says of one.

    Raises:
        DataError: If it says something that cannot be.
    """
    try:
        made = Origin(**told)
    except TypeError as error:
        raise DataError(_UNKNOWN) from error
    kinds = (
        (made.file, str),
        (made.contents, str),
        (made.encoding, str),
        (made.fields, dict),
        (made.is_table, bool),
    )
    if not all(type(value) is kind for value, kind in kinds) or not _can_be_shown(made.file):
        raise DataError(_UNKNOWN)
    if not _DIGEST.fullmatch(made.contents):
        raise DataError(_UNKNOWN)
    return made


def _can_be_shown(text: str) -> bool:
    return len(text) <= _LONGEST and text.encode("utf-8", "replace").decode() == text


def _make_of_table(origin: Origin, file: BinaryIO, store: Store, owner: str, _: Progress | None) -> str:
    content = file.read()
    if hashlib.sha256(content).hexdigest() != origin.contents:
        raise _other(origin)
    choices = Choices(**{name: uploads.as_tuples(value) for name, value in origin.fields.items()})
    return UPLOADED + uploads.keep(store, content, choices, origin.file, owner).key


def _make_of_zip(origin: Origin, file: BinaryIO, store: Store, owner: str, progress: Progress | None) -> str:
    _check(origin.fields)
    if origin.encoding not in ("", *ENCODINGS):
        raise ValueError(origin.encoding)
    before = {one.key for one in picture_uploads.uploads(store, owner)}
    sent = picture_uploads.keep(store, file, origin.file, progress, owner, origin.encoding)
    if contents_of(sent.folder) != origin.contents:
        if sent.key not in before:
            recipes.discard(store, sent.key, owner)
        raise _other(origin)
    title = plain_title(origin.fields["title"], picture_uploads.LONGEST_TITLE)
    return recipes.keep(store, origin.fields | {"title": title, "source": recipes.IN_ZIP + sent.key}, owner)


def _other(origin: Origin) -> DataError:
    return DataError(
        f"These are other data than those in “{origin.file}”, of which the study was made. Choose the same file: with another "
        "photo or row in it, or one less, the list would be about other examples."
    )


_IS: dict[str, Callable[[Any], bool]] = {
    "title": lambda value: isinstance(value, str) and _can_be_shown(value),
    "data": lambda value: value in (own.PHOTOS, own.TEXTS),
    "model": lambda value: value in MODELS,
    "l2": lambda value: type(value) in (float, int) and 0 < value <= LARGEST_L2,
    "seed": lambda value: type(value) is int and 0 <= value <= LARGEST_SEED,
    "backbone": lambda value: value in ("", rbf.NAME, *backbones.names()),
    "n_train": lambda value: value is None or (type(value) is int and value > 0),
    "n_test": lambda value: value is None or (type(value) is int and value > 0),
    "encoding": lambda value: value == "" or value in ENCODINGS,
    "same_labels": lambda value: (
        value is None or (type(value) in (list, tuple) and all(isinstance(one, str) for one in value))
    ),
}
"""What may stand in the fields of a study that is built of a zip."""


def _check(fields: dict[str, Any]) -> None:
    if not fields.keys() >= _NEEDED:
        raise ValueError("too little is said")
    for name, value in fields.items():
        if not _IS[name](value):
            raise ValueError(name)
