"""English springers and tench out of Imagenette: the paper's dog and fish, from ImageNet itself (section 5.1).

As many as the paper has: the first 900 training and 300 test pictures of each, in the order of their file names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from influence_core.data.examples import DataSet
from influence_core.data.fetching import Download
from influence_core.data.readers import picture_sets
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError
from influence_core.progress import Progress, report

CLASSES = {"springer": "n02102040", "tench": "n01440764"}
COUNTS = {"train": 900, "val": 300}
INSIDE = "imagenette2-320"
"""Where torchvision puts it inside a data folder."""


def load(folder: str | None = None, progress: Progress | None = None) -> DataSet:
    """Ids 0..1799 to train on, 1800..2399 to test on; label 0 is a springer, 1 a tench.

    Args:
        folder: the folder that holds train/ and val/, or the one that holds imagenette2-320.
        progress: told while reading.

    Raises:
        DataError: the pictures are missing or damaged.
    """
    if not folder:
        raise DataError(
            "Imagenette does not ship with the app. Name the folder that holds its train and val folders."
        )
    files = list(_files(_root(folder)))
    pictures = picture_sets.FilePictures.open([path for path, _, _ in files], progress)
    return picture_sets.data_set(
        "springer-or-tench",
        "Springers and tench of Imagenette",
        pictures,
        np.array([label for _, label, _ in files]),
        np.array([split == "train" for _, _, split in files]),
        tuple(CLASSES),
    )


def missing_files(folder: str) -> list[str]:
    """Which of the folders that are needed are not there."""
    root = _root(folder)
    wanted = [f"{split}/{name}" for split in COUNTS for name in CLASSES.values()]
    return [one for one in wanted if not (root / one).is_dir()]


def download(folder: str, progress: Progress | None = None) -> None:
    """Fetch Imagenette into `folder`/imagenette2-320; only ever called because a person asked for it.

    Args:
        folder: the data folder.
        progress: told while downloading.

    Raises:
        DataError: the network or the disk failed.
    """
    report(progress, 0.0, "Downloading Imagenette, about 330 MB")
    try:
        import_torchvision().datasets.Imagenette(folder, split="train", size="320px", download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"Imagenette could not be downloaded into {folder}: {error}\n"
            f"Check the internet connection, or unpack imagenette2-320.tgz into {Path(folder) / INSIDE} yourself."
        ) from error
    report(progress, 1.0, "Imagenette is downloaded")


DOWNLOAD = Download(
    "Imagenette",
    "the springers and tench of Imagenette",
    INSIDE,
    "330 MB, from fast.ai",
    missing_files,
    download,
)


def _root(folder: str) -> Path:
    inside = Path(folder) / INSIDE
    return inside if inside.is_dir() else Path(folder)


def _files(root: Path) -> Iterator[tuple[Path, int, str]]:
    """Path, label and split of every picture: by split, then by class."""
    for split, count in COUNTS.items():
        for label, name in enumerate(CLASSES.values()):
            found = sorted((root / split / name).glob("*.JPEG"))[:count]
            if len(found) < count:
                raise DataError(
                    f"Expected at least {count} pictures in {root / split / name}, but found {len(found)}. Name the "
                    "folder that holds Imagenette's train and val folders, or download it."
                )
            yield from ((path, label, split) for path in found)
