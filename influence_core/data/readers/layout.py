"""Where a file of separated values begins and ends: its separator, its titles, its header, its columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from influence_core.data.readers.dates import order_of
from influence_core.data.readers.numbers import read_amounts
from influence_core.errors import DataError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
MAX_COLUMNS = 1_000
LONGEST_LINE = 2 * 10**6
"""Characters: a longer line would be millions of cells, which fill the memory before they are counted."""
SAMPLED = 200
"""Rows by which the separator and the titles are told."""
MAX_TITLES = 20
REGULAR = 0.9
AGAIN = 3
"""A text in the first row that stands so often below itself is one of its column's, not its name."""
_SEPARATOR_LINE = re.compile(r"\"?sep=(?P<one>[,;|\t ])\"?[,;|\t ]*", re.IGNORECASE)
_END = "\x1d"


@dataclass(frozen=True)
class Layout:
    """How a text is a table.

    Attributes:
        separator: What stands between the cells.
        skipped_lines: How many lines come before the header, or before the rows where there is none.
        titles: What those lines say.
        width: Cells of a row.
        first: The cells of the first row, the header's where there is one.
        looks_like_data: Whether that first row could be one of the rows.
    """

    separator: str
    skipped_lines: int
    titles: tuple[str, ...]
    width: int
    first: tuple[str, ...]
    looks_like_data: bool


@dataclass(frozen=True)
class Row:
    """The cells of a row, and how many lines of the file end with it."""

    cells: list[str]
    lines: int


def find_layout(text: str) -> Layout:
    """How a text is a table; its line ends are single line feeds.

    Args:
        text: The file.

    Raises:
        DataError: it is none.
    """
    first_line, _, _ = text.partition("\n")
    named = _SEPARATOR_LINE.fullmatch(first_line.strip(" "))
    candidates = [named["one"]] if named else list(SEPARATORS)
    found, errors = [], []
    for separator in candidates:
        try:
            found.append(_try(text, separator, int(named is not None)))
        except DataError as error:  # another separator may part its quotation marks
            errors.append(error)
    fitting = [one for one in found if one is not None]
    if not fitting and errors:
        raise errors[0]
    if not fitting:
        raise DataError(
            "Only one column was found. Separate the columns by commas, semicolons, tabs or bars, and name them in the "
            "first row."
        )
    return max(fitting, key=lambda pair: pair[0])[1]


def _try(text: str, separator: str, before: int) -> tuple[tuple[float, ...], Layout] | None:
    """The table that a separator makes, and how regular it is."""
    sample = []
    try:
        for row in rows_of(text, separator, before):
            sample.append(Row([one.strip() for one in row.cells], row.lines))
            if len(sample) == SAMPLED:
                break
    except DataError:
        if not sample:
            raise
    if not sample:
        return None
    widths = Counter(len(row.cells) for row in sample)
    width = max(widths, key=lambda one: (widths[one], one))
    if width < 2:
        return None
    at = next((at for at, row in enumerate(sample[:MAX_TITLES]) if _may_be_header(row.cells, width)), 0)
    body = sample[at + 1 :]
    regular = sum(len(row.cells) == width for row in body) / max(1, len(body))
    if separator == " " and regular < REGULAR:
        return None  # sentences
    header = sample[at].cells
    layout = Layout(
        separator,
        sample[at - 1].lines if at else before,
        tuple(" ".join(filter(None, row.cells)) for row in sample[:at]),
        width,
        tuple(header),
        width <= MAX_COLUMNS and _looks_like_data(header, body),  # a wider one is refused anyway
    )
    return (regular >= REGULAR, at == 0, separator != " ", len(header) == width, regular, width), layout


def _may_be_header(cells: list[str], width: int) -> bool:
    """Titles fill one or two cells; a header, all but the one above the names of the rows or after the last separator."""
    filled = sum(bool(one.strip()) for one in cells)
    return (
        width - 1 <= len(cells) <= width + 1
        and filled >= max(2, width - 1)
        or width == len(cells) == 2 == filled + 1
    )


def _looks_like_data(header: list[str], body: list[Row]) -> bool:
    """Whether a number stands above numbers or a date above dates, or a text of it comes again and again below."""
    rows = [row.cells for row in body if len(row.cells) == len(header)]
    if not rows:
        return False
    columns = list(zip(*rows, strict=True))
    if any(_is_amount(one) and _mostly_amounts(below) for one, below in zip(header, columns, strict=True)):
        return True
    filled = [(one, below) for one, below in zip(header, columns, strict=True) if one]
    if any(order_of([one]) and order_of(below) for one, below in filled):
        return True
    return bool(filled) and (
        all(one in below for one, below in filled) or any(below.count(one) >= AGAIN for one, below in filled)
    )


def _is_amount(cell: str) -> bool:
    return bool(_amounts([cell])[0])


def _mostly_amounts(cells: tuple[str, ...]) -> bool:
    filled = [one for one in cells if one]
    return bool(filled) and 2 * int(_amounts(filled).sum()) > len(filled)


def _amounts(cells: Sequence[str]) -> np.ndarray:
    values = read_amounts(cells).values
    return np.isfinite(values["point"]) | np.isfinite(values["comma"])


def rows_of(text: str, separator: str, skipped_lines: int = 0) -> Iterator[Row]:
    """The rows that are not blank, cut into cells.

    Args:
        text: The file, its line ends single line feeds.
        separator: What stands between the cells.
        skipped_lines: How many lines come before.

    Raises:
        DataError: its quotation marks are not in order, or a cell is too long.
    """
    lines = islice(_lines(text), skipped_lines, None)
    reader = csv.reader(chain(lines, ["\n", _END]), delimiter=separator, skipinitialspace=True, strict=True)
    before = skipped_lines
    try:
        for cells in reader:
            if cells == [_END]:
                return
            if any(one and not one.isspace() for one in cells):
                yield Row(cells, skipped_lines + reader.line_num)
            before = skipped_lines + reader.line_num
    except csv.Error as error:
        raise DataError(_said(error, before + 1)) from error
    raise DataError(_left_open(before + 1))


def _lines(text: str) -> Iterator[str]:
    """Line by line, without a copy of the text.

    Raises:
        DataError: one is too long.
    """
    start = count = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        count += 1
        if end - start > LONGEST_LINE:
            raise DataError(
                f"Line {count:,} has {end - start:,} characters; at most {LONGEST_LINE:,} can be read. Are the lines of the file "
                "parted at all? Otherwise shorten its cells."
            )
        yield text[start:end]
        start = end


def _said(error: csv.Error, line: int) -> str:
    """What csv complains about, for people."""
    if "field limit" in str(error):
        return (
            f"A cell in line {line:,} has more than {csv.field_size_limit():,} characters. Shorten it; if it should be "
            "short, a quotation mark before it is missing its partner."
        )
    if "unexpected end" in str(error):
        return _left_open(line)
    return (
        f"The quotation marks in line {line:,} are not in order: text follows a closing one. Double the quotation marks "
        "inside a cell, or save the table again as CSV."
    )


def _left_open(line: int) -> str:
    return (
        f"A quotation mark that is opened in line {line:,} is never closed, so that all lines after it are one cell. "
        "Close it or take it out."
    )
