"""A file of separated values as text: what is read, and what is refused before it fills the memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from influence_core.data.readers import drawn
from influence_core.data.readers.encodings import Decoded, decode, says_itself
from influence_core.data.readers.layout import MAX_COLUMNS, SEPARATORS, Layout, find_layout, rows_of
from influence_core.data.readers.other_files import refuse_others
from influence_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

MAX_BYTES = 50 * 10**6
MAX_LINES = 10**6
MAX_CELLS = 4 * 10**6
_SPACES_BEHIND = re.compile(r"\"[ ]+(?=[,;\t|\n]|$)")
_QUOTED = re.compile(r"'[^']*'")
PREVIEWED, LONGEST_PREVIEW = 20_000, 60
"""Bytes that are read for a preview, and its characters."""


@dataclass(frozen=True, eq=False)
class Table:
    """A file as text.

    Attributes:
        frame: (n, columns) of text without spaces around it; the index counts the rows from 1.
        separator: What stood between the cells.
        unnamed: Columns that have no name in the header; they are called "column 1" and so on.
        notices: What was left out or guessed while reading, a sentence each.
        encoding: In which it was read, a name of `encodings.ENCODINGS`.
        others: The other encodings in which it could be, the more plausible first.
    """

    frame: pd.DataFrame
    separator: str
    unnamed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    encoding: str = "utf-8"
    others: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.frame.columns)


def read_file(path: Path, encoding: str = "", header: bool | None = None) -> Table:
    """The table in a file; see `read`.

    Args:
        path: The file.
        encoding: A name of `encodings.ENCODINGS`, or "": the most plausible.
        header: Whether the first row names the columns; None where nobody has said.

    Raises:
        DataError: there is no such file, it is too large, or not a table.
    """
    try:
        size = path.stat().st_size
        _check_size(size)
        return read(path.read_bytes(), encoding, header)
    except OSError as error:
        raise DataError(f"{path.name} could not be read: {error.strerror}. Check its name.") from error


class HeaderQuestionError(DataError):
    """Nobody can tell whether the first row names the columns.

    Attributes:
        first: Its cells.
    """

    def __init__(self, first: Sequence[str]) -> None:
        shown = ", ".join(repr(one[:20]) for one in first[:6]) + (" …" if len(first) > 6 else "")
        super().__init__(
            f"The first row looks like data: {shown}. Is there a header? Say whether this row names the columns or is one "
            "of the rows."
        )
        self.first = tuple(first)


def read(content: bytes, encoding: str = "", header: bool | None = None) -> Table:
    """Read a table; its cells stay text.

    Args:
        content: The file, its cells separated by comma, semicolon, tab, bar or space.
        encoding: A name of `encodings.ENCODINGS`, or "": the most plausible.
        header: Whether the first row names the columns; None where nobody has said.

    Raises:
        HeaderQuestionError: nobody has said, and the first row looks like data.
        DataError: it is too large, not text, or not a table; the message says where and what to do.
    """
    _check_size(len(content))
    decoded = _decode(content, encoding)
    others = () if says_itself(content) else decoded.others
    tidy = _tidy(decoded.text)
    text = drawn.without_borders(tidy)
    _check_lines(text.count("\n"))
    layout = find_layout(text)
    if header is None and layout.looks_like_data:
        raise HeaderQuestionError(layout.first)
    names = list(layout.first) if header is not False else []
    shape = _check_structure(text, layout, names)
    frame = _frame(text, layout, shape)
    if len(frame) != shape.rows + bool(names):
        raise DataError(
            "The table could not be read: its quotation marks are not in order. Save it again as CSV."
        )
    made = _named(frame.iloc[int(bool(names)) :], layout, names, shape)
    said = [*_said(decoded), *([drawn.SAID] if text != tidy else [])]
    return replace(made, encoding=decoded.encoding, others=others, notices=(*said, *made.notices))


def _said(decoded: Decoded) -> list[str]:
    """Which encoding was guessed, and what it does not hold."""
    said = [f"Read as {decoded.title}."] if decoded.encoding != "utf-8" else []
    if decoded.replaced:
        said.append(
            f"Damaged, or not of this encoding, and shown as “\ufffd”: characters in {decoded.replaced:,} places."
        )
    return said


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise DataError(
            f"The file has {size / 10**6:,.0f} MB; at most {MAX_BYTES // 10**6} MB can be read. "
            "Keep a part of its rows or columns."
        )
    if size == 0:
        raise DataError("The file is empty. Choose a CSV file with a header row and at least a few rows.")


def _check_lines(lines: int) -> None:
    if lines > MAX_LINES:
        raise DataError(
            f"The file has {lines:,} lines; at most {MAX_LINES:,} can be read. Keep a part of its rows."
        )


def _decode(content: bytes, encoding: str) -> Decoded:
    """The file as text."""
    refuse_others(content)
    filled_up = content.rstrip(b"\x1a\0")
    # text of two bytes a letter has others
    return decode(content if b"\0" in filled_up else filled_up, encoding)


def first_words(content: bytes, encoding: str) -> str:
    """The first line with letters beyond ASCII in an encoding, cut short, so that a person sees whether it is right.

    Args:
        content: The file.
        encoding: A name of `encodings.ENCODINGS`.
    """
    lines = decode(content[:PREVIEWED], encoding).text.splitlines() or [""]
    line = next((one for one in lines if not one.isascii()), lines[0])
    return " ".join(line.split())[:LONGEST_PREVIEW]


def _tidy(text: str) -> str:
    """The text with one kind of line ends, without the end marks of old programs and spaces behind quotation marks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a\0")
    return _SPACES_BEHIND.sub('"', text) if '" ' in text else text


@dataclass(frozen=True)
class _Shape:
    """The size of a table.

    Attributes:
        rows: How many it has.
        cells: The most cells of a row.
        names_first: Whether each row has a cell more than the header has names, so that the first has none.
    """

    rows: int
    cells: int
    names_first: bool


def _check_structure(text: str, layout: Layout, names: list[str]) -> _Shape:
    """The size, once every row is known to be as long as the others."""
    wanted = len(names) or layout.width
    _check_width(wanted)
    while names and not names[-1] and len(names) > layout.width:
        wanted = len(names) - 1
        names.pop()
    count, most, one_more, odd = 0, len(layout.first), 0, None
    rows = rows_of(text, layout.separator, layout.skipped_lines)
    if names:
        next(rows, None)
    for row in rows:
        count += 1
        cells = len(row.cells)
        most = max(most, cells)
        if cells != wanted and (cells < wanted or any(map(str.strip, row.cells[wanted:]))):
            one_more += cells == wanted + 1
            odd = odd or (count, cells)
    if count == 0:
        raise DataError("The table has a header, but no rows. Choose one with at least a few rows.")
    if odd and not (names and one_more == count):
        raise DataError(_irregular(odd, wanted, layout.separator, bool(names)))
    _check_width(most)
    if count * most > MAX_CELLS:
        raise DataError(
            f"The table has {count:,} rows of {most:,} cells; at most {MAX_CELLS:,} cells can be read. Keep fewer rows."
        )
    return _Shape(count, most, odd is not None)


def _irregular(odd: tuple[int, int], wanted: int, separator: str, named: bool) -> str:
    row, cells = odd
    other = "the header has" if named else "the others have"
    sign = SEPARATORS[separator]
    return (
        f"Row {row} has {cells} cells, but {other} {wanted} (separated by {sign}). Fix that row; a cell that holds a {sign} "
        "needs quotation marks around it."
    )


def _check_width(cells: int) -> None:
    if cells > MAX_COLUMNS:
        raise DataError(f"The table has {cells:,} columns; at most {MAX_COLUMNS:,} can be read. Keep fewer.")


def _frame(text: str, layout: Layout, shape: _Shape) -> pd.DataFrame:
    """The rows as text, the header among them where there is one."""
    import pandas as pd  # takes half a second to import, and pictures do not need it

    frame = pd.read_csv(
        BytesIO(text.encode()),
        sep=layout.separator,
        header=None,
        names=range(shape.cells),
        skiprows=layout.skipped_lines,
        dtype="str",
        na_filter=False,  # or "None" and "NA" would be taken for missing
        skipinitialspace=True,
        index_col=False,
    )
    frame = frame.apply(lambda column: column.fillna("").str.strip())
    return frame[(frame != "").any(axis=1)]


def _named(frame: pd.DataFrame, layout: Layout, header: list[str], shape: _Shape) -> Table:
    """The table under its names, without columns that hold nothing."""
    if all(map(_QUOTED.fullmatch, filter(None, chain(header, frame.to_numpy().ravel())))):
        frame = frame.apply(lambda column: column.str[1:-1].str.strip())
        header = [one[1:-1] for one in header]
    ruled = bool(header) and drawn.is_rule(frame.iloc[0], layout.separator)
    frame = frame.iloc[int(ruled) :]
    found = [" ".join(one.split()) for one in ([""] if shape.names_first else []) + header]
    found += [""] * (shape.cells - len(found))
    names = [name or f"column {at}" for at, name in enumerate(found, 1)]
    names, said = _all_different(names)
    frame.columns = names
    frame.index = range(1, len(frame) + 1)
    empty = [name for name, own in zip(names, found, strict=True) if not own and (frame[name] == "").all()]
    left = [name for name in names if name not in empty]
    if len(left) < 2:
        raise DataError(
            "Only one column holds anything. Choose a table with a label and at least one more column."
        )
    notices = (
        [f"Left out above the table: “{one[:80]}”." for one in layout.titles] + said + [drawn.SAID] * ruled
    )
    if empty:
        notices.append(f"Left out, because it has no name and holds nothing: {', '.join(empty)}.")
    unnamed = tuple(
        name for name, own in zip(names, found, strict=True) if header and not own and name in left
    )
    return Table(frame[left], layout.separator, unnamed, tuple(notices))


def _all_different(names: list[str]) -> tuple[list[str], list[str]]:
    """The names, those that stand a second time with a number behind them, and a sentence for each of these."""
    taken, found, said = set(names), list[str](), list[str]()
    for at, name in enumerate(names):
        number = names[:at].count(name) + 1
        own = name if number == 1 else f"{name} ({number})"
        while number > 1 and own in taken:
            number += 1
            own = f"{name} ({number})"
        taken.add(own)
        found.append(own)
        if own != name:
            said.append(f"Another column called “{name[:80]}” is “{own[:90]}” here.")
    return found, said
