"""Which columns of texts are dates, and in which order they name day, month and year."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DATE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:[T ]+\d{1,2}:\d\d\S*)?", re.ASCII)
LAST_MONTH = 12


def order_of(texts: Sequence[str]) -> str:
    """How dates are written, in words with an example; "" where not all texts that are not empty are dates.

    >>> order_of(["03/04/2024", "25/03/2024"]), order_of(["3/25/24", ""]), order_of(["2024-03-25"])
    ('dates, day first: 25/03/2024', 'dates, month first: 3/25/24', 'dates, year first: 2024-03-25')
    >>> order_of(["03/04/2024"]), order_of(["3/4", "5/6"])
    ('dates, day or month first: 03/04/2024', '')

    Args:
        texts: The different cells of a column.
    """
    filled = [one for one in texts if one]
    if not filled or not all(map(_DATE.fullmatch, filled)):
        return ""
    found = [_DATE.fullmatch(one) for one in filled]
    first, second = (
        {one: int(match[at]) for one, match in zip(filled, found, strict=True) if match} for at in (1, 3)
    )
    if any(match and len(match[1]) > 2 for match in found):
        return f"dates, year first: {filled[0]}"
    days_first = [one for one in filled if first[one] > LAST_MONTH]
    months_first = [one for one in filled if second[one] > LAST_MONTH]
    if days_first and months_first:
        return f"dates, some day first and some month first: {days_first[0]}, {months_first[0]}"
    if days_first:
        return f"dates, day first: {days_first[0]}"
    return (
        f"dates, month first: {months_first[0]}"
        if months_first
        else f"dates, day or month first: {filled[0]}"
    )
