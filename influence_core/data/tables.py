"""A table of a person's own, turned into a data set: a label column, numbers and categories.

What is done, and nothing else: cells are text until a column is known to hold numbers; numbers are standardised by
the training rows (mean 0, standard deviation 1); a category becomes one 0/1 feature a level, one alone where there are
two levels; an empty category is a level of its own, "(empty)"; an empty number is refused or its row left out, as
chosen; columns with one value are dropped; a constant feature stands for the intercept. A quarter of each label's rows,
drawn with a fixed seed, is kept for testing. Ids are row numbers, 1 for the first row under the header.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from influence_core.data.digest import digest
from influence_core.data.examples import DataSet, Examples
from influence_core.errors import DataError
from influence_core.store import Store

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 50 * 10**6
MOST_COLUMNS = 1_000
MOST_LEVELS = 100
MOST_CLASSES = 50
MOST_FEATURES = 2_000
MOST_NUMBERS = 2**25
"""Features times rows that are kept: 268 MB."""
MOSTLY = 0.9
"""A column holds numbers if at least this share of its cells that are not empty are numbers."""
TEST_SHARE = 0.25
SEED = 0
EMPTY = "(empty)"
CONSTANT = "(constant)"
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
FORMAT = 1
"""Raised when a kept table comes to mean something else."""

Encoding = Literal["utf-8", "latin-1"]
Kind = Literal["number", "category", "constant"]
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+(?:[eE][-+]?\d+)?\s*")


@dataclass(frozen=True, eq=False)
class Table:
    """A file as text.

    Attributes:
        frame: (n, columns) of text without spaces around it; the index counts the rows from 1.
        separator: What stood between the cells.
    """

    frame: pd.DataFrame
    separator: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.frame.columns)

    def survey(self) -> tuple[Column, ...]:
        """What each column holds."""
        return tuple(_survey(self, name) for name in self.columns)


@dataclass(frozen=True, eq=False)
class Column:
    """What a column holds.

    Attributes:
        name: Its name.
        kind: "number", "category" or "constant" (one value only).
        levels: How many different values it has, the empty one included.
        unreadable: Rows that hold no finite number although the column holds numbers.
        examples: Its first few different values.
    """

    name: str
    kind: Kind
    levels: int
    unreadable: tuple[int, ...]
    examples: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether it can be a feature as it is."""
        return self.kind != "category" or self.levels <= MOST_LEVELS


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


class TableRecords:
    """The rows of a table by id.

    Args:
        frame: (n, columns) of text, its index the ids.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._frame.columns)

    def read(self, id: int) -> Mapping[str, str]:
        """The row called `id`, by column."""
        return {str(name): str(value) for name, value in self._frame.loc[id].items()}

    def column(self, name: str, ids: Tensor) -> np.ndarray:
        """The text of one column for the rows called `ids` (m,), as an object array (m,).

        Raises:
            DataError: there is no such column.
        """
        if name not in self._frame.columns:
            raise DataError(f"There is no column {name[:80]!r}. Choose one of {_some(self.columns)}.")
        rows = self._frame.index.get_indexer(ids.cpu().numpy())
        return self._frame[name].to_numpy(dtype=object)[rows]


# ------------------------------------------------------------------------------------------------ reading


def read_file(path: Path, encoding: Encoding = "utf-8") -> Table:
    """The table in a file; see `read`.

    Raises:
        DataError: there is no such file, it is too large, or not a table.
    """
    try:
        size = path.stat().st_size
        _check_size(size)
        return read(path.read_bytes(), encoding)
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror}. Check its name.") from error


def read(content: bytes, encoding: Encoding = "utf-8") -> Table:
    """Read a table with a header row; its cells stay text.

    Args:
        content: The file: UTF-8 or UTF-16 with a byte-order mark, cells separated by comma, semicolon, tab or bar.
        encoding: "latin-1" for a file of Western Europe that is not UTF-8.

    Raises:
        DataError: it is too large, not text, or not a table; the message says where and what to do.
    """
    _check_size(len(content))
    text = _decode(content, encoding)
    separator = _separator(text)
    header, rows = _check_structure(text, separator)
    frame = _frame(text, separator)
    if frame.shape != (rows, len(header)):
        raise DataError("The table could not be read: its quotation marks are not in order. Save it again as CSV.")
    frame.columns = header
    frame.index = range(1, rows + 1)
    return Table(frame, separator)


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise DataError(
            f"The file has {size / 10**6:,.0f} MB; at most {MOST_BYTES // 10**6} MB can be read. "
            "Keep a part of its rows or columns."
        )
    if size == 0:
        raise DataError("The file is empty. Choose a CSV file with a header row and at least a few rows.")


def _decode(content: bytes, encoding: Encoding) -> str:
    """The file as text."""
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError("This is a workbook or an archive, not a CSV file. Save the sheet as “CSV UTF-8”.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding_used = "utf-16"
    else:
        encoding_used = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        text = content.decode(encoding_used)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"The file is not {encoding_used.removesuffix('-sig').upper()}: line {line} holds the byte "
            f"0x{content[error.start]:02X}. Save it as UTF-8, or read it as Latin-1 if it comes from an older "
            "program of Western Europe."
        ) from error
    head = text[:100_000]
    if sum(ord(one) < 32 and one not in "\t\r\n\f" for one in head) > 0:
        raise DataError("The file is not text. Choose a CSV file.")
    return text


def _separator(text: str) -> str:
    """The separator that cuts the header into most cells; a comma where they draw."""
    first = next((line for line in text.split("\n", 20) if line.strip()), "")
    counts = {one: len(_cells(first, one)) for one in SEPARATORS}
    return max(counts, key=counts.__getitem__)


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _check_structure(text: str, separator: str) -> tuple[list[str], int]:
    """Header and number of rows, once every row is known to be as long as the header."""
    lines = _lines(text, separator)
    header = [name.strip() for name in next(lines, [])]
    _check_header(header)
    rows = 0
    for rows, cells in enumerate(lines, 1):
        if len(cells) != len(header):
            raise DataError(
                f"Row {rows} has {len(cells)} cells, but the header has {len(header)} (separated by "
                f"{SEPARATORS[separator]}). Mend that row; a cell that holds a {SEPARATORS[separator]} needs quotation "
                "marks around it."
            )
    if rows == 0:
        raise DataError("The table has a header, but no rows. Choose one with at least a few rows.")
    return header, rows


def _lines(text: str, separator: str) -> Iterator[list[str]]:
    """The lines that are not blank, cut into cells."""
    try:
        yield from filter(None, csv.reader(StringIO(text, newline=""), delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise DataError(f"The table could not be read: {error}. Save it again as CSV.") from error


def _check_header(header: list[str]) -> None:
    if len(header) < 2:
        raise DataError(
            "Only one column was found. Separate the columns by commas, semicolons, tabs or bars, and name them in "
            "the first row."
        )
    if len(header) > MOST_COLUMNS:
        raise DataError(f"The table has {len(header):,} columns; at most {MOST_COLUMNS:,} can be read. Keep fewer.")
    if "" in header:
        raise DataError(f"Column {header.index('') + 1} has no name. Name every column in the first row.")
    twice = [name for at, name in enumerate(header) if name in header[:at]]
    if twice:
        raise DataError(f"Two columns are called {twice[0][:80]!r}. Give every column a name of its own.")


def _frame(text: str, separator: str) -> pd.DataFrame:
    import pandas as pd  # takes half a second to import, and pictures do not need it

    frame = pd.read_csv(
        StringIO(text, newline=""),
        sep=separator,
        dtype="str",
        keep_default_na=False,  # or "None" and "NA" would be taken for missing
        na_filter=False,
        skipinitialspace=True,
        index_col=False,
    )
    return frame.apply(lambda column: column.str.strip())


# ---------------------------------------------------------------------------------------------- looking


def _survey(table: Table, name: str) -> Column:
    text = table.frame[name]
    values = text.unique()
    kind, bad = _kind(table, name, codes=())
    rows = tuple(int(row) for row in text.index[bad]) if kind == "number" else ()
    return Column(name, kind, len(values), rows, tuple(str(value)[:40] for value in values[:3]))


def _kind(table: Table, name: str, codes: Sequence[str]) -> tuple[Kind, np.ndarray]:
    """The kind of a column, and (n,) which cells hold no finite number."""
    text = table.frame[name]
    levels = text.nunique()
    numbers = _numbers(text, table.separator)
    bad = ~np.isfinite(numbers)
    if levels < 2:
        return "constant", bad
    filled = (text != "").to_numpy()
    is_number = name not in codes and (~bad).sum() >= max(1, MOSTLY * filled.sum()) and levels > 2
    return ("number" if is_number else "category"), bad


def _numbers(text: pd.Series, separator: str) -> np.ndarray:
    """The cells as float64 (n,), NaN where they are no numbers; with semicolons between them, 1,5 is a number too."""
    import pandas as pd

    if separator == ";":
        european = text.str.fullmatch(_DECIMAL_COMMA)
        text = text.where(~european, text.str.replace(",", ".", regex=False))
    return pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)


def sorted_levels(values: Sequence[str]) -> list[str]:
    """Different texts in the order people expect: whole numbers by size, then the rest by letters."""

    def key(text: str) -> tuple[bool, int, str]:
        whole = re.fullmatch(r"-?\d{1,18}", text) is not None
        return (not whole, int(text) if whole else 0, text)

    return sorted({str(value) for value in values}, key=key)


# --------------------------------------------------------------------------------------------- the data set


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
        name: _kind(table, name, choices.codes)
        for name in table.columns
        if name != choices.label and name not in choices.ignored
    }
    kept, notices = _complete_rows(table, choices, kinds)
    frame = table.frame[kept]
    classes = _classes(frame[choices.label], choices.label)
    y = np.array([classes.index(text) for text in frame[choices.label]])
    test = split(y)
    numbers, categories, constant = _features(frame, kinds, test)
    if constant:
        notices.append(f"Left out, because all training rows are alike there: {_some(constant)}.")
    columns = [_standard(_numbers(frame[name], table.separator), ~test) for name in numbers]
    x, names = encode(frame, dict(zip(numbers, columns, strict=True)), categories, constant=True)
    ids = torch.from_numpy(frame.index.to_numpy(dtype=np.int64))
    everything = Examples(x, torch.from_numpy(y), ids)
    made = DataSet(
        name="table",
        title=title,
        train=everything.take(np.flatnonzero(~test)),
        test=everything.take(np.flatnonzero(test)),
        class_names=tuple(classes),
        image_shape=None,
        kind="row",
        feature_names=names,
        records=TableRecords(frame),
        group=(choices.group, "") if choices.group else None,
    )
    return made, tuple(notices)


def _check_names(table: Table, choices: Choices) -> None:
    for name in (choices.label, *((choices.group,) if choices.group else ()), *choices.ignored, *choices.codes):
        if name not in table.columns:
            raise DataError(f"There is no column {name[:80]!r}. Choose one of {_some(table.columns)}.")


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
        raise DataError("No row is complete: each lacks its label or a number. Ignore the columns that are empty.")
    if not choices.leave_out:
        name, (bad, what) = next((name, found) for name, found in problems.items() if found[0].any())
        rows = np.flatnonzero(bad)
        cells = ", ".join(f"row {at + 1} ({str(table.frame[name].iloc[at])[:20]!r})" for at in rows[:3])
        more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
        raise DataError(
            f"Column {name[:80]!r} {what} in {cells}{more}. Fill these cells, ignore the column, or leave such rows "
            f"out ({int(incomplete.sum()):,} of {len(incomplete):,})."
        )
    return ~incomplete, [f"{int(incomplete.sum()):,} of {len(incomplete):,} rows are incomplete and were left out."]


def _classes(text: pd.Series, name: str) -> list[str]:
    """The labels in order, once they are known to be some."""
    counts = text.value_counts()
    if len(counts) < 2:
        raise DataError(f"Every row has the same label in {name[:80]!r}. Choose a column with two labels or more.")
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f"Column {name[:80]!r} has {len(counts):,} different values; a label has 2 to {MOST_CLASSES}. If it is an "
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


def _features(
    frame: pd.DataFrame, kinds: Mapping[str, tuple[Kind, np.ndarray]], test: np.ndarray
) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Columns of numbers, columns of categories with their levels, and columns dropped because they are constant."""
    train = frame[~test]
    constant = [name for name in kinds if train[name].nunique() < 2]
    numbers = [name for name, (kind, _) in kinds.items() if kind == "number" and name not in constant]
    categories: dict[str, list[str]] = {}
    for name, (kind, _) in kinds.items():
        if kind == "category" and name not in constant:
            levels = sorted_levels(list(frame[name].unique()))
            if len(levels) > MOST_LEVELS:
                raise DataError(
                    f"Column {name[:80]!r} has {len(levels):,} different texts; a category has at most {MOST_LEVELS}. "
                    "Ignore it if it only names the rows, or put its rare texts together."
                )
            categories[name] = levels
    if not numbers and not categories:
        raise DataError("No column is left to predict from. Choose a table with columns that vary, or ignore fewer.")
    width = len(numbers) + sum(len(levels) for levels in categories.values()) + 1
    if width > MOST_FEATURES or width * len(frame) > MOST_NUMBERS:
        raise DataError(
            f"The columns make {width:,} features for {len(frame):,} rows; at most {MOST_FEATURES:,} features and "
            f"{MOST_NUMBERS:,} numbers in all can be held. Ignore the columns with most categories, or keep fewer rows."
        )
    return numbers, categories, constant


def _standard(numbers: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the training rows."""
    return (numbers - numbers[train].mean()) / numbers[train].std()


def encode(
    frame: pd.DataFrame,
    numbers: Mapping[str, np.ndarray],
    categories: Mapping[str, Sequence[str]],
    constant: bool = False,
) -> tuple[Tensor, tuple[str, ...]]:
    """Features x (n, d) and their names: the numbers as they are, then a 0/1 feature for each level of each category.

    Args:
        frame: (n, columns) of text.
        numbers: Features by name, (n,) each.
        categories: Levels by column; of two levels the first has no feature.
        constant: Whether a feature that is always 1 ends the row.
    """
    import pandas as pd

    shown = {name: list(levels[1:] if len(levels) == 2 else levels) for name, levels in categories.items()}
    width = len(numbers) + sum(map(len, shown.values())) + constant
    x, names = np.zeros((len(frame), width)), list(numbers)
    for at, column in enumerate(numbers.values()):
        x[:, at] = column
    for name, levels in shown.items():
        codes = pd.Categorical(frame[name], categories=levels).codes
        rows = np.flatnonzero(codes >= 0)
        x[rows, len(names) + codes[rows]] = 1
        names += [f"{name} = {level or EMPTY}" for level in levels]
    if constant:
        x[:, -1] = 1
        names.append(CONSTANT)
    return torch.from_numpy(x), tuple(names)


def thin(data: DataSet, column: str, value: str, label: int) -> DataSet:
    """The data with one training row left of those that have this label and this value; it is the last of them.

    Raises:
        DataError: there is no such column, or no such row.
    """
    records, train = data.records, data.train
    assert isinstance(records, TableRecords)
    inside = (records.column(column, train.ids) == value) & (train.y.numpy() == label)
    if not inside.any():
        raise DataError(f"No training row has {column} = {value} and the label {data.class_names[label]}.")
    kept = ~inside
    kept[np.flatnonzero(inside)[-1]] = True
    return replace(data, train=train.take(np.flatnonzero(kept)))


# ------------------------------------------------------------------------------------------ uploads, kept


@dataclass(frozen=True)
class Kept:
    """An uploaded table as the store has it.

    Attributes:
        key: Its name in the store: a digest of the file and the choices.
        title: The name on the screen.
        choices: What was said about it.
        classes: How many labels it has.
        n: How many training rows.
    """

    key: str
    title: str
    choices: Choices
    classes: int
    n: int


def keep(store: Store, content: bytes, choices: Choices, title: str) -> Kept:
    """Keep a table, once it is known to make a data set.

    Raises:
        DataError: it makes none, or the store cannot keep it.
    """
    made, _ = data_set(read(content, choices.encoding), choices)
    key = digest("table", FORMAT, content, asdict(choices))[:32]
    facts = {"title": title, "choices": asdict(choices), "classes": len(made.class_names), "n": len(made.train)}
    whole = store.put(_content_key(key), {"content": np.frombuffer(content, np.uint8)}, {})
    if not (whole and store.put(key, {}, facts)):
        raise DataError("The table could not be kept on this machine's disk: " + " ".join(store.notices()))
    return Kept(key, title, choices, len(made.class_names), len(made.train))


def recall(store: Store, key: str) -> Kept:
    """What was said about a kept table.

    Raises:
        DataError: the store no longer has it.
    """
    entry = store.get(key)
    if entry is None or "choices" not in entry.meta:
        raise _forgotten()
    choices = {name: tuple(one) if isinstance(one, list) else one for name, one in entry.meta["choices"].items()}
    meta = entry.meta
    return Kept(key, meta["title"], Choices(**choices), meta["classes"], meta["n"])


def load(store: Store, key: str) -> DataSet:
    """The data set of a kept table.

    Raises:
        DataError: the store no longer has it.
    """
    kept, entry = recall(store, key), store.get(_content_key(key))
    if entry is None:
        raise _forgotten()
    content = entry.arrays["content"].tobytes()
    return data_set(read(content, kept.choices.encoding), kept.choices, kept.title)[0]


def _content_key(key: str) -> str:
    return digest("table's content", key)


def _forgotten() -> DataError:
    return DataError(
        "This machine no longer has that table: kept results make room for newer ones, or it was uploaded elsewhere. "
        "Upload it again."
    )


def _some(names: Sequence[str]) -> str:
    """A few names, in quotes."""
    shown = ", ".join(repr(name[:40]) for name in names[:8])
    return shown + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
