"""The files of a folder of pictures: one sub-folder for each class, or pictures in a row with a table of their labels.

Above the classes may stand the parts of the split under any common name, and folders that only wrap others anywhere.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from influence_core.data.readers.classed import PICTURES, ClassedFile, Listing
from influence_core.data.readers.inside import Inside
from influence_core.data.readers.label_tables import Labels, label_files
from influence_core.data.readers.labels import Same
from influence_core.data.readers.skipped import SkipReport, shown
from influence_core.data.readers.split_names import TEST, TRAIN, is_split_inside, part_of, parts_of
from influence_core.errors import DataError


def list_files(root: Path, skipped: SkipReport, same: Same = None) -> Listing:
    """The files of the classes; nothing outside the folder is followed.

    Args:
        root: holds `<class>/<picture>`, or the folders of the split with such folders inside, or pictures and a table.
        skipped: told what is no such file.
        same: whether labels of a table that look alike are one.

    Raises:
        AlikeError: nobody has said that.
        DataError: no such folder, too many classes or files, or no way to tell what the classes are.
    """
    try:
        found = _list(Inside(root.resolve(strict=True), PICTURES.files), skipped, same)
    except OSError as error:
        raise DataError(
            f"Expected a folder “{shown(root.name)}” with one sub-folder for each class ({PICTURES.example}), but it could not "
            f"be opened: {error.strerror}. Put the pictures there, or name another folder."
        ) from error
    if len(found.files) > PICTURES.files:
        raise DataError(
            f"“{shown(root.name)}” holds more than {PICTURES.files:,} files; at most so many can be used. Keep fewer."
        )
    return replace(found, files=sorted(found.files, key=lambda one: os.fsencode(one.name)))


def _list(inside: Inside, skipped: SkipReport, same: Same) -> Listing:
    base = inside.unwrapped("")
    folders = inside.folders(base)
    flat = [name for name in folders if inside.files(name) and not inside.folders(name)]
    is_row = len(folders) < 2 or all(part_of(_last(one)) for one in folders)
    if is_row and (flat or not folders):
        homes = [base, *flat]
        files = [one for home in homes for one in inside.files(home)]
        labels = label_files(inside.root, files, skipped, same)
        if labels is not None:
            return _labelled(inside, homes, labels, skipped)
    meant = parts_of(list(map(_last, folders)))
    roles = {name: meant[_last(name)] for name in folders}
    if len(flat) == len(folders) and set(roles.values()) == {TRAIN, TEST}:
        raise DataError(
            f"The folders {_names(folders)} hold pictures, but no folders of classes. Sort the pictures into one folder for "
            "each class, or put a labels.csv with the columns file and label beside them."
        )
    return _by_folder(inside, base, folders, roles, skipped)


def _by_folder(
    inside: Inside, base: str, folders: list[str], roles: dict[str, str], skipped: SkipReport
) -> Listing:
    """One folder a class."""
    inner = (list(map(_last, inside.folders(name))) for name in folders)
    if not all(roles.values()) and is_split_inside(inner):
        return Listing(_split_in_classes(inside, folders, skipped))
    parts = {name: role for name, role in roles.items() if role and inside.folders(name)}
    train = [name for name, role in parts.items() if role == TRAIN]
    test = [name for name, role in parts.items() if role == TEST]
    for outer in _steps("", base):
        inside.report(outer, skipped)
    if not train or (not test and any(not roles[one] for one in folders)):
        return Listing(_classes(inside, base, "", skipped))
    for name in folders:
        if name not in parts:
            skipped.add(f"folders beside {_plain((*train, *test))}", _last(name))
    if not test:
        note = f"There is no folder of classes to test on beside {_names(train)}: the split is drawn."
        return Listing(
            [one for name in train for one in _of_part(inside, name, "", skipped)],
            (note,) if len(folders) > len(train) else (),
        )
    files = _same_labels(
        [one for name in (*train, *test) for one in _of_part(inside, name, parts[name], skipped)]
    )
    known, tested = ({one.label for one in files if one.part == part} for part in (TRAIN, TEST))
    if tested and not tested & known:
        note = f"{_names(test)} and {_names(train)} have no class in common: the split is drawn of {_names(train)}."
        for one in files:
            if one.part == TEST:
                skipped.add("pictures of a class without any to train on", one.name)
        return Listing([replace(one, part="") for one in files if one.part == TRAIN], (note,))
    note = f"{_names(test)} are for testing, together." if len(test) > 1 else ""
    return Listing(files, (note,) if note else ())


def _split_in_classes(inside: Inside, folders: list[str], skipped: SkipReport) -> list[ClassedFile]:
    """The files of classes that have the parts of the split inside, each."""
    found = []
    for name in folders:
        inside.report(name, skipped)
        for one in inside.folders(name):
            part = part_of(_last(one))
            if not part:
                skipped.add("folders beside the parts of the split", _tail(one))
                continue
            within = inside.innermost(one)
            inside.report(within, skipped, files=False)
            found += [ClassedFile(file, _last(name), part) for file in inside.files(within)]
    return found


def _of_part(inside: Inside, folder: str, part: str, skipped: SkipReport) -> list[ClassedFile]:
    """The files of a folder of the split."""
    steps = _steps(folder, inside.unwrapped(folder))
    for one in steps:
        inside.report(one, skipped)
    return _classes(inside, steps[-1], part, skipped)


def _classes(inside: Inside, folder: str, part: str, skipped: SkipReport) -> list[ClassedFile]:
    """The files of the folders in a folder, each a class."""
    names = inside.folders(folder)
    if len(names) > PICTURES.classes:
        raise DataError(
            f"There are {len(names):,} sub-folders; at most {PICTURES.classes} classes can be told apart. Keep fewer."
        )
    found = []
    for name in names:
        within = inside.innermost(name)
        for one in inside.folders(within):
            skipped.add("folders inside a class's folder", _tail(one))
        inside.report(within, skipped, files=False)
        found += [ClassedFile(one, _last(name), part) for one in inside.files(within)]
    return found


def _same_labels(files: list[ClassedFile]) -> list[ClassedFile]:
    """A class that is spelled otherwise in the folders to test on is that of the folders to train on."""
    known = {one.label for one in files if one.part == TRAIN}
    spelled = {_folded(one): one for one in sorted(known, reverse=True)}
    return [
        one if one.label in known else replace(one, label=spelled.get(_folded(one.label), one.label))
        for one in files
    ]


def _labelled(inside: Inside, homes: list[str], labels: Labels, skipped: SkipReport) -> Listing:
    """Pictures in a row, with a table of their labels."""
    for home in homes:
        inside.report(home, skipped, files=False)
    parts = {one: labels.parts.get(one, "") or _part_of_home(one) for one in labels.of}
    is_split = {TRAIN, TEST} <= set(parts.values())
    known = len(set(labels.of.values()))
    if known > PICTURES.classes:
        raise DataError(
            f"{labels.title} has {known:,} labels in its column “{labels.column}”; at most {PICTURES.classes} classes can be "
            "told apart. Keep fewer, or call another column “label”."
        )
    files = [
        ClassedFile(name, label, (parts[name] or TRAIN) if is_split else "")
        for name, label in labels.of.items()
    ]
    return Listing(files, (labels.note,))


def _part_of_home(name: str) -> str:
    return part_of(name.split("/")[-2]) if "/" in name else ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _steps(outer: str, inner: str) -> list[str]:
    """A folder inside another, after all on the way."""
    steps = [inner]
    while steps[0] != outer:
        steps.insert(0, steps[0].rpartition("/")[0])
    return steps


def _last(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]


def _tail(name: str) -> str:
    return "/".join(name.split("/")[-2:])


def _plain(names: Iterable[str]) -> str:
    return " and ".join(shown(_last(one)) for one in names)


def _names(names: Iterable[str]) -> str:
    return " and ".join(f"“{shown(_last(one))}”" for one in names)
