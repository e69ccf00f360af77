"""What this visitor said about training examples: one list a study, on every page; each change is kept before it is shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st

from influence_core import studies
from influence_core.errors import InfluenceError
from influence_core.sessions import Said, Session, Sessions, State, reviews
from influence_core.store.digest import digest
from influence_core.studies import StudySpec
from influence_core.studies.changes import settled
from pages._shell import browser, results
from pages._shell.address import View, another_version
from pages._shell.places import data_folder

DAYS_VARIABLE = "INFLUENCE_EXPLORER_SESSION_DAYS"
FIRST_REVIEW = "my review"
"""What a review is called unless somebody gives it a name."""
_SIGNED, _READ = "reviewer", "changes_read"


def find(spec: StudySpec) -> Session | None:
    """This browser's list of a study or of one of its versions, if there is one.

    Raises:
        InfluenceError: If it cannot be read.
    """
    _expire()
    found = Sessions(results.get_store()).of(browser.owner(), spec.name)
    return found[0] if found else None


def readable(spec: StudySpec) -> Session | None:
    """This browser's list of a study, if there is one that can be read."""
    with suppress(InfluenceError):  # the sidebar says so
        return find(spec)
    return None


def state(spec: StudySpec) -> State:
    """This browser's list of a study as it stood when the page began; an empty one where there is none that can be read."""
    return _once(spec)[0]


def by_another(spec: StudySpec, said: Said) -> str:
    """Who said something in this browser's list, where it was neither the list's owner nor who uses the app; "" else."""
    return "" if said.who in (_once(spec)[1], reviewer()) else said.who


def begin_run() -> None:
    """What was read of the lists is out of date once a page begins: a click may have changed them."""
    st.session_state[_READ] = {}


def _once(spec: StudySpec) -> tuple[State, str]:
    """The list as it stands and whose it is, read once a page: every grid of cards asks for it."""
    known: dict[str, tuple[State, str]] = st.session_state.setdefault(_READ, {})
    if spec.name not in known:
        known[spec.name] = _read(spec)
    return known[spec.name]


def _read(spec: StudySpec) -> tuple[State, str]:
    with suppress(InfluenceError):  # the sidebar says so
        session = find(spec)
        return (State(()), "") if session is None else (session.state(), session.who)
    return State(()), ""


def address_of(session: Session) -> str:
    """The address of the study with the changes that count now."""
    return replace(
        studies.find(session.study, results.get_store()).unchanged, changes=session.state().changes
    ).address


def reviewer() -> str:
    """What the person calls themselves who uses the app now; "" where they have not said so."""
    return str(st.session_state.get(_SIGNED, ""))


def call_reviewer(name: str) -> None:
    """From now on the person who uses the app is called so."""
    printed = "".join(one if one.isprintable() else " " for one in name)
    st.session_state[_SIGNED] = " ".join(printed.split())


def signed(said: Iterable[Said], otherwise: str = "") -> list[Said]:
    """What is said, with the name of who says it; ``otherwise`` where that is not known."""
    return [replace(one, who=one.who or reviewer() or otherwise) for one in said]


def sign(spec: StudySpec) -> None:
    """The first who says their name is whose list it is."""
    session = find(spec)
    if session is not None and reviewer() and not session.who:
        session.sign(reviewer())


def changed_address(spec: StudySpec) -> str:
    """The address of a study with the changes of this browser's list; "" where there are none."""
    session = readable(spec)
    address = spec.name if session is None else address_of(session)
    return "" if address == spec.name else address


def record(spec: StudySpec, labels: Iterable[str], *said: Said, told: str = "") -> None:
    """Keep what is said of a study's examples; the next run confirms it in the words ``told``, or says why it was not kept."""

    def keep() -> None:
        session, new = find(spec), tuple(signed(said))
        if session is None:  # and what it takes over is not said again
            session = begin(spec, labels)
            known = session.state().verdicts
            new = tuple(one for one in new if known.get(one.example) != one)
        amend(session, lambda: session.record(*new))

    attempt(keep)
    st.session_state["changes_told"] = told


def amend(session: Session, change: Callable[[], object]) -> None:
    """Change a list; a page that shows the model with its changes goes on to the new one, where training takes a moment."""

    def work() -> None:
        shown = st.session_state.get("study_shown", "")
        before = "" if shown == session.study else address_of(session)
        change()
        if before and before == shown and studies.find(session.study, results.get_store()).is_smooth_linear:
            another_version(address_of(session))

    attempt(work)


def trouble() -> str:
    """Why the last change could not be kept, once; "" where it was."""
    return str(st.session_state.pop("changes_trouble", ""))


def note_question(view: View, test_id: int | None) -> None:
    """Keep in the list which question is on show, and keep to it where another version is chosen."""
    test = "" if test_id is None else str(test_id)
    st.session_state["question_shown"] = view.spec.name, test
    address = urlencode(view.query("study", "picture", "ask") | ({"test": test} if test else {}))
    if st.session_state.get("question_noted") != address:
        session = find(view.spec)
        if session is not None:
            attempt(lambda: session.asked(address))
            st.session_state["question_noted"] = address


def count_said(study: str) -> tuple[int, int]:
    """How many verdicts and notes this browser's list of a study holds, and how many saved versions; (0, 0) if unreadable."""
    with suppress(InfluenceError):  # the sidebar says so
        for session in Sessions(results.get_store()).of(browser.owner(), study):
            now = session.state()
            return len(now.verdicts) + len(now.notes), len(session.versions())
    return 0, 0


def forget(study: str) -> None:
    """Delete this browser's lists of a study that is gone, and all reviews of it.

    Raises:
        InfluenceError: If that could not be kept.
    """
    store = results.get_store()
    for session in Sessions(store).of(browser.owner(), study):
        session.delete()
    reviews.forget(store, study)


def secret_of_review(study: str, name: str) -> str:
    """The secret of this browser's own review of a name."""
    return digest("review of", browser.owner(), study, name)[:32]


def begin(spec: StudySpec, labels: Iterable[str]) -> Session:
    """This browser's list of a study; a new one takes over what was reviewed before there were lists, and a version's changes.

    Raises:
        InfluenceError: If it could not be kept.
    """
    there = find(spec)
    if there is not None:
        return there
    first = [replace(one, why="came with the link") for one in settled(spec.changes)]
    return Sessions(results.get_store()).create(
        browser.owner(),
        spec.name,
        spec.title[:60],
        labels,
        reviewer(),
        steps=[[*_reviewed(spec), *first]],
        unless_there=True,
    )


def _reviewed(spec: StudySpec) -> list[Said]:
    store = results.get_store()
    study = studies.open_study(spec.unchanged, store, data_folder())
    names = dict.fromkeys([FIRST_REVIEW, st.session_state.get("review_last", FIRST_REVIEW)])
    return [
        one
        for name in names
        for one in reviews.recalled(store, study, name, secret_of_review(spec.name, name))
    ]


def attempt(work: Callable[[], None]) -> None:
    """Do it; where that fails, the next run says why."""
    try:
        work()
    except InfluenceError as error:
        st.session_state["changes_trouble"] = str(error)


@st.cache_resource(show_spinner=False)
def _expire() -> None:
    """Forget what nobody has changed for as long as the person who started the server allows; once a server."""
    days = os.environ.get(DAYS_VARIABLE, "").strip()
    if days.isdecimal():
        Sessions(results.get_store()).expire(int(days))
    elif days:
        results.get_store().notify(
            f"{DAYS_VARIABLE} should be a whole number, not {days[:40]!r}; no list of changes is forgotten."
        )
