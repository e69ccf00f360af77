"""Whether a study is ready, as far as that is known without reading or computing anything."""

from __future__ import annotations

from influence_core import data
from influence_core.store import Store
from influence_core.store.remember import key_of
from influence_core.studies.spec import StudySpec
from influence_core.words import about

READY, NEEDS_DATA = "ready", "needs data"
QUICK = 10.0
"""Seconds that nobody is warned of."""
FIRST_TIME: dict[str, float] = {
    "digits": 2,
    "one-or-seven": 1,
    "digits-network": 1,
    "mnist": 14,
    "mnist-one-or-seven": 3,
    "diabetes": 2,
    "diabetes-thinned": 2,
    "hospital": 2,
    "hospital-thinned": 2,
    "mails": 4,
    "dog-or-frog": 3,
}
"""Seconds in which a study opens for the first time, on two cores."""


def mark(spec: StudySpec, store: Store, folder: str) -> str:
    """What stands beside a study's title: ready, about how long, needs data; "" where nobody knows.

    Args:
        spec: The study.
        store: Where opened studies are noted.
        folder: The data folder.
    """
    if not data.at_hand(spec.data, folder):
        return NEEDS_DATA
    seconds = FIRST_TIME.get(spec.name)
    if store.has(_key(spec)) or (seconds is not None and seconds <= QUICK):
        return READY
    return "" if seconds is None else about(seconds)


def note(spec: StudySpec, store: Store) -> None:
    """The study was opened, so that its parts are in the store."""
    if not store.has(_key(spec)):
        store.put(_key(spec), {}, {"study": spec.name})


def _key(spec: StudySpec) -> str:
    return key_of("opened", spec)
