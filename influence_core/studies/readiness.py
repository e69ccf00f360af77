"""Whether a study is ready, as far as that is known without reading or computing anything."""

from __future__ import annotations

from influence_core import data
from influence_core.store import Store
from influence_core.store.remember import key_of
from influence_core.studies.opening import near, parts
from influence_core.studies.spec import StudySpec
from influence_core.studies.study import Study
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
_NOTED: dict[tuple[str, str], list[str]] = {}
"""Keys of the parts by store and study, as far as this process has seen them: marks stand on every page."""


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
    if (seconds is not None and seconds <= QUICK) or is_kept(spec, store):
        return READY
    return "" if seconds is None else about(seconds)


def note(study: Study, store: Store) -> None:
    """The study was opened, so that its parts are in the store; it is no longer ready once the store forgets one."""
    if not is_kept(study.spec, store):
        kept = [one for one in parts(study) if near(study.spec, store).has(one)]
        _NOTED[str(store.folder), _key(study.spec)] = kept
        store.put(_key(study.spec), {}, {"study": study.spec.name, "parts": kept})


def is_kept(spec: StudySpec, store: Store) -> bool:
    """Whether it was opened, and all that was kept of it then is still there."""
    key = _key(spec)
    if not store.has(key):
        return False
    kept = _NOTED.get((str(store.folder), key))
    if kept is None:
        noted = store.get(key)
        if noted is None or "parts" not in noted.meta:
            return False
        kept = _NOTED[str(store.folder), key] = noted.meta["parts"]
    return all(map(near(spec, store).has, kept))


def _key(spec: StudySpec) -> str:
    return key_of("opened", spec)
