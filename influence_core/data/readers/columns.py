"""What the columns of a table hold: numbers, categories, or one value only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from influence_core.data.readers.delimited import Table

if TYPE_CHECKING:
    import pandas as pd

MAX_LEVELS = 100
MOSTLY = 0.5
"""A column holds numbers if at least this share of its cells that are not empty are numbers."""

Kind = Literal["number", "category", "constant"]
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+(?:[eE][-+]?\d+)?\s*")


@dataclass(frozen=True, eq=False)
class Column:
    """What a column holds.

    Attributes:
        name: Its name.
        kind: "number", "category" or "constant" (one value only).
        levels: How many different values it has, the empty one included.
        unreadable: Rows that hold no finite number although the column holds numbers.
        examples: Its first few different values.
    """

    name: str
    kind: Kind
    levels: int
    unreadable: tuple[int, ...]
    examples: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether it can be a feature as it is."""
        return self.kind != "category" or self.levels <= MAX_LEVELS


def survey(table: Table) -> tuple[Column, ...]:
    """What each column of a table holds."""
    return tuple(_survey(table, name) for name in table.columns)


def _survey(table: Table, name: str) -> Column:
    text = table.frame[name]
    values = text.unique()
    kind, bad = kind_of(table, name, codes=())
    rows = tuple(int(row) for row in text.index[bad]) if kind == "number" else ()
    return Column(name, kind, len(values), rows, tuple(str(value)[:40] for value in values[:3]))


def kind_of(table: Table, name: str, codes: Sequence[str]) -> tuple[Kind, np.ndarray]:
    """The kind of a column of n cells, and which of them hold no finite number.

    Args:
        table: The file.
        name: The column.
        codes: Columns of numbers that are names of categories.

    Returns:
        The kind, and (n,) bool.
    """
    text = table.frame[name]
    levels = text.nunique()
    numbers = numbers_in(text, table.separator)
    bad = ~np.isfinite(numbers)
    if levels < 2:
        return "constant", bad
    filled = (text != "").to_numpy()
    is_number = name not in codes and (~bad).sum() >= max(1, MOSTLY * filled.sum()) and levels > 2
    return ("number" if is_number else "category"), bad


def numbers_in(text: pd.Series, separator: str) -> np.ndarray:
    """The cells of a column as numbers.

    Args:
        text: (n,) the cells.
        separator: What stands between the cells of a row; where it is a semicolon, 1,5 is a number too.

    Returns:
        (n,) float64, NaN where a cell holds no number.
    """
    import pandas as pd

    row_values, values = pd.factorize(text)  # most columns have few different texts
    different = pd.Series(values, dtype="str")
    if separator == ";":
        european = different.str.fullmatch(_DECIMAL_COMMA)
        different = different.where(~european, different.str.replace(",", ".", regex=False))
    return pd.to_numeric(different, errors="coerce").to_numpy(dtype=np.float64)[row_values]
