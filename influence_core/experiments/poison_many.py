"""How often poison works: the attack on many test images one by one, resumed where it was left (Figure 5's counts)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from influence_core.context import ALONE, Context
from influence_core.errors import DataError, require
from influence_core.experiments import poison
from influence_core.experiments.poison import MAX_POISONED, NARROW, Attack, Poisoned, supports
from influence_core.experiments.questions import ask_truth
from influence_core.store import NO_STORE
from influence_core.store.remember import remember
from influence_core.studies import Study

SIZES = (1, 2, 3, 5, 10)
"""The paper's numbers of pictures: the best alone and the second alone, then the best two, three, five, ten."""
PAPER_SHARES = {1: 0.57, 2: 0.77, 10: 0.998}
"""The paper's flipped share of 591 test images, by number of pictures."""


@dataclass(frozen=True)
class Attempt:
    """One set of pictures against one test image.

    Attributes:
        ids: Training ids changed.
        ranks: Their ranks in the shortlist, from 1.
        turned: Whether the answer turned, after real retraining.
        after: Probability of the true label in the end.
        control: The same with random signs.
        predicted: Predicted loss change of the first step, nats.
        actual: The true one.
        loss_change: Loss change in the end, nats.
        control_change: The same with random signs.
        steps: Steps taken.
        gradient_norm: The largest of all models on the way.
        invisible: Whether the pictures round to the originals.
        seconds: Time taken.
    """

    ids: tuple[int, ...]
    ranks: tuple[int, ...]
    turned: bool
    after: float
    control: float
    predicted: float
    actual: float
    loss_change: float
    control_change: float
    steps: int
    gradient_norm: float
    invisible: bool
    seconds: float

    @property
    def size(self) -> int:
        """How many pictures."""
        return len(self.ids)


@dataclass(frozen=True)
class Outcome:
    """All tries against one test image, in their order; the first success is the last.

    Attributes:
        test_id: The test image.
        before: Probability of its true label before.
        tries: The sets of pictures tried.
    """

    test_id: int
    before: float
    tries: tuple[Attempt, ...]

    def turned_with(self, size: int) -> bool:
        """Whether some set of at most so many pictures turned the answer."""
        return any(one.turned and one.size <= size for one in self.tries)

    @property
    def turned_by_first(self) -> bool:
        """Whether the best picture alone did."""
        return self.tries[0].turned


@dataclass(frozen=True)
class Shares:
    """Outcomes of many test images.

    Attributes:
        outcomes: One a test image.
        attack: The settings.
        sizes: Numbers of pictures tried.
    """

    outcomes: tuple[Outcome, ...]
    attack: Attack
    sizes: tuple[int, ...]

    def flipped(self, size: int) -> float:
        """Share turned by at most so many pictures; one picture is the best or the second (as in the paper's code)."""
        return float(np.mean([one.turned_with(size) for one in self.outcomes]))

    @property
    def flipped_by_first(self) -> float:
        """Share turned by the best picture alone."""
        return float(np.mean([one.turned_by_first for one in self.outcomes]))

    @property
    def tries(self) -> list[Attempt]:
        """Every try."""
        return [one for outcome in self.outcomes for one in outcome.tries]


def sets(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Positions in the shortlist, in the order they are tried: one picture is the best alone, then the second alone.

    Raises:
        DataError: A size is not between 1 and ten.
    """
    if not sizes or not all(1 <= one <= MAX_POISONED for one in sizes):
        raise DataError(f"Sets have 1 to {MAX_POISONED} pictures, not {list(sizes)}.")
    found: list[tuple[int, ...]] = []
    for size in sorted(set(sizes)):
        found += [(0,), (1,)] if size == 1 else [tuple(range(size))]
    return found


def answered_rightly(study: Study, seed: int = 0) -> list[int]:
    """Test ids with a right answer, shuffled by a seed: any first part of them is a fair sample."""
    known = study.predictions
    right = np.flatnonzero(~known.wrong)
    return known.ids[np.random.default_rng(seed).permutation(right)].tolist()


@remember("poison outcome")
def attack_one(
    study: Study,
    test_id: int,
    attack: Attack = NARROW,
    sizes: Sequence[int] = SIZES,
    *,
    context: Context = ALONE,
) -> Outcome:
    """Every set of pictures in its order until the answer of one test image turns; the pictures are not kept.

    Raises:
        UnsupportedError: If the study has no backbone.
        DataError: If there is no such test image.
    """
    require(supports(study.spec))
    question = ask_truth(study, test_id)
    known = poison.shortlist(study, [question], context=context.part(0.0, 0.1))
    rest, members_of, tries = replace(context.part(0.1, 1.0), store=NO_STORE), sets(sizes), []
    for done, members in enumerate(members_of):
        ids = known.ids[[one for one in members if one < len(known.ids)]].tolist()
        result = poison.run(study, [question], ids, attack, context=rest.step(done, len(members_of)))
        tries.append(_attempt(result, members))
        if tries[-1].turned:
            break
    return Outcome(test_id, float(result.before[0]), tuple(tries))


@remember("poison shares", stored=False)
def run(
    study: Study,
    test_ids: Sequence[int],
    attack: Attack = NARROW,
    sizes: Sequence[int] = SIZES,
    *,
    context: Context = ALONE,
) -> Shares:
    """The attack on each test image, considered separately; a second run goes on where the first was stopped.

    Args:
        study: A model on a frozen backbone.
        test_ids: Test images, answered rightly.
        attack: The settings.
        sizes: Numbers of pictures.
        context: Its store keeps each outcome as soon as it is there.

    Raises:
        UnsupportedError: If the study has no backbone.
        DataError: If no test image is named, or an unknown one.
    """
    if not len(test_ids):
        raise DataError("Name at least one test image to attack.")
    found: list[Outcome] = []
    for done, test_id in enumerate(test_ids):
        each, turned = context.step(done, len(test_ids)), sum(one.tries[-1].turned for one in found)
        each.report(0.0, f"{turned} of {done} test images turned")
        found.append(attack_one(study, test_id, attack, sizes, context=each))
    return Shares(tuple(found), attack, tuple(sizes))


def table(shares: Shares) -> dict[str, np.ndarray]:
    """One row a try; the CSV download holds exactly these."""
    rows = [(outcome, one) for outcome in shares.outcomes for one in outcome.tries]
    return {
        "test_id": np.array([outcome.test_id for outcome, _ in rows]),
        "pictures": np.array([one.size for _, one in rows]),
        "training_ids": np.array([" ".join(map(str, one.ids)) for _, one in rows]),
        "probability_before": np.array([outcome.before for outcome, _ in rows]),
        "probability_after": np.array([one.after for _, one in rows]),
        "probability_control": np.array([one.control for _, one in rows]),
        "turned": np.array([one.turned for _, one in rows]),
        "steps": np.array([one.steps for _, one in rows]),
        "gradient_norm": np.array([one.gradient_norm for _, one in rows]),
    }


def _attempt(result: Poisoned, members: Sequence[int]) -> Attempt:
    return Attempt(
        ids=tuple(result.ids.tolist()),
        ranks=tuple(one + 1 for one in members),
        turned=bool(result.turned[0]),
        after=float(result.after[0]),
        control=float(result.control[0]),
        predicted=result.predicted,
        actual=result.actual,
        loss_change=result.loss_change,
        control_change=result.control_change,
        steps=result.steps,
        gradient_norm=float(result.gradient_norms.max()),
        invisible=result.invisible,
        seconds=result.seconds,
    )
