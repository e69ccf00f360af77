"""All sessions of a home: begun, found by their token or by whose they are, and forgotten."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from influence_core.data.brought.home import home_of
from influence_core.errors import DataError
from influence_core.sessions.database import NAME, make_ready, reading, writing
from influence_core.sessions.entries import Said
from influence_core.sessions.session import Session, append, fitting, keep_question, keep_version, now
from influence_core.store import Store

_COLUMNS = "token, owner, study, title, labels, who, created, seen"
NOTHING: Mapping[str, str] = MappingProxyType({})
_OWN = "owner = ?1 AND (study = ?2 OR ?2 = '')"


class Sessions:
    """All sessions of a store's home; there is no file before the first.

    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> from influence_core.studies.changes import Change
    >>> folder = TemporaryDirectory()
    >>> mine = Sessions(Store(Path(folder.name))).create("ada", "digits")
    >>> mine.record(Change("remove", 7), Change("relabel", 12, label=3))
    >>> ",".join(map(str, mine.state().changes))
    'r7,l12=3'
    >>> folder.cleanup()

    Args:
        store: Whose home keeps them; it is told where they were damaged.

    Raises:
        StoreError: If they cannot be read or written.
    """

    def __init__(self, store: Store) -> None:
        self.store, self.path = store, home_of(store).folder / NAME
        if self.path.exists():
            self._make_ready()

    def create(
        self,
        owner: str,
        study: str,
        title: str = "",
        labels: Iterable[str] = (),
        who: str = "",
        steps: Iterable[Sequence[Said]] = (),
        versions: Mapping[str, str] = NOTHING,
        questions: Iterable[str] = (),
        unless_there: bool = False,
    ) -> Session:
        """Begin a session, with all that it begins with or not at all.

        Args:
            owner: Whose it is: a word that only they know.
            study: The unchanged study's name.
            title: What its owner calls it; the study's name unless there is one.
            labels: What the labels mean.
            who: Who speaks in it.
            steps: What was said in it already, at once in each step.
            versions: Addresses of saved versions by name.
            questions: Addresses of what was asked.
            unless_there: Whether one that this owner has of this study already, or began meanwhile, is given instead.

        Raises:
            DataError: If the title or a version's name does not fit.
            StoreError: If it could not be kept.
        """
        token, moment = secrets.token_hex(16), now()
        row = (token, owner, study, fitting(title or study), json.dumps(tuple(labels)), who, moment, moment)
        self._make_ready()
        with writing(self.path) as open_:
            there = self._where(open_, _OWN, owner, study) if unless_there else []
            if there:
                return there[0]
            mine = open_.execute(
                f"INSERT INTO sessions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
            ).lastrowid
            assert mine is not None
            head = 0
            for said in filter(None, steps):
                head = append(open_, mine, head, said)
            for name, address in versions.items():
                keep_version(open_, mine, name, address)
            for address in questions:
                keep_question(open_, mine, address)
        return self._session(row)

    def open(self, token: str) -> Session:
        """The session of a token.

        Raises:
            DataError: If there is none.
            StoreError: If it cannot be read.
        """
        found = self._read("token = ?", token)
        if not found:
            raise DataError("There is no such session on this machine (any more).")
        return found[0]

    def of(self, owner: str, study: str = "") -> list[Session]:
        """Somebody's sessions, the last written first.

        Args:
            owner: Whose.
            study: Of this study alone; "" for all.

        Raises:
            StoreError: If they cannot be read.
        """
        return self._read(_OWN, owner, study)

    def expire(self, days: float) -> int:
        """Delete what nobody has written to for so many days; how many sessions that were.

        Raises:
            StoreError: If that could not be kept.
        """
        if not self.path.exists():
            return 0
        before = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        with writing(self.path) as open_:
            return open_.execute("DELETE FROM sessions WHERE seen < ?", (before,)).rowcount

    def _read(self, condition: str, *values: str) -> list[Session]:
        if not self.path.exists():
            return []
        with reading(self.path) as open_:
            return self._where(open_, condition, *values)

    def _where(self, open_: sqlite3.Connection, condition: str, *values: str) -> list[Session]:
        asked = f"SELECT {_COLUMNS} FROM sessions WHERE {condition} ORDER BY seen DESC, id DESC"
        return [self._session(row) for row in open_.execute(asked, values).fetchall()]

    def _make_ready(self) -> None:
        damage = make_ready(self.path)
        if damage:
            self.store.notify(damage)

    def _session(self, row: Sequence[str]) -> Session:
        token, owner, study, title, labels, who, created, seen = row
        return Session(self.path, token, owner, study, title, tuple(json.loads(labels)), who, created, seen)
