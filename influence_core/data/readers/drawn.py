"""Lines of a table that are drawn: the dashes of Markdown and of databases' terminals, and the count of rows below."""

from __future__ import annotations

import re
from collections.abc import Iterable

_BORDER = re.compile(r"^[ ]*\+?[-=]{2,}(?:\+[-=]{2,})+\+?[ ]*$", re.MULTILINE)
_COUNT = re.compile(r"^\(\d+ \w+\)\s*\Z", re.MULTILINE)
_DASHES = re.compile(r":?[-=]{3,}:?")
_DRAWN_BY = "|\t "
"""Between commas or semicolons dashes are cells like any other: they may mean that nothing was measured."""
SAID = "Left out: lines that are drawn around the table or under its header."


def without_borders(text: str) -> str:
    """The text with blank lines in the place of borders such as ``---+---``, and of the count of rows below them.

    Args:
        text: A file, its line ends single line feeds.
    """
    inside = _BORDER.sub("", text)
    return text if inside == text else _COUNT.sub("", inside)


def is_rule(cells: Iterable[str], separator: str) -> bool:
    """Whether the first row is a line of dashes under the header.

    >>> is_rule([":---", "---:"], "|"), is_rule(["---", "---"], ",")
    (True, False)

    Args:
        cells: Of the row; empty ones stand outside the first and the last bar.
        separator: What stands between them.
    """
    filled = [one for one in cells if one]
    return separator in _DRAWN_BY and len(filled) > 1 and all(map(_DASHES.fullmatch, filled))
