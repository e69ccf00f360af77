"""The one file in which all sessions lie: SQLite, written ahead, for several processes at once.

Each call is a transaction of its own, and is on the disk before it returns (``synchronous=FULL``): a process that is killed
at any moment loses nothing that it said it had kept.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from influence_core.errors import StoreError
from influence_core.store.atomic import one_at_a_time
from influence_core.store.store import reason

NAME = "sessions.sqlite"
PATIENCE_SECONDS = 30.0
"""How long one waits for another's transaction."""

MIGRATIONS = (
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, study TEXT NOT NULL, title TEXT NOT NULL,
        labels TEXT NOT NULL, who TEXT NOT NULL, created TEXT NOT NULL, seen TEXT NOT NULL, head INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX of_owner ON sessions (owner, study);
    CREATE TABLE entries (
        session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, number INTEGER NOT NULL, step INTEGER NOT NULL,
        text TEXT NOT NULL, example INTEGER NOT NULL, who TEXT NOT NULL, "when" TEXT NOT NULL, why TEXT NOT NULL,
        replaced INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (session, number)
    ) WITHOUT ROWID;
    CREATE TABLE versions (
        session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, name TEXT NOT NULL, address TEXT NOT NULL,
        saved TEXT NOT NULL, PRIMARY KEY (session, name)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE questions (
        session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, number INTEGER NOT NULL, address TEXT NOT NULL,
        asked TEXT NOT NULL, PRIMARY KEY (session, number)
    ) WITHOUT ROWID;
    """,
)
"""Number ``i`` brings a file of version ``i`` (``PRAGMA user_version``) to version ``i + 1``; none is ever edited.

``head`` is the last step that counts; a step behind it can be redone unless it is ``replaced`` by what was done instead.
"""

_READY: set[Path] = set()
"""Files that this process has looked over."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one state of the file throughout.

    Args:
        path: Of the file, which was made ready.

    Raises:
        StoreError: If it cannot be read.
    """
    with _transaction(path, "BEGIN") as open_:
        yield open_


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are all kept at the end, or none after an error; others wait meanwhile.

    Raises:
        StoreError: If they could not be kept.
    """
    with _transaction(path, "BEGIN IMMEDIATE") as open_:
        yield open_


def make_ready(path: Path) -> str:
    """Make the file where there is none, look it over, and bring it to the present version; once a process.

    Args:
        path: Of the file; missing folders are made.

    Returns:
        What a person should know: that the file was damaged, where it was put, and that an empty one begins; else "".

    Raises:
        StoreError: If a newer version of this app made it, or the disk refuses.
    """
    if path in _READY and path.exists():
        return ""
    said = ""
    try:
        with one_at_a_time(path.with_suffix(".lock")):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not _is_whole(path):
                aside = _put_aside(path)
                said = f"What was kept of sessions is damaged. It was put aside as {aside.name}, and an empty list begins."
            path.touch(mode=0o600)
            _migrate(path)
    except (sqlite3.Error, OSError) as error:
        raise _not_kept(error) from error
    _READY.add(path)
    return said


def _migrate(path: Path) -> None:
    with _connected(path) as open_:
        open_.execute("PRAGMA journal_mode = WAL")
        (version,) = open_.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The sessions here were kept by a newer version of this app (schema {version}, this one knows "
                f"{len(MIGRATIONS)}). They are left as they are; start the newer one."
            )
        for at in range(version, len(MIGRATIONS)):
            open_.executescript(f"BEGIN IMMEDIATE;{MIGRATIONS[at]};PRAGMA user_version = {at + 1};COMMIT;")


def _is_whole(path: Path) -> bool:
    if not path.exists():
        return True
    try:
        with _connected(path) as open_:
            return open_.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    except sqlite3.OperationalError:  # busy, or a disk that refuses: no damage
        raise
    except sqlite3.DatabaseError:
        return False


def _put_aside(path: Path) -> Path:
    aside = path.with_stem(f"{path.stem}-damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    os.replace(path, aside)
    for kind in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{kind}", f"{aside}{kind}")
    return aside


@contextmanager
def _transaction(path: Path, begin: str) -> Iterator[sqlite3.Connection]:
    try:
        with _connected(path) as open_:
            open_.execute(begin)
            try:
                yield open_
            except BaseException:
                open_.execute("ROLLBACK")
                raise
            open_.execute("COMMIT")
    except sqlite3.Error as error:
        raise _not_kept(error) from error


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)) as open_:
        open_.execute("PRAGMA foreign_keys = ON")
        open_.execute("PRAGMA synchronous = FULL")
        open_.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        yield open_


def _not_kept(error: Exception) -> StoreError:
    why = reason(error) if isinstance(error, OSError) else str(error)
    return StoreError(f"The sessions on this machine cannot be read or written ({why}); nothing was changed.")
