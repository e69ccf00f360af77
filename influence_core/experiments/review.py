"""Review the suspects: a person looks at the most suspect training labels one after the other and says what is right.

A `Review` never changes; each verdict makes a new one. `amend` keeps every step in the store under a session's name, so
that nothing is lost when a page is closed or a process killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import torch

from influence_core.errors import DataError, StoreError
from influence_core.experiments import wrong_labels
from influence_core.experiments.wrong_labels import Settings
from influence_core.objective import LinearObjective
from influence_core.progress import Progress, part
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study, StudySpec
from influence_core.training.refit import Fitter

LONGEST_NAME = 40
Change = Callable[["Review"], "Review"]
"""A verdict, undo or a training: given the latest review, the next one."""

_LOCK = Lock()
"""Two visitors of one session must not write over each other's verdicts."""


@dataclass(frozen=True)
class Verdict:
    """What a person said about one training label.

    Attributes:
        train_id: The training example.
        old: Its label before.
        new: Its label from now on; the same where it is kept.
        time: When, in ISO 8601 with its time zone.
        score: How suspect it was.
    """

    train_id: int
    old: int
    new: int
    time: str
    score: float

    @property
    def relabels(self) -> bool:
        """Whether the label changes."""
        return self.old != self.new


@dataclass(frozen=True)
class Training:
    """One training on the labels as they stood.

    Attributes:
        verdicts: So many had been given.
        relabelled: So many of them changed the label.
        accuracy: On the test examples, as they are labelled.
        gradient_norm: ``||grad R||``, recomputed.
        seconds: Time it took.
        model: Digest of the parameters that it gave; "" where it was not noted.
    """

    verdicts: int
    relabelled: int
    accuracy: float
    gradient_norm: float
    seconds: float
    model: str = ""


@dataclass(frozen=True, eq=False)
class Review:
    """A queue of suspects and what was said about them so far; ``n`` training examples.

    Attributes:
        session: The name it is kept under.
        study: The study's name.
        class_names: What the labels mean.
        method: A key of ``wrong_labels.METHODS``: how suspects are ranked.
        flips: Which labels were flipped at the start to practise on, or ``None`` for the labels as they are.
        ids: ``(n,)`` training ids.
        given: ``(n,)`` labels at the start.
        true: ``(n,)`` the data's own labels; they differ from ``given`` where labels were flipped.
        scores: ``(n,)`` how suspect each is; the largest first.
        verdicts: In the order they were given.
        trainings: In the order they were done; the first on the labels at the start.
        theta: ``(p,)`` of the last training.
    """

    session: str
    study: str
    class_names: tuple[str, ...]
    method: str
    flips: Settings | None
    ids: np.ndarray
    given: np.ndarray
    true: np.ndarray
    scores: np.ndarray
    verdicts: tuple[Verdict, ...]
    trainings: tuple[Training, ...]
    theta: np.ndarray

    @cached_property
    def order(self) -> np.ndarray:
        """``(n,)`` positions, the most suspect first."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def queue(self) -> np.ndarray:
        """Positions without a verdict, the most suspect first."""
        done = np.isin(self.ids, [one.train_id for one in self.verdicts])
        return self.order[~done[self.order]]

    @property
    def current(self) -> int | None:
        """Position of the suspect to look at now; ``None`` where all are done."""
        return int(self.queue[0]) if len(self.queue) else None

    @cached_property
    def labels(self) -> np.ndarray:
        """``(n,)`` labels after all verdicts."""
        labels = self.given.copy()
        for one in self.verdicts:
            labels[self.position(one.train_id)] = one.new
        return labels

    @property
    def relabelled(self) -> int:
        """How many verdicts change the label."""
        return sum(one.relabels for one in self.verdicts)

    @property
    def flipped(self) -> int:
        """How many labels were flipped at the start."""
        return int((self.given != self.true).sum())

    @property
    def fixed(self) -> int:
        """How many of the flipped labels are right again."""
        return int(((self.given != self.true) & (self.labels == self.true)).sum())

    @property
    def up_to_date(self) -> bool:
        """Whether ``theta`` knows the labels as they are now: no verdict since the last training changed one.

        After an undo ``theta`` may be that of a training which was taken back.
        """
        last = self.trainings[-1]
        if last.model and last.model != digest(self.theta):
            return False
        return not any(one.relabels for one in self.verdicts[last.verdicts :])

    def position(self, train_id: int) -> int:
        """Position of a training id.

        Raises:
            DataError: If no training example has it.
        """
        found = np.flatnonzero(self.ids == train_id)
        if not len(found):
            raise DataError(f"There is no training example {train_id} in this study.")
        return int(found[0])


# ------------------------------------------------------------------------------------------------ beginning


@dataclass(frozen=True)
class Suspect:
    """One example of the queue, as a person looks at it.

    Attributes:
        train_id: The training example.
        position: Its training position.
        label: Its label.
        probabilities: ``(classes,)`` what the model of the last training says; it was trained on this label, too.
        score: How suspect it is.
        rank: 1 for the most suspect of all.
    """

    train_id: int
    position: int
    label: int
    probabilities: tuple[float, ...]
    score: float
    rank: int

    @property
    def answer(self) -> int:
        """The model's answer."""
        return int(np.argmax(self.probabilities))


def suspect(study: Study, review: Review) -> Suspect | None:
    """The suspect to look at now; ``None`` where all are done."""
    at = review.current
    if at is None:
        return None
    o, theta = study.objective, torch.as_tensor(review.theta).to(study.theta)
    return Suspect(
        train_id=int(review.ids[at]),
        position=at,
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
    flips: Settings | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Review:
    """Rank the labels and begin a queue, with one training on the labels as they are.

    Args:
        study: The trained model.
        session: A name to keep it under.
        method: A key of ``wrong_labels.METHODS``.
        flips: Labels to flip first, to practise on; ``None`` takes the labels as they are.
        store: Where rankings are kept.
        progress: Called while ranking.

    Raises:
        DataError: If the session's name or the method does not fit.
        UnsupportedError: If the study's model is neither logistic nor softmax regression.
    """
    check_session(session)
    known = wrong_labels.methods_for(study)
    if method not in known:
        raise DataError(f"There is no score “{method[:40]}” here; choose one of {', '.join(known)}.")
    true = study.data.train.y.numpy()
    given = true if flips is None else wrong_labels.flip(true, len(study.data.class_names), flips)[0]
    theta, scores, first = _rank(study, given, method, store, progress)
    return Review(
        session=session,
        study=study.spec.name,
        class_names=study.data.class_names,
        method=method,
        flips=flips,
        ids=study.data.train.ids.numpy(),
        given=given,
        true=true,
        scores=scores,
        verdicts=(),
        trainings=(first,),
        theta=theta,
    )


def _rank(
    study: Study, labels: np.ndarray, method: str, store: Store | None, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray, Training]:
    """The model for these labels, their scores, and how the model fares; kept, because many sessions ask for it."""
    key = digest("ranking", FORMAT, study.key, labels)
    kept = store.get(key) if store else None
    if kept is None:
        started = time.perf_counter()
        o = study.objective
        assert isinstance(o, LinearObjective)
        theta, norm = study.theta, study.gradient_norm
        if not np.array_equal(labels, study.data.train.y.numpy()):
            fitter = Fitter(o)
            theta = fitter.fit(labels, theta, part(progress, 0.0, 0.2))
            norm = fitter.largest_norm
        edited = replace(o, y=torch.as_tensor(labels).to(o.y))
        scores = wrong_labels.rank(edited, theta, progress=part(progress, 0.2, 1.0))
        arrays = {"theta": theta.cpu().numpy(), **scores}
        right = wrong_labels.accuracy(study, theta)
        facts = asdict(
            Training(0, 0, right, norm, time.perf_counter() - started, digest(theta.cpu().numpy()))
        )
        if store:
            store.put(key, arrays, facts)
    else:
        arrays, facts = kept.arrays, kept.meta
    return arrays["theta"], arrays[method], Training(**facts)


def check_session(session: str) -> None:
    """Raise ``DataError`` unless a session may have this name."""
    if not (0 < len(session) <= LONGEST_NAME and session.isprintable() and session == session.strip()):
        raise DataError(
            f"A session needs a name of 1 to {LONGEST_NAME} letters, without spaces around it; got “{session[:60]}”."
        )


# ----------------------------------------------------------------------------------------------- verdicts


def keep(review: Review, train_id: int, when: datetime | None = None) -> Review:
    """The label is right.

    Raises:
        DataError: If there is no such example, or it has a verdict already.
    """
    return relabel(review, train_id, int(review.given[review.position(train_id)]), when)


def relabel(review: Review, train_id: int, label: int, when: datetime | None = None) -> Review:
    """The label should be another one.

    Args:
        review: So far.
        train_id: The training example.
        label: Its label from now on.
        when: Now, where no time is given.

    Raises:
        DataError: If there is no such example or label, or it has a verdict already.
    """
    at = review.position(train_id)
    if at not in review.queue:
        raise DataError(f"Training example {train_id} has a verdict already; undo it first.")
    if not 0 <= label < len(review.class_names):
        raise DataError(f"There is no label number {label}; choose 0 to {len(review.class_names) - 1}.")
    moment = (when or datetime.now(UTC)).isoformat(timespec="seconds")
    verdict = Verdict(train_id, int(review.given[at]), label, moment, float(review.scores[at]))
    return replace(review, verdicts=(*review.verdicts, verdict))


def undo(review: Review) -> Review:
    """Take the last verdict back, and the trainings that knew it; where there is none, nothing happens."""
    left = review.verdicts[:-1]
    return replace(
        review, verdicts=left, trainings=tuple(one for one in review.trainings if one.verdicts <= len(left))
    )


def train(
    study: Study, review: Review, fitter: Fitter | None = None, progress: Progress | None = None
) -> Review:
    """Train on the labels after all verdicts, warm from the last model.

    Args:
        study: The study under review.
        review: So far.
        fitter: One for this study, where it is at hand.
        progress: Called while training.

    Raises:
        DataError: If the review is of another study, or no example of some class is left.
    """
    _check_study(study, review)
    if review.up_to_date:
        return review
    started = time.perf_counter()
    edited = _relabelled(study, review)
    theta = (fitter or Fitter(edited)).fit(
        review.labels, torch.as_tensor(review.theta).to(study.theta), progress
    )
    done = Training(
        verdicts=len(review.verdicts),
        relabelled=review.relabelled,
        accuracy=wrong_labels.accuracy(study, theta),
        gradient_norm=float(edited.risk_gradient(theta).norm()),
        seconds=time.perf_counter() - started,
        model=digest(theta.cpu().numpy()),
    )
    before = tuple(one for one in review.trainings if one.verdicts < done.verdicts)
    return replace(review, trainings=(*before, done), theta=theta.cpu().numpy())


def rank_again(study: Study, review: Review, progress: Progress | None = None) -> Review:
    """Rank by the model that knows the verdicts: what is left of the queue comes in a new order.

    Raises:
        DataError: As for ``train``.
    """
    trained = train(study, review, progress=part(progress, 0.0, 0.2))
    theta = torch.as_tensor(trained.theta).to(study.theta)
    scores = wrong_labels.rank(_relabelled(study, trained), theta, progress=part(progress, 0.2, 1.0))
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


def _relabelled(study: Study, review: Review) -> LinearObjective:
    """The study's objective with the labels after all verdicts."""
    assert isinstance(study.objective, LinearObjective)
    return replace(study.objective, y=torch.as_tensor(review.labels).to(study.objective.y))


def _check_study(study: Study, review: Review) -> None:
    if study.spec.name != review.study or not np.array_equal(study.data.train.ids.numpy(), review.ids):
        raise DataError(f"This review is of the study “{review.study}”. Open that study to go on with it.")


def table(review: Review, records: Callable[[int], Any] | None = None) -> dict[str, Any]:
    """The verdicts as columns, in the order they were given; the CSV download holds exactly these.

    Args:
        review: So far.
        records: Gives the original of an example by id; its "file" becomes a column where there is one.
    """
    names, verdicts = review.class_names, review.verdicts
    columns: dict[str, Any] = {
        "training_id": np.array([one.train_id for one in verdicts], dtype=np.int64),
        "old_label": np.array([names[one.old] for one in verdicts], dtype=object),
        "new_label": np.array([names[one.new] for one in verdicts], dtype=object),
        "verdict": np.array(["relabel" if one.relabels else "keep" for one in verdicts], dtype=object),
        "time": np.array([one.time for one in verdicts], dtype=object),
        "score": np.array([one.score for one in verdicts]),
    }
    files = [records(one.train_id).get("file", "") for one in verdicts] if records else []
    return columns | ({"file": np.array(files, dtype=object)} if any(files) else {})


# ------------------------------------------------------------------------------------------------ keeping


def recall(store: Store, study: Study, session: str) -> Review | None:
    """The session as it was last kept, or ``None``.

    Raises:
        DataError: If the session's name does not fit.
    """
    check_session(session)
    kept = store.get(_key(study, session))
    if kept is None:
        return None
    arrays, meta = kept.arrays, kept.meta
    return Review(
        session=session,
        study=study.spec.name,
        class_names=study.data.class_names,
        method=meta["method"],
        flips=None if meta["flips"] is None else Settings(**meta["flips"]),
        ids=study.data.train.ids.numpy(),
        given=arrays["given"],
        true=study.data.train.y.numpy(),
        scores=arrays["scores"],
        verdicts=tuple(Verdict(**one) for one in meta["verdicts"]),
        trainings=tuple(Training(**one) for one in meta["trainings"]),
        theta=arrays["theta"],
    )


def save(store: Store, study: Study, review: Review) -> Review:
    """Keep a review under its session's name, in the place of what was kept there.

    Raises:
        StoreError: If it could not be kept.
    """
    arrays = {"given": review.given, "scores": review.scores, "theta": review.theta}
    meta = {
        "method": review.method,
        "flips": None if review.flips is None else asdict(review.flips),
        "verdicts": [asdict(one) for one in review.verdicts],
        "trainings": [asdict(one) for one in review.trainings],
    }
    if not store.put(_key(study, review.session), arrays, meta):
        raise StoreError("The verdict could not be kept: " + " ".join(store.notices()))
    return review


def amend(store: Store, study: Study, session: str, change: Change) -> Review:
    """Change the kept session, one visitor at a time.

    Args:
        store: Where it is kept.
        study: The study under review.
        session: Its name.
        change: Given the latest review, the next one.

    Raises:
        DataError: If there is no such session, or the change does not fit.
        StoreError: If it could not be kept.
    """
    with _LOCK:
        review = recall(store, study, session)
        if review is None:
            raise DataError(f"There is no session “{session}” of this study (any more). Begin it again.")
        return save(store, study, change(review))


def _key(study: Study, session: str) -> str:
    return digest("review", FORMAT, study.key, session)
