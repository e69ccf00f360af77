"""How many training examples each of many answers hangs on: a test set sorted by how few it takes to flip it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from influence_core.context import ALONE, Context
from influence_core.experiments import flip
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class FlipSizes:
    """Sizes of flip sets, the most easily flipped first; where none was found, last.

    Attributes:
        test_ids: ``(t,)``.
        said: ``(t,)`` the model's answers.
        says: ``(t,)`` the answers without the sets.
        sizes: ``(t,)`` examples in each set.
        found: ``(t,)`` whether the set flips the answer, which training says.
        proven: ``(t,)`` whether that is certain.
        n: Training examples.
    """

    test_ids: np.ndarray
    said: np.ndarray
    says: np.ndarray
    sizes: np.ndarray
    found: np.ndarray
    proven: np.ndarray
    n: int


@remember("flip sizes", stored=False)
def run(study: Study, test_ids: Sequence[int], *, context: Context = ALONE) -> FlipSizes:
    """One search after the other; what is found stays in the store, so that a stopped run goes on where it was.

    Args:
        study: The trained model.
        test_ids: Whose answers.
        context: Its store keeps each set, its engines the factor.
    """
    sets, test = [], study.data.test
    for done, one in enumerate(test_ids):
        words = f"{done:,} of {len(test_ids):,} answers"
        part = context.step(done, len(test_ids)).named(words)
        sets.append(flip.run(study, test.x[test.position(int(one))], context=part))
    sizes, found = np.array([one.size for one in sets]), np.array([one.flipped for one in sets], dtype=bool)
    order = np.lexsort((sizes, ~found))
    return FlipSizes(
        np.asarray(test_ids, dtype=int)[order],
        np.array([one.said for one in sets])[order],
        np.array([one.says for one in sets])[order],
        sizes[order],
        found[order],
        np.array([one.proven for one in sets])[order],
        sets[0].n if sets else study.objective.n,
    )


def table(sizes: FlipSizes, class_names: Sequence[str]) -> dict[str, Any]:
    """As columns, on screen and in the CSV download.

    Args:
        sizes: Of many answers.
        class_names: What labels mean.
    """
    names = np.array(class_names)
    return {
        "test_id": sizes.test_ids,
        "says": names[sizes.said],
        "would_say": np.where(sizes.found, names[sizes.says], ""),
        "without": sizes.sizes,
        "share_of_training": sizes.sizes / sizes.n,
        "flips": sizes.found,
        "proven": sizes.proven,
    }
