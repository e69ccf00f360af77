"""Are planted copies of pictures found? ``python -m tests.benchmarks.duplicates --check [--data photos] [--seeds 5]``.

Into the packaged pictures copies of some of them are planted, each into the training or the test set by lot (those of test
pictures into the training set): equal to the byte, resized (saved at 5/8 to twice the side), saved as JPEG (quality 40 to
90), mirrored, and mirrored and saved as JPEG. A copy is found where it is reported in one group with its original. A report
without a planted copy, or that ties a copy to another picture too, is a false alarm; three pairs that the packaged photos
have of their own, looked at, are not.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from influence_core.data import DataSet, Examples, load
from influence_core.data.readers.picture_sets import SheetPictures
from influence_core.experiments.health import duplicates
from influence_core.experiments.health.duplicates import Copies
from influence_core.experiments.health.signatures import seen
from tests.benchmarks.scores import Figure

WAYS = ("equal", "resized", "jpeg", "mirrored", "mirrored jpeg")
COPIED = 0.05
"""So many of the pictures are copied."""
OWN = {"photos": ({168, 1392}, {1246, 2157}, {1289, 2095}), "digits": ()}
"""Copies that the packaged sets have of their own; each pair was looked at, large."""
MISSED, FALSE = 0.05, 0.02
"""At most so many of the copies may be missed; at most so many of the reports may be false."""


def copied(picture: np.ndarray, way: str, rng: np.random.Generator) -> np.ndarray:
    """A copy of a picture ``(s, s)`` or ``(s, s, 3)`` uint8."""
    if way.startswith("mirrored"):
        picture = np.ascontiguousarray(picture[:, ::-1])
    if way == "resized":
        side = round(len(picture) * float(rng.choice([0.625, 0.75, 1.25, 1.5, 2.0])))
        other = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
        return np.asarray(other.resize((len(picture),) * 2, Image.Resampling.BICUBIC))
    if not way.endswith("jpeg"):
        return picture
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=int(rng.integers(40, 91)))
    with Image.open(file) as image:
        return np.asarray(image)


def planted(data: DataSet, count: int, seed: int) -> tuple[DataSet, np.ndarray, np.ndarray]:
    """The data with ``count`` copies, the ids of their originals, and their own; ids are positions."""
    rng, n = np.random.default_rng(seed), len(data.train)
    pictures, y = _bytes(seen(data)), torch.cat([data.train.y, data.test.y])
    at = rng.choice(len(pictures), count, replace=False)
    copies = [copied(pictures[one], WAYS[i % len(WAYS)], rng) for i, one in enumerate(at)]
    together, new = np.concatenate([pictures, np.stack(copies)]), len(pictures) + np.arange(count)
    x = torch.from_numpy(together.reshape(len(together), -1)).float() / 255
    everything = Examples(x, torch.cat([y, y[at]]), torch.arange(len(together)))
    in_train = np.concatenate([np.arange(len(pictures)) < n, (at >= n) | (rng.random(count) < 0.6)])
    split = [everything.take(np.flatnonzero(one).tolist()) for one in (in_train, ~in_train)]
    sheet = None if data.pictures is None else SheetPictures(together)
    shape = together.shape[1:]
    return (
        replace(data, train=split[0], test=split[1], pictures=sheet, image_shape=shape, feature_names=()),
        at,
        new,
    )


def _bytes(pictures: np.ndarray) -> np.ndarray:
    return pictures if pictures.dtype == np.uint8 else np.rint(255 * pictures).astype(np.uint8)


def measure(name: str, data: DataSet, count: int, seed: int) -> Iterator[Figure]:
    """Copies missed, by how they were made, and reports that are false."""
    full, originals, new = planted(data, count, seed)
    groups = [_members(one) for one in duplicates.of_data(full).groups]
    together = {one: group for group in groups for one in group}
    missed = np.array(
        [
            one not in together.get(copy, ())
            for one, copy in zip(originals.tolist(), new.tolist(), strict=True)
        ]
    )
    for at, way in enumerate(WAYS):
        yield Figure(name, f"seed {seed}, {way}: missed", float(missed[at :: len(WAYS)].mean()), MISSED)
    yield Figure(name, f"seed {seed}, all {count}: missed", float(missed.mean()), MISSED)
    true = [{one, copy} for one, copy in zip(originals.tolist(), new.tolist(), strict=True)]
    false = [group for group in groups if not _explained(group, (*true, *OWN[name]))]
    yield Figure(name, f"seed {seed}, {len(groups)} reports: false", len(false) / max(1, len(groups)), FALSE)


def _members(one: Copies) -> frozenset[int]:
    return frozenset({*one.train_ids, *one.test_ids})


def _explained(group: frozenset[int], pairs: Sequence[set[int]]) -> bool:
    """Whether true pairs alone make up a group."""
    inside = [one for one in pairs if one <= group]
    return bool(inside) and set().union(*inside) == group


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--data", choices=tuple(OWN), help="this set alone")
    parser.add_argument("--seeds", type=int, default=5, help="plantings a set (5)")
    options = parser.parse_args(arguments)
    short = False
    for name in [options.data] if options.data else OWN:
        data = load(name)
        count = round(COPIED * (len(data.train) + len(data.test)))
        for seed in range(options.seeds):
            for one in measure(name, data, count, seed):
                print(f"{one.case:8} {one.name:36} {one.value:8.2%}  at most {one.limit:.0%}", flush=True)
                short |= one.short
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
