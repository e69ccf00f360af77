"""How the forecasts of groups have come out in a study so far: each retraining teaches; before a few there is nothing to say.

Only like is compared with like: the same was done, to between half and twice as many examples, with an effect of no other
order of size: a group whose members cancel out misses its tiny effect by a large share, and says nothing of a strong group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from typing import Any

from influence_core.context import Context
from influence_core.experiments.explanation import Explanation
from influence_core.retraining.edits import Edit
from influence_core.store.remember import key_of
from influence_core.studies import Study

KEPT = 300
"""The last retrainings of a study that are remembered."""
ENOUGH = 5
"""Before so many alike there is no interval."""
ALIKE = 2.0
"""Groups are alike where neither has more than so many times the other's examples ..."""
ALIKE_EFFECT = 100.0
"""... and neither has a forecast more than so many times as large as the other's."""

_WRITING = Lock()


@dataclass(frozen=True)
class TrackRecord:
    """Other retrainings of the study after an edit like this one.

    Attributes:
        count: How many there were.
        fewest: Examples that were edited, at least.
        most: Examples that were edited, at most.
        lowest: Smallest truth as a multiple of its forecast.
        highest: Largest truth as a multiple of its forecast.
    """

    count: int
    fewest: int
    most: int
    lowest: float
    highest: float

    def reach(self, forecast: float) -> tuple[float, float]:
        """Where the truth of a forecast would lie if it came out like the others, from low to high.

        >>> TrackRecord(12, 5, 9, 0.5, 1.5).reach(-2.0)
        (-3.0, -1.0)
        """
        low, high = sorted((self.lowest * forecast, self.highest * forecast))
        return low, high


def note(
    study: Study, explanation: Explanation, edit: Edit, forecast: float, truth: float, *, context: Context
) -> None:
    """Remember how one retraining came out, once.

    It is kept in the context's store beside those before it, the file written whole: of two processes that write at the
    same moment one may forget what the other learnt, and nothing is ever damaged.

    Args:
        study: The trained model.
        explanation: The question.
        edit: What was changed.
        forecast: The change of the test loss by one Newton step, nats.
        truth: The change after retraining, nats.
        context: Its store keeps the record.
    """
    if not forecast or not math.isfinite(truth / forecast):
        return
    one = [_name(study, explanation, edit), _kind(edit), len(edit.positions), forecast, truth]
    with _WRITING:
        rows = _rows(study, context)
        if one[0] not in (row[0] for row in rows):
            context.store.put(_key(study), {}, {"retrainings": [*rows, one][-KEPT:]})


def read(
    study: Study, explanation: Explanation, edit: Edit, forecast: float, *, context: Context
) -> TrackRecord | None:
    """What the retrainings so far say of the forecast of this edit, in nats; ``None`` before there are enough.

    The retraining after this very edit, for this very question, is no part of it.
    """
    me, kind = _name(study, explanation, edit), _kind(edit)
    size, effect = len(edit.positions), abs(forecast)
    rows = [
        row
        for row in _rows(study, context)
        if row[0] != me
        and row[1] == kind
        and size / ALIKE <= row[2] <= size * ALIKE
        and effect / ALIKE_EFFECT <= abs(row[3]) <= effect * ALIKE_EFFECT
    ]
    if len(rows) < ENOUGH:
        return None
    sizes, ratios = [row[2] for row in rows], [row[4] / row[3] for row in rows]
    return TrackRecord(len(rows), min(sizes), max(sizes), min(ratios), max(ratios))


def _rows(study: Study, context: Context) -> list[list[Any]]:
    """``[name, kind, size, forecast, truth]`` of each retraining, the latest last."""
    entry = context.store.get(_key(study))
    return list(entry.meta["retrainings"]) if entry else []


def _key(study: Study) -> str:
    return key_of("track record", study)


def _name(study: Study, explanation: Explanation, edit: Edit) -> str:
    return key_of("retraining", study, explanation.x, explanation.label, edit.sorted())[:16]


def _kind(edit: Edit) -> str:
    """Edits of one kind do the same to each of their examples."""
    parts = {"inputs": edit.x is not None, "labels": edit.y is not None}
    return " ".join([name for name, there in parts.items() if there] + [f"weight {edit.weight}"])
