"""Is a test example like anything the model has learnt from? Its nearest training examples against the usual distances.

A classifier gives every input one of its labels, a fish among digits too. What tells is how far the nearest training example
lies, and how far it usually lies for examples that were held out. Several measures look at different things; each is turned
into a rank among the held-out examples, so that none needs a scale, and the most surprising one decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.data.readers import bag_of_words
from influence_core.data.readers.tables import distance_scale
from influence_core.experiments.distances import scaled
from influence_core.experiments.questions import Question
from influence_core.store.remember import remember
from influence_core.studies import Study

RARE = 0.01
"""An example that fewer than this share of the held-out ones equal is like nothing that was learnt."""
HELD_OUT = 2_000
"""So many held-out examples say what is usual; of more, a fixed sample."""
ENOUGH = 1_000
"""With fewer test examples, training examples say it too, each against all the others."""
NEAREST = 6
TONES = 32
"""Steps of the distribution of a picture's brightness, from its darkest to its lightest pixel."""
BLOCK = 500
"""Examples whose distances are measured together."""


@dataclass(frozen=True, eq=False)
class Usual:
    """How far held-out examples lie from what was learnt.

    Attributes:
        measures: ``(m,)`` names, of "distance", "tones", "words" and "range".
        test_ids: ``(r,)`` of the held-out examples; -1 for a training example that was held against the others.
        values: ``(m, r)`` larger = farther.
    """

    measures: tuple[str, ...]
    test_ids: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Likeness:
    """One example beside the held-out ones.

    Attributes:
        measures: ``(m,)`` names.
        values: ``(m,)`` of the example.
        shares: ``(m,)`` of the held-out examples, that lie at least as far.
        rarity: Share of the held-out examples (with it among them) whose most surprising measure is as surprising.
        nearest: ``(k,)`` training ids by "distance", the nearest first.
        held_out: How many it was held against.
        usual: ``(m,)`` the 99th percentile of each measure.
        outside: Names of a row's columns that lie beyond all training rows, the farthest first.
    """

    measures: tuple[str, ...]
    values: np.ndarray
    shares: np.ndarray
    rarity: float
    nearest: np.ndarray
    held_out: int
    usual: np.ndarray
    outside: tuple[str, ...]

    @property
    def unlike(self) -> bool:
        """Whether it is like nothing that was learnt: beyond 99 % of the held-out examples."""
        return self.rarity <= RARE

    @property
    def telling(self) -> str:
        """The measure that is most surprising."""
        return self.measures[int(self.shares.argmin())]


@remember("likeness", stored=False)
def run(study: Study, question: Question, *, context: Context = ALONE) -> Likeness:
    """Hold the example of a question against the usual.

    With ``a_j`` the share of held-out examples that lie at least as far by measure ``j``, the example's own number is
    ``min_j a_j``, and its rarity the share of the held-out examples whose own number is as small: a conformal p-value, so
    that of examples like the held-out ones a share of ``RARE`` is called unlike. The example itself is not among them.

    Args:
        study: The trained model.
        question: What is asked; the label does not matter.
        context: Its store keeps what is usual, which depends on the study alone.
    """
    known = usual(study, context=context.part(0.0, 0.9))
    mine, nearest = _values(study, question)
    others = known.values[:, known.test_ids != (-2 if question.test_id is None else question.test_id)]
    shares, rarity = _ranked(mine, others)
    return Likeness(
        measures=known.measures,
        values=mine,
        shares=shares,
        rarity=rarity,
        nearest=nearest,
        held_out=others.shape[1],
        usual=np.quantile(others, 1 - RARE, axis=1),
        outside=_outside(study, question.x),
    )


@remember("usual distances")
def usual(study: Study, *, context: Context = ALONE) -> Usual:
    """How far the held-out examples lie, once a study.

    Args:
        study: The trained model.
        context: Its store keeps it.
    """
    test, train, rng = study.data.test, study.data.train, np.random.default_rng(0)
    tests = rng.permutation(len(test))[:HELD_OUT]
    own = rng.permutation(len(train))[: HELD_OUT - len(tests)]
    if len(test) >= ENOUGH or study.data.worded:  # the words are those of the training texts
        own = own[:0]
    context.report(0.1, f"measuring how far {len(tests) + len(own):,} held-out examples lie")
    columns = {
        name: np.concatenate([far(study, test.x[tests]), far(study, train.x[own], own)])
        for name, far in _measures(study).items()
    }
    if study.data.worded:
        columns["words"] = np.array([_unknown(study, int(test.ids[one])) for one in tests])
    ids = np.concatenate([test.ids.numpy()[tests], np.full(len(own), -1)])
    return Usual(tuple(columns), ids, np.stack(list(columns.values())))


def _ranked(mine: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, float]:
    """The shares ``(m,)`` of ``others (m, r)`` at least as far as ``mine (m,)``, and how rare the smallest of them is."""
    r = others.shape[1]
    together = np.concatenate([mine[:, None], others], axis=1)
    ordered = np.sort(together, axis=1)
    at_least = np.stack(
        [r + 1 - np.searchsorted(row, all_, side="left") for row, all_ in zip(ordered, together, strict=True)]
    )
    surprise = at_least.min(axis=0)
    shares = (at_least[:, 0] - 1) / r
    return shares, float((surprise <= surprise[0]).sum()) / (r + 1)


Measure = Callable[..., np.ndarray]


def _measures(study: Study) -> dict[str, Measure]:
    """The measures of inputs ``x (b, d)`` by name; those of training examples also take their positions ``own (b,)``."""
    measures: dict[str, Measure] = {"distance": _distance}
    if study.data.image_shape is not None:
        measures["tones"] = _tones
    if study.data.kind == "row":
        measures["range"] = _range
    return measures


def _values(study: Study, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """The measures ``(m,)`` of one example, and the training ids nearest to it."""
    x = question.x.to(study.data.train.x)[None]
    values = [float(far(study, x)[0]) for far in _measures(study).values()]
    if study.data.worded:
        values.append(0.0 if question.test_id is None else _unknown(study, question.test_id))
    nearest = study.data.train.ids[distances(study, x)[0].argsort(stable=True)[:NEAREST]]
    return np.array(values), nearest.numpy()


_NO_POSITIONS = np.zeros(0, dtype=int)


def _distance(study: Study, x: Tensor, own: np.ndarray = _NO_POSITIONS) -> np.ndarray:
    """To the nearest training example, ``(b,)``."""
    return _to_nearest(lambda rows: distances(study, rows), x, own)


_CENTRES: WeakKeyDictionary[Study, tuple[Tensor, Tensor]] = WeakKeyDictionary()
"""Of the studies that are open: the average training example and how far each of them lies from it."""


def distances(study: Study, x: Tensor) -> Tensor:
    """From inputs ``x (b, d)`` to all training examples, ``(b, n)``.

    A row's in standard deviations; of all else between the directions from the average training example,
    ``sqrt(2 - 2 cos)``, so that a strong example is not farther than a faint one.
    """
    train = study.data.train.x
    if study.data.kind == "row":
        return torch.cdist(scaled(study, x), scaled(study, train))
    if study not in _CENTRES:
        mean = train.mean(0)
        norms = torch.cat([(rows - mean).norm(dim=1) for rows in train.split(BLOCK)])
        _CENTRES[study] = mean, norms.clamp_min(torch.finfo(train.dtype).tiny)
    mean, norms = _CENTRES[study]
    centred = x - mean
    size = centred.norm(dim=1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    cosine = (centred @ train.T - (centred @ mean)[:, None]) / (size * norms)
    return (2 - 2 * cosine).clamp_min(0).sqrt()


_TONES: WeakKeyDictionary[Study, Tensor] = WeakKeyDictionary()
"""Of the training pictures of the studies that are open: sorting all their pixels takes longer than a question may."""


def _tones(study: Study, x: Tensor, own: np.ndarray = _NO_POSITIONS) -> np.ndarray:
    """To the training picture with the most similar share of dark, grey and light, wherever they lie, ``(b,)``."""
    train = _TONES.get(study)
    if train is None:
        train = _TONES[study] = _levels(study.data.train.x)
    return _to_nearest(lambda rows: torch.cdist(rows, train), _levels(x), own)


def _levels(x: Tensor) -> Tensor:
    """``TONES`` steps through the sorted brightness of every picture, ``(b, TONES)``."""
    at = torch.linspace(0, x.shape[1] - 1, min(TONES, x.shape[1]), device=x.device).round().long()
    return torch.cat([rows.sort(dim=1).values[:, at] for rows in x.split(BLOCK)])


def _to_nearest(far: Callable[[Tensor], Tensor], x: Tensor, own: np.ndarray) -> np.ndarray:
    """The smallest of ``far(x) (b, n)`` for each example, ``(b,)``; training examples are not their own nearest."""
    found = [np.zeros(0)]
    for start in range(0, len(x), BLOCK):
        d = far(x[start : start + BLOCK])
        if len(own):
            d[torch.arange(len(d)), torch.as_tensor(own[start : start + BLOCK])] = torch.inf
        found.append(d.amin(dim=1).numpy())
    return np.concatenate(found)


def _range(study: Study, x: Tensor, own: np.ndarray = _NO_POSITIONS) -> np.ndarray:
    """How far a row's worst column lies beyond all (other) training rows, in standard deviations; 0 inside, ``(b,)``."""
    return _excess(study, x, own).amax(dim=1).numpy()


def _excess(study: Study, x: Tensor, own: np.ndarray = _NO_POSITIONS) -> Tensor:
    """The same of every column, ``(b, d)``; without a training row of which there is one alike the range stays."""
    train = study.data.train.x
    low, high = train.topk(2, dim=0, largest=False).values, train.topk(2, dim=0).values
    if len(own):
        bottom = torch.where(x <= low[0], low[1], low[0])
        top = torch.where(x >= high[0], high[1], high[0])
    else:
        bottom, top = low[0], high[0]
    return torch.maximum(bottom - x, x - top).clamp_min(0) / distance_scale(train)


def _outside(study: Study, x: Tensor) -> tuple[str, ...]:
    if study.data.kind != "row" or not study.data.feature_names:
        return ()
    excess = _excess(study, x.to(study.data.train.x)[None])[0]
    order = excess.argsort(descending=True, stable=True)
    return tuple(study.data.feature_names[int(one)] for one in order if excess[one] > 0)


def _unknown(study: Study, example_id: int) -> float:
    """The share of a text's words that the model does not know; all of them where it has none."""
    records = study.data.records
    spans = records.spans if isinstance(records, bag_of_words.Spelled) else bag_of_words.spans
    if study not in _VOCABULARIES:
        _VOCABULARIES[study] = frozenset(study.data.feature_names)
    known = _VOCABULARIES[study]
    words = [
        one for text in study.data.record(example_id).values() for one in bag_of_words.words(text, spans)
    ]
    return float(np.mean([one not in known for one in words])) if words else 1.0


_VOCABULARIES: WeakKeyDictionary[Study, frozenset[str]] = WeakKeyDictionary()
