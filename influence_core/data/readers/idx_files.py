"""Data sets in idx files, as MNIST, Fashion-MNIST, KMNIST and EMNIST come: pictures in one file, their labels in another."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from influence_core.data.readers.skipped import SkipReport, shown
from influence_core.data.readers.split_names import TEST, TRAIN, part_of
from influence_core.errors import DataError

NAME = re.compile(
    r"(?P<stem>.*)(?P<what>images|labels)[-.]idx(?P<dimensions>[13])[-.]ubyte(\.gz)?", re.IGNORECASE
)
MAX_BYTES = 200 * 10**6
"""Of all pictures, unpacked."""
LEAST_SIDE = 8
_UBYTE = 8


@dataclass(frozen=True, eq=False)
class IdxSet:
    """What idx files hold.

    Attributes:
        grey: (m, s, s) uint8.
        labels: (m,) int64.
        parts: (m,) "train", "test", or "" where the split is to be drawn.
        names: (m,) the file of each and its number in it.
    """

    grey: np.ndarray
    labels: np.ndarray
    parts: list[str]
    names: list[str]


def is_idx(name: str) -> bool:
    """Whether a file is called as those of such a data set are, packed by gzip or not.

    >>> [is_idx(one) for one in ("t10k-images-idx3-ubyte.gz", "train-labels.idx1-ubyte", "cats.gz")]
    [True, True, False]
    """
    return NAME.fullmatch(name.rsplit("/", 1)[-1]) is not None


def holds_idx(folder: Path) -> bool:
    """Whether such files lie in a folder.

    Raises:
        OSError: it cannot be opened.
    """
    return any(is_idx(one.name) and one.is_file(follow_symlinks=False) for one in os.scandir(folder))


def read_idx(root: Path, skipped: SkipReport) -> IdxSet | None:
    """The data set in a folder, or in the only folder inside, pictures to train on first; ``None`` where none is.

    Args:
        root: The folder.
        skipped: Told of files beside.

    Raises:
        DataError: pictures without labels, damaged files, or too many pictures.
    """
    home = _home(root)
    if home is None:
        return None
    files = sorted(one for one in home.iterdir() if not one.name.startswith(".") and not one.is_symlink())
    found = {one.name.removesuffix(".gz"): one for one in reversed(files) if is_idx(one.name)}
    for one in files:
        if found.get(one.name.removesuffix(".gz")) != one:
            skipped.add("files beside the idx files", one.name)
    parts = {name: _part(name) for name in sorted(found) if _what(name) == "images"}
    images = sorted(parts, key=lambda name: (parts[name] != TRAIN, name))
    if not images:
        raise DataError(
            "There are idx files of labels, but none of pictures (…-images-idx3-ubyte). Put them beside."
        )
    is_split = {TRAIN, TEST} <= set(parts.values())
    grey, labels, of, names = [], [], [], []
    room = MAX_BYTES
    for name in images:
        pictures, marks = _pair(found, name, room)
        room -= pictures.nbytes
        grey.append(_square(pictures))
        labels.append(marks)
        of += [(parts[name] or TRAIN) if is_split else ""] * len(marks)
        names += [f"{shown(name)}/{at}" for at in range(len(marks))]
    if len({one.shape[1:] for one in grey}) > 1:
        raise DataError("The idx files hold pictures of different sizes. Keep those of one data set.")
    return IdxSet(np.concatenate(grey), np.concatenate(labels).astype(np.int64), of, names)


def _home(root: Path) -> Path | None:
    """The folder with such files: `root`, or the only folder in it, and so on."""
    try:
        while not holds_idx(root):
            inner = [
                one for one in os.scandir(root) if one.is_dir(follow_symlinks=False) and one.name[0] != "."
            ]
            if len(inner) != 1:
                return None
            root = Path(inner[0].path)
    except OSError:
        return None
    return root


def _what(name: str) -> str:
    found = NAME.fullmatch(name)
    return found["what"].lower() if found else ""


def _part(name: str) -> str:
    """The part of the split that a word before "images" means, or ""."""
    return next((part for word in name.split("images")[0].split("-") if (part := part_of(word))), "")


def _pair(found: dict[str, Path], images: str, room: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures of one file, and their labels."""
    wanted = images.replace("images", "labels").replace("idx3", "idx1")
    if wanted not in found:
        raise DataError(f"{shown(images)} needs its labels, {shown(wanted)}. Put that file beside it.")
    pictures = _read(found[images], 3, room)
    labels = _read(found[wanted], 1, room)
    if len(pictures) != len(labels):
        raise DataError(
            f"{shown(images)} has {len(pictures):,} pictures, but {shown(wanted)} {len(labels):,} labels. Keep those that belong "
            "together."
        )
    return pictures, labels


def _read(path: Path, dimensions: int, room: int) -> np.ndarray:
    """The numbers of one file."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            return _numbers(file, path, dimensions, room)  # type: ignore[arg-type]  # both read bytes
    except (OSError, EOFError, ValueError, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{shown(path.name)} is damaged or no idx file. Fetch it again.") from error


def _numbers(file: BinaryIO, path: Path, dimensions: int, room: int) -> np.ndarray:
    header = file.read(4 + 4 * dimensions)
    shape = tuple(int(one) for one in np.frombuffer(header[4:], ">u4"))
    if header[:4] != bytes((0, 0, _UBYTE, dimensions)) or len(shape) != dimensions:
        raise ValueError("another header")
    size = int(np.prod(shape, dtype=object))
    if size > room:
        raise DataError(
            f"The idx files hold more than {MAX_BYTES // 10**6} MB of pictures; at most so many can be used. Keep fewer."
        )
    content = file.read(size + 1)
    if len(content) != size:
        raise ValueError("another length")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _square(pictures: np.ndarray) -> np.ndarray:
    """The middle squares."""
    height, width = pictures.shape[1:]
    side = min(height, width)
    if side < LEAST_SIDE:
        raise DataError(f"The pictures are {width} x {height} pixels, too small to show anything.")
    top, left = (height - side) // 2, (width - side) // 2
    return pictures[:, top : top + side, left : left + side]
