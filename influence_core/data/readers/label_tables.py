"""A table beside pictures that says what is on each: which column names the files, and which the classes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from influence_core.data.readers.delimited import read
from influence_core.data.readers.labels import Same, perhaps_none, read_labels
from influence_core.data.readers.skipped import SkipReport, shown
from influence_core.data.readers.split_names import TEST, TRAIN, part_of
from influence_core.errors import DataError

SUFFIXES = (".csv", ".tsv")
MAX_BYTES = 50 * 10**6
MOST_LABELS = 100
LABEL_WORDS = (
    *("label", "labels", "class", "classes", "class_name", "classname", "category", "target", "y", "breed", "species"),
    *("diagnosis", "ラベル", "クラス", "分類", "カテゴリ"),
)  # fmt: skip
"""What the column of the labels is called, the surest first."""


@dataclass(frozen=True)
class Labels:
    """What tables say of pictures.

    Attributes:
        title: The table's name.
        column: Of the labels.
        of: The label of each picture by its name.
        parts: The part of the split of each, where a column has one.
        note: A sentence about how it was read.
    """

    title: str
    column: str
    of: dict[str, str]
    parts: dict[str, str]
    note: str


def label_files(root: Path, files: Sequence[str], skipped: SkipReport, same: Same = None) -> Labels | None:
    """What a table among files says of the others; ``None`` where no table names any of them.

    Args:
        root: The folder.
        files: Names inside it.
        skipped: Told which pictures have no label, or two.
        same: Whether labels that look alike are one.

    Raises:
        AlikeError: Nobody has said whether labels that look alike are one.
        DataError: The table cannot be read, several columns may be the label, or several tables name pictures and none is
            called the labels, or train.
    """
    tables = [one for one in files if one.lower().endswith(SUFFIXES)]
    pictures = [one for one in files if one not in tables]
    found = [
        one for one in (_Table.read(root, name, pictures) for name in tables if pictures) if one is not None
    ]
    surest = [one for one in found if one.is_surely_labels]
    if len(surest) == 1:
        found = surest
    if len(found) > 1:
        named = " and ".join(f"“{one.title}”" for one in found)
        raise DataError(f"{named} both name the pictures. Keep one table beside them, with all labels.")
    return found[0].labels(pictures, skipped, same) if found else None


@dataclass(frozen=True)
class _Table:
    """A table of which a column names pictures.

    Attributes:
        title: Its name.
        columns: (k,) their names.
        rows: Its cells.
        at: The column of the files.
        of_row: The picture of each row, or "".
    """

    title: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    at: int
    of_row: list[str]

    @classmethod
    def read(cls, root: Path, name: str, pictures: Sequence[str]) -> _Table | None:
        title = shown(name.rsplit("/", 1)[-1])
        try:
            with (root / name).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            table = read(content, header=True)  # the names of the pictures say whether it has one
        except DataError as error:
            raise DataError(f"The table “{title}” beside the pictures could not be read: {error}") from error
        columns = table.columns
        rows: list[list[str]] = table.frame.astype(str).to_numpy().tolist()
        known = _by_spelling(pictures)
        if any(_by_tail(one, known) for one in columns):  # it has no header
            rows, columns = (
                [list(columns), *rows],
                tuple(f"column {at + 1}" for at in range(len(columns))),
            )
        named = [_pictures_of([row[at] for row in rows], known) for at in range(len(columns))]
        counts = [len({one for one in column if one}) for column in named]
        if not counts or not max(counts):
            return None
        at = counts.index(max(counts))
        return cls(title, columns, rows, at, named[at])

    @property
    def is_surely_labels(self) -> bool:
        """Whether its name says so, beside a table to test on or an example of what to hand in."""
        stem = self.title.rpartition(".")[0]
        return part_of(stem) == TRAIN or "label" in stem.casefold() or "ラベル" in stem

    def labels(self, pictures: Sequence[str], skipped: SkipReport, same: Same) -> Labels:
        """Of the pictures that it names once; those whose cell means "no label" have none."""
        split = self._split()
        others = [at for at in range(len(self.columns)) if at not in (self.at, split)]
        column, texts = self._label_column(others)
        cells, said = self._read(column, texts, same)
        of: dict[str, str] = {}
        parts: dict[str, str] = {}
        twice = set()
        for name, label, row in zip(self.of_row, cells, self.rows, strict=True):
            if not name or not label:
                continue
            if of.setdefault(name, label) != label:
                twice.add(name)
            if split is not None:
                parts[name] = part_of(row[split])
        for name in pictures:
            if name in twice:
                del of[name]
                skipped.add(f"pictures with two labels in {self.title}", name)
            elif name not in of:
                skipped.add(f"files without a label in {self.title}", name)
        lost = sum(not one for one in self.of_row)
        note = (
            f"{self.title} says what is on each picture: its column “{self.columns[self.at]}” names the files, “{column}” the "
            f"classes{f'; {lost:,} of its rows name no file that is here' if lost else ''}."
        )
        return Labels(self.title, column, of, parts, " ".join([note, *said]))

    def _read(self, column: str, texts: list[str], same: Same) -> tuple[np.ndarray, list[str]]:
        """The label of each row that names a picture, "" where there is none; and what was done to them."""
        used = np.where([bool(one) for one in self.of_row], np.array(texts, dtype=object), "")
        _, are_labels = perhaps_none(set(used) - {""})
        return read_labels(used, column, (), same, are_labels is not False)

    def _split(self) -> int | None:
        """The column that says which rows to train on and which to test on."""
        for at in range(len(self.columns)):
            if at != self.at and {part_of(row[at]) for row in self.rows} == {TRAIN, TEST}:
                return at
        return None

    def _label_column(self, others: list[int]) -> tuple[str, list[str]]:
        """Its name, and the label of each row."""
        names = [unicodedata.normalize("NFKC", self.columns[at]).casefold().strip() for at in others]
        called = [others[names.index(word)] for word in LABEL_WORDS if word in names]
        if called or len(others) == 1:
            at = (called or others)[0]
            return self.columns[at], [row[at].strip() for row in self.rows]
        marks = [[row[at].strip() for at in others] for row in self.rows]
        if len(others) > 1 and all(_is_one_of(row) for row in marks):
            return "the one that holds 1", [
                next(self.columns[at] for at, mark in zip(others, row, strict=True) if float(mark))
                for row in marks
            ]
        few = [at for at in others if 1 < len({row[at] for row in self.rows}) <= self._most_labels]
        if len(few) == 1:
            return self.columns[few[0]], [row[few[0]].strip() for row in self.rows]
        named = ", ".join(f"“{self.columns[at]}”" for at in (few or others)[:6])
        raise DataError(
            f"{self.title} has several columns that may be what to predict: {named}. Call the right one “label”, or keep it "
            "alone beside the file's name."
            if others
            else f"{self.title} names the pictures, but has no column beside that says what is on them. Add one, “label”."
        )

    @property
    def _most_labels(self) -> int:
        return min(MOST_LABELS, len(self.rows) // 2)


def _is_one_of(marks: list[str]) -> bool:
    """Whether a row has one 1 and zeros."""
    try:
        values = sorted(float(one) for one in marks)
    except ValueError:
        return False
    return values[-1] == 1 and not any(values[:-1])


def _pictures_of(cells: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """The picture that each cell names, or "": by its path, or by the last parts of one that leads elsewhere.

    By its last parts only where no other cell means the same picture.
    """
    whole = [known.get(_spelled(one), "") for one in cells]
    tails = {one: _by_tail(one, known) for one, here in zip(cells, whole, strict=True) if not here}
    meant = Counter([*tails.values(), *whole])
    return [
        here or ("" if meant[tails[one]] > 1 else tails[one]) for one, here in zip(cells, whole, strict=True)
    ]


def _by_tail(cell: str, known: Mapping[str, str]) -> str:
    """The picture that the last parts of a path name, as many of them as there are; or ""."""
    path = _spelled(cell)
    while path:
        if path in known:
            return known[path]
        path = path.partition("/")[2]
    return ""


def _by_spelling(pictures: Iterable[str]) -> dict[str, str]:
    """Every picture by its name, by the file's alone, and without its ending, where that means one."""
    found: dict[str, str] = {}
    for name in pictures:
        whole = _spelled(name)
        last = whole.rsplit("/", 1)[-1]
        for one in {whole, last, whole.rpartition(".")[0], last.rpartition(".")[0]} - {""}:
            found[one] = "" if found.get(one, name) != name else name
    return found


def _spelled(name: str) -> str:
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./").strip().casefold()
