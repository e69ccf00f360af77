"""What the model learns from the verdicts, and the rest of the queue in the order that it then gives."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.errors import DataError
from influence_core.experiments import suspects
from influence_core.experiments.review.session import Review, Training
from influence_core.store.digest import digest
from influence_core.studies import Study
from influence_core.training.refit import Fitter


def train(study: Study, review: Review, *, context: Context = ALONE) -> Review:
    """Train on the labels after all verdicts, warm from the last model.

    Args:
        study: The study under review.
        review: So far.
        context: Who is told while training.

    Raises:
        DataError: If the review is of another study, or no example of some class is left.
    """
    _check_study(study, review)
    if review.up_to_date:
        return review
    started, edited = time.perf_counter(), suspects.relabelled(study, review.labels)
    last = torch.as_tensor(review.theta).to(study.theta)
    theta = Fitter(edited).fit(review.labels, last, context.progress)
    done = Training(
        verdicts=len(review.verdicts),
        relabelled=review.relabelled,
        accuracy=suspects.accuracy(study, theta),
        gradient_norm=float(edited.risk_gradient(theta).norm()),
        seconds=time.perf_counter() - started,
        model=digest(theta.cpu().numpy()),
    )
    before = tuple(one for one in review.trainings if one.verdicts < done.verdicts)
    return replace(review, trainings=(*before, done), theta=theta.cpu().numpy())


def rank_again(study: Study, review: Review, *, context: Context = ALONE) -> Review:
    """Rank by the model that knows the verdicts: what is left of the queue comes in a new order.

    Raises:
        DataError: As for ``train``.
    """
    trained = train(study, review, context=context.part(0.0, 0.2))
    theta = torch.as_tensor(trained.theta).to(study.theta)
    edited = suspects.relabelled(study, trained.labels)
    scores = suspects.rank(edited, theta, progress=context.part(0.2, 1.0).progress)
    return replace(trained, scores=scores[review.method])


def adopt(review: Review, done: Review) -> Review:
    """The review with what was found meanwhile for an earlier state of it: training and scores.

    Verdicts given since stay. Where verdicts that ``done`` knew were taken back since, it is out of date and not used.
    """
    known = len(done.verdicts)
    newer = review.trainings and review.trainings[-1].verdicts > known
    if review.verdicts[:known] != done.verdicts or newer:
        return review
    return replace(review, trainings=done.trainings, theta=done.theta, scores=done.scores)


def _check_study(study: Study, review: Review) -> None:
    if study.spec.name != review.study or not np.array_equal(study.data.train.ids.numpy(), review.ids):
        raise DataError(f"This review is of the study “{review.study}”. Open that study to go on with it.")
