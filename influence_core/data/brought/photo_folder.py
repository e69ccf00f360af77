"""A person's own photographs: a folder with one sub-folder for each class.

Where the folder holds parts to train on and to test on, under any common name, those are the split; otherwise 80 % of each
class, drawn with a fixed seed, are trained on, and one picture at least is left for testing.

What cannot be used is skipped, counted and named; nothing outside the folder is read.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from influence_core.data.examples import Pictures
from influence_core.data.readers.classed import (
    PICTURES,
    SEED,
    ClassedFile,
    learnable,
    split,
    untested,
    why_left_out,
)
from influence_core.data.readers.greys import Greys, Span
from influence_core.data.readers.idx_files import IdxSet, read_idx
from influence_core.data.readers.image_folder import list_files
from influence_core.data.readers.labels import Same
from influence_core.data.readers.photographs import look_at, read_file, read_photo
from influence_core.data.readers.picture_files import PictureError
from influence_core.data.readers.picture_sets import THUMB, FilePictures, GreyPictures
from influence_core.data.readers.skipped import Skipped, SkipReport, shown
from influence_core.data.readers.split_names import TRAIN
from influence_core.errors import DataError
from influence_core.progress import Progress, report
from influence_core.store import NO_STORE, Store
from influence_core.store.digest import digest

FORMAT = 2
"""Raised when pictures come to be read in another way."""
MIN_PICTURES = 10
DARK_COLOUR = 63
"""Colours of 16 bits whose upper 8 are never more than this fill 14 bits at most; what they hold below is not read."""
DARK = "colour pictures that do not fill their 16 bits (save them with 8 bits a colour)"
MAX_FOLDER_BYTES = 10 * 10**9


@dataclass(frozen=True, eq=False)
class PhotoFolder:
    """What a folder of photographs holds.

    Attributes:
        title: In words, for the screen.
        class_names: The classes, in the order of their names.
        labels: (m,) int64, the class of each picture.
        files: (m,) names inside the folder; an id is a position.
        thumbs: (m, 64, 64, 3) uint8; of idx files in their own size.
        is_train: (m,) whether each is trained on; the others are for testing.
        skipped: What was not used, and why.
        pictures: The originals.
        notes: Sentences about how they were read.
    """

    title: str
    class_names: tuple[str, ...]
    labels: np.ndarray
    files: tuple[str, ...]
    thumbs: np.ndarray
    is_train: np.ndarray
    skipped: tuple[Skipped, ...]
    pictures: Pictures
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Read:
    """What reading some files gave, each by its position among them.

    Attributes:
        used: (m,) the files that are pictures.
        thumbs: (m, 64, 64, 3) uint8.
        facts: (m,) size and hash of each.
        refused: Of the others: why, and which.
        greys: Black and white of pictures deeper than 8 bits, where there are any.
    """

    used: list[int]
    thumbs: np.ndarray
    facts: list[tuple[int, str]]
    refused: list[tuple[str, int]]
    greys: Greys | None = None


def survey(
    folder: str | Path,
    progress: Progress | None = None,
    seed: int = SEED,
    store: Store = NO_STORE,
    same: Same = None,
) -> PhotoFolder:
    """Read every picture of a folder once; a store spares it the next time, until a name, size or date changes.

    Args:
        folder: holds `<class>/<picture>`, or `train/<class>/<picture>` and `val/<class>/<picture>`.
        progress: told for each picture.
        seed: of the split, where the folder has none of its own.
        store: where what was read is kept.
        same: whether labels of a table beside them that look alike are one.

    Raises:
        AlikeError: nobody has said that.
        DataError: no such folder, fewer than two classes, too few or too many pictures; the message says which and
            what to do.
    """
    root, skipped = Path(folder), SkipReport()
    idx = read_idx(root, skipped)
    if idx is not None:
        return _of_idx(idx, seed, skipped)
    listing = list_files(root, skipped, same)
    listed = listing.files
    read = _read_or_recall(root, listed, store, progress)
    for reason, at in read.refused:
        skipped.add(reason, listed[at].name)
    opened = [listed[at] for at in read.used]
    kept = learnable(opened, range(len(opened)), "pictures", skipped)
    used = [opened[at] for at in kept]
    class_names = tuple(sorted({one.label for one in used}))
    _require_enough(root, used, class_names, skipped)
    labels = np.array([class_names.index(one.label) for one in used], dtype=np.int64)
    files, thumbs = tuple(one.name for one in used), _moved_up(read.thumbs, kept)
    content = digest(
        "folder",
        [[os.fsencode(one.name), *read.facts[at]] for one, at in zip(used, kept, strict=True)],
        *([read.greys.black, read.greys.white] if read.greys else []),
    )
    report(progress, 1.0, f"{len(files):,} pictures are read")
    return PhotoFolder(
        title=f"{len(files):,} photos of your own",
        class_names=tuple(shown(name) for name in class_names),
        labels=labels,
        files=tuple(shown(name) for name in files),
        thumbs=thumbs,
        is_train=split(used, labels, seed),
        skipped=skipped.rows(),
        pictures=FilePictures(tuple(root / name for name in files), thumbs, content, read.greys),
        notes=(
            *listing.notes,
            *([read.greys.note] if read.greys and read.greys.note else []),
            *untested(used, "picture"),
        ),
    )


def _of_idx(found: IdxSet, seed: int, skipped: SkipReport) -> PhotoFolder:
    """The same of a data set in idx files; classes are called by their numbers."""
    known, labels = np.unique(found.labels, return_inverse=True)
    files = [ClassedFile(one, "", part) for one, part in zip(found.names, found.parts, strict=True)]
    if len(known) < 2 or len(files) < MIN_PICTURES:
        raise DataError(
            f"The idx files hold {len(files):,} pictures of {len(known)} class{'es' * (len(known) != 1)}; at least "
            f"{MIN_PICTURES} of two are needed."
        )
    pictures = GreyPictures(found.grey)
    return PhotoFolder(
        title=f"{len(files):,} pictures of your own",
        class_names=tuple(str(one) for one in known),
        labels=labels.astype(np.int64),
        files=tuple(found.names),
        thumbs=pictures.thumbs(range(len(files))),
        is_train=split(files, labels, seed),
        skipped=skipped.rows(),
        pictures=pictures,
    )


def _read_or_recall(root: Path, listed: list[ClassedFile], store: Store, progress: Progress | None) -> _Read:
    """What the files hold: from the store where none of them changed since."""
    key = digest(
        "pictures read", FORMAT, THUMB, [[os.fsencode(one.name), *_stamp(root, one)] for one in listed]
    )
    kept = store.get(key)
    if kept is not None:
        facts, refused = ([tuple(pair) for pair in kept.meta[name]] for name in ("facts", "refused"))
        greys = Greys(*kept.meta["greys"]) if kept.meta["greys"] else None
        return _Read(kept.meta["used"], kept.arrays["thumbs"], facts, refused, greys)
    read = _read_all(root, listed, progress)
    meta = {"used": read.used, "facts": read.facts, "refused": read.refused}
    meta["greys"] = [read.greys.black, read.greys.white] if read.greys else []
    store.put(key, {"thumbs": read.thumbs}, meta)
    return read


def _stamp(root: Path, one: ClassedFile) -> tuple[int, int]:
    """Size and date of a file."""
    try:
        status = (root / one.name).stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _read_all(root: Path, listed: list[ClassedFile], progress: Progress | None) -> _Read:
    read = _Read([], np.empty((len(listed), THUMB, THUMB, 3), np.uint8), [], [])
    spans: dict[int, Span] = {}
    total = 0
    for at, one in enumerate(listed):
        report(progress, at / len(listed), f"{at:,} of {len(listed):,} pictures are read")
        try:
            content = read_file(root / one.name)
            photo = look_at(content, THUMB)
        except PictureError as error:
            read.refused.append((error.reason, at))
            continue
        total += len(content)
        if total > MAX_FOLDER_BYTES:
            raise DataError(
                f"The pictures in “{shown(root.name)}” have more than {MAX_FOLDER_BYTES // 10**9} GB together. Keep fewer."
            )
        read.thumbs[len(read.used)] = photo.pixels
        read.used.append(at)
        read.facts.append((len(content), hashlib.sha256(content).hexdigest()))
        if photo.span is not None:
            spans[at] = photo.span
    return _with_depth(replace(read, thumbs=read.thumbs[: len(read.used)]), root, listed, spans)


def _with_depth(read: _Read, root: Path, listed: list[ClassedFile], spans: dict[int, Span]) -> _Read:
    """Pictures deeper than 8 bits by one rule for all of them."""
    colours = {at: one for at, one in spans.items() if one.kind == "colour"}
    if colours and max(one.high for one in colours.values()) <= DARK_COLOUR:
        kept = [at for at, one in enumerate(read.used) if one not in colours]
        read = _Read(
            [read.used[at] for at in kept],
            _moved_up(read.thumbs, kept),
            [read.facts[at] for at in kept],
            sorted([*read.refused, *((DARK, at) for at in colours)], key=lambda pair: pair[1]),
        )
    greys = Greys.of_folder([one for at, one in spans.items() if at not in colours])
    for at, one in enumerate(read.used):
        if greys is not None and one in spans and greys != Greys.of_file(spans[one]):
            read.thumbs[at] = read_photo(root / listed[one].name, THUMB, greys)
    return replace(read, greys=greys)


def _moved_up(thumbs: np.ndarray, kept: list[int]) -> np.ndarray:
    """The thumbnails at some positions, in their order and in the same memory: there may be many."""
    for to, at in enumerate(kept):
        if to != at:
            thumbs[to] = thumbs[at]
    return thumbs[: len(kept)]


def _require_enough(
    root: Path, files: list[ClassedFile], class_names: tuple[str, ...], skipped: SkipReport
) -> None:
    left_out = why_left_out(skipped)
    if len(class_names) < 2:
        found = f"only one: “{shown(class_names[0])[:40]}”" if class_names else "none"
        raise DataError(
            f"Expected two sub-folders of pictures or more in “{shown(root.name)}”, one for each class ({PICTURES.example}), but "
            f"found {found}{left_out}. Sort the pictures into classes; for texts choose “Texts in a zip” or “Texts in a folder”."
        )
    if len(files) < MIN_PICTURES:
        raise DataError(
            f"Only {len(files)} pictures can be used; at least {MIN_PICTURES} are needed{left_out}. Add more."
        )
    if not files[0].part and len(files) == len(class_names):
        raise DataError(f"Every class has a single picture, so none is left to test on{left_out}. Add more.")
    if all(one.part == TRAIN for one in files):
        raise DataError(
            f"There is a folder to train on (“{TRAIN}”), but no picture to test on{left_out}. Add some."
        )
