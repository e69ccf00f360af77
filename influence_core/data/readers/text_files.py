"""Which files of a folder are texts of which class: the sub-folders decide, at whatever depth they lie.

A folder that wraps all others is stepped into. Folders named like the parts of a split (train, test, val, dev, ...) are
its parts, above the classes or inside each; folders that differ in their numbers only (part1, part2; 2001, 2002) and
hold the same classes are put together, unless they count stars or grades (1 star, 2 stars). Everything
below a class's folder is its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from influence_core.data.readers.classed import TEXTS, ClassedFile, Listing
from influence_core.data.readers.inside import is_hidden
from influence_core.data.readers.mailboxes import SUFFIX
from influence_core.data.readers.skipped import BESIDE, MAX_NAMED, SkipReport, shown
from influence_core.data.readers.split_names import (
    TEST,
    TRAIN,
    are_numbered,
    is_split_inside,
    number_classes,
    part_of,
    parts_of,
)
from influence_core.errors import DataError


@dataclass(frozen=True)
class _Placed:
    """A file, the folders above it that are still to be understood, and the part of the split it is in."""

    name: str
    folders: tuple[str, ...]
    part: str = ""


def list_files(root: Path, skipped: SkipReport) -> Listing:
    """The files of the classes, in the order of their names; nothing outside the folder is followed.

    Args:
        root: holds the classes' folders, at whatever depth.
        skipped: told what is no such file.

    Raises:
        DataError: no such folder, fewer than two classes, or too many files or classes.
    """
    try:
        inside = root.resolve(strict=True)
        if not root.is_dir():
            raise NotADirectoryError(20, "Not a directory")
        found = [_Placed(name, tuple(name.split("/")[:-1])) for name in _walk(root, inside, skipped)]
    except OSError as error:
        raise DataError(
            f"Expected a folder “{root.name}” with one sub-folder for each class ({TEXTS.example}), but it could not be opened: "
            f"{error.strerror}. Put the texts there, or name another folder."
        ) from error
    found = _mailboxes_as_classes(found)
    files, notes = _classified(_split(_unwrapped(found, skipped), skipped), skipped)
    _require_classes(files)
    return Listing(sorted(files, key=lambda one: [os.fsencode(part) for part in one.name.split("/")]), notes)


def _walk(root: Path, inside: Path, skipped: SkipReport) -> Iterator[str]:
    """The plain files' names inside the folder; what the system put there, and links that lead out, are counted."""
    count = 0
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders.sort()
        above = Path(folder).relative_to(root).as_posix()
        prefix = "" if above == "." else f"{above}/"
        for name in list(folders):
            if reason := _refusal(Path(folder, name), inside):
                skipped.add(reason, f"{prefix}{name}")
                folders.remove(name)
        for name in sorted(files):
            if reason := _refusal(Path(folder, name), inside):
                skipped.add(reason, f"{prefix}{name}")
                continue
            count += 1
            require_few(root, count)
            yield f"{prefix}{name}"


def require_few(root: Path, count: int) -> None:
    """That a folder holds no more texts than can be read.

    Args:
        root: The folder.
        count: How many it holds, as far as is known.

    Raises:
        DataError: It holds more.
    """
    if count > TEXTS.files:
        raise DataError(
            f"The folder “{root.name}” holds more than {TEXTS.files:,} files or mails; at most so many can be read. Keep fewer."
        )


def _raise(error: OSError) -> None:
    raise error


def _refusal(path: Path, inside: Path) -> str:
    """Why a file or folder is not looked at, or ""."""
    if is_hidden(path.name):
        return "hidden files of the system"
    if path.is_symlink():
        try:
            leads_in = path.resolve(strict=True).is_relative_to(inside) and path.is_file()
        except (OSError, RuntimeError):
            leads_in = False
        return "" if leads_in else "links that lead to a folder, out of it or nowhere"
    return "" if path.is_dir() or path.is_file() else "no plain files"


def _mailboxes_as_classes(files: list[_Placed]) -> list[_Placed]:
    """Mailboxes in a row, without any folder of classes, are classes of their own."""
    if any(one.folders and not one.name.lower().endswith(SUFFIX) for one in files):
        return files
    boxes = [one for one in files if one.name.lower().endswith(SUFFIX)]
    if len(boxes) < 2 or len({one.folders for one in boxes}) > 1:
        return files
    return [
        replace(one, folders=(*one.folders, Path(one.name).stem)) if one in boxes else one for one in files
    ]


def _unwrapped(files: list[_Placed], skipped: SkipReport) -> list[_Placed]:
    """Without the folders that wrap all the others; what lies beside the first folders is counted."""
    while len({one.folders[0] for one in files if one.folders}) == 1 and any(
        len(one.folders) > 1 for one in files
    ):
        files = [replace(one, folders=one.folders[1:]) for one in _in_folders(files, skipped)]
    return _in_folders(files, skipped)


def _in_folders(files: list[_Placed], skipped: SkipReport) -> list[_Placed]:
    for one in files:
        if not one.folders:
            skipped.add(BESIDE, one.name)
    return [one for one in files if one.folders]


def _split(files: list[_Placed], skipped: SkipReport) -> list[_Placed]:
    """With the parts of the split, where the first folders are named like them, or those inside each first one."""
    first = {one.folders[0] for one in files}
    parts = parts_of(first)
    if {TRAIN, TEST} <= set(parts.values()):
        kept = []
        for one in files:
            part = parts[one.folders[0]]
            if part:
                kept.append(_Placed(one.name, one.folders[1:], part))
            else:
                skipped.add("files beside the folders of the split", one.name)
        return _unwrapped(kept, skipped)
    if is_split_inside(_inner(files, name) for name in first):
        inner = _kept(files, lambda one: bool(one.folders[1:] and part_of(one.folders[1])), skipped)
        return [_Placed(one.name, one.folders[:1], part_of(one.folders[1])) for one in inner]
    return files


def _classified(files: list[_Placed], skipped: SkipReport) -> tuple[list[ClassedFile], tuple[str, ...]]:
    """Each file with its class: its first folder, or the second where the first ones only number pieces; and what to say."""
    first = sorted({one.folders[0] for one in files})
    inner = [_inner(files, name) for name in first]
    repeated = len(first) > 1 and len(inner[0]) > 1 and all(one == inner[0] for one in inner)
    if not (repeated and are_numbered(first)):
        return [ClassedFile(one.name, one.folders[0], one.part) for one in files], ()
    if number_classes(first):
        note = f"The classes are the outer folders, {_some(first)}; each holds {_some(inner[0])}, which are put together."
        return [ClassedFile(one.name, one.folders[0], one.part) for one in files], (note,)
    deep = _kept(files, lambda one: len(one.folders) > 1, skipped)
    note = (
        f"The folders {_some(first)} are taken for numbered pieces of one whole and put together; the classes are the folders "
        f"in each of them, {_some(inner[0])}. If the outer folders are the classes, give them names that are no numbers."
    )
    return [ClassedFile(one.name, one.folders[1], one.part) for one in deep], (note,)


def _some(names: Iterable[str]) -> str:
    named = sorted(names)
    return ", ".join(f"“{shown(one)[:40]}”" for one in named[:MAX_NAMED]) + ", …" * (len(named) > MAX_NAMED)


def _inner(files: list[_Placed], first: str) -> set[str]:
    """The folders right inside a first one."""
    return {one.folders[1] for one in files if one.folders[0] == first and one.folders[1:]}


def _kept(files: list[_Placed], wanted: Callable[[_Placed], bool], skipped: SkipReport) -> list[_Placed]:
    for one in files:
        if not wanted(one):
            skipped.add(BESIDE, one.name)
    return [one for one in files if wanted(one)]


def _require_classes(files: list[ClassedFile]) -> None:
    names = sorted({one.label for one in files})
    if len(names) < 2:
        found = f"only one: “{names[0][:40]}”" if names else "none"
        raise DataError(
            f"Expected a sub-folder with texts for each of two classes or more ({TEXTS.example}), but found {found}. Sort the "
            "texts into sub-folders."
        )
    if len(names) > TEXTS.classes:
        raise DataError(
            f"The texts lie in {len(names):,} sub-folders; at most {TEXTS.classes} classes can be told apart. Keep fewer."
        )
