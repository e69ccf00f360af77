"""A table of a person's own, turned into a data set: a label column, numbers and categories.

What is done, and nothing else: cells are text until a column is known to hold numbers; numbers are standardised by
the training rows (mean 0, standard deviation 1); a category becomes one 0/1 feature a level, one alone where there are
two levels; an empty category is a level of its own, "(empty)"; an empty number is refused or its row left out, as
chosen; columns with one value are dropped; a constant feature stands for the intercept. A quarter of each label's rows,
drawn with a fixed seed, is kept for testing. Ids are row numbers, 1 for the first row under the header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from influence_core.data.brought import TABLE
from influence_core.data.examples import DataSet, Examples
from influence_core.data.readers.columns import MAX_LEVELS, Kind, kind_of, numbers_in
from influence_core.data.readers.delimited import Encoding, Table
from influence_core.data.readers.tables import TableRecords, encode, name_some, sorted_levels, standardised
from influence_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

MAX_CLASSES = 50
MAX_FEATURES = 2_000
MAX_NUMBERS = 2**25
"""Features times rows that are kept: 268 MB."""
TEST_SHARE = 0.25
SEED = 0


@dataclass(frozen=True)
class Choices:
    """What a person says about a table.

    Attributes:
        label: The column to predict.
        group: The column that tells the groups apart whose errors are compared, or "".
        ignored: Columns that are no features.
        codes: Columns of numbers that are names of categories.
        leave_out: Whether rows with an empty label or an unreadable number are left out rather than refused.
        encoding: Of the file.
    """

    label: str
    group: str = ""
    ignored: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    leave_out: bool = False
    encoding: Encoding = "utf-8"


def data_set(table: Table, choices: Choices, title: str = "Your table") -> tuple[DataSet, tuple[str, ...]]:
    """A table as a data set, and one sentence for each thing that was done to it beyond the rules above.

    Args:
        table: The file.
        choices: What to predict, and how.
        title: The name on the screen.

    Raises:
        DataError: a column that is not there, a label that is none, or features that cannot be made.
    """
    _check_names(table, choices)
    kinds = {
        name: kind_of(table, name, choices.codes)
        for name in table.columns
        if name != choices.label and name not in choices.ignored
    }
    kept, notices = _complete_rows(table, choices, kinds)
    frame = table.frame[kept]
    classes = _classes(frame[choices.label], choices.label)
    number_of = {name: label for label, name in enumerate(classes)}
    y = np.array([number_of[text] for text in frame[choices.label]])
    test = split(y)
    x, names, constant = _encoded(frame, table.separator, kinds, test)
    if constant:
        notices.append(f"Left out, because all training rows are alike there: {name_some(constant)}.")
    ids = torch.from_numpy(frame.index.to_numpy(dtype=np.int64, copy=True))
    everything = Examples(x, torch.from_numpy(y), ids)
    made = DataSet(
        name=TABLE,
        title=title,
        train=everything.take(torch.from_numpy(~test).nonzero()[:, 0]),
        test=everything.take(torch.from_numpy(test).nonzero()[:, 0]),
        class_names=tuple(classes),
        image_shape=None,
        kind="row",
        feature_names=names,
        records=TableRecords(frame),
        group=(choices.group, "") if choices.group else None,
    )
    return made, tuple(notices)


def _check_names(table: Table, choices: Choices) -> None:
    for name in (
        choices.label,
        *((choices.group,) if choices.group else ()),
        *choices.ignored,
        *choices.codes,
    ):
        if name not in table.columns:
            raise DataError(f"There is no column {name[:80]!r}. Choose one of {name_some(table.columns)}.")


def _complete_rows(
    table: Table, choices: Choices, kinds: Mapping[str, tuple[Kind, np.ndarray]]
) -> tuple[np.ndarray, list[str]]:
    """(n,) which rows can be used; those that cannot are refused unless they may be left out."""
    problems = {choices.label: ((table.frame[choices.label] == "").to_numpy(), "is empty")}
    problems |= {
        name: (bad, "holds no finite number") for name, (kind, bad) in kinds.items() if kind == "number"
    }
    incomplete = np.logical_or.reduce([bad for bad, _ in problems.values()])
    if not incomplete.any():
        return ~incomplete, []
    if incomplete.all():
        raise DataError(
            "No row is complete: each lacks its label or a number. Ignore the columns that are empty."
        )
    if not choices.leave_out:
        name, (bad, what) = next((name, found) for name, found in problems.items() if found[0].any())
        rows = np.flatnonzero(bad)
        cells = ", ".join(f"row {at + 1} ({str(table.frame[name].iloc[at])[:20]!r})" for at in rows[:3])
        more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
        raise DataError(
            f"Column {name[:80]!r} {what} in {cells}{more}. Fill these cells, ignore the column, say that it holds "
            f"codes rather than amounts, or leave such rows out ({int(incomplete.sum()):,} of {len(incomplete):,})."
        )
    return ~incomplete, [
        f"{int(incomplete.sum()):,} of {len(incomplete):,} rows are incomplete and were left out."
    ]


def _classes(text: pd.Series, name: str) -> list[str]:
    """The labels in order, once they are known to be some."""
    counts = text.value_counts()
    if len(counts) < 2:
        raise DataError(
            f"Every row has the same label in {name[:80]!r}. Choose a column with two labels or more."
        )
    if len(counts) > MAX_CLASSES:
        raise DataError(
            f"Column {name[:80]!r} has {len(counts):,} different values; a label has 2 to {MAX_CLASSES}. If it is an "
            "amount, cut it into a few classes first."
        )
    once = counts.index[counts < 2]
    if len(once):
        raise DataError(
            f"The label {str(once[0])[:80]!r} occurs once, but one row is needed to train and one to test. Leave it "
            "out or add rows."
        )
    return sorted_levels(list(counts.index))


def split(y: np.ndarray, share: float = TEST_SHARE, seed: int = SEED) -> np.ndarray:
    """Which rows are for testing: of each label `share` of its rows, at least one, drawn with a fixed seed.

    Args:
        y: (n,) labels, each at least twice.
        share: Of each label's rows.
        seed: Of the draw.

    Returns:
        (n,) bool.
    """
    rng = np.random.default_rng(seed)
    test = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        test[rows[: max(1, round(share * len(rows)))]] = True
    return test


def _encoded(
    frame: pd.DataFrame, separator: str, kinds: Mapping[str, tuple[Kind, np.ndarray]], test: np.ndarray
) -> tuple[torch.Tensor, tuple[str, ...], list[str]]:
    """Features (n, d), their names, and columns dropped because they are constant."""
    numbers, categories, constant = _features(frame, kinds, test)
    scaled = {name: standardised(numbers_in(frame[name], separator), ~test, name) for name in numbers}
    return *encode(frame, scaled, categories, constant=True), constant


def _features(
    frame: pd.DataFrame, kinds: Mapping[str, tuple[Kind, np.ndarray]], test: np.ndarray
) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Columns of numbers, columns of categories with their levels, and columns dropped because they are constant."""
    train = frame[~test]
    constant = [name for name in kinds if train[name].nunique() < 2]
    varying = {name: kind for name, (kind, _) in kinds.items() if name not in constant}
    numbers = [name for name, kind in varying.items() if kind == "number"]
    categories = {name: _levels(frame, name) for name, kind in varying.items() if kind != "number"}
    if not varying:
        raise DataError(
            "No column is left to predict from. Choose a table with columns that vary, or ignore fewer."
        )
    width = len(numbers) + sum(map(len, categories.values())) + 1
    if width > MAX_FEATURES or width * len(frame) > MAX_NUMBERS:
        raise DataError(
            f"The columns make {width:,} features for {len(frame):,} rows; at most {MAX_FEATURES:,} features and "
            f"{MAX_NUMBERS:,} numbers in all can be held. Ignore the columns with most categories, or keep fewer rows."
        )
    return numbers, categories, constant


def _levels(frame: pd.DataFrame, name: str) -> list[str]:
    """The different texts of a category in order, once they are known to be few."""
    found = frame[name].unique()
    if len(found) > MAX_LEVELS:
        raise DataError(
            f"Column {name[:80]!r} has {len(found):,} different texts; a category has at most {MAX_LEVELS}. Ignore it "
            "if it only names the rows, or put its rare texts together."
        )
    return sorted_levels(list(found))
