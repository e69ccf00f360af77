"""How often poison works: the attack on many test images one by one, resumed where it was left (Figure 5's counts)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.errors import DataError
from influence_core.experiments import poison
from influence_core.experiments.poison import Attack, Poisoned
from influence_core.experiments.questions import ask
from influence_core.progress import Progress, part, report
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study

SIZES = (1, 2, 3, 5, 10)
"""The paper's numbers of pictures: the best alone and the second alone, then the best two, three, five, ten."""
PAPER_SHARES = {1: 0.57, 2: 0.77, 10: 0.998}
"""The paper's flipped share of 591 test images, by number of pictures."""


@dataclass(frozen=True)
class Try:
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
    tries: tuple[Try, ...]

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
    def tries(self) -> list[Try]:
        """Every try."""
        return [one for outcome in self.outcomes for one in outcome.tries]


def sets(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Places in the shortlist, in the order they are tried: one picture is the best alone, then the second alone.

    Raises:
        DataError: A size is not between 1 and ten.
    """
    if not sizes or not all(1 <= one <= poison.MOST_POISONED for one in sizes):
        raise DataError(f"Sets have 1 to {poison.MOST_POISONED} pictures, not {list(sizes)}.")
    found: list[tuple[int, ...]] = []
    for size in sorted(set(sizes)):
        found += [(0,), (1,)] if size == 1 else [tuple(range(size))]
    return found


def answered_rightly(study: Study, seed: int = 0) -> list[int]:
    """Test ids with a right answer, shuffled by a seed: any first part of them is a fair sample."""
    test = study.data.test
    right = np.flatnonzero(study.probabilities(test.x).argmax(1) == test.y.numpy())
    return test.ids.numpy()[np.random.default_rng(seed).permutation(right)].tolist()


def attack_one(
    study: Study,
    test_id: int,
    attack: Attack,
    sizes: Sequence[int] = SIZES,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Every set of pictures in its order until the answer of one test image turns; its outcome is kept.

    Raises:
        DataError: There is no such test image.
    """
    test = study.data.test
    label = int(test.y[test.position(test_id)])
    key = digest(
        "poison outcome", FORMAT, study.key, str(study.theta.device), test_id, asdict(attack), list(sizes)
    )
    kept = store.get(key) if store else None
    if kept is not None:
        return _outcome(kept.meta)
    question = ask(study, test_id, label)
    known = poison.shortlist(study, [question], store=store, progress=part(progress, 0.0, 0.1))
    places, tries = sets(sizes), []
    for done, members in enumerate(places):
        told = part(progress, 0.1 + 0.9 * done / len(places), 0.1 + 0.9 * (done + 1) / len(places))
        ids = known.ids[[one for one in members if one < len(known.ids)]].tolist()
        result = poison.run(study, [question], ids, attack, progress=told)
        tries.append(_try(result, members))
        if tries[-1].turned:
            break
    found = Outcome(test_id, float(result.before[0]), tuple(tries))
    if store:
        store.put(key, {}, asdict(found))
    return found


def run(
    study: Study,
    test_ids: Sequence[int],
    attack: Attack | None = None,
    sizes: Sequence[int] = SIZES,
    store: Store | None = None,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Shares:
    """The attack on each test image, considered separately; a second run goes on where the first was stopped.

    Args:
        study: A model on a frozen backbone.
        test_ids: Test images, answered rightly.
        attack: The settings.
        sizes: Numbers of pictures.
        store: Where each outcome is kept, as soon as it is there.
        keep: A JSON file that is written again after each outcome, with the protocol.
        progress: Called along the way.

    Raises:
        DataError: No test image is named, or an unknown one.
    """
    if not len(test_ids):
        raise DataError("Name at least one test image to attack.")
    attack = attack or Attack()
    found: list[Outcome] = []
    for done, test_id in enumerate(test_ids):
        turned = sum(one.tries[-1].turned for one in found)
        report(progress, done / len(test_ids), f"{turned} of {done} test images turned")
        told = part(progress, done / len(test_ids), (done + 1) / len(test_ids))
        found.append(attack_one(study, test_id, attack, sizes, store, told))
        shares = Shares(tuple(found), attack, tuple(sizes))
        if keep:
            keep.write_text(json.dumps(as_json(study, shares), indent=1) + "\n", encoding="utf-8")
    return shares


def as_json(study: Study, shares: Shares) -> dict[str, Any]:
    """Protocol, counts and every outcome."""
    attack = shares.attack
    return {
        "study": study.spec.name,
        "data": study.data.title,
        "backbone": study.spec.backbone,
        "n": study.objective.n,
        "l2": study.spec.l2,
        "protocol": {
            **asdict(attack),
            "alpha": attack.stride,
            "sizes": list(shares.sizes),
            "shortlist": poison.SHORTLIST,
            "retrained_to_gradient_norm": poison.GRADIENT_NORM,
            "one_picture": "the best alone or the second alone",
        },
        "test_images": len(shares.outcomes),
        "flipped": {str(size): shares.flipped(size) for size in shares.sizes},
        "flipped_by_best_alone": shares.flipped_by_first,
        "paper": {str(size): share for size, share in PAPER_SHARES.items()},
        "largest_gradient_norm": max(one.gradient_norm for one in shares.tries),
        "outcomes": [asdict(one) for one in shares.outcomes],
    }


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


def _try(result: Poisoned, members: Sequence[int]) -> Try:
    return Try(
        tuple(result.ids.tolist()),
        tuple(one + 1 for one in members),
        bool(result.turned[0]),
        float(result.after[0]),
        float(result.control[0]),
        result.predicted,
        result.actual,
        result.loss_change,
        result.control_change,
        result.steps,
        float(result.gradient_norms.max()),
        result.invisible,
        result.seconds,
    )


def _outcome(kept: dict[str, Any]) -> Outcome:
    tries = [Try(**one | {"ids": tuple(one["ids"]), "ranks": tuple(one["ranks"])}) for one in kept["tries"]]
    return Outcome(kept["test_id"], kept["before"], tuple(tries))
