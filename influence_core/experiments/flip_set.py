"""A set of training examples without which, or with another label of which, a model's answer is another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from influence_core.experiments.explanation import Explanation
from influence_core.store.digest import digest
from influence_core.words import seconds, three_digits


@dataclass(frozen=True, eq=False)
class FlipSet:
    """The set, and what is proven of it. It is never called the smallest: no smaller one was found.

    Attributes:
        ids: ``(m,)`` of the training examples, the one that pulls most first.
        labels: ``(m,)`` the labels that they are given, where they are relabelled; empty where they are taken out.
        relabel: Whether they are relabelled rather than taken out.
        x: ``(d,)`` the input that is asked about.
        said: The model's answer to it.
        says: The answer with the edits: another one where ``flipped``.
        flipped: Whether the answer is what it was to become, after training again with all the edits.
        forecast: Whether the set is a forecast alone, as for networks, whose one retraining says whether it was right.
        proven: Whether the retrained model is so near its optimum that the optimum's own answer is certain.
        minimal: Whether no single example can be put back: shown for the least needed ones by training again with each, for
            the others by forecasts far clearer than those came out wrong.
        margins: By how much the answer that must go is ahead of the one that must come, before and with the edits: for a
            model with probabilities log-odds, in nats. Below 0 it has gone.
        bound: How far the second margin can be from that of the true optimum: ``||grad margin|| ||grad R|| / l2``.
        gradient_norm: ``||grad R||`` with the edits.
        before: ``(classes,)`` probabilities; empty for a model that gives none.
        after: ``(classes,)`` with the edits.
        unpruned: Examples in the set before those that are not needed were put back.
        rounds: Batches that were taken, each with training and a new ranking.
        restored: ``(k, 2)`` margin, and its bound, after putting back one of the ``k`` least needed examples and training.
        n: Training examples.
        seconds: Time for the search.
        from_store: Whether it was read rather than computed just now.
    """

    ids: np.ndarray
    labels: np.ndarray
    relabel: bool
    x: np.ndarray
    said: int
    says: int
    flipped: bool
    forecast: bool
    proven: bool
    minimal: bool
    margins: tuple[float, float]
    bound: float
    gradient_norm: float
    before: np.ndarray
    after: np.ndarray
    unpruned: int
    rounds: int
    restored: np.ndarray
    n: int
    seconds: float
    from_store: bool = False

    @cached_property
    def content(self) -> str:
        """A digest of the question and the set."""
        return digest(self.x, self.ids, self.labels, self.relabel, self.said, self.says)

    @property
    def size(self) -> int:
        """How many examples are edited."""
        return len(self.ids)

    @property
    def share(self) -> float:
        """Of all training examples."""
        return self.size / self.n

    @property
    def unmoved(self) -> bool:
        """Whether no training example has a pull on the answer, as on a text of which no word is known."""
        return not (self.size or self.flipped or self.forecast)


def sentence(
    found: FlipSet, explanation: Explanation, names: Sequence[str] | None = None, strong: str = ""
) -> str:
    """What it takes, by training again; a forecast is called one.

    Args:
        found: The set.
        explanation: Whose answer it turns.
        names: Of the labels, where they are written in another way than as they are.
        strong: Stands around what matters most.
    """
    label = f"{strong}{(names or explanation.class_names)[found.says]}{strong}"
    all_ = f"{strong}{found.size:,} of {found.n:,} {explanation.examples}{strong}"
    edited = f"{'With another label on' if found.relabel else 'Without'} {all_}"
    if found.forecast and not found.size:
        return f"By a first-order forecast, not even all {explanation.examples} together would change the answer."
    if found.forecast:
        came = "one retraining agrees" if found.flipped else "but after one retraining it does not"
        return f"{edited} it is forecast to say something else; {came} ({label})."
    if found.unmoved:
        return f"None of the {found.n:,} {explanation.examples} has any influence on this answer, so nothing changes it."
    if not found.flipped:
        return f"No set was found that changes the answer: {edited[0].lower()}{edited[1:]} it still says {label}."
    return f"{edited} it would say {label}."


def proof(found: FlipSet) -> str:
    """How the set was found and what of it is proven, in sentences."""
    norm = three_digits(found.gradient_norm)
    if found.unmoved:
        return "Nothing was taken out, so nothing had to be proven."
    if found.forecast:
        came = "right" if found.flipped else "wrong"
        return (
            "For a network this is a forecast: one first-order ranking, and one retraining, which says that it came out "
            f"{came}, to a gradient norm of {norm}. {seconds(found.seconds)}."
        )
    certain = (
        "so near the end that the answer is certain" if found.proven else "NOT near enough to be certain"
    )
    words = f"Trained again to a gradient norm of {norm}, {certain}. "
    if found.minimal:
        tried = len(found.restored)
        others = "" if tried == found.size else f" the {tried} least needed, forecast for the others"
        words += f"No smaller set was found; none of them can be put back: tried with training for{others or ' each'}. "
    return f"{words}{found.rounds} rounds, {found.unpruned:,} before putting back, {seconds(found.seconds)}."


def table(found: FlipSet, given: np.ndarray, class_names: tuple[str, ...]) -> dict[str, Any]:
    """The set as columns, for the CSV download.

    Args:
        found: The set.
        given: ``(m,)`` the training labels of its examples.
        class_names: What labels mean.
    """
    names = np.array(class_names)
    columns = {"rank": np.arange(1, found.size + 1), "training_id": found.ids, "label": names[given]}
    if found.relabel:
        columns["new_label"] = names[found.labels]
    return columns
