"""How sure is a ranking that has not been proven? An interval for the strongest effects, and whether the first is excessive.

The interval lays the study's own retrainings beside their forecasts: as multiples of the forecast, the truths of like effects
have lain between two numbers so far. The other question is not how well an effect is known but what its size means: of ``n``
effects one is always the largest. Whether it is larger than the largest of ``n`` has to be is a question of extreme values
(Konrad and Kuschnig 2026, "Testing most influential sets", arXiv:2510.20372): the tail of the others says what to expect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from influence_core.agreement import strongest
from influence_core.context import ALONE, Context
from influence_core.experiments import corrected, hardest, track_record, truths
from influence_core.experiments.effects import effects_by
from influence_core.experiments.explanation import Explanation
from influence_core.experiments.track_record import ALIKE_EFFECT, ENOUGH
from influence_core.retraining.edits import Edit
from influence_core.studies import Study

SHOWN = 6
"""So many of the strongest have an interval."""
COVERED = 0.9
"""Of many truths so many lie inside the interval; of few, all."""
MANY = 40
TAIL = 0.1
"""The share of the effects that are the tail; of few, ``MIN_TAIL``."""
MIN_TAIL = 20
MAX_TAIL = 500
EXCESSIVE = 0.01

Source = Literal["hardest", "spot", "record"]
SOURCES: dict[Source, str] = {
    "hardest": "the retrainings of this study that are hardest to forecast",
    "spot": "the retrainings of this answer",
    "record": "other retrainings of this study",
}
"""Where truths to compare with come from, in words."""


@dataclass(frozen=True, eq=False)
class Interval:
    """Where the truths of the strongest effects lie, if they come out as others did.

    Attributes:
        positions: ``(k,)`` of the strongest, the first first.
        low: ``(k,)`` nats; both ends are the truth where the example itself was left out.
        high: ``(k,)`` nats.
        known: ``(k,)`` where it was.
        lowest: Truth as a multiple of its forecast, at the lower end.
        highest: The same at the upper end.
        count: Of the truths that were compared.
        source: Where they come from.
    """

    positions: np.ndarray
    low: np.ndarray
    high: np.ndarray
    known: np.ndarray
    lowest: float
    highest: float
    count: int
    source: Source

    @property
    def signs_sure(self) -> bool:
        """Whether no sign of a strongest effect is in doubt."""
        return bool((self.low * self.high > 0).all())

    @property
    def first_sure(self) -> bool:
        """Whether the first stays ahead of all others whatever they come out as."""
        sizes = np.sort(np.abs(np.stack([self.low, self.high])), axis=0)
        return self.signs_sure and len(self.positions) > 1 and bool(sizes[0, 0] > sizes[1, 1:].max())


@dataclass(frozen=True)
class Excess:
    """The largest effect beside what the others' tail leads to expect of the largest.

    Attributes:
        p: Probability that the largest of as many, with this tail, is as far ahead of the second.
        tail: "gumbel" for a light tail, such as of normal or exponential numbers, "frechet" for a heavy one.
        index: The tail's index by the moment estimator; above 0 is heavy.
        ratio: The largest as a multiple of the second.
        n: Effects.
    """

    p: float
    tail: Literal["gumbel", "frechet"]
    index: float
    ratio: float
    n: int

    @property
    def excessive(self) -> bool:
        """Whether it is larger than the largest of ``n`` has to be."""
        return self.p <= EXCESSIVE


def interval(study: Study, explanation: Explanation, *, context: Context = ALONE) -> Interval | None:
    """Where the strongest effects truly lie; ``None`` where they are proven, or too little was retrained to tell.

    Args:
        study: The trained model.
        explanation: Its shown number is the forecast.
        context: Its store knows what was retrained.
    """
    if explanation.number == "proven":
        return None
    at, truth = strongest(explanation.shown, SHOWN), _of_hardest(study, explanation, context)
    mine = _of_this_answer(study, explanation, context)
    known = truth | mine
    found: tuple[tuple[Source, np.ndarray], ...] = (
        ("hardest", _ratios(explanation, truth)),
        ("spot", _ratios(explanation, mine)),
    )
    for source, ratios in found:
        if len(ratios) >= ENOUGH:
            cut = (1 - COVERED) / 2 if len(ratios) >= MANY else 0.0
            low, high = (float(np.quantile(ratios, one)) for one in (cut, 1 - cut))
            return _interval(explanation, at, known, (low, high), len(ratios), source)
    edit, forecast = Edit.removal([int(at[0])]), float(explanation.shown[at[0]])
    record = track_record.read(study, explanation, edit, forecast, context=context)
    if record is None or explanation.number != "corrected":
        return None
    return _interval(explanation, at, known, (record.lowest, record.highest), record.count, "record")


def excess(effects: np.ndarray) -> Excess | None:
    """Whether the largest size is excessive; ``None`` for fewer than ``2 MIN_TAIL`` effects or where most are 0.

    In the tail of independent draws the spacings ``i (X_i - X_(i+1))`` of the ordered sizes are independent exponentials for a
    light tail (Gumbel's domain), those of the logarithms for a heavy one (Fréchet's): Rényi's representation. So the first
    spacing over the mean of the next ``k`` is ``F(2, 2k)``, and ``p = (1 + T / k)^-k``. The second to the last of the tail decide
    which: light where the moment estimator of the index (Dekkers, Einmahl and de Haan 1989) is a standard error below 0.

    Args:
        effects: ``(n,)`` changes of the loss.

    Twenty spacings of 1, and a first of 40:

    >>> effects = np.append(np.cumsum(1 / np.arange(200, 1, -1)), 45.0)
    >>> found = excess(effects)
    >>> found.tail, found.excessive
    ('frechet', True)
    """
    sizes = np.sort(np.abs(effects))[::-1]
    k = min(max(MIN_TAIL, int(TAIL * len(sizes))), MAX_TAIL)
    if len(sizes) < 2 * MIN_TAIL or k + 1 >= len(sizes) or not sizes[k + 1] > 0:
        return None
    index = _tail_index(sizes[1 : k + 2])
    light = index < -1 / np.sqrt(k)
    values = sizes[: k + 2] if light else np.log(sizes[: k + 2])
    spacings = np.arange(1, k + 2) * -np.diff(values)
    scale = spacings[1:].mean()
    p = (1 + spacings[0] / scale / k) ** -float(k) if scale > 0 else float(spacings[0] == 0)
    return Excess(
        float(p), "gumbel" if light else "frechet", float(index), float(sizes[0] / sizes[1]), len(sizes)
    )


def _tail_index(sizes: np.ndarray) -> float:
    """The moment estimator of the extreme-value index, of sizes ``(k + 1,)`` in falling order above the last of them."""
    above = np.log(sizes[:-1] / sizes[-1])
    first, second = above.mean(), (above**2).mean()
    if not second > first**2:  # all alike: no tail at all
        return -np.inf
    return float(first + 1 - 0.5 / (1 - first**2 / second))


Known = dict[int, float]
"""Truths by position, nats."""


def _interval(
    explanation: Explanation,
    at: np.ndarray,
    known: Known,
    multiples: tuple[float, float],
    count: int,
    source: Source,
) -> Interval:
    ends = np.sort(np.outer(multiples, explanation.shown[at]), axis=0)
    proven = np.array([int(one) in known for one in at])
    ends[:, proven] = [known[int(one)] for one in at[proven]]
    return Interval(at, ends[0], ends[1], proven, *multiples, count, source)


def _of_hardest(study: Study, explanation: Explanation, context: Context) -> Known:
    """What leaving out each example that is hardest to leave out does, where that is known."""
    if corrected.supports(study.spec):
        return {}
    known = hardest.run.recall(study, context=context)
    if known is None or not known.proven:
        return {}
    truth = effects_by(study, explanation.question, known.changes).loss
    return dict(zip(known.positions.tolist(), truth.tolist(), strict=True))


def _of_this_answer(study: Study, explanation: Explanation, context: Context) -> Known:
    known = truths.recall(study, explanation, context=context)
    at = [explanation.position(int(one)) for one in known.train_ids]
    return dict(zip(at, known.actual.tolist(), strict=True))


def _ratios(explanation: Explanation, known: Known) -> np.ndarray:
    """Truth over forecast, of effects that are not far smaller than the strongest: a tiny one misses by many times itself."""
    forecast, truth = explanation.shown[list(known)], np.array(list(known.values()))
    alike = np.abs(forecast) * ALIKE_EFFECT >= np.abs(explanation.shown).max(initial=0.0)
    alike &= forecast != 0
    return truth[alike] / forecast[alike]
