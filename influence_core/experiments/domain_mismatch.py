"""Why does the model fail on this group: do its few training rows make it so (the paper's section 5.3)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from influence_core import data
from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.experiments import groups, take_out
from influence_core.experiments.explain import Explanation
from influence_core.experiments.groups import Group, GroupCounts
from influence_core.experiments.take_out import TakeOut
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec


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
        """Largest effect of the training rows outside the group, nats."""
        return float(np.abs(self.explanation.shown[~self.in_group]).max(initial=0.0))

    @property
    def leading(self) -> int:
        """How many of the group's rows come before the first row of any other by effect."""
        return int((np.abs(self.explanation.shown[self.in_group]) > self.largest_elsewhere).sum())

    def group_rows(self) -> np.ndarray:
        """Positions of the group's training rows, the largest effect first."""
        order = self.top(len(self.in_group))
        return order[self.in_group[order]]

    def top(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the training rows with the largest effect."""
        return strongest(self.explanation.shown, k)

    def times_next(self, at: int) -> float:
        """How many times as large the effect of the training row at ``at`` is as the largest outside the group."""
        return float(abs(self.explanation.shown[at])) / max(self.largest_elsewhere, np.finfo(float).tiny)

    def largest_coefficients(self, k: int) -> np.ndarray:
        """Positions ``(<= k,)`` of the features with the largest coefficients, whatever their sign."""
        return strongest(self.coefficients, k)

    @property
    def group_features(self) -> tuple[int, ...]:
        """Positions of the features that tell the group: its own, or where there is none all of its column."""
        names, group = self.feature_names, self.counts.group
        own = tuple(at for at, name in enumerate(names) if name == group.name)
        column = (group.column, f"{group.column} = ")
        return own or tuple(
            at for at, name in enumerate(names) if name == column[0] or name.startswith(column[1])
        )


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if data.is_table(spec.data):
        return None
    return "Groups are told apart by the columns of a table. Open a study on a table, or use a table of your own."


@remember("domain mismatch", stored=False)
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
        counts=groups.count(study, group),
        whole=None if whole is None else groups.count(whole, group, study),
        explanation=explanation,
        whole_probabilities=by_whole,
        in_group=groups.members(study, group)[0],
        feature_names=study.data.feature_names,
        coefficients=coefficients[:, 0 if one_output else explanation.label],
        coefficient_label=names[1] if one_output else explanation.label_name,
    )


@remember("remove each", stored=False)
def remove_each(
    study: Study, explanation: Explanation, train_ids: Sequence[int], *, context: Context = ALONE
) -> tuple[TakeOut, ...]:
    """What really happens when each of some training rows is taken out on its own; see ``take_out.run``."""
    return tuple(
        take_out.run(study, explanation, [one], context=context.step(at, len(train_ids)))
        for at, one in enumerate(train_ids)
    )
