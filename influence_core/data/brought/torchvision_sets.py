"""Data sets of torchvision by name, read out of the data folder as torchvision keeps them there.

Nothing is ever fetched unless a person asks: `find(name).download` says what would be, from where and how much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.data.brought.photo_folder import PhotoFolder
from influence_core.data.examples import Pictures
from influence_core.data.fetching import Download
from influence_core.data.readers.picture_sets import GreyPictures, SheetPictures
from influence_core.data.readers.split_names import TEST, TRAIN
from influence_core.data.sets import mnist
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError
from influence_core.progress import Progress, part, report

TOGETHER = 1_000
"""Pictures that are read between two words of progress."""


@dataclass(frozen=True)
class TorchvisionSet:
    """A data set of torchvision.

    Attributes:
        name: What it is called in a source and on the command line.
        title: On the screen.
        source: How large it is, and where it comes from.
        files: What must lie in the data folder.
        kind: Its class in `torchvision.datasets`.
        parts: What the class is told for the pictures to train on, and for those to test on.
        numbered: Whether its classes are called by their numbers.
        turned: Whether rows and columns are swapped in its files.
    """

    name: str
    title: str
    source: str
    files: tuple[str, ...]
    kind: str = ""
    parts: tuple[Mapping[str, Any], Mapping[str, Any]] = field(default=({"train": True}, {"train": False}))
    numbered: bool = False
    turned: bool = False

    @property
    def download(self) -> Download:
        """How it is fetched when a person asks for it."""
        return Download(self.title, f"the data set {self.title}", "", self.source, self.missing, self.fetch)

    def missing(self, folder: str) -> list[str]:
        """Which of its files are not in a data folder."""
        return [one for one in self.files if not (Path(folder) / one).is_file()]

    def fetch(self, folder: str, progress: Progress | None = None) -> None:
        """Put it into a data folder; only ever called because a person asked for it.

        Args:
            folder: The data folder.
            progress: Told before each part.

        Raises:
            DataError: The network or the disk failed.
        """
        for at, options in enumerate(self.parts):
            report(progress, at / 2, f"Downloading {self.title}: {self.source}")
            try:
                self._open(folder, options, download=True)
            except (OSError, RuntimeError) as error:
                raise DataError(
                    f"{self.title} could not be downloaded into {folder}: {error}\nCheck the internet connection and that "
                    f"the folder can be written to, or put these files there yourself: {', '.join(self.files)}."
                ) from error
        report(progress, 1.0, f"{self.title} is downloaded")

    def read(self, folder: str | None, progress: Progress | None = None) -> PhotoFolder:
        """All its pictures, those to train on first; an id is a position.

        Args:
            folder: The data folder.
            progress: Told while reading.

        Raises:
            DataError: Files are missing or damaged; the message says which and what to do.
        """
        if not folder:
            raise DataError(f"{self.title} does not ship with the app. Name the folder that holds its files.")
        missing = self.missing(folder)
        if missing:
            raise DataError(self._not_here(folder, missing))
        train, test = (
            self._read(folder, options, part(progress, at / 2, (at + 1) / 2))
            for at, options in enumerate(self.parts)
        )
        known, labels = np.unique(np.concatenate([train.labels, test.labels]), return_inverse=True)
        pixels = np.concatenate([train.pixels, test.pixels])
        pictures: Pictures = GreyPictures(pixels) if pixels.ndim == 3 else SheetPictures(pixels)
        return PhotoFolder(
            title=f"{self.title}: {len(train.labels):,} + {len(test.labels):,} pictures",
            class_names=tuple(train.class_names[one] if train.class_names else str(one) for one in known),
            labels=labels.astype(np.int64),
            files=(*train.names(TRAIN), *test.names(TEST)),
            thumbs=np.broadcast_to(pixels[..., None], (*pixels.shape, 3)) if pixels.ndim == 3 else pixels,
            is_train=np.arange(len(labels)) < len(train.labels),
            skipped=(),
            pictures=pictures,
        )

    def _not_here(self, folder: str, missing: list[str]) -> str:
        """What to do about files that are not there."""
        packed = [one for one in missing if (Path(folder) / f"{one}.gz").is_file()]
        if packed:
            return (
                f"{self.title} is not unpacked in {folder}: unzip {', '.join(f'{one}.gz' for one in packed)}."
            )
        return (
            f"{self.title} is not in {folder}, where these files should be: {', '.join(missing)}. Name the folder that holds "
            f"them, or have them downloaded ({self.source})."
        )

    def _read(self, folder: str, options: Mapping[str, Any], progress: Progress | None) -> _Part:
        try:
            found = self._open(folder, options)
            pixels, labels = _content(found, self.title, progress)
        except (OSError, RuntimeError, ValueError, AssertionError, IndexError, KeyError, EOFError) as error:
            raise DataError(
                f"The files of {self.title} in {folder} are damaged or not its own: {error}. Delete {', '.join(self.files)} "
                "there and fetch them again."
            ) from error
        names = () if self.numbered else tuple(getattr(found, "classes", ()))
        return _Part(pixels.swapaxes(1, 2) if self.turned else pixels, labels, names)

    def _open(self, folder: str, options: Mapping[str, Any], download: bool = False) -> Any:
        kind = getattr(import_torchvision().datasets, self.kind or self.name)
        return kind(root=folder, download=download, **options)


@dataclass(frozen=True, eq=False)
class _Part:
    """``pixels (m, s, s)`` or ``(m, s, s, 3)`` uint8, ``labels (m,)``, and what these are called."""

    pixels: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def names(self, part: str) -> Iterator[str]:
        return (f"{part}/{at}" for at in range(len(self.labels)))


def _content(found: Any, title: str, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """All pictures and labels of a part."""
    if not len(found):
        raise ValueError("no picture in them")
    first = np.asarray(found[0][0])
    pixels, labels = np.empty((len(found), *first.shape), np.uint8), np.empty(len(found), np.int64)
    for at in range(len(found)):
        if at % TOGETHER == 0:
            report(progress, at / len(found), f"{at:,} of {len(found):,} pictures of {title} are read")
        picture, labels[at] = found[at]
        pixels[at] = np.asarray(picture)
    return pixels, labels


def _idx(folder: str, files: tuple[str, ...] = mnist.FILES) -> tuple[str, ...]:
    return tuple(f"{folder}/raw/{one}" for one in files)


def _emnist(split: str) -> TorchvisionSet:
    files = tuple(
        f"emnist-{split}-{part}-{what}"
        for part in ("train", "test")
        for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    return TorchvisionSet(
        f"EMNIST-{split}",
        f"EMNIST {split}",
        "562 MB, from NIST",
        _idx("EMNIST", files),
        kind="EMNIST",
        parts=({"split": split, "train": True}, {"split": split, "train": False}),
        turned=True,
    )


_BY_SPLIT = ({"split": "train"}, {"split": "test"})
_CIFAR10 = (*(f"data_batch_{at}" for at in range(1, 6)), "test_batch", "batches.meta")

SETS: dict[str, TorchvisionSet] = {
    one.name: one
    for one in (
        TorchvisionSet("MNIST", "MNIST", "12 MB, from MNIST's public mirrors", _idx("MNIST"), numbered=True),
        TorchvisionSet("FashionMNIST", "Fashion-MNIST", "31 MB, from Zalando", _idx("FashionMNIST")),
        TorchvisionSet("KMNIST", "KMNIST", "21 MB, from the CODH", _idx("KMNIST")),
        TorchvisionSet(
            "QMNIST",
            "QMNIST",
            "20 MB, from GitHub",
            _idx(
                "QMNIST",
                tuple(
                    f"qmnist-{part}-{what}"
                    for part in ("train", "test")
                    for what in ("images-idx3-ubyte", "labels-idx2-int")
                ),
            ),
            numbered=True,
        ),
        _emnist("letters"),
        _emnist("balanced"),
        TorchvisionSet("USPS", "USPS", "8 MB, from LIBSVM's site", ("usps.bz2", "usps.t.bz2"), numbered=True),
        TorchvisionSet(
            "CIFAR10",
            "CIFAR-10",
            "171 MB, from the University of Toronto",
            tuple(f"cifar-10-batches-py/{one}" for one in _CIFAR10),
        ),
        TorchvisionSet(
            "CIFAR100",
            "CIFAR-100",
            "169 MB, from the University of Toronto",
            tuple(f"cifar-100-python/{one}" for one in ("train", "test", "meta")),
        ),
        TorchvisionSet(
            "SVHN",
            "SVHN",
            "246 MB, from Stanford",
            ("train_32x32.mat", "test_32x32.mat"),
            parts=_BY_SPLIT,
            numbered=True,
        ),
        TorchvisionSet(
            "STL10",
            "STL-10",
            "2.6 GB, from Stanford",
            tuple(
                f"stl10_binary/{one}"
                for one in ("train_X.bin", "train_y.bin", "unlabeled_X.bin", "test_X.bin", "test_y.bin")
            ),
            parts=_BY_SPLIT,
        ),
    )
}
"""Those that are read, by name. A new one is a row here."""


def find(name: str) -> TorchvisionSet:
    """The data set of a name, as people write it.

    >>> find("fashion-mnist").name, find("CIFAR 10").name
    ('FashionMNIST', 'CIFAR10')

    Args:
        name: Capitals, spaces and hyphens do not count.

    Raises:
        DataError: There is none.
    """
    for one in SETS.values():
        if _plain(name) in (_plain(one.name), _plain(one.title)):
            return one
    raise DataError(
        f"There is no data set “{name[:40]}” of torchvision here; choose one of {', '.join(SETS)}. Any other can be brought as "
        "a folder with one sub-folder for each class."
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
