"""A file of separated values as text: what is read, and what is refused before it fills the memory."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from influence_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

MAX_BYTES = 50 * 10**6
MAX_COLUMNS = 1_000
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

Encoding = Literal["utf-8", "latin-1"]


@dataclass(frozen=True, eq=False)
class Table:
    """A file as text.

    Attributes:
        frame: (n, columns) of text without spaces around it; the index counts the rows from 1.
        separator: What stood between the cells.
    """

    frame: pd.DataFrame
    separator: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.frame.columns)


def read_file(path: Path, encoding: Encoding = "utf-8") -> Table:
    """The table in a file; see `read`.

    Args:
        path: The file.
        encoding: Of the file.

    Raises:
        DataError: there is no such file, it is too large, or not a table.
    """
    try:
        size = path.stat().st_size
        _check_size(size)
        return read(path.read_bytes(), encoding)
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror}. Check its name.") from error


def read(content: bytes, encoding: Encoding = "utf-8") -> Table:
    """Read a table with a header row; its cells stay text.

    Args:
        content: The file: UTF-8 or UTF-16 with a byte-order mark, cells separated by comma, semicolon, tab or bar.
        encoding: "latin-1" for a file of Western Europe that is not UTF-8.

    Raises:
        DataError: it is too large, not text, or not a table; the message says where and what to do.
    """
    _check_size(len(content))
    text = _decode(content, encoding)
    separator = _separator(text)
    header, rows = _check_structure(text, separator)
    frame = _frame(text, separator)
    if frame.shape != (rows, len(header)):
        raise DataError(
            "The table could not be read: its quotation marks are not in order. Save it again as CSV."
        )
    frame.columns = header
    frame.index = range(1, rows + 1)
    return Table(frame, separator)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise DataError(
            f"The file has {size / 10**6:,.0f} MB; at most {MAX_BYTES // 10**6} MB can be read. "
            "Keep a part of its rows or columns."
        )
    if size == 0:
        raise DataError("The file is empty. Choose a CSV file with a header row and at least a few rows.")


def _decode(content: bytes, encoding: Encoding) -> str:
    """The file as text."""
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError("This is a workbook or an archive, not a CSV file. Save the sheet as “CSV UTF-8”.")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not wide and b"\0" in content:
        raise DataError("The file is not text. Choose a CSV file.")
    try:
        return content.decode("utf-16" if wide else "utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"The file is not UTF-8 text: line {line} holds the byte 0x{content[error.start]:02X}. Save it as UTF-8 "
            "(in Excel “CSV UTF-8”), or read it as Latin-1 if it comes from an older program of Western Europe."
        ) from error


def _separator(text: str) -> str:
    """The separator that cuts the header into most cells; a comma where they draw."""
    first = next((line for line in text.split("\n", 20) if line.strip()), "")
    counts = {one: len(_cells(first, one)) for one in SEPARATORS}
    return max(counts, key=counts.__getitem__)


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _check_structure(text: str, separator: str) -> tuple[list[str], int]:
    """Header and number of rows, once every row is known to be as long as the header."""
    lines = _lines(text, separator)
    header = [name.strip() or f"column {at}" for at, name in enumerate(next(lines, []), 1)]
    _check_header(header)
    rows = 0
    for rows, cells in enumerate(lines, 1):
        if len(cells) != len(header):
            raise DataError(
                f"Row {rows} has {len(cells)} cells, but the header has {len(header)} (separated by "
                f"{SEPARATORS[separator]}). Fix that row; a cell that holds a {SEPARATORS[separator]} needs quotation "
                "marks around it."
            )
    if rows == 0:
        raise DataError("The table has a header, but no rows. Choose one with at least a few rows.")
    return header, rows


def _lines(text: str, separator: str) -> Iterator[list[str]]:
    """The lines that are not blank, cut into cells."""
    try:
        yield from filter(
            None, csv.reader(StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        )
    except csv.Error as error:
        raise DataError(f"The table could not be read: {error}. Save it again as CSV.") from error


def _check_header(header: list[str]) -> None:
    if len(header) < 2:
        raise DataError(
            "Only one column was found. Separate the columns by commas, semicolons, tabs or bars, and name them in "
            "the first row."
        )
    if len(header) > MAX_COLUMNS:
        raise DataError(
            f"The table has {len(header):,} columns; at most {MAX_COLUMNS:,} can be read. Keep fewer."
        )
    twice = [name for at, name in enumerate(header) if name in header[:at]]
    if twice:
        raise DataError(f"Two columns are called {twice[0][:80]!r}. Give every column a name of its own.")


def _frame(text: str, separator: str) -> pd.DataFrame:
    import pandas as pd  # takes half a second to import, and pictures do not need it

    frame = pd.read_csv(
        BytesIO(text.encode()),
        sep=separator,
        dtype="str",
        na_filter=False,  # or "None" and "NA" would be taken for missing
        skipinitialspace=True,
        index_col=False,
    )
    return frame.apply(lambda column: column.str.strip())
