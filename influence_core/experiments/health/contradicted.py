"""Labels that the model contradicts which has never seen the example: a suspicion each, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.experiments import all_left_out, corrected
from influence_core.experiments.explanation import Number
from influence_core.experiments.without_itself import forecast
from influence_core.store.remember import remember
from influence_core.studies import Study

__all__ = ["MIN_SURE", "MAX_SURE", "Contradicted", "of_tests", "of_training"]

MAX_SURE = 0.9
"""A contradiction is worth a look where the model gives another label at least this probability: one that knows how sure it
can be is wrong there once in ten times at most. Wrong labels make a model less sure; where it has less for half of the
examples to which it gives their own label, their median is enough. ``python -m tests.benchmarks.planted`` counts the finds."""
MIN_SURE = 0.75
"""Less than this is never enough, however little the model knows."""


@dataclass(frozen=True, eq=False)
class Contradicted:
    """Examples of which a model that has never seen them is sure of another label, the surest first.

    Attributes:
        ids: ``(k,)`` of the examples.
        said: ``(k,)`` what the model says.
        probabilities: ``(k,)`` how sure it is of that.
        least: ``(classes,)`` from which probability of each label on it is called sure, ``MIN_SURE`` to ``MAX_SURE``.
        looked: How many examples were asked about.
        less_sure: How many more labels it contradicts, with less.
        number: How the training examples are known without themselves: "proven" or "corrected"; ``None`` of test examples,
            which no model has seen.
    """

    ids: np.ndarray
    said: np.ndarray
    probabilities: np.ndarray
    least: np.ndarray
    looked: int
    less_sure: int
    number: Number | None = None


@remember("health: contradicted", stored=False)
def of_training(study: Study, proven: bool, *, context: Context = ALONE) -> Contradicted:
    """Training examples: what the model without each of them says of it, beside the label that it bears.

    Args:
        study: A linear model with a smooth loss.
        proven: Whether to read it off the models without each example, which are trained if they are not at hand; else it is
            the corrected forecast of them.
        context: Its store has the models, or the leverages.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    if proven:
        unseen = all_left_out.without_itself(study, all_left_out.run(study, context=context))
    else:
        blocks = torch.as_tensor(corrected.leverages(study, context=context).blocks)
        unseen = forecast(corrected.linear_objective(study), study.theta, blocks.to(study.theta))
    number: Number = "proven" if proven else "corrected"
    return contradicted(study.data.train.ids.numpy(), unseen.labels, unseen.probabilities, number)


def of_tests(study: Study) -> Contradicted:
    """Test examples: what the model says, beside the label by which it is judged."""
    known = study.predictions
    return contradicted(known.ids, known.labels, known.probabilities)


def contradicted(
    ids: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, number: Number | None = None
) -> Contradicted:
    """What of some examples is contradicted.

    Args:
        ids: ``(n,)``.
        labels: ``(n,)`` that they bear.
        probabilities: ``(n, classes)`` by a model that has not seen them.
        number: As in ``Contradicted``.

    >>> contradicted(np.array([7, 8, 9]), np.array([0, 0, 1]), np.array([[0.05, 0.95], [0.4, 0.6], [0.02, 0.98]])).ids
    array([7])
    """
    said, sure = probabilities.argmax(1), probabilities.max(1)
    against = said != labels
    least = np.array([_least(sure[~against & (said == one)]) for one in range(probabilities.shape[1])])
    at = np.flatnonzero(against & (sure >= least[said]))
    at = at[np.argsort(-sure[at], kind="stable")]
    return Contradicted(ids[at], said[at], sure[at], least, len(ids), int(against.sum()) - len(at), number)


def _least(agreed: np.ndarray) -> float:
    """The threshold of a label, by the probabilities ``(m,)`` with which it was given to examples that bear it."""
    return min(max(float(np.median(agreed)), MIN_SURE), MAX_SURE) if len(agreed) else MAX_SURE
