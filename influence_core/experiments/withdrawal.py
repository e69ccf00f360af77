"""All rows of one person, site or annotator withdrawn: which they are, and which answers lean on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from influence_core.data.readers.tables import EMPTY, TableRecords, name_some, sorted_levels
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments.before_after import BeforeAfter
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.studies.changes import Change


@dataclass(frozen=True)
class Holder:
    """Whoever has rows: one value of a column.

    Attributes:
        value: As it stands in the table.
        train: Training rows.
        test: Test rows.
    """

    value: str
    train: int
    test: int

    @property
    def name(self) -> str:
        """The value in words."""
        return self.value or EMPTY


@remember("columns of holders", stored=False)
def columns(study: Study) -> tuple[str, ...]:
    """The columns of which a value stands in several training rows and not in all; no value is cut into ranges.

    Raises:
        UnsupportedError: If the study's data are no table.
    """
    return tuple(
        one for one in _records(study).columns if 1 < len(set(_values(study, one)[0])) < len(study.data.train)
    )


@remember("holders", stored=False)
def holders(study: Study, column: str) -> tuple[Holder, ...]:
    """Everybody with training rows, in the order of their values.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If there is no such column.
    """
    train, test = _values(study, column)
    return tuple(
        Holder(one, int((train == one).sum()), int((test == one).sum()))
        for one in sorted_levels(list(set(train)))
    )


def positions(study: Study, column: str, value: str) -> np.ndarray:
    """The training positions ``(m,)`` of the rows with a value.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If there is no such column, or no training row has the value.
    """
    found = np.flatnonzero(_values(study, column)[0] == value)
    if not len(found):
        raise DataError(f"No training row has “{value[:60] or EMPTY}” in the column “{column[:60]}”.")
    return found


def named(study: Study, text: str = "") -> tuple[str, Holder]:
    """The column and whose rows are meant.

    Args:
        study: Of a table.
        text: "column=value"; a column alone means who has most rows in it, nothing the column that the data's story is about,
            or the first.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If there is no such column, or nobody of that name has training rows.
    """
    known = columns(study)
    if not known:
        raise DataError(
            "In no column of this table several rows share a value, so that nobody's rows can be told."
        )
    about = study.data.group[0] if study.data.group else ""
    text = text or (about if about in known else known[0])
    for column in sorted(known, key=len, reverse=True):
        if text == column:
            return column, max(holders(study, column), key=lambda one: one.train)
        if text.startswith(f"{column}="):
            value = text.removeprefix(f"{column}=")
            positions(study, column, value)  # refuses in words whom there is not
            return column, next(one for one in holders(study, column) if one.value == value)
    asked = text.partition("=")[0][:60]
    raise DataError(
        f"There is no column “{asked}” whose values several rows share; choose one of {name_some(known)}."
    )


def changes(study: Study, at: np.ndarray) -> tuple[Change, ...]:
    """The removal of the training rows at positions ``(m,)``."""
    return tuple(Change("remove", one) for one in study.data.train.ids[at].tolist())


def leaning(result: BeforeAfter, k: int) -> np.ndarray:
    """Positions ``(<= k,)`` of the answers whose first label loses most probability, the largest loss first."""
    lost = losses(result)
    order = np.argsort(-lost, kind="stable")[:k]
    return order[lost[order] > 0]


def losses(result: BeforeAfter) -> np.ndarray:
    """``(t,)`` how much probability the label that was said before loses."""
    rows = np.arange(len(result.ids))
    return result.before[rows, result.said_before] - result.after[rows, result.said_before]


def _records(study: Study) -> TableRecords:
    if not isinstance(study.data.records, TableRecords):
        raise UnsupportedError("Who withdraws is told by a column of a table; choose a study on a table.")
    return study.data.records


def _values(study: Study, column: str) -> tuple[np.ndarray, np.ndarray]:
    """What every training and test row has in a column."""
    records, data = _records(study), study.data
    return records.column(column, data.train.ids), records.column(column, data.test.ids)
