"""The files of a folder with one sub-folder for each class, and perhaps one above them for each part of the split."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from influence_core.data.readers.skipped import SkipReport
from influence_core.errors import DataError

TRAIN = "train"
TEST = ("val", "test")
MAX_PICTURES = 20_000
MAX_CLASSES = 100
EXAMPLE = "for example cats/1.jpg and dogs/1.jpg"


@dataclass(frozen=True)
class PictureFile:
    """A file that may hold a picture.

    Attributes:
        name: Inside the folder, with slashes.
        label: The folder of its class.
        part: The folder of the split, or "".
    """

    name: str
    label: str
    part: str


def list_files(root: Path, skipped: SkipReport) -> list[PictureFile]:
    """The files of the classes, in the order of their names; nothing outside the folder is followed.

    Args:
        root: holds `<class>/<picture>`, or the folders of the split with such folders inside.
        skipped: told what is no such file.

    Raises:
        DataError: no such folder, or too many classes or files.
    """
    try:
        inside = root.resolve(strict=True)
        parts = _parts(root, inside, skipped)
        files = [
            PictureFile(f"{part}{label}/{name}", label, part.rstrip("/"))
            for part in parts
            for label in _class_folders(root, part, inside, skipped)
            for name in _files(root / part / label, inside, skipped)
        ]
    except OSError as error:
        raise DataError(
            f"Expected a folder {root} with one sub-folder for each class ({EXAMPLE}), but it could not be opened: "
            f"{error.strerror}. Put the pictures there, or name another folder."
        ) from error
    if len(files) > MAX_PICTURES:
        raise DataError(
            f"{root} holds more than {MAX_PICTURES:,} files; at most so many can be used. Keep fewer."
        )
    return sorted(files, key=lambda one: os.fsencode(one.name))


def _parts(root: Path, inside: Path, skipped: SkipReport) -> tuple[str, ...]:
    """The folders of the split with a slash, or "" where there is none."""
    names = set(_folders(root, inside, SkipReport()))
    test = next((name for name in TEST if name in names), None)
    if TRAIN not in names or test is None:
        return ("",)
    for name in sorted(names - {TRAIN, test}):
        skipped.add(f"folders beside {TRAIN} and {test}", name)
    return f"{TRAIN}/", f"{test}/"


def _class_folders(root: Path, part: str, inside: Path, skipped: SkipReport) -> list[str]:
    names = sorted(_folders(root / part, inside, skipped))
    if len(names) > MAX_CLASSES:
        raise DataError(
            f"{root / part} has {len(names):,} sub-folders; at most {MAX_CLASSES} classes can be told apart. Keep fewer."
        )
    return names


def _folders(folder: Path, inside: Path, skipped: SkipReport) -> Iterator[str]:
    """The sub-folders that are not hidden and lie inside; loose files are skipped."""
    for one in _scan(folder):
        if not _is_inside(one, inside):
            skipped.add("links that lead out of the folder or nowhere", one.name)
        elif one.is_dir():
            yield one.name
        else:
            skipped.add("files outside the classes' folders", one.name)


def _files(folder: Path, inside: Path, skipped: SkipReport) -> Iterator[str]:
    """The plain files that are not hidden and lie inside."""
    for one in _scan(folder):
        name = f"{folder.name}/{one.name}"
        if not _is_inside(one, inside):
            skipped.add("links that lead out of the folder or nowhere", name)
        elif one.is_dir():
            skipped.add("folders inside a class's folder", name)
        elif one.is_file():
            yield one.name
        else:
            skipped.add("no plain files", name)


def _scan(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden, in the order of names; one too many where there are too many."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                found.append(Path(entry.path))
            if len(found) > MAX_PICTURES:
                break
    return sorted(found)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a link leads to a place inside; a link that leads nowhere or to itself does not."""
    try:
        return not path.is_symlink() or path.resolve(strict=True).is_relative_to(folder)
    except (OSError, RuntimeError):
        return False
