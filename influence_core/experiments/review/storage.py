"""Every step of a review, kept for good under its owner's and its session's name.

A closed page or a killed process loses nothing, and the store that forgets has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from threading import Lock

from influence_core.context import ALONE, Context
from influence_core.data.brought.home import home_of
from influence_core.errors import DataError
from influence_core.experiments.review.ranking import start
from influence_core.experiments.review.session import Review, Training, Verdict, session_name
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.store.remember import remember
from influence_core.studies import FORMAT, Study

Change = Callable[[Review], Review]
"""A verdict, undo or a training: given the latest review, the next one."""

_LOCK = Lock()
"""Two visitors of one session must not write over each other's verdicts."""


@remember("review", stored=False)
def resume(
    study: Study,
    session: str,
    method: str = "exact",
    flips: FlipSettings | None = None,
    owner: str = "",
    *,
    context: Context = ALONE,
) -> Review:
    """The session as it was last kept; one that there is not yet is started and kept.

    Args:
        study: The trained model.
        session: Its name.
        method: As ``start``, where it starts.
        flips: The same.
        owner: Whose it is; a session of this name that another has is another review.
        context: The home of its store keeps the review.

    Raises:
        DataError: As ``start``.
        StoreError: If it could not be kept.
    """
    kept = recall(context.store, study, session, owner)
    if kept is not None:
        return kept
    begun = start(study, session, method, flips, context=context)
    with _LOCK:
        kept = recall(context.store, study, session, owner)
        return save(context.store, study, replace(begun, owner=owner)) if kept is None else kept


def recall(store: Store, study: Study, session: str, owner: str = "") -> Review | None:
    """The session as it was last kept, or ``None``.

    Raises:
        DataError: If the session's name does not fit.
        StoreError: If it is there and cannot be read.
    """
    kept = home_of(store).get(_key(study, session_name(session), owner))
    if kept is None:
        return None
    arrays, meta = kept.arrays, kept.meta
    return Review(
        session=session,
        study=study.spec.name,
        class_names=study.data.class_names,
        method=meta["method"],
        flips=None if meta["flips"] is None else FlipSettings(**meta["flips"]),
        ids=study.data.train.ids.numpy(),
        given=arrays["given"],
        true=study.data.train.y.numpy(),
        scores=arrays["scores"],
        verdicts=tuple(Verdict(**one) for one in meta["verdicts"]),
        trainings=tuple(Training(**one) for one in meta["trainings"]),
        theta=arrays["theta"],
        owner=owner,
    )


def save(store: Store, study: Study, review: Review) -> Review:
    """Keep a review under its owner's and its session's name, in the place of what was kept there.

    Raises:
        StoreError: If it could not be kept; what was kept there stays.
    """
    arrays = {"given": review.given, "scores": review.scores, "theta": review.theta}
    meta = {
        "method": review.method,
        "flips": None if review.flips is None else asdict(review.flips),
        "verdicts": [asdict(one) for one in review.verdicts],
        "trainings": [asdict(one) for one in review.trainings],
    }
    home_of(store).put(_key(study, review.session, review.owner), arrays, meta)
    return review


def amend(
    store: Store, study: Study, session: str, change: Change, owner: str = "", shown: Review | None = None
) -> Review:
    """Change the kept session, one visitor at a time.

    Args:
        store: Whose home keeps it.
        study: The study under review.
        session: Its name.
        change: Given the latest review, the next one.
        owner: Whose it is.
        shown: What its owner saw last; where the disk has lost the session, it goes on from there.

    Raises:
        DataError: If there is no such session, or the change does not fit.
        StoreError: If it could not be kept.
    """
    with _LOCK:
        review = recall(store, study, session, owner) or shown
        if review is None:
            raise DataError(f"There is no session “{session}” of this study (any more). Begin it again.")
        return save(store, study, change(review))


def take_over(store: Store, study: Study, session: str, owner: str) -> None:
    """Give a session that belongs to nobody, because an earlier version kept it, to an owner; that there is none is fine.

    Raises:
        StoreError: If it could not be kept; it still belongs to nobody then.
    """
    with _LOCK:
        review = recall(store, study, session)
        if review is not None:
            save(store, study, replace(review, owner=owner))
            home_of(store).path(_key(study, session, "")).unlink(missing_ok=True)


def _key(study: Study, session: str, owner: str) -> str:
    """Reviews of nobody are named as earlier versions named them all."""
    whose = (owner,) if owner else ()
    return digest("review", FORMAT, study.key, session, *whose)
