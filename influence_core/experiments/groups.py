"""Groups of a table's rows, told apart by one column: how many there are, and how often the model is wrong on each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from influence_core.data.readers.tables import EMPTY, TableRecords, sorted_levels
from influence_core.errors import DataError, UnsupportedError
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.words import percent

MIN_TESTED = 5
"""Groups with fewer test rows are not suggested."""
MAX_GROUPS = 30
"""A column of numbers with more different values than this is cut into quarters of the rows."""


@dataclass(frozen=True)
class Group:
    """The rows that have one value in one column.

    Attributes:
        column: Its name.
        value: The text, "" for empty cells; for numbers cut into quarters "LOW to HIGH".
    """

    column: str
    value: str

    @property
    def name_in_address(self) -> str:
        """As an address and the command line name it."""
        return f"{self.column}={self.value}"

    @property
    def name(self) -> str:
        """The group in words."""
        return f"{self.column} = {self.value or EMPTY}"


def named_in_address(text: str, columns: Iterable[str]) -> Group:
    """The group that an address or a command names; the longest column that fits is meant, for its name may hold a "=".

    Args:
        text: As `Group.name_in_address` writes it.
        columns: Those that there are.
    """
    fitting = [one for one in columns if text.startswith(f"{one}=")]
    column = max(fitting, key=len, default=text.partition("=")[0])
    return Group(column, text[len(column) + 1 :])


@dataclass(frozen=True)
class Errors:
    """How often the model is wrong on some test rows.

    Attributes:
        rows: How many rows.
        wrong: How many of them get another label than their true one.
    """

    rows: int
    wrong: int

    @property
    def rate(self) -> float:
        """The share of wrong answers; 0 where there are no rows."""
        return self.wrong / self.rows if self.rows else 0.0

    def __str__(self) -> str:
        return f"{self.wrong:,} of {self.rows:,}"

    @property
    def share(self) -> str:
        """The count and its share, in words."""
        return f"{self} ({percent(self.rate)})"


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """A group in the data and under the model.

    Attributes:
        group: Which rows.
        train: ``(classes,)`` training rows of each label.
        test: ``(classes,)`` test rows of each label.
        errors: The model's errors on its test rows.
        elsewhere: The model's errors on all other test rows.
    """

    group: Group
    train: np.ndarray
    test: np.ndarray
    errors: Errors
    elsewhere: Errors


@remember("group columns", stored=False)
def columns(study: Study) -> tuple[str, ...]:
    """The columns that tell groups apart: those with a few different texts, and those that hold numbers.

    Raises:
        UnsupportedError: If the study's data are no table.
    """
    return tuple(one for one in _records(study).columns if _tells_apart(*_texts(study, one)))


def _tells_apart(train: np.ndarray, test: np.ndarray) -> bool:
    different = len({*train, *test})
    few = different <= MAX_GROUPS or _numbers(np.concatenate([train, test])) is not None
    return len(set(train)) > 1 and few


@remember("group counts", stored=False)
def counts(study: Study, column: str) -> tuple[GroupCounts, ...]:
    """Every group that a column tells apart, in the order of its values.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If there is no such column, or it has too many different texts.
    """
    names, train, test = _parts(study, column)
    return tuple(_counted(study, Group(column, one), train == one, test == one) for one in names)


def count(study: Study, group: Group, like: Study | None = None) -> GroupCounts:
    """One group; numbers are cut into the quarters of ``like``'s rows.

    Raises:
        DataError: If the group has no test row.
    """
    return _counted(study, group, *_tested(study, group, like))


def suggest(study: Study, column: str = "") -> Group:
    """The group that the data's story is about; of a column alone, its group that the model fails on most.

    Groups with few test rows are passed over where there are others: there, one mistake is a large share.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If no column tells groups apart.
    """
    about, value = study.data.group or ("", "")
    if value and column in ("", about):
        return Group(about, value)
    known = (column or about,) if column or about else columns(study)
    if not known:
        raise DataError("No column of this table tells groups apart: each has one value or too many.")
    found = counts(study, known[0])
    enough = [one for one in found if one.errors.rows >= MIN_TESTED] or list(found)
    return max(enough, key=lambda one: (one.errors.rate, one.errors.rows)).group


def members(study: Study, group: Group, like: Study | None = None) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` and ``(t,)`` which training and test rows are of the group; numbers are cut as in ``like``.

    Raises:
        DataError: If no row is.
    """
    names, train, test = _parts(study, group.column, like)
    if group.value not in names:
        raise DataError(
            f"No row has {group.name}; choose one of {', '.join(name or EMPTY for name in names)}."
        )
    return train == group.value, test == group.value


def tested_values(study: Study, column: str) -> tuple[list[str], np.ndarray]:
    """The groups that a column tells apart, in order, and the one of each test row, ``(t,)``.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If there is no such column, or it has too many different texts.
    """
    names, _, test = _parts(study, column)
    return names, test


@remember("mistakes in a group", stored=False)
def mistakes(study: Study, group: Group, whole: Study | None = None) -> np.ndarray:
    """Ids ``(m,)`` of the group's test rows that the model gets wrong, the surest answer first.

    Where the model that was trained on all rows is given, the rows that it gets right come before the others.
    """
    known, test = study.predictions, members(study, group)[1]
    at = known.misclassified()
    at = at[test[at]]
    if whole is not None and len(at):
        by_whole = whole.probabilities(study.data.test.x[at]).argmax(1)
        at = at[np.argsort(by_whole != known.labels[at], kind="stable")]
    return known.ids[at]


@remember("least sure of a group", stored=False)
def least_sure(study: Study, group: Group) -> np.ndarray:
    """Ids ``(m,)`` of the group's test rows, the least sure answer first.

    Raises:
        DataError: If the group has no test row.
    """
    known, test = study.predictions, _tested(study, group)[1]
    at = known.least_confident()
    return known.ids[at[test[at]]]


def _records(study: Study) -> TableRecords:
    if not isinstance(study.data.records, TableRecords):
        raise UnsupportedError("Groups are told apart by the columns of a table; choose a study on a table.")
    return study.data.records


def _parts(study: Study, column: str, like: Study | None = None) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The groups' values in order, and the value of every training and test row; numbers are cut as in ``like``."""
    (train, test), reference = _texts(study, column), _texts(like or study, column)
    names = sorted_levels([*reference[0], *reference[1]])
    if len(names) <= MAX_GROUPS:
        return names, train, test
    numbers = _numbers(np.concatenate([train, test, *reference]))
    if numbers is None:
        raise DataError(
            f"Column {column[:80]!r} has {len(names):,} different texts, too many to be groups. Choose a column with at "
            f"most {MAX_GROUPS}, or one that holds numbers."
        )
    ends = np.cumsum([len(train), len(test)])
    mine, others, all_ = np.split(numbers, ends)
    edges = np.unique(np.quantile(all_, [0, 0.25, 0.5, 0.75, 1]))
    names = _ranges(edges)
    of_train, of_test = (
        np.array(names, dtype=object)[np.digitize(one, edges[1:-1])] for one in (mine, others)
    )
    return names, of_train, of_test


def _texts(study: Study, column: str) -> tuple[np.ndarray, np.ndarray]:
    """What every training and test row has in a column."""
    records, data = _records(study), study.data
    return records.column(column, data.train.ids), records.column(column, data.test.ids)


def _numbers(values: np.ndarray) -> np.ndarray | None:
    """Texts as numbers; None where some are not finite numbers."""
    try:
        found = values.astype(float)
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def _ranges(edges: np.ndarray) -> list[str]:
    """Names of the ranges between edges, in as few digits as keep the edges apart."""
    digits = next(one for one in range(4, 18) if len({f"{edge:.{one}g}" for edge in edges}) == len(edges))
    texts = [f"{edge:.{digits}g}" for edge in edges]
    return [f"{low} to {high}" for low, high in zip(texts[:-1], texts[1:], strict=True)]


def _tested(study: Study, group: Group, like: Study | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The group's rows as in ``members``, once it is known to have a test row."""
    train, test = members(study, group, like)
    if not test.any():
        raise DataError(f"No test row has {group.name}. Choose another group.")
    return train, test


def _counted(study: Study, group: Group, train: np.ndarray, test: np.ndarray) -> GroupCounts:
    known, classes = study.predictions, len(study.data.class_names)
    return GroupCounts(
        group,
        np.bincount(study.data.train.y.numpy()[train], minlength=classes),
        np.bincount(known.labels[test], minlength=classes),
        *(Errors(int(rows.sum()), int(known.wrong[rows].sum())) for rows in (test, ~test)),
    )
