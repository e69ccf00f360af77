"""Files sorted into classes, whatever they hold: what each is, which can be used, and which of them are trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from influence_core.data.readers.skipped import MAX_NAMED, SkipReport, shown
from influence_core.data.readers.split_names import TEST, TRAIN

TRAIN_SHARE = 0.8
SEED = 0
"""Of the split, unless somebody names another."""


@dataclass(frozen=True)
class Limits:
    """What a folder of classes may hold.

    Attributes:
        files: At most.
        classes: At most.
        example: Of the files' names.
    """

    files: int
    classes: int
    example: str


TEXTS = Limits(10_000, 50, "for example ham/0001.txt and spam/0001.txt")
PICTURES = Limits(20_000, 300, "for example cats/1.jpg and dogs/1.jpg")


@dataclass(frozen=True)
class ClassedFile:
    """A file of a class.

    Attributes:
        name: Inside the folder, with slashes.
        label: Its class.
        part: "train", "test", or "" where the split is to be drawn.
    """

    name: str
    label: str
    part: str = ""


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        files: In the order of their names.
        notes: Sentences about how it was read.
    """

    files: list[ClassedFile]
    notes: tuple[str, ...] = ()


def learnable(
    files: Sequence[ClassedFile], usable: Sequence[int], what: str, skipped: SkipReport
) -> list[int]:
    """Which of the usable files are of a class that there is something to learn from.

    Args:
        files: (m,) all of them.
        usable: Positions of those that can be read.
        what: They hold, in the plural.
        skipped: Told of the others.
    """
    known = {files[at].label for at in usable if files[at].part != TEST}
    for at in usable:
        if files[at].label not in known:
            skipped.add(f"{what} of a class without any to train on", files[at].name)
    return [at for at in usable if files[at].label in known]


def split(files: Sequence[ClassedFile], labels: np.ndarray, seed: int) -> np.ndarray:
    """Whether each is trained on: by its folder, or 80 % of each class drawn with a seed, and one at least on each side.

    Args:
        files: (m,) all of them.
        labels: (m,) their classes; the one file of a class that has no other is trained on.
        seed: Of the draw.

    Returns:
        (m,) bool.
    """
    if files[0].part:
        return np.array([one.part == TRAIN for one in files])
    is_train = np.zeros(len(files), dtype=bool)
    generator = np.random.default_rng(seed)
    for label in np.unique(labels):
        at = generator.permutation(np.flatnonzero(labels == label))
        is_train[at[: max(1, min(round(TRAIN_SHARE * len(at)), len(at) - 1))]] = True
    return is_train


def untested(used: Sequence[ClassedFile], what: str) -> tuple[str, ...]:
    """A sentence about the classes that nothing is tested of; none where there are none.

    Args:
        used: The files that are used.
        what: One of them is called.
    """
    count, tested = Counter(one.label for one in used), {one.label for one in used if one.part == TEST}
    alone = [name for name in sorted(count) if (used[0].part and name not in tested) or count[name] == 1]
    if not alone:
        return ()
    named = ", ".join(f"“{shown(one)}”" for one in alone[:MAX_NAMED]) + "…" * (len(alone) > MAX_NAMED)
    return (f"{len(alone):,} class{'es have' if len(alone) > 1 else ' has'} no {what} to test on: {named}.",)


def why_left_out(skipped: SkipReport) -> str:
    """The most frequent reasons why files are not used, in brackets; "" where all are."""
    why = "; ".join(f"{one.count:,} × {one.reason}" for one in skipped.rows()[:3])
    return f" (not used: {why})" if why else ""
