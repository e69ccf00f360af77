"""What the columns of a table hold, decided for a column as a whole: amounts, categories, names of the rows, one value.

Where two readings fit, or none fits every cell, the column is a question: it says how its cells read either way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from influence_core.data.readers.cells import SHOWN_CELLS, Cells, Option, option, written
from influence_core.data.readers.dates import order_of
from influence_core.data.readers.delimited import Table
from influence_core.data.readers.numbers import DECIMALS, Decimal, read_amounts

if TYPE_CHECKING:
    import pandas as pd

MAX_LEVELS = 100
FEW_LEVELS = 10
MOSTLY_DIFFERENT = 0.5
"""A text column with more than `FEW_LEVELS` texts, more than this share of its cells, names the rows."""

Kind = Literal["number", "category", "constant", "text", "index"]
LEFT_OUT: tuple[Kind, ...] = ("text", "index")
_NAMES_ROWS = re.compile(
    r"(?i:(?:.*[ _.-])?(?:id|uuid|guid|key|nr|no|number|nummer|index|idx|row|rownames?|row_?no|zip|zipcode|postcode|plz|phone"
    r"|tel|ssn|unnamed: ?[\d.]+|#|номер))|.*[a-z](?:ID|Id|Nr|No|Key)"
    r"|(?i:.*(?:番号|編號|编号|號碼|号码|コード|代码|№|번호|nummer|nr))|.*[^\W\da-zA-Z]_?(?:ID|Id|id|№)"
)
"""Names of columns whose whole numbers are no amounts if they all differ."""
_COUNT = re.compile(r"\d+(?:\.0+)?")


@dataclass(frozen=True, eq=False)
class Column:
    """What a column holds.

    Attributes:
        name: Its name.
        kind: "number", "category", "constant" (one value only), "text" (nearly all different) or "index" (numbers the
            rows); the last two are no features unless somebody says so.
        levels: How many different values it has, the empty one included.
        unreadable: Rows that hold no finite number although the column holds numbers.
        examples: Its first few different values.
        decimal: How its amounts are read.
        unit: Of its amounts.
        why: Why it is of this kind, where that is no matter of course.
        options: Two readings or more, if it has to be asked about; the likeliest first.
    """

    name: str
    kind: Kind
    levels: int
    unreadable: tuple[int, ...]
    examples: tuple[str, ...]
    decimal: Decimal = "point"
    unit: str = ""
    why: str = ""
    options: tuple[Option, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it can be a feature as it is."""
        return self.kind not in LEFT_OUT and (self.kind != "category" or self.levels <= MAX_LEVELS)

    @property
    def became(self) -> str:
        """What is made of it, in words."""
        if self.options:
            return "asked below"
        why = f" ({self.why})" if self.why else ""
        if self.kind == "number":
            return "a number" + (f" in {self.unit}" if self.unit else "") + why
        if self.kind == "category":
            return f"a category of {self.levels:,} texts{why}"
        return "left out: " + (self.why or "one value only")


def survey(
    table: Table,
    readings: Mapping[str, str] | None = None,
    codes: Sequence[str] = (),
    kept: Sequence[str] = (),
) -> tuple[Column, ...]:
    """What each column of a table holds.

    Args:
        table: The file.
        readings: What was answered about columns: "point", "comma" or "text", by name.
        codes: Columns of numbers that are names of categories.
        kept: Columns that are features although they only seem to name the rows.
    """
    answered = dict(readings or {}) | dict.fromkeys(codes, "text")
    found: dict[str, Column] = {}
    elsewhere: set[Decimal] = set()
    for name in table.columns:  # one at a time: the cells of all would fill the memory
        cells = Cells.of(table, name)
        elsewhere |= {cells.decided} if cells.decided else set()
        if name in answered or not cells.is_open:
            found[name] = _column(table, cells, answered.get(name), set(), name in kept)
    for name in table.columns:
        if name not in found:
            found[name] = _column(table, Cells.of(table, name), None, elsewhere, name in kept)
    return tuple(found[name] for name in table.columns)


def _column(table: Table, cells: Cells, answer: str | None, elsewhere: set[Decimal], kept: bool) -> Column:
    """What a column holds, knowing what was answered and how the others write their numbers."""
    plain = Column(
        cells.name, "constant", len(cells.texts), (), tuple(one[:40] for one in cells.texts[:SHOWN_CELLS])
    )
    if len(cells.texts) < 2:
        return plain
    if answer == "text" or not cells.has_amounts or (cells.amounts.codes and answer is None):
        return _of_texts(plain, cells, kept or answer == "text")
    if answer is None and not kept and (why := _why_index(table, cells)):
        return replace(plain, kind="index", why=why)
    options = () if answer else _options(table, cells, elsewhere)
    decimal = _chosen(cells, answer, elsewhere)
    bad = ~cells.found(decimal)
    return replace(
        plain,
        kind="number",
        unreadable=tuple(int(row) for row in table.frame.index[bad[cells.rows]]),
        decimal=decimal,
        unit=", ".join(sorted(set(cells.amounts.units.values()))[:SHOWN_CELLS]),
        why=_why_number(cells, decimal),
        options=options,
    )


def _of_texts(plain: Column, cells: Cells, wanted: bool) -> Column:
    """A category, unless nearly all its texts differ."""
    why = cells.amounts.codes or order_of(cells.texts)
    filled = sum(text != "" for text in cells.texts)
    if not wanted and filled > FEW_LEVELS and filled > MOSTLY_DIFFERENT * cells.filled:
        what = why or "texts"
        return replace(
            plain,
            kind="text",
            why=f"{what}; {filled:,} of {cells.filled:,} cells differ, so they name the rows",
        )
    return replace(plain, kind="category", why=why)


def _why_index(table: Table, cells: Cells) -> str:
    """Why a column of amounts only numbers the rows; "" if it does not."""
    values = cells.amounts.values["point"]
    if (
        len(cells.texts) <= 2
        or len(cells.texts) < len(cells.rows)
        or not all(map(_COUNT.fullmatch, cells.texts))
    ):
        return ""
    unnamed = cells.name in table.unnamed
    if (np.diff(values) == 1).all() and (unnamed or len(values) > FEW_LEVELS):
        return f"it numbers the rows ({', '.join(cells.texts[:SHOWN_CELLS])} …)"
    if unnamed or _NAMES_ROWS.fullmatch(cells.name):
        return f"numbers that all differ ({', '.join(cells.texts[:SHOWN_CELLS])} …), so they name the rows"
    return ""


def _chosen(cells: Cells, answer: str | None, elsewhere: set[Decimal]) -> Decimal:
    """The decimal sign with which a column is read, or the likeliest of two."""
    if answer in DECIMALS:
        return "comma" if answer == "comma" else "point"
    if len(cells.covering) == 1:
        return cells.covering[0]
    if cells.covering and not cells.same:
        return next(iter(elsewhere)) if len(elsewhere) == 1 else "point"
    lost = {one: int(cells.counts[~cells.found(one)].sum()) for one in DECIMALS}
    return min(DECIMALS, key=lambda one: lost[one])


def _options(table: Table, cells: Cells, elsewhere: set[Decimal]) -> tuple[Option, ...]:
    """The readings between which somebody has to choose; none where one is right."""
    texts = option(cells, "text", "texts, not amounts")
    if cells.mixed_units:
        first = _chosen(cells, None, elsewhere)
        return option(cells, first, f"amounts without their units, {cells.mixed_units}"), texts
    if cells.amounts.doubt:
        return option(cells, _chosen(cells, None, elsewhere), cells.amounts.doubt), texts
    if cells.same or len(cells.covering) == 1:
        return ()
    by_commas = any("," in one for one, is_amount in zip(cells.texts, cells.either, strict=True) if is_amount)
    if cells.covering and (
        len(elsewhere) == 1 or (table.separator == "," and not by_commas and not elsewhere)
    ):
        return ()
    amounts = {one: option(cells, one, f"amounts with a decimal {one}") for one in DECIMALS}
    return (*sorted(amounts.values(), key=lambda one: one.unreadable), texts)


def _why_number(cells: Cells, decimal: Decimal) -> str:
    """How the first cell that is not written plainly is read."""
    values = cells.amounts.values[decimal]
    for at in cells.amounts.unusual:
        text, value = cells.texts[at], values[at]
        if np.isfinite(value) and not re.fullmatch(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", text, re.ASCII):
            return f"{text} = {written(value)}"
    return ""


def numbers_in(text: pd.Series, decimal: Decimal) -> np.ndarray:
    """The cells of a column as numbers.

    Args:
        text: (n,) the cells.
        decimal: What parts the whole from the rest.

    Returns:
        (n,) float64, NaN where a cell holds no number.
    """
    import pandas as pd

    rows, values = pd.factorize(text)
    return read_amounts([str(one) for one in values]).values[decimal][rows]
