"""Photographs as data sets: what every set of pictures is made of.

The features of a photo data set are its pixels, shrunk to thumbnails; a backbone, where the study names one, puts its own
features in their place. An example's id is its position among all pictures, those to train on and those to test on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from influence_core.data.examples import DataSet, Examples, Pictures
from influence_core.data.readers.greys import Greys
from influence_core.data.readers.photographs import read_file, read_photo
from influence_core.errors import DataError
from influence_core.progress import Progress, report
from influence_core.store.digest import digest

THUMB = 64
"""Rows and columns of a thumbnail; pixel distances are measured on thumbnails."""

TOGETHER = 4_096
"""Pictures that are compared at a time."""


@dataclass(frozen=True, eq=False)
class SheetPictures:
    """Pictures in memory, ``(m, s, s, 3)`` uint8; an id is a position."""

    pictures: np.ndarray
    greys = None

    @cached_property
    def digest(self) -> str:
        """Of all their content."""
        return digest("pictures", self.pictures)

    def read(self, id: int, side: int) -> np.ndarray:
        """The picture called `id`, ``(side, side, 3)`` uint8, enlarged or shrunk smoothly."""
        return resized(self.pictures[id], side)

    def thumbs(self, ids: Sequence[int]) -> np.ndarray:
        """As they are: they are small."""
        return self.pictures[np.asarray(ids)]


@dataclass(frozen=True, eq=False)
class GreyPictures:
    """Small grey pictures in memory, ``(m, s, s)`` uint8; an id is a position."""

    grey: np.ndarray
    greys = None

    @cached_property
    def digest(self) -> str:
        """Of all their content."""
        return digest("grey pictures", self.grey)

    def read(self, id: int, side: int) -> np.ndarray:
        """The picture called `id`, ``(side, side, 3)`` uint8, enlarged or shrunk smoothly."""
        return resized(np.repeat(self.grey[id][..., None], 3, 2), side)

    def thumbs(self, ids: Sequence[int]) -> np.ndarray:
        """As they are: they are small. Their three colours are one and the same."""
        chosen = self.grey[np.asarray(ids)][..., None]
        return np.broadcast_to(chosen, (*chosen.shape[:3], 3))


@dataclass(frozen=True, eq=False)
class FilePictures:
    """Pictures on disk, read again whenever they are needed large; an id is a position.

    Attributes:
        files: (m,) where they lie.
        small: ``(m, THUMB, THUMB, 3)`` uint8, their thumbnails.
        digest: Of the files' content.
        greys: Black and white of those deeper than 8 bits.
    """

    files: Sequence[Path]
    small: np.ndarray
    digest: str
    greys: Greys | None = None

    @classmethod
    def open(cls, files: Sequence[Path], progress: Progress | None = None) -> FilePictures:
        """Read every file once: for its thumbnail, and to know its content.

        Args:
            files: (m,) where they lie; an id is a position.
            progress: told for every twentieth.

        Raises:
            DataError: a file is no picture.
        """
        small, hasher = np.empty((len(files), THUMB, THUMB, 3), np.uint8), sha256()
        for at, path in enumerate(files):
            if at % 20 == 0:
                report(progress, at / len(files), f"{at:,} of {len(files):,} pictures are read")
            content = read_file(path)
            try:
                small[at] = read_photo(content, THUMB)
            except DataError as error:
                raise DataError(f"{path.name}: {error}") from error
            hasher.update(f"{len(content)} ".encode() + content)
        return cls(tuple(files), small, hasher.hexdigest())

    def read(self, id: int, side: int) -> np.ndarray:
        """The picture called `id`, ``(side, side, 3)`` uint8: upright, its middle square.

        Raises:
            DataError: its file is gone, or was changed into something that is no picture.
        """
        try:
            return read_photo(self.files[id], side, self.greys)
        except DataError as error:
            name = "/".join(self.files[id].parts[-2:]).encode("utf-8", "replace").decode()
            raise DataError(f"{name} was there and can no longer be used. {error}") from error

    def thumbs(self, ids: Sequence[int]) -> np.ndarray:
        """The thumbnails of the pictures called `ids`."""
        return self.small[np.asarray(ids)]


def data_set(
    name: str,
    title: str,
    pictures: Pictures,
    labels: np.ndarray,
    is_train: np.ndarray,
    class_names: tuple[str, ...],
    stand_in: str = "",
    chosen: np.ndarray | None = None,
    pixels: bool = True,
) -> DataSet:
    """A data set of pictures called 0..m-1, with thumbnails as features, or the brightness alone of pictures that are all grey.

    Args:
        name: in the catalogue.
        title: on the screen.
        pictures: m pictures.
        labels: (m,) their labels.
        is_train: (m,) whether each is trained on; the others are for testing.
        class_names: what the labels mean.
        stand_in: what they stand in for, or "".
        chosen: (k,) which pictures belong to it, in this order; all of them where none are named.
        pixels: whether the thumbnails are the features: four times their bytes, which a backbone that comes in their place
            has no need of; without them a 0 stands there.
    """
    at = np.arange(len(labels)) if chosen is None else chosen
    thumbs = np.zeros((len(at), 1), np.uint8)
    if pixels:
        thumbs = pictures.grey[at] if isinstance(pictures, GreyPictures) else pictures.thumbs(at.tolist())
    x = torch.from_numpy(thumbs.reshape(len(at), -1)).float().div_(255)
    y, ids = torch.from_numpy(np.asarray(labels, np.int64)[at]), torch.from_numpy(at)
    train, test = torch.from_numpy(is_train[at]), torch.from_numpy(~is_train[at])
    return DataSet(
        name=name,
        title=title,
        train=Examples(x[train], y[train], ids[train]),
        test=Examples(x[test], y[test], ids[test]),
        class_names=class_names,
        image_shape=thumbs.shape[1:] if pixels else None,
        stand_in=stand_in,
        pictures=pictures,
    )


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture ``(s, s, 3)`` uint8 as ``(side, side, 3)``."""
    if picture.shape[0] == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def pixel_distances(pictures: Pictures, one: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """How far the picture `one` is from others, thumbnail against thumbnail.

    Args:
        pictures: the others.
        one: ``(s, s, 3)`` uint8.
        ids: (m,) which of the others.

    Returns:
        ``(m,)`` Euclidean distances of brightness in 0..1.
    """
    found = np.empty(len(ids))
    for start in range(0, len(ids), TOGETHER):
        thumbs = pictures.thumbs(ids[start : start + TOGETHER])
        mine = resized(one, thumbs.shape[1]).reshape(1, -1).astype(np.float32)
        flat = thumbs.reshape(len(thumbs), -1)
        squares = ((flat.astype(np.float32) - mine) ** 2).sum(1, dtype=np.float64)
        found[start : start + len(thumbs)] = np.sqrt(squares) / 255
    return found
