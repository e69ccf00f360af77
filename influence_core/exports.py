"""Results as files that other programs open."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula, in either width."""


def as_rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Columns as one dict of plain values a row.

    Args:
        columns: arrays of one length by name.

    >>> import numpy as np
    >>> as_rows({"a": np.array([1, 2]), "b": np.array(["x", "y"])})
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'y'}]
    """
    plain = [np.asarray(values).tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*plain, strict=True)]


def as_csv(columns: Mapping[str, Any]) -> str:
    """Columns as comma-separated text with a header; no text of it is a formula to a spreadsheet.

    Args:
        columns: arrays of one length by name.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(harmless, columns))
    cells = ([harmless(one) for one in values.tolist()] for values in columns.values())
    writer.writerows(zip(*cells, strict=True))
    return out.getvalue()


def as_csv_file(columns: Mapping[str, Any]) -> bytes:
    """The same as a file: in UTF-8, with the mark by which spreadsheets know it; without, they take it for another encoding.

    Args:
        columns: arrays of one length by name.
    """
    return as_csv(columns).encode("utf-8-sig")


def harmless(cell: Any) -> Any:
    """A cell; text that a spreadsheet would run as a formula gets the apostrophe that keeps it text."""
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA) else cell
