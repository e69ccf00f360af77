"""The labels of a table: which cells hold none, which are one label written in two ways, and which might be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np

NO_LABEL = frozenset({"", "na", "n/a", "nan", "null", "#n/a", "#na", "<na>", "n.a."})
"""Small letters of the cells that mean "no label"."""
_NUMBER = re.compile(r"([-+]?)(0|[1-9]\d*)(?:[.,](\d+))?", re.ASCII)


def has_no_label(cells: Iterable[str]) -> np.ndarray:
    """(n,) bool, whether each cell means "no label".

    Args:
        cells: (n,) texts.
    """
    return np.array([one.lower() in NO_LABEL for one in cells], dtype=bool)


def as_numbers(texts: Iterable[str]) -> dict[str, str]:
    """The name of each label: 1, 1.0 and 1,00 are one where all labels are numbers.

    Args:
        texts: The different labels.
    """
    texts = list(texts)
    found = {one: _NUMBER.fullmatch(one) for one in texts}
    if not all(found.values()):
        return {one: one for one in texts}
    names: dict[float, str] = {}
    values = {one: float(f"{m[1]}{m[2]}.{m[3] or '0'}") for one, m in found.items() if m}
    for text in sorted(texts, key=lambda one: (len(one), one)):
        names.setdefault(values[text], text)
    return {one: names[values[one]] for one in texts}


def look_alike(texts: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Labels that differ only in capitals, width, accents' encoding or spaces, together.

    Args:
        texts: The different labels.
    """
    together: dict[str, list[str]] = {}
    for one in texts:
        together.setdefault(_folded(one), []).append(one)
    return tuple(tuple(sorted(some)) for some in together.values() if len(some) > 1)


def merged(counts: Mapping[str, int]) -> dict[str, str]:
    """The name of each label where those that look alike are one: that of the most frequent.

    Args:
        counts: How often each label occurs.
    """
    names = {one: one for one in counts}
    for some in look_alike(counts):
        best = max(some, key=lambda one: counts[one])
        names |= dict.fromkeys(some, best)
    return names


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
