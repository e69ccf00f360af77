"""Reviews, kept for good: the queue of each lies in a file, what is said in it in a list of changes, with all else.

A verdict is one transaction of the list, and on the disk before it is on show. The file holds what can be computed again:
the ranking and the trainings. Earlier versions kept the verdicts in it, too; ``take_in`` brings them into the list once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from threading import Lock

from influence_core.context import ALONE, Context
from influence_core.data.brought.home import home_of
from influence_core.errors import DataError, StoreError
from influence_core.experiments import review
from influence_core.experiments.review import Review, Training
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.sessions.entries import Said, State
from influence_core.sessions.session import Session
from influence_core.sessions.sessions import Sessions
from influence_core.sessions.verdicts import before_lists, changes_of, verdicts
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.store.remember import remember
from influence_core.store.store import ENTRY
from influence_core.studies import FORMAT, Study

Begin = Callable[[], Session]
"""Begins the list that holds the verdicts, or finds it."""

_LOCK = Lock()
"""Two visitors of one review must not judge the same suspect twice."""


@remember("review", stored=False)
def resume(
    study: Study,
    session: str,
    method: str = "exact",
    flips: FlipSettings | None = None,
    owner: str = "",
    listed: str = "",
    *,
    context: Context = ALONE,
) -> Review:
    """The review as it was last kept; one that there is not yet is started and kept.

    Args:
        study: The trained model.
        session: Its name.
        method: As ``review.start``, where it starts.
        flips: The same.
        owner: Whose it is; a review of this name that another has is another one.
        listed: The owner of the list in which its verdicts shall stand.
        context: The home of its store keeps the review.

    Raises:
        DataError: As ``review.start``.
        StoreError: If it could not be kept.
    """
    kept = recall(context.store, study, session, owner)
    if kept is not None:
        return kept
    begun = review.start(study, session, method, flips, context=context)
    with _LOCK:
        kept = recall(context.store, study, session, owner)
        if kept is None:
            save(context.store, study, replace(begun, owner=owner, listed=listed))
    return kept or _recalled(context.store, study, session, owner)


def recall(store: Store, study: Study, session: str, owner: str = "") -> Review | None:
    """The review as it was last kept, with what its list says now, or ``None``.

    A verdict counts if it was given in this review, or outside of all reviews.

    Raises:
        DataError: If the review's name does not fit.
        StoreError: If it is there and cannot be read.
    """
    kept = home_of(store).get(_key(study, review.session_name(session), owner))
    if kept is None:
        return None
    arrays, meta = kept.arrays, kept.meta
    queue = Review(
        session=session,
        study=study.spec.name,
        class_names=study.data.class_names,
        method=meta["method"],
        flips=None if meta["flips"] is None else FlipSettings(**meta["flips"]),
        ids=study.data.train.ids.numpy(),
        given=arrays["given"],
        true=study.data.train.y.numpy(),
        scores=arrays["scores"],
        verdicts=(),
        trainings=tuple(Training(**one) for one in meta["trainings"]),
        theta=arrays["theta"],
        owner=owner,
        listed=meta.get("list"),
    )
    if queue.listed is None:
        return review.with_verdicts(queue, map(before_lists, meta["verdicts"]))
    return review.with_verdicts(queue, verdicts(queue, state(store, queue)))


def state(store: Store, shown: Review) -> State:
    """The list that holds a review's verdicts, as it stands.

    Raises:
        StoreError: If it cannot be read.
    """
    session = _found(store, shown)
    return State(()) if session is None else session.state()


def signed_by(store: Store, shown: Review) -> str:
    """Whose list holds a review's verdicts, by name; "" where its owner has not signed.

    Raises:
        StoreError: If it cannot be read.
    """
    session = _found(store, shown)
    return "" if session is None else session.who


def judge(
    store: Store, study: Study, shown: Review, said: Iterable[Said], begin: Begin | None = None
) -> None:
    """Keep what is said, at once or not at all, and as one step to undo.

    Args:
        store: Whose home keeps it.
        study: The study under review.
        shown: The review as it was on show: what was said of an example since then is not said over.
        said: Changes and remarks.
        begin: Begins the list where there is none; by default an empty one.

    Raises:
        DataError: If the list was deleted meanwhile.
        StoreError: If it could not be kept.
    """
    with _LOCK:
        latest = recall(store, study, shown.session, shown.owner) or save(store, study, shown)
        session = _list(store, study, shown, begin)
        new = {one.train_id for one in latest.verdicts} - {one.train_id for one in shown.verdicts}
        session.record(*(one for one in said if one.example not in new))


def begin_list(store: Store, study: Study, listed: str) -> Session:
    """An owner's list of a study; an empty one where there is none.

    Raises:
        StoreError: If it could not be kept.
    """
    about = study.spec.name, study.spec.title[:60], study.data.class_names
    return Sessions(store).create(listed, *about, unless_there=True)


def move(store: Store, shown: Review, way: int) -> None:
    """Take back the last step of the list that holds a review's verdicts (``way`` -1), or bring it again (1).

    Raises:
        StoreError: If that could not be kept.
    """
    session = _found(store, shown)
    if session is not None:
        (session.undo if way < 0 else session.redo)()


def learn(store: Store, study: Study, session: str, done: Review, owner: str = "") -> Review:
    """Keep what was trained or ranked for an earlier state of a review, if it still fits.

    Raises:
        DataError: If there is no such review.
        StoreError: If it could not be kept.
    """
    with _LOCK:
        return save(store, study, review.adopt(_recalled(store, study, session, owner), done))


def save(store: Store, study: Study, queue: Review) -> Review:
    """Keep all of a review but its verdicts, in the place of what was kept under its owner's and its own name.

    Raises:
        StoreError: If it could not be kept; what was kept there stays.
    """
    assert queue.listed is not None, "its verdicts are in the file alone"
    arrays = {"given": queue.given, "scores": queue.scores, "theta": queue.theta}
    meta = {
        "method": queue.method,
        "flips": None if queue.flips is None else asdict(queue.flips),
        "trainings": [asdict(one) for one in queue.trainings],
        "list": queue.listed,
        "study": queue.study,
    }
    home_of(store).put(_key(study, queue.session, queue.owner), arrays, meta)
    return queue


def forget(store: Store, study: str) -> None:
    """Remove everybody's reviews of a study that is gone, and the lists of what was said to practise on it.

    Raises:
        StoreError: If that could not be kept.
    """
    home, sessions = home_of(store), Sessions(store)
    for path in home.folder.glob(f"*{ENTRY}"):
        try:
            kept = home.get(path.stem)
        except StoreError:  # nobody can say what it was
            continue
        if kept is None or kept.meta.get("study") != study:
            continue
        practised = kept.meta["flips"] is not None
        for session in sessions.of(kept.meta["list"], study) if practised else ():
            session.delete()
        path.unlink(missing_ok=True)


def take_in(
    store: Store, study: Study, old: Review, owner: str, listed: str, begin: Begin | None = None
) -> None:
    """Bring a review that an earlier version kept into a list, with its verdicts; killed in between, it is done again.

    Args:
        store: Whose home keeps it.
        study: The study under review.
        old: As it was recalled.
        owner: Whose it is from now on.
        listed: The owner of the list.
        begin: As for ``judge``.

    Raises:
        StoreError: If it could not be kept; it is as it was then.
    """
    with _LOCK:
        now = replace(old, owner=owner, listed=listed)
        session = _list(store, study, now, begin)
        known = session.state().verdicts
        session.record(*(one for one in changes_of(old) if known.get(one.example) != one))
        save(store, study, now)
        if old.owner != owner:
            home_of(store).path(_key(study, old.session, old.owner)).unlink(missing_ok=True)


def recalled(store: Store, study: Study, session: str, owner: str) -> tuple[Said, ...]:
    """The same of a review that an earlier version kept in a file, if there is one; the file stays as it is.

    Of labels that were flipped to practise on there are none: they were never the data's.

    Args:
        store: Whose home keeps it.
        study: The unchanged study, which was reviewed.
        session: The review's name.
        owner: Whose it is, as the review knows them.

    Raises:
        StoreError: If it is there and cannot be read.
    """
    old = recall(store, study, session, owner)
    return () if old is None or old.listed is not None or old.flips is not None else changes_of(old)


def _recalled(store: Store, study: Study, session: str, owner: str) -> Review:
    found = recall(store, study, session, owner)
    if found is None:
        raise DataError(f"There is no review “{session}” of this study (any more). Begin it again.")
    return found


def _found(store: Store, shown: Review) -> Session | None:
    there = Sessions(store).of(shown.listed or "", shown.study)
    return there[0] if there else None


def _list(store: Store, study: Study, shown: Review, begin: Begin | None) -> Session:
    """The list of a review; where the disk has lost all lists, what was on show of it is said again."""
    sessions = Sessions(store)
    lost = changes_of(shown) if not sessions.path.exists() else ()
    session = begin_list(store, study, shown.listed or "") if begin is None else begin()
    session.record(*lost)
    return session


def _key(study: Study, session: str, owner: str) -> str:
    """Reviews of nobody are named as earlier versions named them all."""
    whose = (owner,) if owner else ()
    return digest("review", FORMAT, study.key, session, *whose)
