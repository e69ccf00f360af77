"""The digits that ship with the app: 10,000 images out of MNIST's training set."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from influence_core.data.examples import DataSet, Examples
from influence_core.data.packaged import ASSETS
from influence_core.errors import DataError
from influence_core.progress import Progress, report

PACKAGED = ASSETS / "digits.npz"
TRAINED_ON = 5000


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Ids 0..4999 to train on, 5000..9999 to test on; x (n, 784) in 0..1.

    Args:
        folder: not needed; the file ships with the app.
        progress: told before and after.

    Raises:
        DataError: the packaged file is missing or damaged.
    """
    report(progress, 0.0, "Reading the packaged digits")
    images, labels = _read(PACKAGED)
    x = torch.from_numpy(images).reshape(len(images), -1).double().div_(255)
    y, ids = torch.from_numpy(labels).long(), torch.arange(len(labels))
    report(progress, 1.0, "The packaged digits are read")
    return DataSet(
        name="digits",
        title="10,000 packaged MNIST digits",
        train=_rows(slice(TRAINED_ON), x, y, ids),
        test=_rows(slice(TRAINED_ON, None), x, y, ids),
        class_names=tuple("0123456789"),
        image_shape=(28, 28),
        stand_in="A stand-in for full MNIST: 10,000 of its digits, shipped with the app.",
    )


def _rows(rows: slice, x: Tensor, y: Tensor, ids: Tensor) -> Examples:
    """A run of rows as examples, sharing their memory."""
    return Examples(x[rows], y[rows], ids[rows])


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (10000, 28, 28) and labels (10000,), both uint8."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return archive["images"], archive["labels"]
    except Exception as error:  # a damaged archive makes numpy and zipfile raise nearly anything
        raise DataError(
            f"The packaged digits could not be read from assets/{path.name}: the file is missing or damaged. "
            "Install the app again, or make the file as assets/README.md says."
        ) from error
