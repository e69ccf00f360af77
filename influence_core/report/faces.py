"""How an example looks in a report: a picture in the page itself, or its words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.data import DataSet, Examples
from influence_core.data_urls import data_url, ink, photo_url
from influence_core.experiments.explanation import Explanation

SIDE = 160
LARGE = 360
LETTERS = 400
"""Of a text, and of a row's cells together."""


@dataclass(frozen=True)
class Face:
    """A picture as a data URL, or words where there is none.

    Attributes:
        source: The picture; "" where there is none.
        words: What stands in its place.
        crisp: Whether it is enlarged pixel by pixel.
        file: The name of the file it was in, or "".
    """

    source: str = ""
    words: str = ""
    crisp: bool = False
    file: str = ""


@dataclass(frozen=True)
class Card:
    """A picture with a title and lines."""

    face: Face
    title: str
    lines: tuple[str, ...]


def face(data: DataSet, examples: Examples, at: int, side: int = SIDE) -> Face:
    """Of ``examples[at]``."""
    name = int(examples.ids[at])
    file = data.file(name)
    if data.pictures is not None:
        return Face(photo_url(data.pictures.read(name, side)), file=file)
    if data.image_shape is not None:
        pixels = np.clip(examples.x[at].numpy(), 0, 1)
        return Face(data_url(ink(pixels, data.image_shape)), crisp=True, file=file)
    return Face(words=_words(data, name), file=file)


def asked_face(data: DataSet, explanation: Explanation) -> Face:
    """Of the test input, which may be a picture of the reader's own."""
    if explanation.test_id is not None:
        return face(data, data.test, data.test.position(explanation.test_id), LARGE)
    if explanation.photo is not None:
        return Face(photo_url(np.ascontiguousarray(explanation.photo)))
    shape = data.image_shape
    return Face(data_url(ink(np.clip(explanation.x, 0, 1), shape)), crisp=True) if shape else Face()


def _words(data: DataSet, name: int) -> str:
    if data.records is None:
        return ""
    record = data.records.read(name)
    if data.kind == "row":
        return "\n".join(f"{column}: {value}" for column, value in record.items())[:LETTERS]
    return " · ".join(text for text in record.values() if text)[:LETTERS]
