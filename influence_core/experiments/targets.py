"""What is asked about: one number that is made of what the model says of some test examples, and its slope.

The influence of the paper asks about the loss of one test example. But nothing in it is peculiar to that: whatever number
the outputs make, its gradient in the parameters is one right-hand side, and one solve with it tells what each training
example does to the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError
from influence_core.experiments import test_sets
from influence_core.experiments.questions import Question
from influence_core.experiments.test_sets import SHOWN, TestSet
from influence_core.losses import Loss
from influence_core.studies import Study
from influence_core.words import POINTS, UNIT, percent, points, signed, three_digits

Kind = Literal["loss", "probability", "margin", "recall", "gap", "log-probability"]
FORMS = "loss, probability=LABEL, margin=LABEL,OTHER, recall=LABEL or gap=OTHER SET"
"""How a quantity is named, on the command line and in an address."""
LABELS: dict[Kind, int] = {"loss": 0, "probability": 1, "margin": 2, "recall": 1, "gap": 0}
"""How many labels a quantity is about, of those that ``ask`` knows."""


@dataclass(frozen=True, eq=False)
class Target:
    """``q = sum_j weights_j q_j(f_j)`` of the outputs ``f_j`` of test examples; ``t`` of them.

    Attributes:
        kind: What ``q_j`` is. "loss" and "gap": the loss of ``y_j``, nats. "probability" and "recall": the probability of
            the label. "log-probability": minus the loss of the label, nats. "margin": its log odds against the other label,
            ``log p_a - log p_b``, nats.
        labels: That it is about: none, one or two.
        x: ``(t, d)`` the test inputs.
        y: ``(t,)`` the labels that losses are of.
        weights: ``(t,)``: ``1/t`` each for a mean; of a gap those of the other set are negative.
        words: What is asked about, in a sentence.
        test_ids: Of the test examples; none for a picture of the reader's own.
    """

    kind: Kind
    labels: tuple[int, ...]
    x: Tensor
    y: Tensor
    weights: Tensor
    words: str
    test_ids: tuple[int, ...] = ()

    @property
    def content(self) -> tuple[object, ...]:
        """What makes it another question of the same study: test examples are known by their ids."""
        which = np.array(self.test_ids) if self.test_ids else self.x  # thousands of numbers as one
        return self.kind, self.labels, self.y, self.weights, which

    @property
    def good(self) -> int:
        """1 where more of it is better, -1 where less is."""
        return -1 if self.kind in ("loss", "gap") else 1

    @property
    def is_probability(self) -> bool:
        """Whether it is read in per cent."""
        return self.kind in ("probability", "recall")

    @property
    def unit(self) -> str:
        """Of its changes."""
        return POINTS if self.is_probability else UNIT

    def scaled(self, changes: np.ndarray) -> np.ndarray:
        """Changes ``(n,)`` of it in that unit."""
        return 100 * changes if self.is_probability else changes

    @property
    def sides(self) -> tuple[str, str]:
        """What more of the good is called, and what less: a probability or a margin is more or less, not better."""
        return ("better", "worse") if self.kind in ("loss", "gap", "recall") else ("more", "less")

    @property
    def title(self) -> str:
        """What is asked about, at the beginning of a sentence."""
        return self.words[:1].upper() + self.words[1:]

    def text(self, value: float) -> str:
        """A value of it, with its unit."""
        if self.is_probability:
            return percent(value)
        return f"{three_digits(value) if self.kind == 'loss' else signed(value)} {UNIT}"

    def change_text(self, change: float) -> str:
        """A change of it, with its sign and unit."""
        return points(change) if self.is_probability else f"{signed(change)} {UNIT}"

    def outputs(self, study: Study, theta: Tensor) -> Tensor:
        """``(t, c)`` at any parameters, in float64 on the CPU: in float32 a change may be nothing but rounding."""
        return study.objective.outputs(theta, study.inputs(self.x)).cpu().double()

    def values(self, loss: Loss, outputs: Tensor) -> Tensor:
        """``q (m,)`` for the outputs ``(m, t, c)`` of ``m`` models."""
        m, t, c = outputs.shape
        f, y = outputs.reshape(m * t, c), self.y.repeat(m)
        if self.kind == "margin":
            a, b = (loss.values(f, torch.full_like(y, label)) for label in self.labels)
            each = b - a
        elif self.kind == "log-probability":
            each = -loss.values(f, y)
        elif self.is_probability:
            each = loss.probabilities(f)[:, self.labels[0]]
        else:
            each = loss.values(f, y)
        return each.view(m, t) @ self.weights

    def slopes(self, loss: Loss, outputs: Tensor) -> Tensor:
        """``dq/df (t, c)`` at outputs ``(t, c)``; of a probability ``p``, whose loss is ``-log p``, it is ``-p dl/df``."""
        if self.kind == "margin":
            a, b = (loss.residuals(outputs, torch.full_like(self.y, label)) for label in self.labels)
            each = b - a
        elif self.kind == "log-probability":
            each = -loss.residuals(outputs, self.y)
        elif self.is_probability:
            label = self.labels[0]
            p = loss.probabilities(outputs)[:, [label]]
            each = -p * loss.residuals(outputs, torch.full_like(self.y, label))
        else:
            each = loss.residuals(outputs, self.y)
        return self.weights[:, None] * each

    def value(self, study: Study, theta: Tensor) -> float:
        """``q`` at any parameters ``(p,)``."""
        return float(self.values(study.objective.loss, self.outputs(study, theta)[None])[0])

    def gradient(self, study: Study) -> Tensor:
        """``dq/dtheta (p,)`` at the study's own parameters: one right-hand side, however many test examples."""
        slopes = self.slopes(study.objective.loss, self.outputs(study, study.theta))
        return study.objective.output_pull(study.theta, study.inputs(self.x), slopes.to(study.theta))

    def answers(self, study: Study, theta: Tensor) -> np.ndarray:
        """``(t,)`` the model's answers at any parameters."""
        return study.objective.probabilities(theta, study.inputs(self.x)).argmax(1).cpu().numpy()


def of_question(study: Study, question: Question, unit: str = "") -> Target:
    """The probability of the label that is asked about, of one test example; its logarithm where ``unit`` is nats."""
    name = study.data.class_names[question.label]
    of = "your picture" if question.test_id is None else f"test {study.data.kind} {question.test_id}"
    one = torch.ones(1, dtype=torch.float64)
    label = torch.tensor([question.label])
    kind: Kind = "log-probability" if unit == UNIT else "probability"
    ids = () if question.test_id is None else (question.test_id,)
    words = f"the {kind} of {name} for {of}"
    return Target(kind, (question.label,), question.x[None], label, one, words, ids)


def ask(study: Study, over: str, quantity: str = "loss") -> Target:
    """A quantity over a set of test examples.

    Args:
        study: The trained model.
        over: The set, as ``test_sets.FORMS``; a recall keeps those of it that bear its label.
        quantity: As ``FORMS``. A recall is smoothed: a share of right answers has no slope, so it is the mean
            probability of the label over the test examples that bear it. A gap is the mean loss over ``over`` less that
            over the other set, named as in ``test_sets.FORMS``.

    Raises:
        DataError: If there is no such set or quantity, or no test example to ask about.
    """
    chosen = test_sets.find(study, over)
    kind, _, rest = quantity.partition("=")
    if kind not in LABELS or (kind == "loss") != (rest == ""):
        raise DataError(f"There is no quantity “{quantity[:SHOWN]}”; name one as {FORMS}.")
    if kind == "gap":
        return _gap(study, chosen, test_sets.find(study, rest))
    labels = test_sets.labels_of(study.data.class_names, rest, LABELS[kind]) if rest else ()
    names = [study.data.class_names[one] for one in labels]
    at, where = chosen.positions, chosen.words
    if kind == "recall":
        at = at[study.predictions.labels[at] == labels[0]]
        if not len(at):
            raise DataError(f"No test {study.data.kind} of {names[0]} is in the set “{over[:SHOWN]}”.")
        where = f"the {len(at):,} of {names[0]} among {where}"
    mean = "mean " if len(at) > 1 else ""
    words = {
        "loss": f"the {mean}loss of {where}",
        "probability": f"the {mean}probability of {names[0] if names else ''} over {where}",
        "margin": f"the {mean}log odds of {' rather than '.join(names)} over {where}",
        "recall": f"the recall of {names[0] if names else ''}, smoothed: the {mean}probability of it over {where}",
    }
    test = study.data.test.take(at.tolist())
    return Target(kind, labels, test.x, test.y, _mean(len(at)), words[kind], tuple(test.ids.tolist()))


def _gap(study: Study, one: TestSet, other: TestSet) -> Target:
    at, back = np.unique(np.concatenate([one.positions, other.positions]), return_inverse=True)
    means = torch.cat([_mean(len(one.positions)), -_mean(len(other.positions))])
    weights = torch.zeros(len(at), dtype=means.dtype).index_add(
        0, torch.as_tensor(back), means
    )  # sets may overlap
    test = study.data.test.take(at.tolist())
    words = f"the gap in mean loss: {one.words}, less {other.words}"
    return Target("gap", (), test.x, test.y, weights, words, tuple(test.ids.tolist()))


def _mean(count: int) -> Tensor:
    return torch.full((count,), 1 / count, dtype=torch.float64)
