"""A table of a person's own, turned into a data set: a label column, numbers and categories.

What is done, and nothing else: cells are text until a column is known to hold numbers; numbers are standardised by
the training rows (mean 0, standard deviation 1); a category becomes one 0/1 feature a level, one alone where there are
two levels; an empty category is a level of its own, "(empty)"; an empty number is refused or its row left out, as
chosen; columns with one value are dropped; a constant feature stands for the intercept. A quarter of each label's rows,
drawn with a fixed seed, is kept for testing. Ids are row numbers, 1 for the first row under the header.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from influence_core.data.brought import TABLE
from influence_core.data.examples import DataSet, Examples
from influence_core.data.readers.columns import LEFT_OUT, MAX_LEVELS, Column, numbers_in, survey
from influence_core.data.readers.delimited import Table
from influence_core.data.readers.labels import MAX_CLASSES, Same, read_labels
from influence_core.data.readers.tables import TableRecords, encode, name_some, sorted_levels, standardised
from influence_core.data.readers.totals import without_total
from influence_core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

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
        leave_out: Whether rows without a label or with an unreadable number are left out rather than refused.
        encoding: Of the file, a name of `encodings.ENCODINGS`; "": the most plausible.
        header: Whether its first row names the columns; None where nobody has said.
        readings: What was answered about columns: pairs of a name and "point", "comma" or "text".
        kept: Columns that are features although they seem to name the rows.
        same_labels: Whether labels that look alike are one, as in `labels.Same`.
        without: Labels whose rows are left out.
        none_is_label: Whether "none" and the like are labels rather than none; None where nobody has said.
        without_total: Whether the last row is left out, if it is a total.
    """

    label: str
    group: str = ""
    ignored: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    leave_out: bool = False
    encoding: str = ""
    header: bool | None = None
    readings: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    same_labels: Same = None
    without: tuple[str, ...] = ()
    none_is_label: bool | None = None
    without_total: bool = False


def data_set(table: Table, choices: Choices, title: str = "Your table") -> DataSet:
    """A table as a data set; its notices say what was done to it beyond the rules above.

    Args:
        table: The file.
        choices: What to predict, and how.
        title: The name on the screen.

    Raises:
        DataError: a column that is not there, one that can be read in two ways and was not asked about, a label that is
            none, or features that cannot be made.
    """
    table = without_total(table) if choices.without_total else table
    _check_names(table, choices)
    columns, notices = _columns(table, choices)
    cells = table.frame[choices.label].to_numpy(dtype=object)
    labels, said = read_labels(
        cells, choices.label, choices.without, choices.same_labels, choices.none_is_label
    )
    kept, rows_said = _complete_rows(table, choices, columns, labels)
    notices += said + rows_said
    frame, labels = table.frame[kept], labels[kept]
    classes = _classes(labels, choices.label)
    number_of = {name: label for label, name in enumerate(classes)}
    y = np.array([number_of[text] for text in labels])
    test = split(y)
    x, names, constant = _encoded(frame, columns, test)
    if constant:
        notices.append(f"Left out, because all training rows are alike there: {name_some(constant)}.")
    ids = torch.from_numpy(frame.index.to_numpy(dtype=np.int64, copy=True))
    everything = Examples(x, torch.from_numpy(y), ids)
    return DataSet(
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
        notices=tuple(notices),
    )


def _check_names(table: Table, choices: Choices) -> None:
    for name in (
        choices.label,
        *((choices.group,) if choices.group else ()),
        *choices.ignored,
        *choices.codes,
        *choices.kept,
        *dict(choices.readings),
    ):
        if name not in table.columns:
            raise DataError(f"There is no column {name[:80]!r}. Choose one of {name_some(table.columns)}.")


def _columns(table: Table, choices: Choices) -> tuple[dict[str, Column], list[str]]:
    """What the columns hold that are features, and what was left out."""
    found = survey(table, dict(choices.readings), choices.codes, choices.kept)
    used = [one for one in found if one.name != choices.label and one.name not in choices.ignored]
    for one in used:
        if one.options:
            ways = "; or ".join(str(option) for option in one.options)
            raise DataError(
                f"Column {one.name[:80]!r} can be read in more than one way: {ways}. Say which is meant."
            )
    left_out = [f"Left out {one.name[:80]!r}: {one.why}." for one in used if one.kind in LEFT_OUT]
    return {one.name: one for one in used if one.kind not in LEFT_OUT}, [*table.notices, *left_out]


def _complete_rows(
    table: Table, choices: Choices, columns: Mapping[str, Column], labels: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """(n,) which rows can be used; those that cannot are refused unless they may be left out."""
    given = np.isin(labels, choices.without)
    problems = {choices.label: (labels == "", "holds no label")}
    for name, one in columns.items():
        bad = table.frame.index.isin(one.unreadable)
        problems[name] = (bad & ~given, "holds no finite number")
    incomplete = np.logical_or.reduce([bad for bad, _ in problems.values()])
    kept: np.ndarray = ~(incomplete | given)
    if not kept.any():
        raise DataError(
            "No row is complete: each lacks its label or a number. Ignore the columns that are empty."
        )
    if incomplete.any() and not choices.leave_out:
        name, (bad, what) = next((name, found) for name, found in problems.items() if found[0].any())
        rows = np.flatnonzero(bad)
        cells = ", ".join(f"row {at + 1} ({str(table.frame[name].iloc[at])[:20]!r})" for at in rows[:3])
        more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
        raise DataError(
            f"Column {name[:80]!r} {what} in {cells}{more}. Fill these cells, ignore the column, say that it holds "
            f"codes rather than amounts, or leave such rows out ({int(incomplete.sum()):,} of {len(incomplete):,})."
        )
    notices = []
    if incomplete.any():
        notices.append(f"{int(incomplete.sum()):,} of {len(kept):,} rows are incomplete and were left out.")
    if given.any():
        notices.append(
            f"{int(given.sum()):,} of {len(kept):,} rows have a label that was left out: {name_some(choices.without)}."
        )
    return kept, notices


def _classes(labels: np.ndarray, name: str) -> list[str]:
    """The labels in order, once they are known to be some."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise DataError(
            f"Every row has the same label in {name[:80]!r}. Choose a column with two labels or more."
        )
    if len(counts) > MAX_CLASSES:
        raise DataError(
            f"Column {name[:80]!r} has {len(counts):,} different values; a label has 2 to {MAX_CLASSES}. Leave the rare ones "
            "out, or, if it is an amount, cut it into a few classes first."
        )
    once = [one for one, count in counts.items() if count < 2]
    if once:
        raise DataError(
            f"The label {once[0][:80]!r} occurs once, but one row is needed to train and one to test. Leave it "
            "out or add rows."
        )
    return sorted_levels(list(counts))


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
    frame: pd.DataFrame, columns: Mapping[str, Column], test: np.ndarray
) -> tuple[torch.Tensor, tuple[str, ...], list[str]]:
    """Features (n, d), their names, and columns dropped because they are constant."""
    numbers, categories, constant = _features(frame, columns, test)
    scaled = {
        name: standardised(numbers_in(frame[name], columns[name].decimal), ~test, name) for name in numbers
    }
    return *encode(frame, scaled, categories, constant=True), constant


def _features(
    frame: pd.DataFrame, columns: Mapping[str, Column], test: np.ndarray
) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Columns of numbers, columns of categories with their levels, and columns dropped because they are constant."""
    train = frame[~test]
    constant = [name for name in columns if train[name].nunique() < 2]
    varying = {name: one.kind for name, one in columns.items() if name not in constant}
    numbers = [name for name, kind in varying.items() if kind == "number"]
    categories = {name: _levels(frame, name) for name, kind in varying.items() if kind != "number"}
    if not varying:
        raise DataError(
            "No column is left to predict from. Choose a table with columns that vary and do not only name the rows, or "
            "ignore fewer."
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
