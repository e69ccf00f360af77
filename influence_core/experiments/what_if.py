"""What if these training examples were different? Any group, any edit, forecast and proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from influence_core.agreement import Agreement
from influence_core.context import ALONE, Context
from influence_core.errors import DataError
from influence_core.experiments import group_forecast, take_out, track_record
from influence_core.experiments.explain import Explanation
from influence_core.experiments.group_forecast import GroupForecast
from influence_core.experiments.take_out import TakeOut
from influence_core.experiments.track_record import TrackRecord
from influence_core.retraining.edits import Edit
from influence_core.store.remember import remember
from influence_core.studies import Study

Kind = Literal["remove", "relabel", "reweight"]
KINDS: tuple[Kind, ...] = ("remove", "relabel", "reweight")
RULES = ("for", "against", "class", "random")
"""Which examples make a group."""
HEAVIEST = 10.0
GROUPS = 12
"""Groups of the same size that show how far the forecast of a group may be believed."""


@dataclass(frozen=True)
class Change:
    """What happens to a group of training examples.

    Attributes:
        kind: "remove", "relabel" or "reweight".
        label: The new label of a relabelled group.
        weight: The new weight of a reweighted group, in multiples of its present ``1/n``.
    """

    kind: Kind = "remove"
    label: int | None = None
    weight: float = 0.0

    def edit(self, study: Study, positions: Sequence[int]) -> Edit:
        """The edit of the examples at ``positions (m,)``.

        Raises:
            DataError: If there is no such change, label or weight, or no example to change.
        """
        at = torch.as_tensor(positions, dtype=torch.long).reshape(-1)
        if not len(at):
            raise DataError(f"Choose at least one training {study.data.kind}.")
        if self.kind == "remove":
            return Edit.removal(at)
        if self.kind == "relabel":
            names = study.data.class_names
            if self.label is None or not 0 <= self.label < len(names):
                raise DataError(f"Choose the new label, a number from 0 to {len(names) - 1}.")
            return Edit.relabel(at, torch.full((len(at),), self.label))
        if self.kind != "reweight":
            raise DataError(f"There is no change “{str(self.kind)[:40]}”; choose one of {', '.join(KINDS)}.")
        if not 0 <= self.weight <= HEAVIEST:
            raise DataError(f"A weight must be between 0 and {HEAVIEST:g}, but is {self.weight:g}.")
        return Edit(at, weight=self.weight)

    def changes(self, labels: np.ndarray) -> bool:
        """Whether it does anything to examples with these labels."""
        if self.kind == "relabel":
            return bool((labels != self.label).any())
        return self.kind == "remove" or self.weight != 1.0

    def words(self, class_names: Sequence[str]) -> str:
        """What is done, as the end of a sentence."""
        if self.kind == "relabel":
            return f"labelled {class_names[self.label]}" if self.label is not None else "labelled anew"
        return "taken out" if self.kind == "remove" else f"counted {self.weight:g} times"


def group(explanation: Explanation, which: str, size: int, label: int = 0, seed: int = 0) -> np.ndarray:
    """Positions of a group chosen by a rule.

    Args:
        explanation: The scores.
        which: "for" or "against" (the strongest on one side), "class" (all of one label) or "random".
        size: How many, except for a class.
        label: The label of "class".
        seed: Of "random".

    Raises:
        DataError: If there is no such rule.
    """
    if which == "for":
        return explanation.helpful(size)
    if which == "against":
        return explanation.harmful(size)
    if which == "class":
        return np.flatnonzero(explanation.labels == label)
    if which == "random":
        return np.random.default_rng(seed).permutation(len(explanation.ids))[:size]
    raise DataError(f"There is no group “{which[:40]}”; choose one of {', '.join(RULES)}.")


@remember("what if, forecast", stored=False)
def forecast(
    study: Study,
    explanation: Explanation,
    positions: Sequence[int],
    change: Change,
    *,
    context: Context = ALONE,
) -> GroupForecast:
    """The predicted change of the test loss if the change is made, of all together and of each alone, added up.

    Args:
        study: The trained model.
        explanation: The question.
        positions: ``(m,)`` the group.
        change: What happens to it.
        context: Its engines' dense factor makes small groups faster.

    Raises:
        DataError: If the change cannot be made.
    """
    return group_forecast.run(study, explanation, change.edit(study, positions), context=context)


def record(
    study: Study,
    explanation: Explanation,
    positions: Sequence[int],
    change: Change,
    forecast: GroupForecast,
    *,
    context: Context,
) -> TrackRecord | None:
    """How forecasts like this one have come out in this study so far; ``None`` before enough were, or where it is a sum.

    Raises:
        DataError: If the change cannot be made.
    """
    edit = change.edit(study, positions)
    if forecast.together is None:
        return None
    return track_record.read(study, explanation, edit, forecast.together, context=context)


@remember("what if", stored=False)
def run(
    study: Study,
    explanation: Explanation,
    positions: Sequence[int],
    change: Change,
    *,
    context: Context = ALONE,
) -> TakeOut:
    """Forecast and truth of one change of one group.

    Args:
        study: The trained model.
        explanation: The question.
        positions: ``(m,)`` the group.
        change: What happens to it.
        context: Its engines' dense factor makes retraining faster.

    Raises:
        DataError: If the change cannot be made, or would leave a class without examples.
    """
    return take_out.run_edit(study, explanation, change.edit(study, positions), context=context)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Forecast and truth of several groups of one size, for one change.

    Attributes:
        size: Examples in each group.
        forecast: ``(g,)`` nats, of all together where the model has such a forecast.
        alone: ``(g,)`` nats, of each alone, added up.
        actual: ``(g,)`` nats, after training again.
        converged: Whether every retraining reached its gradient norm.
    """

    size: int
    forecast: np.ndarray
    alone: np.ndarray
    actual: np.ndarray
    converged: bool

    @property
    def agreement(self) -> Agreement:
        """Of forecast and truth over the groups."""
        return Agreement.of(self.forecast, self.actual)

    @property
    def agreement_alone(self) -> Agreement:
        """Of the sums and the truth."""
        return Agreement.of(self.alone, self.actual)


@remember("calibration", stored=False)
def calibrate(
    study: Study, explanation: Explanation, size: int, change: Change, *, context: Context = ALONE
) -> Calibration:
    """Change other groups of the same size in the same way: strongest for, strongest against, and random ones.

    The sum of a group's members is usually too small, yet keeps its order; the slopes of the agreements say by how much.
    Groups that the change leaves as they are tell nothing and are left out.

    Raises:
        DataError: If the change cannot be made.
    """
    rules = [("for", 0), ("against", 0), *(("random", seed) for seed in range(1, GROUPS - 1))]
    found = []
    for step, (which, seed) in enumerate(rules):
        at = group(explanation, which, size, seed=seed)
        if len(at) and change.changes(explanation.labels[at]):
            share = context.step(step, len(rules))
            found.append(run(study, explanation, at.tolist(), change, context=share))
    return Calibration(
        size,
        np.array([one.forecast.best for one in found]),
        np.array([one.forecast.alone for one in found]),
        np.array([one.actual for one in found]),
        all(one.converged for one in found),
    )
