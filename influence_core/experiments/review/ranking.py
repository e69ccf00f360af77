"""The ranking of a review, the suspect that a person looks at, and what the model learns from the verdicts."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from influence_core.context import ALONE, Context
from influence_core.errors import DataError, require
from influence_core.experiments import suspects
from influence_core.experiments.review import copies
from influence_core.experiments.review.session import Review, Training, session_name
from influence_core.experiments.wrong_labels import FlipSettings, flip
from influence_core.store.digest import digest
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec
from influence_core.training.refit import Fitter


@dataclass(frozen=True, eq=False)
class Suspect:
    """One example of the queue, as a person looks at it.

    Attributes:
        train_id: The training example.
        position: Its training position.
        x: ``(d,)`` its inputs.
        label: Its label.
        probabilities: ``(classes,)`` what the model of the last training says; it was trained on this label, too.
        score: How suspect it is.
        rank: 1 for the most suspect of all.
    """

    train_id: int
    position: int
    x: np.ndarray
    label: int
    probabilities: tuple[float, ...]
    score: float
    rank: int

    @property
    def answer(self) -> int:
        """The model's answer."""
        return int(np.argmax(self.probabilities))


def suspect(study: Study, review: Review, train_id: int | None = None) -> Suspect | None:
    """The suspect to look at now, or the training example that is named; ``None`` where all are done.

    Raises:
        DataError: If no training example has this id.
    """
    at = review.current if train_id is None else review.position(train_id)
    if at is None:
        return None
    o, theta = study.objective, torch.as_tensor(review.theta).to(study.theta)
    return Suspect(
        train_id=int(review.ids[at]),
        position=at,
        x=study.data.train.x[at].numpy(),
        label=int(review.given[at]),
        probabilities=tuple(o.probabilities(theta, o.x[at : at + 1])[0].tolist()),
        score=float(review.scores[at]),
        rank=int(np.flatnonzero(review.order == at)[0]) + 1,
    )


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_smooth_linear:
        return None
    return (
        "Suspects are ranked in logistic and softmax regressions, where the self-influence of every label is exact. "
        "Choose one of these studies."
    )


def start(
    study: Study,
    session: str,
    method: str = "exact",
    flips: FlipSettings | None = None,
    *,
    context: Context = ALONE,
) -> Review:
    """Rank the labels and begin a queue, with one training on the labels as they are.

    Args:
        study: The trained model.
        session: A name to keep it under.
        method: A key of ``suspects.QUEUES``.
        flips: Labels to flip first, to practise on; ``None`` takes the labels as they are.
        context: Its store keeps the ranking for every session; the review itself is not stored yet.

    Raises:
        DataError: If the session's name or the method does not fit.
        UnsupportedError: If the study's model is neither logistic nor softmax regression.
    """
    session_name(session)
    require(supports(study.spec))
    known = suspects.queues_for(study)
    if method not in known:
        raise DataError(f"There is no score “{method[:40]}” here; choose one of {', '.join(known)}.")
    true = study.data.train.y.numpy()
    given = true if flips is None else flip(true, len(study.data.class_names), flips)[0]
    ranking = _rank(study, given, method == "proven", method in suspects.ASKING, context=context)
    model = torch.as_tensor(ranking.theta).to(study.theta)
    begun = Review(
        session=session,
        study=study.spec.name,
        class_names=study.data.class_names,
        method=method,
        flips=flips,
        ids=study.data.train.ids.numpy(),
        given=given,
        true=true,
        scores=copies.scores(study, given, context) if method == "copies" else ranking.scores[method],
        verdicts=(),
        trainings=(),
        theta=ranking.theta,
    )
    right = suspects.accuracy(study, model, method)
    first = replace(ranking.training, accuracy=right, labels=begun.digest_after(0))
    return replace(begun, trainings=(first,))


@dataclass(frozen=True, eq=False)
class _Ranking:
    """The model ``theta (p,)`` for some labels, how it fares, and its scores ``(n,)`` by method."""

    theta: np.ndarray
    scores: dict[str, np.ndarray]
    training: Training


@remember("ranking of labels")
def _rank(study: Study, labels: np.ndarray, proven: bool, asking: bool, *, context: Context) -> _Ranking:
    """Of labels ``(n,)``; many sessions ask for the same. What takes longer waits until it is asked for."""
    started, theta, norm = time.perf_counter(), study.theta, study.gradient_norm
    if not np.array_equal(labels, study.data.train.y.numpy()):
        fitter = Fitter(suspects.objective_of(study))
        theta = fitter.fit(labels, theta, context.part(0.0, 0.2).progress)
        norm = fitter.largest_norm
    edited = suspects.relabelled(study, labels)
    methods = [one for one in suspects.methods_for(study) if proven or one != "proven"]
    ranking = suspects.rank(edited, theta, methods, progress=context.part(0.2, 0.9).progress)
    scores, last = ranking.scores, context.part(0.9, 1.0).progress
    if asking:
        scores |= suspects.rank_by_tests(study, edited, theta, ranking, last)
    right, found = suspects.accuracy(study, theta), theta.cpu().numpy()
    unseen, seconds = ranking.unseen.accuracy, time.perf_counter() - started
    return _Ranking(found, scores, Training(0, 0, right, norm, seconds, digest(found), unseen))


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
    started, edited = time.perf_counter(), suspects.relabelled(study, review.labels, review.removed)
    last = torch.as_tensor(review.theta).to(study.theta)
    theta = Fitter(edited).fit(review.labels, last, context.progress)
    done = Training(
        verdicts=len(review.verdicts),
        relabelled=review.relabelled,
        accuracy=suspects.accuracy(study, theta, review.method),
        gradient_norm=float(edited.risk_gradient(theta).norm()),
        seconds=time.perf_counter() - started,
        model=digest(theta.cpu().numpy()),
        labels=review.digest_after(len(review.verdicts)),
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
    edited = suspects.relabelled(study, trained.labels, trained.removed)
    method, by_itself = review.method, review.method in suspects.METHODS
    ranking = suspects.rank(
        edited, theta, [method] if by_itself else [], progress=context.part(0.2, 0.9).progress
    )
    scores = ranking.scores
    if method in suspects.ASKING:
        scores = suspects.rank_by_tests(study, edited, theta, ranking, context.part(0.9, 1.0).progress)
    if method == "copies":
        scores = {method: copies.scores(study, trained.labels, context.part(0.9, 1.0))}
    last = replace(trained.trainings[-1], unseen_accuracy=ranking.unseen.accuracy)
    return replace(trained, scores=scores[method], trainings=(*trained.trainings[:-1], last))


def adopt(review: Review, done: Review) -> Review:
    """The review with what was found meanwhile for an earlier state of it: training and scores.

    Verdicts given since stay. Where verdicts that ``done`` knew were taken back since, it is out of date and not used.
    """
    last = done.trainings[-1]
    fits = last.verdicts <= len(review.verdicts) and last.labels == review.digest_after(last.verdicts)
    if not fits or review.trainings[-1].verdicts > last.verdicts:
        return review
    return replace(review, trainings=done.trainings, theta=done.theta, scores=done.scores)


def _check_study(study: Study, review: Review) -> None:
    if study.spec.name != review.study or not np.array_equal(study.data.train.ids.numpy(), review.ids):
        raise DataError(f"This review is of the study “{review.study}”. Open that study to go on with it.")
