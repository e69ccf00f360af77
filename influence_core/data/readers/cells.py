"""The cells of a column read as amounts both ways, and how a reading is shown to whoever has to choose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from influence_core.data.readers.delimited import Table
from influence_core.data.readers.numbers import DECIMALS, Amounts, Decimal, read_amounts

MOSTLY = 0.5
"""A column holds amounts if at least this share of its cells that are not empty are amounts in some reading."""
SHOWN_CELLS = 3
ONCE_IN_A_COLUMN = frozenset("$€£¥₽₹¢₩₺₴")
"""Signs that may stand in some cells of a column only, as accountants write them; a per cent sign may not."""

Reading = Literal["point", "comma", "text"]


@dataclass(frozen=True)
class Option:
    """One way to read a column.

    Attributes:
        reading: "point" or "comma" for amounts with that decimal sign, "text" for categories.
        words: What is done.
        cells: A few cells and what they become.
        unreadable: How many cells hold no amount then.
    """

    reading: Reading
    words: str
    cells: tuple[str, ...]
    unreadable: int

    def __str__(self) -> str:
        lost = f"; {self.unreadable:,} cells are none" if self.unreadable and self.reading != "text" else ""
        return f"{self.words}: {', '.join(self.cells)}{lost}"


@dataclass(frozen=True, eq=False)
class Cells:
    """A column's n cells as m different texts, each read as an amount both ways.

    Attributes:
        name: The column's.
        rows: (n,) which text each cell is.
        texts: (m,) the different ones, in the order in which they come.
        counts: (m,) how many cells each text has.
        amounts: The texts as amounts.
    """

    name: str
    rows: np.ndarray
    texts: tuple[str, ...]
    counts: np.ndarray
    amounts: Amounts

    @classmethod
    def of(cls, table: Table, name: str) -> Cells:
        """Those of a table's column.

        Args:
            table: The file.
            name: The column.
        """
        import pandas as pd

        rows, values = pd.factorize(table.frame[name])  # most columns have few different texts
        texts = tuple(str(one) for one in values)
        return cls(name, rows, texts, np.bincount(rows, minlength=len(texts)), read_amounts(texts))

    @cached_property
    def filled(self) -> int:
        """How many of the n cells hold anything."""
        return int(self.counts.sum() - sum(self.counts[at] for at, text in enumerate(self.texts) if not text))

    def found(self, decimal: Decimal) -> np.ndarray:
        """(m,) which texts are amounts.

        Args:
            decimal: What parts the whole from the rest.
        """
        return np.isfinite(self.amounts.values[decimal])

    @cached_property
    def either(self) -> np.ndarray:
        """(m,) which texts are amounts in some reading."""
        return self.found("point") | self.found("comma")

    @cached_property
    def covering(self) -> tuple[Decimal, ...]:
        """The decimal signs with which every amount of the column can be read."""
        return tuple(one for one in DECIMALS if (self.found(one) == self.either).all())

    @cached_property
    def has_amounts(self) -> bool:
        """Whether they are amounts and not texts: most are, and they differ."""
        share = self.counts[self.either].sum()
        if len(self.texts) <= 2 or share < max(1, MOSTLY * self.filled):
            return False
        values = [self.amounts.values[one][self.found(one)] for one in self.covering or DECIMALS]
        return any(one.max() > one.min() for one in values)

    @cached_property
    def same(self) -> bool:
        """Whether both readings are the same numbers."""
        point, comma = (self.amounts.values[one] for one in DECIMALS)
        return bool(np.array_equal(point, comma, equal_nan=True))

    @cached_property
    def decided(self) -> Decimal | None:
        """The decimal sign that the column's own cells leave no doubt about."""
        return self.covering[0] if self.has_amounts and len(self.covering) == 1 else None

    @cached_property
    def is_open(self) -> bool:
        """Whether the other columns have to tell the decimal sign."""
        return self.has_amounts and len(self.covering) != 1 and not self.same

    @cached_property
    def mixed_units(self) -> str:
        """Units that cannot stand in one column of amounts; a currency may stand beside none."""
        amounts = np.flatnonzero(self.either)
        units = {one for at, one in self.amounts.units.items() if self.either[at]}
        if len(self.amounts.units) < len(amounts) and (len(units) > 1 or not units <= ONCE_IN_A_COLUMN):
            units |= {""}
        return (
            " and ".join(repr(one) if one else "no unit" for one in sorted(units)) if len(units) > 1 else ""
        )


def option(cells: Cells, reading: Reading, words: str) -> Option:
    """A reading, shown on cells that it tells from the others.

    Args:
        cells: A column's.
        reading: How they are read.
        words: What is done.
    """
    point, comma = (cells.amounts.values[one] for one in DECIMALS)
    telling = np.flatnonzero(cells.either & ~((point == comma) | (np.isnan(point) & np.isnan(comma))))
    units = {cells.amounts.units.get(at, ""): at for at in np.flatnonzero(cells.either).tolist()[::-1]}
    powers = [
        at for at in cells.amounts.unusual.tolist() if "e" in cells.texts[at].lower() and cells.either[at]
    ]
    others = np.flatnonzero(cells.either)[:SHOWN_CELLS].tolist()
    order = dict.fromkeys(
        [*telling[:2].tolist(), *(units.values() if len(units) > 1 else ()), *powers[:2], *others]
    )
    if reading == "text":
        shown = tuple(f"“{cells.texts[at]}”" for at in list(order)[:SHOWN_CELLS])
        return Option(reading, words, shown, 0)
    values = cells.amounts.values[reading]
    shown = tuple(f"{cells.texts[at]} → {written(values[at])}" for at in list(order)[:SHOWN_CELLS])
    lost = cells.counts[~cells.found(reading)].sum()
    return Option(reading, words, shown, int(lost))


def written(value: float) -> str:
    """A number in plain digits; "none" where there is none.

    Args:
        value: The number, or NaN.
    """
    return f"{value:.12g}" if np.isfinite(value) else "none"
