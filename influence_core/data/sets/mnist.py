"""All of MNIST, from the four official files in a folder of the user's."""

from pathlib import Path

import torch
from torch import Tensor

from influence_core.data.examples import DataSet, Examples
from influence_core.data.fetching import Download
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError
from influence_core.progress import Progress, report

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SET_ASIDE = 5000
"""Koh & Liang keep the first 5,000 training images for validation; so they are never trained on here."""


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Train on the official images 5,000..59,999, test on all 10,000; ids are the official indices.

    Args:
        folder: the folder that holds `MNIST/raw`.
        progress: told before each of the two parts.

    Raises:
        DataError: no folder named, or files missing or damaged; the message says which and what to do.
    """
    root = _require_files(folder)
    report(progress, 0.0, "Reading MNIST's training images")
    train = _read(root, train=True, skip=SET_ASIDE)
    report(progress, 0.8, "Reading MNIST's test images")
    test = _read(root, train=False, skip=0)
    report(progress, 1.0, "MNIST is read")
    return DataSet(
        name="mnist",
        title="MNIST: 55,000 training and 10,000 test digits",
        train=train,
        test=test,
        class_names=tuple("0123456789"),
        image_shape=(28, 28),
    )


def download(folder: str, progress: Progress | None = None) -> None:
    """Fetch MNIST from the internet into `folder`/MNIST/raw; only ever called because a person asked for it.

    Args:
        folder: the data folder.
        progress: told while downloading.

    Raises:
        DataError: the network or the disk failed.
    """
    report(progress, 0.0, "Downloading MNIST, about 12 MB")
    try:
        import_torchvision().datasets.MNIST(folder, train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"MNIST could not be downloaded into {folder}: {error}\n"
            "Check the internet connection and that the folder can be written to, or put these files into "
            f"{Path(folder) / 'MNIST' / 'raw'} yourself: {', '.join(FILES)}."
        ) from error
    report(progress, 1.0, "MNIST is downloaded")


def missing_files(folder: str) -> list[str]:
    """Which of MNIST's files are not in `folder`/MNIST/raw."""
    return [name for name in FILES if not (Path(folder) / "MNIST" / "raw" / name).is_file()]


DOWNLOAD = Download(
    "Full MNIST",
    "the 60,000 + 10,000 MNIST digits",
    "MNIST/raw",
    "11 MB, from MNIST's public mirrors",
    missing_files,
    download,
)


def _require_files(folder: str | None) -> Path:
    """The folder, once all four files are known to be in it."""
    if not folder:
        raise DataError("Full MNIST does not ship with the app. Name the folder that holds MNIST/raw.")
    missing = missing_files(folder)
    if missing:
        raise DataError(
            f"Expected MNIST's files in {Path(folder) / 'MNIST' / 'raw'}, but did not find: {', '.join(missing)}. "
            "Name the folder that holds MNIST/raw, unzip the files if they end in .gz, or download MNIST."
        )
    return Path(folder)


def _read(root: Path, train: bool, skip: int) -> Examples:
    """The official training or test images from number `skip` on."""
    images, labels = _read_raw(root, train)
    ids = torch.arange(skip, len(labels))
    x = images[skip:].reshape(len(ids), -1).double().div_(255)  # in place: one float64 copy, never two
    return Examples(x, labels[skip:].long(), ids)


def _read_raw(root: Path, train: bool) -> tuple[Tensor, Tensor]:
    """Images (m, 28, 28) uint8 and labels (m,), once their numbers are known to be MNIST's."""
    count = 60_000 if train else 10_000
    try:
        dataset = import_torchvision().datasets.MNIST(str(root), train=train, download=False)
        images, labels = dataset.data, dataset.targets
    except (OSError, RuntimeError, ValueError, AssertionError, IndexError, KeyError) as error:
        raise DataError(f"{_damaged(root, train)} They could not be read: {error}") from error
    if images.shape != (count, 28, 28) or labels.shape != (count,):
        raise DataError(f"{_damaged(root, train)} Found {tuple(images.shape)} and {tuple(labels.shape)}.")
    return images, labels


def _damaged(root: Path, train: bool) -> str:
    """What to do about files that are there but wrong."""
    first, second = FILES[:2] if train else FILES[2:]
    raw = root / "MNIST" / "raw"
    return f"{first} and {second} in {raw} are damaged or not MNIST; delete them and download again."
