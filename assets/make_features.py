"""Makes photos-features.npz from photos.webp and the packaged network: `python assets/make_features.py`, from the project's folder."""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from influence_core import data  # noqa: E402
from influence_core.models import backbones  # noqa: E402
from influence_core.models.backbones.packaged_features import FEATURES, packed  # noqa: E402


def main() -> None:
    """The features of all photos in the order of their ids, and the digest of the photos that they belong to."""
    pictures = data.load("photos").pictures
    network = backbones.build(backbones.PACKAGED)
    features = backbones.extract(network, pictures, range(len(pictures.pictures)))
    np.savez(
        FEATURES,
        features=packed(features),
        shape=np.array(features.shape),
        pictures=np.frombuffer(pictures.digest.encode(), np.uint8),
    )


if __name__ == "__main__":
    main()
