"""The photos that ship with the app: 2,400 dogs and frogs out of CIFAR-10."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from influence_core.data.examples import DataSet
from influence_core.data.packaged import ASSETS
from influence_core.data.readers.picture_sets import SheetPictures, data_set
from influence_core.errors import DataError
from influence_core.progress import Progress, report

PACKAGED = ASSETS / "photos.webp"
TRAINED_ON = 1800
SIDE = 32


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Ids 0..1799 to train on, 1800..2399 to test on; label 0 is a dog, 1 a frog; x (n, 3072) in 0..1.

    Args:
        folder: not needed; the files ship with the app.
        progress: told before and after.

    Raises:
        DataError: a packaged file is missing or damaged.
    """
    report(progress, 0.0, "Reading the packaged photos")
    pictures, labels, class_names = _read()
    report(progress, 1.0, "The packaged photos are read")
    return data_set(
        "photos",
        "2,400 packaged photos of dogs and frogs",
        SheetPictures(pictures),
        labels,
        np.arange(len(labels)) < TRAINED_ON,
        class_names,
        "A stand-in for the paper's dogs and fish out of ImageNet: 2,400 small photos out of CIFAR-10, shipped with the app.",
    )


def _read() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pictures (2400, 32, 32, 3) uint8, labels (2400,) and class names."""
    try:
        facts = json.loads(PACKAGED.with_suffix(".json").read_text())
        labels = np.array([int(one) for one in facts["labels"]])
        with Image.open(PACKAGED, formats=["WEBP"]) as image:
            sheet = np.asarray(image.convert("RGB"))
        rows, columns = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
        cut = sheet.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
        return np.ascontiguousarray(cut[: len(labels)]), labels, tuple(facts["classes"])
    except Exception as error:  # a damaged file makes Pillow and numpy raise nearly anything
        raise DataError(
            f"The packaged photos could not be read from assets/{PACKAGED.name}: a file is missing or damaged. "
            "Install the app again, or make the files as assets/README.md says."
        ) from error
