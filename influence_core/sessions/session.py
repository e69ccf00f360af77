"""A session: what somebody said about a study's training examples, and what they asked, kept before a call returns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from influence_core.errors import DataError
from influence_core.sessions.database import reading, writing
from influence_core.sessions.entries import Entry, Remark, Said, State, read

LONGEST_NAME = 60
_COUNTS = "replaced = 0 AND step <= (SELECT head FROM sessions WHERE id = entries.session)"


@dataclass(frozen=True)
class Session:
    """One session; only what stands still of it is here, the rest is asked for.

    Attributes:
        path: The file that keeps it.
        token: Its name, which nobody can guess.
        owner: Whose it is.
        study: The unchanged study's name.
        title: What its owner calls it.
        labels: What the labels mean.
        who: Who speaks in it, unless an entry says otherwise.
        created: ISO 8601.
        seen: When it was last written to.
    """

    path: Path
    token: str
    owner: str
    study: str
    title: str
    labels: tuple[str, ...]
    who: str
    created: str
    seen: str

    def record(self, *said: Said) -> None:
        """Keep changes and remarks as one step; what was undone before can no longer be redone, but stays on record.

        Raises:
            DataError: If the session is gone.
            StoreError: If they could not be kept.
        """
        if not said:
            return
        with writing(self.path) as open_:
            mine, head = self._found(open_)
            append(open_, mine, head, [replace(one, who=one.who or self.who) for one in said])

    def note(self, example: int, text: str) -> None:
        """Keep a note on an example.

        Raises:
            DataError: If it is empty or too long, or the session is gone.
            StoreError: If it could not be kept.
        """
        self.record(Remark("note", example, why=text.strip()))

    def undo(self) -> bool:
        """Take the last step back; whether there was one.

        Raises:
            DataError: If the session is gone.
            StoreError: If that could not be kept.
        """
        return self._move(
            "SELECT coalesce(max(step), 0) FROM entries WHERE session = ? AND replaced = 0 AND step < ?"
        )

    def redo(self) -> bool:
        """Bring back the step that was undone last; whether there was one.

        Raises:
            DataError: If the session is gone.
            StoreError: If that could not be kept.
        """
        return self._move("SELECT min(step) FROM entries WHERE session = ? AND replaced = 0 AND step > ?")

    def state(self) -> State:
        """As it stands now.

        Raises:
            DataError: If the session is gone.
            StoreError: If it cannot be read.
        """
        with reading(self.path) as open_:
            mine, head = self._found(open_)
            entries = _entries(open_, mine, _COUNTS)
            later = open_.execute(
                "SELECT 1 FROM entries WHERE session = ? AND replaced = 0 AND step > ?", (mine, head)
            ).fetchone()
        return State(entries, bool(entries), later is not None)

    def history(self) -> tuple[Entry, ...]:
        """All that was ever recorded, also what was taken back.

        Raises:
            DataError: If the session is gone.
            StoreError: If it cannot be read.
        """
        with reading(self.path) as open_:
            return _entries(open_, self._found(open_)[0], "1")

    def save_version(self, name: str, address: str) -> None:
        """Keep a version's address under a name, in the place of what had that name.

        Raises:
            DataError: If the name does not fit, or the session is gone.
            StoreError: If it could not be kept.
        """
        with writing(self.path) as open_:
            keep_version(open_, self._found(open_)[0], name, address)

    def versions(self) -> dict[str, str]:
        """Addresses of the saved versions by name, in the order in which they were saved.

        Raises:
            DataError: If the session is gone.
            StoreError: If it cannot be read.
        """
        with reading(self.path) as open_:
            asked = "SELECT name, address FROM versions WHERE session = ? ORDER BY saved, name"
            return dict(open_.execute(asked, (self._found(open_)[0],)))

    def asked(self, address: str) -> None:
        """Keep that a question was asked; asked again at once it is the same.

        Raises:
            DataError: If the session is gone.
            StoreError: If it could not be kept.
        """
        with writing(self.path) as open_:
            keep_question(open_, self._found(open_)[0], address)

    def questions(self) -> tuple[str, ...]:
        """Addresses of the questions in the order in which they were asked.

        Raises:
            DataError: If the session is gone.
            StoreError: If it cannot be read.
        """
        with reading(self.path) as open_:
            asked = "SELECT address FROM questions WHERE session = ? ORDER BY number"
            return tuple(row[0] for row in open_.execute(asked, (self._found(open_)[0],)))

    def rename(self, title: str) -> Session:
        """The same session under another title.

        Raises:
            DataError: If the title does not fit, or the session is gone.
            StoreError: If it could not be kept.
        """
        return replace(self, title=self._write("title", title))

    def sign(self, who: str) -> None:
        """Name who speaks in it from now on.

        Raises:
            DataError: If the name does not fit, or the session is gone.
            StoreError: If it could not be kept.
        """
        self._write("who", who)

    def delete(self) -> None:
        """Remove it with all that is in it, at once; that it is gone already is fine.

        Raises:
            StoreError: If that could not be kept; it is still there then.
        """
        with writing(self.path) as open_:
            open_.execute("DELETE FROM sessions WHERE token = ?", (self.token,))

    def _found(self, open_: sqlite3.Connection) -> tuple[int, int]:
        row = open_.execute("SELECT id, head FROM sessions WHERE token = ?", (self.token,)).fetchone()
        if row is None:
            raise DataError("This session was deleted. Begin another one.")
        return int(row[0]), int(row[1])

    def _write(self, column: Literal["title", "who"], name: str) -> str:
        """Keep a name in a column of the session; as it is kept."""
        with writing(self.path) as open_:
            mine, name = self._found(open_)[0], fitting(name)
            open_.execute(f"UPDATE sessions SET {column} = ? WHERE id = ?", (name, mine))
        return name

    def _move(self, asked: str) -> bool:
        with writing(self.path) as open_:
            mine, head = self._found(open_)
            (to,) = open_.execute(asked, (mine, head)).fetchone()
            if to is None or to == head:
                return False
            open_.execute("UPDATE sessions SET head = ?, seen = ? WHERE id = ?", (to, now(), mine))
        return True


def append(open_: sqlite3.Connection, mine: int, head: int, said: Iterable[Said]) -> int:
    """One step more in session ``mine``, in the place of those behind ``head``, which were undone; its number."""
    open_.execute("UPDATE entries SET replaced = 1 WHERE session = ? AND step > ?", (mine, head))
    number, step = open_.execute(
        "SELECT coalesce(max(number), 0), coalesce(max(step), 0) + 1 FROM entries WHERE session = ?", (mine,)
    ).fetchone()
    moment = now()
    rows = [
        (mine, at, step, str(one), one.example, one.who, one.when or moment, one.why)
        for at, one in enumerate(said, number + 1)
    ]
    open_.executemany(
        'INSERT INTO entries (session, number, step, text, example, who, "when", why) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        rows,
    )
    open_.execute("UPDATE sessions SET head = ?, seen = ? WHERE id = ?", (step, moment, mine))
    return int(step)


def keep_version(open_: sqlite3.Connection, mine: int, name: str, address: str) -> None:
    """A version of session ``mine``, in the place of what had that name."""
    open_.execute(
        "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?)", (mine, fitting(name), address, now())
    )


def keep_question(open_: sqlite3.Connection, mine: int, address: str) -> None:
    """A question of session ``mine``, unless it is the last one again."""
    asked = "SELECT number, address FROM questions WHERE session = ? ORDER BY number DESC LIMIT 1"
    number, last = open_.execute(asked, (mine,)).fetchone() or (0, "")
    if last != address:
        open_.execute("INSERT INTO questions VALUES (?, ?, ?, ?)", (mine, number + 1, address, now()))


def _entries(open_: sqlite3.Connection, mine: int, condition: str) -> tuple[Entry, ...]:
    rows = open_.execute(
        f'SELECT number, step, text, example, who, "when", why FROM entries WHERE session = ? AND {condition} ORDER BY number',
        (mine,),
    )
    return tuple(Entry(number, step, read(*said)) for number, step, *said in rows)


def fitting(name: str) -> str:
    """A name with single spaces, if it may be one.

    Raises:
        DataError: If it may not.
    """
    name = " ".join(name.split())
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise DataError(f"A name has 1 to {LONGEST_NAME} letters; got “{name[:80]}”.")
    return name


def now() -> str:
    """ISO 8601."""
    return datetime.now(UTC).isoformat()
