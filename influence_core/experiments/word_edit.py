"""The words of an e-mail: which of them carry its influence, and what if one were not there?

Counts of words are discrete, so there is no small change of one (the paper's section 2.2): a word is taken out or
replaced, and the forecast is exact in that change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.data.readers import bag_of_words
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import take_out
from influence_core.experiments.effects import probability_change
from influence_core.experiments.explain import Explanation
from influence_core.experiments.take_out import TakeOut
from influence_core.objective import LinearObjective
from influence_core.retraining.edits import Edit, pixel_influence, predict
from influence_core.store.remember import remember
from influence_core.studies import Study


@dataclass(frozen=True, eq=False)
class WordShares:
    """What each word of a training example contributes to its ``D``, for one question.

    ``D_i = w_i s . grad l_i = sum_j x_ij (w_i sum_c s_jc r_ic)``: the shares add up to the score exactly.

    Attributes:
        train_id: The training example.
        words: Its ``m`` known words, the largest share in size first.
        counts: ``(m,)`` how often each stands there.
        shares: ``(m,)`` nats; positive = the word helps.
        total: ``D_i``, nats.
    """

    train_id: int
    words: tuple[str, ...]
    counts: np.ndarray
    shares: np.ndarray
    total: float

    def points(self, probability: float) -> np.ndarray:
        """``(m,)`` percentage points: the shares, scaled to add up to what having the example does to that ``probability``."""
        change = float(probability_change(probability, self.total))
        return self.shares * (-100 * change / self.total if self.total else 100 * probability)


@dataclass(frozen=True, eq=False)
class WordEdit:
    """A word of a training example taken out or replaced.

    Attributes:
        train_id: The training example.
        word: The word that goes.
        replacement: The word in its place, or "".
        count: How often it stood there.
        predicted: Predicted change of the test loss if the edit is made, nats; positive = the loss rises.
        linear: The same by the derivative (the paper's equation 5), which is meant for small changes only.
    """

    train_id: int
    word: str
    replacement: str
    count: int
    predicted: float
    linear: float


@dataclass(frozen=True, eq=False)
class AskedWords:
    """The words of the test example, each taken out in turn: the model's answer changes at once, without training.

    Attributes:
        words: ``m`` known words, the largest change in size first.
        counts: ``(m,)`` how often each stands there.
        loss_change: ``(m,)`` change of the loss of the label asked about, nats.
        probability: ``(m,)`` of that label without the word.
    """

    words: tuple[str, ...]
    counts: np.ndarray
    loss_change: np.ndarray
    probability: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """``(m,)`` what having the word does to the probability, percentage points."""
        return 100 * self.probability * np.expm1(self.loss_change)


def answers(study: Study) -> bool:
    """Whether a study's features are words and its model is linear."""
    data = study.data
    return data.worded and bool(data.feature_names) and isinstance(study.objective, LinearObjective)


def shares(study: Study, explanation: Explanation, train_id: int) -> WordShares:
    """The words that carry an e-mail's influence.

    Raises:
        DataError: If there is no such training example.
        UnsupportedError: If the study is not a linear model of words.
    """
    o, at = _objective(study), explanation.position(train_id)
    x, y = o.x[at], o.y[at]
    residuals = o.loss.residuals(o.outputs(study.theta, x[None]), y[None])[0]
    s = explanation.direction(study).view(-1, o.loss.outputs)
    values = o.weights[at] * x * (s @ residuals)
    words, counts, ordered = _by_size(study, x, values)
    return WordShares(train_id, words, counts, ordered, float(values.sum()))


def forecast(
    study: Study, explanation: Explanation, train_id: int, word: str, replacement: str = ""
) -> WordEdit:
    """What taking a word out of a training example, or putting another in its place, would do to the test loss.

    Args:
        study: The trained model.
        explanation: The question.
        train_id: The training example.
        word: Goes, as often as it stands there.
        replacement: A known word that comes in its place as often, or "".

    Raises:
        DataError: If the word does not stand there, or the replacement is not a word that the model knows.
        UnsupportedError: If the study is not a linear model of words.
    """
    o, s = _objective(study), explanation.direction(study)
    at = explanation.position(train_id)
    edit = edit_of(study, train_id, word, replacement)
    assert edit.x is not None
    delta = edit.x[0].to(o.x) - o.x[at]
    slope = pixel_influence(o, study.theta, at, s)
    return WordEdit(
        train_id,
        word,
        replacement,
        int(o.x[at, _column(study, word)]),
        float(predict(o, study.theta, edit, s)),
        float(o.weights[at] * (slope @ delta)),
    )


@remember("word edit", stored=False)
def run(
    study: Study,
    explanation: Explanation,
    train_id: int,
    word: str,
    replacement: str = "",
    *,
    context: Context = ALONE,
) -> TakeOut:
    """Forecast and truth of such an edit, after training again.

    Raises:
        DataError: As for ``forecast``.
        UnsupportedError: As for ``forecast``.
    """
    _objective(study)
    edit = edit_of(study, train_id, word, replacement)
    return take_out.run_edit(study, explanation, edit, context=context)


def edit_of(study: Study, train_id: int, word: str, replacement: str = "") -> Edit:
    """The edit of the word counts.

    Raises:
        DataError: As for ``forecast``.
    """
    train = study.data.train
    at = train.position(train_id)
    x, column = train.x[at].clone(), _column(study, word)
    if x[column] == 0:
        raise DataError(f"The word “{word[:40]}” does not stand in training example {train_id}.")
    if replacement == word:
        raise DataError(f"“{word[:40]}” in the place of itself changes nothing. Choose another word.")
    if replacement:
        x[_column(study, replacement)] += x[column]
    x[column] = 0
    return Edit.replacement(at, x)


def asked_words(study: Study, explanation: Explanation) -> AskedWords:
    """What the model would say to the test example without each of its words.

    Raises:
        UnsupportedError: If the study is not a linear model of words.
    """
    o, x = _objective(study), torch.as_tensor(explanation.x).to(study.theta)
    present = x.nonzero()[:, 0]
    without = x.repeat(len(present) + 1, 1)
    without[torch.arange(len(present)), present] = 0
    losses = o.losses(study.theta, without, torch.full((len(without),), explanation.label, device=x.device))
    change = torch.zeros_like(x)
    change[present] = losses[:-1] - losses[-1]
    words, counts, ordered = _by_size(study, x, change)
    return AskedWords(words, counts, ordered, np.exp(-(ordered + float(losses[-1]))))


def marked(study: Study, text: str) -> list[tuple[str, str]]:
    """A text in pieces ``(piece, word)``: the known word that a piece stands for, or "" between words.

    The pieces put together are the text, letter by letter; of pairs of characters that overlap, each has what is left.
    """
    records = study.data.records
    spans = records.spans if isinstance(records, bag_of_words.Spelled) else bag_of_words.spans
    known, pieces, end = set(study.data.feature_names), [], 0
    for first, last, word in spans(text):
        if word in known:
            pieces += [(text[end:first], "")] * (first > end) + [(text[max(first, end) : last], word)]
            end = last
    return pieces + [(text[end:], "")] * (end < len(text))


def _objective(study: Study) -> LinearObjective:
    o = study.objective
    if not answers(study) or not isinstance(o, LinearObjective):
        raise UnsupportedError("Words are edited where a linear model counts them. Choose a study of texts.")
    return o


def _column(study: Study, word: str) -> int:
    try:
        return study.data.feature_names.index(word)
    except ValueError:
        raise DataError(
            f"The model does not know the word “{word[:40]}”: too few training texts hold it. Choose another."
        ) from None


def _by_size(study: Study, x: Tensor, values: Tensor) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Words, counts and values of what stands in ``x``, the largest value in size first."""
    present = x.nonzero()[:, 0]
    order = present[values[present].abs().argsort(descending=True, stable=True)]
    names = study.data.feature_names
    counts = x[order].long().cpu().numpy()
    return tuple(names[at] for at in order.tolist()), counts, values[order].cpu().numpy()
