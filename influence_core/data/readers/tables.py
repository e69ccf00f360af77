"""The rows of a table as features, and as what a person reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from influence_core.data.examples import DataSet
from influence_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

EMPTY = "(empty)"
CONSTANT = "(constant)"


class TableRecords:
    """The rows of a table by id.

    Args:
        frame: (n, columns) of text, its index the ids.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._frame.columns)

    def read(self, id: int) -> Mapping[str, str]:
        """The row called `id`, by column."""
        return {str(name): str(value) for name, value in self._frame.loc[id].items()}

    def column(self, name: str, ids: Tensor) -> np.ndarray:
        """The text of one column for the rows called `ids` (m,), as an object array (m,).

        Raises:
            DataError: there is no such column.
        """
        if name not in self._frame.columns:
            raise DataError(f"There is no column {name[:80]!r}. Choose one of {name_some(self.columns)}.")
        rows = self._frame.index.get_indexer(ids.cpu().numpy())
        return self._frame[name].take(rows).to_numpy(dtype=object)


def sorted_levels(values: Sequence[str]) -> list[str]:
    """Different texts in the order people expect: whole numbers by size, then the rest by letters."""

    def key(text: str) -> tuple[bool, int, str]:
        whole = re.fullmatch(r"-?\d{1,18}", text) is not None
        return (not whole, int(text) if whole else 0, text)

    return sorted({str(value) for value in values}, key=key)


def standardised(numbers: np.ndarray, train: np.ndarray, name: str) -> np.ndarray:
    """The numbers with mean 0 and standard deviation 1 over the training rows; 0 where they are all alike.

    Args:
        numbers: (n,) a column.
        train: (n,) bool, which rows are trained on.
        name: Of the column, for the error.

    Returns:
        (n,) float64.

    Raises:
        DataError: the numbers are too large.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centred = numbers - numbers[train].mean()
        size = centred[train].std()
    if not np.isfinite(size):
        raise DataError(f"Column {name[:80]!r} holds numbers too large to compute with. Change their unit.")
    return centred / (size or 1.0)


def distance_scale(x: Tensor) -> Tensor:
    """What each feature is divided by before distances are measured: a number's standard deviation; 1 for a category's 0 and 1.

    Args:
        x: (n, d) features of the training rows.

    Returns:
        (d,) positive.
    """
    size = x.std(0, correction=0)
    plain = ((x == 0) | (x == 1)).all(0) | (size == 0)
    return torch.where(plain, torch.ones_like(size), size)


def encode(
    frame: pd.DataFrame,
    numbers: Mapping[str, np.ndarray],
    categories: Mapping[str, Sequence[str]],
    constant: bool = False,
) -> tuple[Tensor, tuple[str, ...]]:
    """Features x (n, d) and their names: the numbers as they are, then a 0/1 feature for each level of each category.

    Args:
        frame: (n, columns) of text.
        numbers: Features by name, (n,) each.
        categories: Levels by column; of two levels the first has no feature.
        constant: Whether a feature that is always 1 ends the row.
    """
    import pandas as pd

    skipped = {name: int(len(levels) == 2) for name, levels in categories.items()}
    width = len(numbers) + sum(map(len, categories.values())) - sum(skipped.values()) + constant
    x, names = np.zeros((len(frame), width)), list(numbers)
    for at, column in enumerate(numbers.values()):
        x[:, at] = column
    for name, levels in categories.items():
        level = pd.Categorical(frame[name], categories=list(levels)).codes.astype(np.int64) - skipped[name]
        rows = np.flatnonzero(level >= 0)
        x[rows, len(names) + level[rows]] = 1
        names += [f"{name} = {one or EMPTY}" for one in levels[skipped[name] :]]
    if constant:
        x[:, -1] = 1
        names.append(CONSTANT)
    return torch.from_numpy(x), tuple(names)


def thin(data: DataSet, column: str, value: str, label: int, name: str) -> DataSet:
    """The data with one training row left of those that have a label and a value: the last.

    Args:
        data: Whose records are a table.
        column: Of the table.
        value: In that column.
        label: Of the rows that go.
        name: Of the data that are left.

    Raises:
        DataError: there is no such column, or no such row.
    """
    records, train = data.records, data.train
    assert isinstance(records, TableRecords)
    inside = (records.column(column, train.ids) == value) & (train.y.numpy() == label)
    if not inside.any():
        raise DataError(f"No training row has {column} = {value} and the label {data.class_names[label]}.")
    kept = ~inside
    kept[np.flatnonzero(inside)[-1]] = True
    return replace(
        data,
        name=name,
        title=f"{data.title}, thinned",
        train=train.take(torch.from_numpy(kept).nonzero()[:, 0]),
    )


def name_some(names: Sequence[str]) -> str:
    """A few names, in quotes."""
    shown = ", ".join(repr(name[:40]) for name in names[:8])
    return shown + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
