"""What moved outputs do to an answer: its loss and its probability, exact where the changes are tiny too.

The loss is ``-log softmax(f)_y``, where a logistic model's one output ``f`` stands for the two outputs ``(0, f)``. Outputs
that move by ``d`` change it by

    log1p(u) - (d_y - d_t)   with   u = sum_(k != t) p_k expm1(d_k - d_t),

where ``t`` is the label that was likeliest before, so that ``u`` is never near -1. The difference of two losses would be
nothing but their rounding where little changes, and takes longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from influence_core.errors import UnsupportedError
from influence_core.experiments.questions import Question
from influence_core.losses import LogisticLoss, SoftmaxLoss
from influence_core.studies import Study

MOVES_BYTES = 2**27
"""Of moved outputs that are held at a time."""
ROWS = 128
"""Changes that are multiplied at a time."""
SMALLEST = 700.0
"""Nats of a loss whose probability is hardly a number any more."""


@dataclass(frozen=True, eq=False)
class Effects:
    """What leaving out each training example does to one answer, alone.

    Attributes:
        loss: ``(n,)`` change of the test loss, nats; positive = the example helps.
        before: The test loss without any change, nats: minus the logarithm of the label's probability.
    """

    loss: np.ndarray
    before: float

    @cached_property
    def probability(self) -> np.ndarray:
        """``(n,)`` change of the probability of the label that is asked about."""
        p, most = math.exp(-self.before), -math.expm1(-self.before)
        if self.before > SMALLEST:
            return (
                np.exp(-np.maximum(self.before + self.loss, 0.0)) - p
            )  # a forecast may leave a loss below 0
        with np.errstate(over="ignore"):
            return np.minimum(p * np.expm1(-self.loss), most)


def probability_change(probability: float, loss_change: np.ndarray | float) -> np.ndarray:
    """What a change of a loss ``-log p`` does to the probability: ``p exp(-d) - p``, at most up to 1.

    Args:
        probability: Before.
        loss_change: Any shape, nats.

    >>> float(probability_change(0.5, 0.0))
    0.0
    """
    return np.minimum(probability * np.exp(-np.asarray(loss_change)), 1.0) - probability


def by_output(changes: Tensor, outputs: int) -> Tensor:
    """Changes of the parameters ``(m, p)`` output by output, ``(m, c, d)``: so a question's product reads them in a row."""
    return changes.view(len(changes), -1, outputs).transpose(1, 2).contiguous()


def effects_by(study: Study, question: Question, changes: np.ndarray) -> Effects:
    """Loss and probability at the parameters ``theta + changes``, each on its own: one product with the changes.

    Args:
        study: A linear model whose loss is minus a log-probability.
        question: What is asked.
        changes: ``(m, c, d)`` of the parameters, ``by_output``; a memory map is read once.
    """
    m, c, d = changes.shape
    x = question.x.cpu().numpy()
    has = x.nonzero()[0]
    within = slice(has[0], has[-1] + 1) if len(has) else slice(0)  # a drawing is empty above and below
    moves = np.asarray(changes).reshape(m * c, d)[:, within] @ x[within].astype(changes.dtype, copy=False)
    return _moved(study, x, question.label, moves.reshape(m, c))


def effects_of_each(study: Study, questions: Sequence[Question], changes: np.ndarray) -> Iterator[Effects]:
    """``effects_by`` of many questions: the changes are read once for as many of them as ``MOVES_BYTES`` hold.

    The products are float64 whatever the changes are, so that they come out the same with other examples beside them.

    Args:
        study: As for ``effects_by``.
        questions: ``t`` of them.
        changes: ``(m, c, d)`` of the parameters, ``by_output``.
    """
    m, c, d = changes.shape
    together = max(1, MOVES_BYTES // (m * c * 8))
    for start in range(0, len(questions), together):
        asked = questions[start : start + together]
        x = np.stack([one.x.cpu().numpy() for one in asked]).astype(float)
        moves = np.empty((len(asked), m, c))
        for at in range(0, m, ROWS):
            rows = changes[at : at + ROWS].reshape(-1, d).astype(float)
            moves[:, at : at + ROWS] = (x @ rows.T).reshape(len(asked), -1, c)
        yield from (effects_of(study, one, moved) for one, moved in zip(asked, moves, strict=True))


def effects_of(study: Study, question: Question, moves: np.ndarray) -> Effects:
    """Loss and probability where the test example's outputs move, each move on its own.

    In float64 whatever the model's type.

    Args:
        study: As for ``effects_by``.
        question: What is asked.
        moves: ``(m, c)`` of the outputs.

    Raises:
        UnsupportedError: If the loss is no log-probability.
    """
    return _moved(study, question.x.cpu().numpy(), question.label, moves)


def _moved(study: Study, x: np.ndarray, label: int, moves: np.ndarray) -> Effects:
    """The same, of a test input ``x (d,)`` and a label."""
    loss, theta = study.objective.loss, study.theta.cpu().numpy()
    if isinstance(loss, LogisticLoss):
        f = float(x @ theta)
        ahead = np.multiply(moves.T, -1.0 if f > 0 else 1.0, dtype=float)
        return _changed([-abs(f)], ahead, None if label == (f > 0) else 0)
    if isinstance(loss, SoftmaxLoss):
        f, moved = x @ theta.reshape(len(x), -1), moves.T.astype(float)
        top = int(f.argmax())
        others = [k for k in range(len(f)) if k != top]
        ahead = moved[others] - moved[top]
        return _changed((f[others] - f[top]).tolist(), ahead, None if label == top else others.index(label))
    raise UnsupportedError(
        f"{type(loss).__name__} is no log-probability; ask a model that gives probabilities."
    )


def _changed(behind: list[float], ahead: np.ndarray, own: int | None) -> Effects:
    """The formula above.

    Args:
        behind: ``f_k - f_t`` of all labels but ``t``.
        ahead: ``d_k - d_t (classes - 1, m)``.
        own: Where among them the label stands that is asked about; ``None`` if it is ``t``.
    """
    shares = [math.exp(one) for one in behind]
    others = sum(shares)
    total, before = 1 + others, math.log1p(others)
    with np.errstate(over="ignore", invalid="ignore"):
        u = np.expm1(ahead[0])
        u *= shares[0] / total
        for k in range(1, len(shares)):
            u += np.expm1(ahead[k]) * (shares[k] / total)
        is_far = not math.isfinite(u @ u)
    if is_far:
        return _far(behind, ahead, own)
    loss = np.log1p(u, out=u)
    if own is None:
        return Effects(loss, before)
    loss -= ahead[own]
    return Effects(loss, before - behind[own])


def _far(behind: list[float], ahead: np.ndarray, own: int | None) -> Effects:
    """Where a label gains more than a number can hold: the difference of the losses themselves."""
    both = np.concatenate([np.zeros_like(ahead[:, :1]), ahead], axis=1) + np.array(behind)[:, None]
    losses = np.logaddexp.reduce(both, axis=0, initial=0.0) - (0.0 if own is None else both[own])
    return Effects(losses[1:] - losses[0], float(losses[0]))
