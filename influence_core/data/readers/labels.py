"""The labels of a table: which cells hold none, which are one label written in two ways, and which might be either."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from influence_core.data.readers.columns import Column
from influence_core.data.readers.delimited import Table
from influence_core.data.readers.tables import name_some
from influence_core.errors import DataError

MAX_CLASSES = 50
SHOWN_GROUPS = 6
FREQUENT = 0.5
"""A column of many texts is a label if its frequent ones hold this share of the rows."""
NO_LABEL = frozenset({"", "na", "n/a", "nan", "null", "#n/a", "#na", "<na>", "n.a."})
"""Small letters of the cells that mean "no label"."""
PERHAPS_NONE = frozenset({
    *("none", "nil", "missing", "?", "-", "--", "–", "—", ".", "(none)", "<none>", "#null!", "not available"),
    *("なし", "無し", "未回答", "不明", "無", "无", "未知", "없음", "н/д", "нет данных", "n.d.", "n/d", "k.a.", "k. a."),
    *("keine angabe", "ohne angabe"),
})  # fmt: skip
"""Small letters of the cells that may mean it, or be a label like any other."""
Same = bool | Sequence[str] | None
"""Whether labels that look alike are one: for all of them, or the first label of each group that is; None: nobody has said."""
_TRUTHS = {"true": "1", "false": "0"}
_NUMBER = re.compile(r"([-+]?)(0|[1-9]\d*)(?:[.,](\d+))?", re.ASCII)


class AlikeError(DataError):
    """Nobody has said whether labels that look alike are one.

    Attributes:
        groups: Those that look alike, together; each group in the order of the labels.
    """

    def __init__(self, column: str, groups: Sequence[Sequence[str]]) -> None:
        shown = "; ".join(map(name_some, groups[:SHOWN_GROUPS])) + (
            " …" if len(groups) > SHOWN_GROUPS else ""
        )
        super().__init__(
            f"Labels of {column[:80]!r} look alike: {shown}. Say whether they are one label or several."
        )
        self.groups = tuple(map(tuple, groups))


def has_no_label(cells: Iterable[str]) -> np.ndarray:
    """(n,) bool, whether each cell means "no label".

    Args:
        cells: (n,) texts.
    """
    return np.array([_plain(one) in NO_LABEL for one in cells], dtype=bool)


def perhaps_none(texts: Iterable[str]) -> tuple[tuple[str, ...], bool | None]:
    """Labels that may mean "no label", and whether they are labels; ``None``: somebody has to say.

    Beside numbers they are none; beside a single other label they are one, or there would be nothing to tell apart.

    >>> perhaps_none(["0", "1", "None"]), perhaps_none(["mild", "severe", "none"]), perhaps_none(["+", "-"])
    ((('None',), False), (('none',), None), (('-',), True))

    Args:
        texts: The different labels.
    """
    texts = list(texts)
    found = tuple(sorted(one for one in texts if _plain(one) in PERHAPS_NONE))
    others = [one for one in texts if one not in found]
    if not found or len(others) < 2:
        return found, True
    return found, False if all(map(_NUMBER.fullmatch, others)) else None


def read_labels(
    cells: np.ndarray,
    column: str,
    without: tuple[str, ...] = (),
    same: Same = None,
    none_is_label: bool | None = None,
) -> tuple[np.ndarray, list[str]]:
    """The label of each of n rows, (n,) of text, "" where there is none; and what was done to them.

    Args:
        cells: (n,) texts.
        column: Its name.
        without: Labels whose rows are left out.
        same: Whether labels that look alike are one.
        none_is_label: Whether "none" and the like are labels; None where nobody has said.

    Raises:
        AlikeError: nobody has said whether labels that look alike are one.
        DataError: another question has no answer.
    """
    text = np.where(has_no_label(cells), "", cells)
    doubtful, are_labels = perhaps_none(set(text) - {"", *without})
    are_labels = are_labels if none_is_label is None else none_is_label
    notices = []
    if are_labels is None:
        raise DataError(
            f"{name_some(doubtful)} in {column[:80]!r} may be a label, or mean that there is none. Say which is meant."
        )
    if not are_labels:
        text = np.where(np.isin(text, doubtful), "", text)
        notices.append(f"No label: {name_some(doubtful)}.")
    counts = Counter(str(one) for one in text if one)
    names = as_numbers(counts)
    if different := sorted({one for pair in names.items() if pair[0] != pair[1] for one in pair}):
        notices.append(f"The same numbers, so the same labels: {name_some(different)}.")
    alike = look_alike(one for one in counts if one not in without)
    if alike and same is None:
        raise AlikeError(column, alike)
    if alike and same:
        names |= merged({one: count for one, count in counts.items() if one not in without}, same)
    return np.array([names.get(one, one) for one in text], dtype=object), notices


def label_counts(table: Table, name: str) -> dict[str, int]:
    """How often each label occurs, those that are the same number together, without those that mean "no label" by kind.

    Args:
        table: The file.
        name: The label's column.
    """
    text = table.frame[name].to_numpy(dtype=object)
    counts = Counter(text[~has_no_label(text)])
    doubtful, are_labels = perhaps_none(counts)
    for one in doubtful if are_labels is False else ():
        del counts[one]
    names, found = as_numbers(counts), Counter[str]()
    for one, count in counts.items():
        found[names[one]] += count
    return dict(found)


def can_be_label(table: Table, column: Column) -> bool:
    """Whether a column can be what is to be predicted: it has few labels, or few that most of its rows have.

    Args:
        table: The file.
        column: One of its columns.
    """
    if column.levels <= MAX_CLASSES:
        return column.levels >= 2
    if column.kind not in ("category", "text"):
        return False
    counts = label_counts(table, column.name)
    rare = frozenset(rare_labels(counts))
    kept = [count for one, count in counts.items() if one not in rare]
    return len(kept) >= 2 and sum(kept) >= FREQUENT * len(table.frame)


def rare_labels(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Labels that occur once, and those beyond the most frequent that a model can tell apart.

    Args:
        counts: How often each label occurs.
    """
    often = sorted((one for one, count in counts.items() if count > 1), key=lambda one: -counts[one])
    kept = frozenset(often[:MAX_CLASSES])
    return tuple(one for one in counts if one not in kept)


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
    """Labels that differ only in capitals, width, accents' encoding, spaces, a full stop behind, or 1 and true; together.

    Args:
        texts: The different labels.
    """
    together: dict[str, list[str]] = {}
    for one in texts:
        together.setdefault(_folded(one), []).append(one)
    return tuple(tuple(sorted(some)) for some in together.values() if len(some) > 1)


def merged(counts: Mapping[str, int], same: bool | Sequence[str]) -> dict[str, str]:
    """The name of each label that is one with others that look alike: that of the most frequent.

    Args:
        counts: How often each label occurs.
        same: The first label of each group that is one; True: all are.
    """
    names: dict[str, str] = {}
    for some in look_alike(counts):
        if same is True or (same and some[0] in same):
            names |= dict.fromkeys(some, max(some, key=lambda one: counts[one]))
    return names


def _plain(text: str) -> str:
    """In small letters, wide ones as narrow ones."""
    return unicodedata.normalize("NFKC", text).lower()


def _folded(text: str) -> str:
    small = (
        unicodedata.normalize("NFKC", text).casefold().replace("\u0307", "")
    )  # the dot of a Turkish capital I
    plain = " ".join(small.split()).rstrip(" .") or text
    return _TRUTHS.get(plain, plain)
