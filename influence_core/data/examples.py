"""What every data set is made of: rows of features with a label and an id that never changes.

Shapes: n examples, d features. Nothing here is changed in place; every selection is a new object.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError, ShapeError
from influence_core.store.digest import digest

if TYPE_CHECKING:
    from influence_core.data.readers.greys import Greys


@dataclass(frozen=True, eq=False)
class Examples:
    """A table of labelled examples.

    Args:
        x: (n, d) finite features; the built-in data sets give float64 in 0..1.
        y: (n,) int64 labels from 0.
        ids: (n,) int64 names of the examples, all different, that outlive every selection.

    Raises:
        ShapeError: a tensor has the wrong number of dimensions, length or element type.
        DataError: no examples, a feature that is not a finite number, a negative label, or an id used twice.
    """

    x: Tensor
    y: Tensor
    ids: Tensor

    def __post_init__(self) -> None:
        _require_shapes(self.x, self.y, self.ids)
        _require_values(self.x, self.y, self.ids)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, positions: Sequence[int] | Tensor) -> "Examples":
        """The examples at `positions` (m,), in that order.

        Raises:
            ShapeError: the positions are not a list of whole numbers.
            DataError: no positions, or one outside 0..n-1.
        """
        rows = _row_numbers(positions, len(self)).to(self.y.device)
        return Examples(self.x[rows], self.y[rows], self.ids[rows])

    def position(self, id: int) -> int:
        """The row of the example called `id`.

        Raises:
            DataError: there is no such example; the message names the ids that exist.
        """
        rows = (self.ids == id).nonzero() if abs(id) < 2**63 else self.ids[:0]
        if len(rows) == 0:
            raise DataError(f"There is no example with id {id}. Choose one of {_name_ids(self.ids)}.")
        return int(rows[0])

    def positions(self, ids: Sequence[int]) -> Tensor:
        """The rows of the examples called `ids` (m,), in that order.

        Raises:
            DataError: there is no example of one of them; the message names the ids that exist.
        """
        wanted = torch.as_tensor(ids, dtype=torch.int64, device=self.ids.device)
        known, order = self.ids.sort()
        at = torch.searchsorted(known, wanted).clamp(max=len(known) - 1)
        for absent in wanted[known[at] != wanted].tolist():
            self.position(absent)
        return order[at]


class Records(Protocol):
    """The originals behind the features, for people to read."""

    def read(self, id: int) -> Mapping[str, str]:
        """The original of the training or test example called `id`: a table's row by column, or an e-mail's texts."""


class Pictures(Protocol):
    """The photographs behind the features, for people and for backbones to look at."""

    @property
    def digest(self) -> str:
        """Hex digest of all their content: equal digests are equal pictures."""

    @property
    def greys(self) -> "Greys | None":
        """Black and white of those deeper than 8 bits, where there are any."""

    def read(self, id: int, side: int) -> np.ndarray:
        """The training or test picture called `id`: upright, its middle square, ``(side, side, 3)`` uint8."""

    def thumbs(self, ids: Sequence[int]) -> np.ndarray:
        """Small squares of the pictures called `ids`, ``(m, s, s, 3)`` uint8, all of one size."""


Kind = Literal["image", "row", "e-mail", "text"]
"""What one example is called on the screen, and so how it is shown."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """Examples to train on and examples to ask about.

    Args:
        name: the short name in the catalogue.
        title: the name on the screen.
        train: n training examples.
        test: t test examples of the same width d.
        class_names: what label 0, 1, ... means.
        image_shape: (rows, columns) of one example drawn as a picture, or (rows, columns, 3) in colour; their product is d;
            None where x is no picture.
        stand_in: a sentence naming what this data stands in for, or "".
        kind: what one example is.
        feature_names: (d,) what the features mean: columns of a table, words of a text; () for pixels.
        records: the originals behind the features, where the features are not what a person reads.
        group: (column, value) of the rows whose errors are in question, value "" for any; None where there are none.
        pictures: the photographs behind x; None where x is what a person sees.
        notices: sentences about how the data were read, for the screen.
        warnings: sentences about what speaks against learning from them.
        given: the label, by example id, that those bore whose label a version of the data has changed.

    Raises:
        ShapeError: train, test, image_shape and feature_names disagree about d.
        DataError: training knows fewer than two classes, or a label has no class name.
    """

    name: str
    title: str
    train: Examples
    test: Examples
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    stand_in: str = ""
    kind: Kind = "image"
    feature_names: tuple[str, ...] = ()
    records: Records | None = None
    group: tuple[str, str] | None = None
    pictures: Pictures | None = None
    notices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    given: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._require_width()
        if (highest := int(max(self.train.y.max(), self.test.y.max()))) >= len(self.class_names):
            raise DataError(f"Label {highest} has no name: class_names has {len(self.class_names)}. Name it.")
        if len(self.train.y.unique()) < 2:
            raise DataError("Expected at least two classes to train on, got one. Keep more of them.")

    def _require_width(self) -> None:
        """Everything that has a width has the same one."""
        width = self.train.x.shape[1]
        if self.test.x.shape[1] != width:
            raise ShapeError(
                f"Expected as many features in train and test, got {width} and {self.test.x.shape[1]}."
            )
        if self.image_shape is not None and math.prod(self.image_shape) != width:
            raise ShapeError(
                f"Expected as many features as image_shape {self.image_shape} has pixels; got {width}, and "
                f"{math.prod(self.image_shape)} pixels."
            )
        if self.feature_names and len(self.feature_names) != width:
            raise ShapeError(f"Expected a name for each of {width} features, got {len(self.feature_names)}.")

    @property
    def pictured(self) -> bool:
        """Whether an example is a picture."""
        return self.image_shape is not None or self.pictures is not None

    @property
    def worded(self) -> bool:
        """Whether an example is a text, of which the words are counted."""
        return self.kind in ("e-mail", "text")

    def record(self, id: int) -> Mapping[str, str]:
        """The original of an example by column; empty where the features themselves are shown."""
        return {} if self.records is None else self.records.read(id)

    def file(self, id: int) -> str:
        """The name of the file in which an example was brought; "" where there was none."""
        return self.record(id).get("file", "")

    @cached_property
    def content(self) -> str:
        """Hex digest of every x, y and id of train and test: equal digests mean equal data."""
        train, test = self.train, self.test
        return digest("data set", train.x, train.y, train.ids, test.x, test.y, test.ids)

    def keep_classes(self, classes: tuple[int, ...]) -> "DataSet":
        """Only the examples of `classes`, relabelled by their position in it; ids stay.

        `keep_classes((7, 1))` makes label 0 the sevens and label 1 the ones.

        Raises:
            DataError: fewer than two different classes, an unknown one, or one without examples.
        """
        known = len(self.class_names)
        if len(set(classes)) < max(len(classes), 2) or not all(0 <= label < known for label in classes):
            raise DataError(f"Expected two or more different classes out of 0..{known - 1}, got {classes}.")
        return replace(
            self,
            train=_keep(self.train, classes, known),
            test=_keep(self.test, classes, known),
            class_names=tuple(self.class_names[label] for label in classes),
        )

    def first(self, n_train: int | None = None, n_test: int | None = None) -> "DataSet":
        """The first `n_train` training and `n_test` test examples, in order; None keeps all.

        Raises:
            DataError: a number below one, or more than there are.
        """
        return replace(
            self, train=_head(self.train, n_train, "training"), test=_head(self.test, n_test, "test")
        )


def _require_shapes(x: Tensor, y: Tensor, ids: Tensor) -> None:
    """The features are a matrix of real numbers; y and ids are int64 and as long."""
    if x.ndim != 2 or not x.is_floating_point():
        raise ShapeError(
            f"Expected features x of shape (n, d) as floating point, got {tuple(x.shape)} {x.dtype}. "
            "Flatten each example to one row and convert with .double()."
        )
    for name, column in (("y", y), ("ids", ids)):
        if column.shape != x.shape[:1] or column.dtype != torch.int64:
            raise ShapeError(
                f"Expected {name} of shape ({len(x)},) as int64, one for each row of x; "
                f"got {tuple(column.shape)} {column.dtype}."
            )


def _require_values(x: Tensor, y: Tensor, ids: Tensor) -> None:
    """At least one row; numbers that can be computed with; ids that name one row each."""
    if x.numel() == 0:
        raise DataError(f"Expected at least one example with one feature, got x of shape {tuple(x.shape)}.")
    low, high = torch.aminmax(x)  # NaN wins over every number, so these two stand for all, with no copy of x
    if not torch.stack((low, high)).isfinite().all():
        raise DataError("Expected finite features, got NaN or infinity. Remove those examples first.")
    if y.min() < 0:
        raise DataError(f"Expected labels from 0, got {int(y.min())}. Number the classes 0, 1, 2, ...")
    if len(ids.unique()) < len(ids):
        raise DataError("Expected every id once, got repeated ids. Give each example an id of its own.")


def _row_numbers(positions: Sequence[int] | Tensor, n: int) -> Tensor:
    """`positions` as an int64 tensor of rows 0..n-1."""
    rows = torch.as_tensor(positions)
    if rows.numel() == 0:
        raise DataError("Expected at least one position, got none. Select at least one example.")
    if rows.ndim != 1 or rows.dtype == torch.bool or rows.is_floating_point():
        raise ShapeError(f"Expected integer positions (m,), got {tuple(rows.shape)} {rows.dtype}.")
    low, high = int(rows.min()), int(rows.max())
    if low < 0 or high >= n:
        raise DataError(f"Expected positions in 0..{n - 1}, got {low if low < 0 else high}.")
    return rows.long()


def _name_ids(ids: Tensor) -> str:
    """The ids in words: a range where they are one, otherwise how many, between which, and the first few."""
    low, high = int(ids.min()), int(ids.max())
    if high - low + 1 == len(ids):
        return f"the ids {low} to {high}"
    few = ", ".join(str(int(id)) for id in ids[:5])
    return f"the {len(ids):,} ids between {low} and {high}: {few}{', ...' if len(ids) > 5 else ''}"


def _keep(examples: Examples, classes: tuple[int, ...], known: int) -> Examples:
    """The examples whose label is in `classes`, relabelled."""
    new_label = torch.full((known,), -1)
    new_label[list(classes)] = torch.arange(len(classes))
    y = new_label.to(examples.y.device)[examples.y]
    if missing := sorted(set(range(len(classes))) - set(y.unique().tolist())):
        raise DataError(f"There is no example of class {classes[missing[0]]} here. Keep another class.")
    kept = y >= 0
    return Examples(examples.x[kept], y[kept], examples.ids[kept])


def _head(examples: Examples, count: int | None, kind: str) -> Examples:
    """The first `count` examples, sharing memory with all of them."""
    if count is None:
        return examples
    if not 1 <= count <= len(examples):
        raise DataError(f"Expected 1 to {len(examples):,} {kind} examples, got {count:,}.")
    return Examples(examples.x[:count], examples.y[:count], examples.ids[:count])
