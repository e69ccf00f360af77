"""Why does the model fail on this group: do its few training rows make it so (the paper's section 5.3)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.data.readers.tables import EMPTY, TableRecords, sorted_levels
from influence_core.engines import Prepared
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import take_out
from influence_core.experiments.explain import Explanation
from influence_core.experiments.take_out import TakeOut
from influence_core.predictions import Predictions
from influence_core.progress import Progress, part
from influence_core.store import Store
from influence_core.studies import Study, StudySpec

TABLES = ("diabetes", "diabetes-thinned", "hospital", "hospital-thinned", "table")
"""Data sets that are tables; the last is a visitor's."""
FEW = 5
"""Groups with fewer test rows are not suggested."""
MOST_GROUPS = 30
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
    def name(self) -> str:
        """The group in words."""
        return f"{self.column} = {self.value or EMPTY}"


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


@dataclass(frozen=True, eq=False)
class DomainMismatch:
    """A group's story: its counts and errors, one test row of it, and what its training rows have to do with it.

    Attributes:
        counts: The group under the study's model.
        whole: The group under the model that was trained on all rows, where the study lacks some.
        explanation: The scores for the test row's true label.
        whole_probabilities: ``(classes,)`` of the test row, by the model that was trained on all rows.
        in_group: ``(n,)`` which training rows are of the group.
        feature_names: ``(d,)``.
        coefficients: ``(d,)`` of the linear model; plus = a higher value speaks for ``coefficient_label``.
        coefficient_label: Name of the label that the coefficients speak for.
    """

    counts: GroupCounts
    whole: GroupCounts | None
    explanation: Explanation
    whole_probabilities: np.ndarray | None
    in_group: np.ndarray
    feature_names: tuple[str, ...]
    coefficients: np.ndarray
    coefficient_label: str

    @property
    def largest_elsewhere(self) -> float:
        """Largest ``|D|`` of the training rows outside the group, nats."""
        return float(np.abs(self.explanation.scores[~self.in_group]).max(initial=0.0))

    @property
    def leading(self) -> int:
        """How many of the group's rows come before the first row of any other by ``|D|``."""
        return int((np.abs(self.explanation.scores[self.in_group]) > self.largest_elsewhere).sum())

    def group_rows(self) -> np.ndarray:
        """Positions of the group's training rows, the largest ``|D|`` first."""
        order = self.top(len(self.in_group))
        return order[self.in_group[order]]

    def top(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the training rows with the largest ``|D|``."""
        return np.argsort(-np.abs(self.explanation.scores), kind="stable")[:k]

    def times_next(self, at: int) -> float:
        """How many times as large ``|D|`` of the training row at ``at`` is as the largest outside the group."""
        return float(abs(self.explanation.scores[at])) / max(self.largest_elsewhere, np.finfo(float).tiny)

    def largest_coefficients(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the features with the largest coefficients, whatever their sign."""
        return np.argsort(-np.abs(self.coefficients), kind="stable")[:k]

    @property
    def group_features(self) -> tuple[int, ...]:
        """Positions of the features that tell the group: its own, or where there is none all of its column."""
        names, group = self.feature_names, self.counts.group
        own = tuple(at for at, name in enumerate(names) if name == group.name)
        column = (group.column, f"{group.column} = ")
        return own or tuple(
            at for at, name in enumerate(names) if name == column[0] or name.startswith(column[1])
        )


def columns(study: Study) -> tuple[str, ...]:
    """The columns that tell groups apart: those with a few different texts, and those that hold numbers.

    Raises:
        UnsupportedError: If the study's data are no table.
    """
    return tuple(one for one in _records(study).columns if _tells_apart(*_texts(study, one)))


def _tells_apart(train: np.ndarray, test: np.ndarray) -> bool:
    different = len({*train, *test})
    few = different <= MOST_GROUPS or _numbers(np.concatenate([train, test])) is not None
    return len(set(train)) > 1 and few


def groups(study: Study, column: str) -> tuple[GroupCounts, ...]:
    """Every group that a column tells apart, in the order of its values.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If there is no such column, or it has too many different texts.
    """
    names, train, test = _parts(study, column)
    known = study.predictions
    return tuple(_count(study, known, Group(column, one), train == one, test == one) for one in names)


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
    found = groups(study, known[0])
    enough = [one for one in found if one.errors.rows >= FEW] or list(found)
    return max(enough, key=lambda one: (one.errors.rate, one.errors.rows)).group


def mistakes(study: Study, group: Group, whole: Study | None = None) -> np.ndarray:
    """Ids ``(m,)`` of the group's test rows that the model gets wrong, the surest answer first.

    Where the model that was trained on all rows is given, the rows that it gets right come before the others.
    """
    known, test = study.predictions, _members(study, group)[1]
    at = known.misclassified()
    at = at[test[at]]
    if whole is not None and len(at):
        by_whole = whole.probabilities(study.data.test.x[at]).argmax(1)
        at = at[np.argsort(by_whole != known.labels[at], kind="stable")]
    return known.ids[at]


def least_sure(study: Study, group: Group) -> np.ndarray:
    """Ids ``(m,)`` of the group's test rows, the least sure answer first.

    Raises:
        DataError: If the group has no test row.
    """
    known, test = study.predictions, _tested(study, group)[1]
    at = known.least_confident()
    return known.ids[at[test[at]]]


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.data in TABLES:
        return None
    return "Groups are told apart by the columns of a table. Open a study on a table, or use a table of your own."


def run(study: Study, group: Group, explanation: Explanation, whole: Study | None = None) -> DomainMismatch:
    """The story of a group, told by one test row.

    Args:
        study: A linear model of a table.
        group: Whose errors are in question.
        explanation: The answer to a question about a test row.
        whole: The study with the training rows that this one lacks.

    Raises:
        UnsupportedError: If the study's data are no table.
        DataError: If the group has no test row.
    """
    o, names = study.objective, study.data.class_names
    one_output = o.loss.outputs == 1
    coefficients = study.theta.cpu().numpy().reshape(-1, o.loss.outputs)
    by_whole = None if whole is None else whole.probabilities(torch.as_tensor(explanation.x)[None])[0]
    return DomainMismatch(
        counts=_story(study, group),
        whole=None if whole is None else _story(whole, group, study),
        explanation=explanation,
        whole_probabilities=by_whole,
        in_group=_members(study, group)[0],
        feature_names=study.data.feature_names,
        coefficients=coefficients[:, 0 if one_output else explanation.label],
        coefficient_label=names[1] if one_output else explanation.label_name,
    )


def remove_each(
    study: Study,
    explanation: Explanation,
    train_ids: Sequence[int],
    prepared: Prepared | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> tuple[TakeOut, ...]:
    """What really happens when each of some training rows is taken out on its own; see ``take_out.run``."""
    found = []
    for at, one in enumerate(train_ids):
        share = part(progress, at / len(train_ids), (at + 1) / len(train_ids))
        found.append(take_out.run(study, explanation, [one], prepared, store, share))
    return tuple(found)


def _records(study: Study) -> TableRecords:
    if not isinstance(study.data.records, TableRecords):
        raise UnsupportedError("Groups are told apart by the columns of a table; choose a study on a table.")
    return study.data.records


def _parts(study: Study, column: str, like: Study | None = None) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The groups' values in order, and the value of every training and test row; numbers are cut as in ``like``."""
    (train, test), reference = _texts(study, column), _texts(like or study, column)
    names = sorted_levels([*reference[0], *reference[1]])
    if len(names) <= MOST_GROUPS:
        return names, train, test
    numbers = _numbers(np.concatenate([train, test, *reference]))
    if numbers is None:
        raise DataError(
            f"Column {column[:80]!r} has {len(names):,} different texts, too many to be groups. Choose a column with at "
            f"most {MOST_GROUPS}, or one that holds numbers."
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


def _members(study: Study, group: Group, like: Study | None = None) -> tuple[np.ndarray, np.ndarray]:
    """``(n,)`` and ``(t,)`` which training and test rows are of the group."""
    names, train, test = _parts(study, group.column, like)
    if group.value not in names:
        raise DataError(
            f"No row has {group.name}; choose one of {', '.join(name or EMPTY for name in names)}."
        )
    return train == group.value, test == group.value


def _tested(study: Study, group: Group, like: Study | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The group's rows as in ``_members``, once it is known to have a test row."""
    train, test = _members(study, group, like)
    if not test.any():
        raise DataError(f"No test row has {group.name}. Choose another group.")
    return train, test


def _story(study: Study, group: Group, like: Study | None = None) -> GroupCounts:
    train, test = _tested(study, group, like)
    return _count(study, study.predictions, group, train, test)


def _count(
    study: Study, known: Predictions, group: Group, train: np.ndarray, test: np.ndarray
) -> GroupCounts:
    classes, wrong = len(study.data.class_names), known.predicted != known.labels
    return GroupCounts(
        group,
        np.bincount(study.data.train.y.numpy()[train], minlength=classes),
        np.bincount(known.labels[test], minlength=classes),
        *(Errors(int(rows.sum()), int(wrong[rows].sum())) for rows in (test, ~test)),
    )
