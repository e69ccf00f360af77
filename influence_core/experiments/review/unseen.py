"""What the model would say of one example had it never seen it: trained again without it, and proven by its gradient."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.errors import require
from influence_core.experiments import suspects
from influence_core.experiments.ranked import position_of
from influence_core.experiments.review.ranking import supports
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.training.refit import Fitter


@dataclass(frozen=True)
class Memorised:
    """One example with and without itself in the training set.

    Attributes:
        seen: The probability of its label, by the model that was trained on it.
        unseen: The same by the model that was trained on all others.
        gradient_norm: ``||grad R||`` of that model's own risk, recomputed.
        seconds: Time it took to train.
    """

    seen: float
    unseen: float
    gradient_norm: float
    seconds: float


@remember("memorised", stored=False)
def memorised(
    study: Study,
    labels: np.ndarray,
    train_id: int,
    theta: np.ndarray,
    *,
    context: Context = ALONE,
) -> Memorised:
    """Train again without one example.

    Args:
        study: The study under review.
        labels: ``(n,)`` as they are now.
        train_id: The example that is left out.
        theta: ``(p,)`` the model of these labels.
        context: Who is told while training.

    Raises:
        DataError: If no training example has this id.
        UnsupportedError: If the study's model is neither logistic nor softmax regression.
    """
    require(supports(study.spec))
    started, o = time.perf_counter(), suspects.relabelled(study, labels)
    at = position_of(train_id, study.data.train.ids.numpy())
    fitter, before = Fitter(o.without([at])), torch.as_tensor(theta).to(study.theta)
    after = fitter.fit(labels, before, context.progress)
    seen, unseen = (float(o.probabilities(one, o.x[at : at + 1])[0, labels[at]]) for one in (before, after))
    return Memorised(seen, unseen, fitter.largest_norm, time.perf_counter() - started)
