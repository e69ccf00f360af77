"""The names that people give to the folders of a split, in any case."""

from __future__ import annotations

from typing import Literal

Part = Literal["train", "test", ""]

_TRAIN = {"train", "training", "learn"}
_TEST = {"test", "testing", "val", "valid", "validation", "dev", "eval", "holdout", "heldout"}
_DATA = ("set", "data", "ing", "s")


def part_of(name: str) -> Part:
    """Whether a folder's name says that it holds what is trained on, or what is tested on; "" neither.

    >>> part_of("Training_Set"), part_of("dev"), part_of("cats")
    ('train', 'test', '')
    """
    plain = "".join(char for char in name.lower() if char.isalnum())
    for end in ("", *_DATA):
        stem = plain.removesuffix(end)
        if stem in _TRAIN:
            return "train"
        if stem in _TEST:
            return "test"
    return ""
