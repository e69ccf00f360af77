"""Sessions: said once, kept for good, undone and redone without end, and nobody else's."""

import io
import json
import os
import random
import signal
import sqlite3
import time
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from itertools import count

import pytest

from influence_core.data.brought import home
from influence_core.errors import DataError, StoreError
from influence_core.sessions import Remark, Sessions, carried, database, packed, unpacked
from influence_core.sessions import sessions as sessions_module
from influence_core.store import Store
from influence_core.studies.changes import Change, parse, settled

KILLS = int(os.environ.get("KILLS", "20"))
WRITERS = 4


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def mine(store):
    return Sessions(store).create("ada", "digits", "My digits", [str(one) for one in range(10)], who="Ada")


def texts(session):
    return [str(one.said) for one in session.state().entries]


# ------------------------------------------------------------------------------------------------ saying


def test_what_is_said_is_there_for_whoever_opens_the_token(store, mine):
    mine.record(Change("remove", 7, why="not a digit"))
    mine.record(Change("relabel", 12, label=3, who="Bob"), Remark("unsure", 5))
    mine.note(7, "  half of it is missing ")
    found = Sessions(store).open(mine.token)
    assert texts(found) == ["r7", "l12=3", "unsure", "note"]
    first, second, *_ = (one.said for one in found.state().entries)
    assert (first.who, first.why, second.who) == ("Ada", "not a digit", "Bob")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(first.when)).total_seconds()) < 60
    assert found.state().notes == {7: "half of it is missing"}
    assert (found.title, found.labels[3], found.study) == ("My digits", "3", "digits")


def test_whose_a_session_is_can_be_said_later(store):
    later = Sessions(store).create("bert", "digits")
    later.record(Change("remove", 7))
    later.sign("  Bert  B. ")
    found = Sessions(store).open(later.token)
    assert found.who == "Bert B."
    found.record(Change("keep", 8), Change("keep", 9, who="Ada"))
    assert [one.said.who for one in found.state().entries] == ["", "Bert B.", "Ada"]
    with pytest.raises(DataError, match="1 to 60 letters"):
        later.sign(" ")


def test_who_said_what_stands_is_told_of_each_example(mine):
    mine.record(Change("remove", 1), Change("remove", 2, who="Bob"), Change("keep", 3, who="Bob"))
    mine.record(Change("remove", 2), Change("relabel", 3, label=4), Remark("note", 9, who="Eve", why="odd"))
    assert mine.state().people == {1: ("Ada",), 2: ("Bob", "Ada"), 3: ("Ada",), 9: ("Eve",)}


def test_what_nobody_signed_is_the_review_s_where_there_are_several(store):
    listed = Sessions(store).create("somebody", "digits")
    ada, bert = ({"why": f"review “{name}”"} for name in ("Ada", "Bert"))
    listed.record(Change("remove", 1, **ada), Change("keep", 2, **ada), Change("keep", 3))
    assert listed.state().people == {1: ("",), 2: ("",), 3: ("",)}
    listed.record(Change("remove", 1, **bert), Change("remove", 2, **bert), Remark("unsure", 4, **bert))
    first, second = ada["why"], bert["why"]
    assert listed.state().people == {1: (first, second), 2: (first,), 3: ("",), 4: (second,)}
    listed.record(Change("remove", 1, who="Eve", **bert))
    assert listed.state().people[1] == (first, second, "Eve")
    assert str(listed.state().verdicts[2]) == "k2", "a second opinion is nobody's last word"


def test_the_last_verdict_counts_and_a_note_changes_nothing(mine):
    mine.record(*parse("r7,r8,l9=1"))
    mine.record(Remark("unsure", 7), Change("keep", 8), Remark("note", 9, why="odd"))
    assert ",".join(map(str, settled(mine.state().changes))) == "l9=1"
    assert {example: str(one) for example, one in mine.state().verdicts.items()} == {
        7: "unsure",
        8: "k8",
        9: "l9=1",
    }


def test_a_remark_that_is_none_is_refused():
    for kind, why in (("perhaps", ""), ("note", "  "), ("note", "a" * 3000)):
        with pytest.raises(DataError):
            Remark(kind, 7, why=why)


# ------------------------------------------------------------------------------------------- undo and redo


def test_undo_and_redo_without_end(mine):
    steps = [["r1"], ["r2", "r3"], ["k1"], ["l4=2"]]
    seen = [[]]
    for step in steps:
        mine.record(*parse(",".join(step)))
        seen.append(texts(mine))
    for _ in range(2):
        for at in reversed(range(len(steps))):
            assert mine.state().can_undo and mine.undo()
            assert texts(mine) == seen[at]
        assert not mine.state().can_undo and not mine.undo()
        for at in range(len(steps)):
            assert mine.state().can_redo and mine.redo()
            assert texts(mine) == seen[at + 1]
        assert not mine.state().can_redo and not mine.redo()


def test_what_is_said_after_an_undo_takes_the_place_of_what_was_undone_which_stays_on_record(mine):
    mine.record(*parse("r1"))
    mine.record(*parse("r2"))
    mine.undo()
    mine.record(*parse("r3"))
    assert texts(mine) == ["r1", "r3"] and not mine.redo()
    mine.undo()
    assert texts(mine) == ["r1"]
    mine.redo()
    assert texts(mine) == ["r1", "r3"]
    assert [str(one.said) for one in mine.history()] == ["r1", "r2", "r3"]


# --------------------------------------------------------------------------------- versions and questions


def test_versions_and_questions(mine):
    mine.save_version("first try", "digits@r7")
    mine.save_version("second", "digits@r7,r8")
    mine.save_version("first try", "digits@r9")
    assert mine.versions() == {"second": "digits@r7,r8", "first try": "digits@r9"}
    for address in (
        "study=digits&test=5",
        "study=digits&test=5",
        "study=digits&test=6",
        "study=digits&test=5",
    ):
        mine.asked(address)
    assert mine.questions() == ("study=digits&test=5", "study=digits&test=6", "study=digits&test=5")
    assert mine.rename(" The  sevens ").title == "The sevens"
    for name in ("", " ", "a" * 61, "two\nlines\x00"):
        with pytest.raises(DataError):
            mine.save_version(name, "digits@r7")


# ---------------------------------------------------------------------------------------------- privacy


def test_nobody_is_shown_another_s_and_deleting_removes_every_row(store, mine):
    sessions = Sessions(store)
    other, more = sessions.create("bob", "digits"), sessions.create("ada", "mails")
    for one in (mine, other):
        one.record(*parse("r7"))
        one.save_version("mine", "digits@r7")
        one.asked("study=digits")
    assert [one.token for one in sessions.of("ada")] == [mine.token, more.token]
    assert [one.token for one in sessions.of("ada", "digits")] == [mine.token]
    assert [one.token for one in sessions.of("bob")] == [other.token] and sessions.of("eve") == []
    assert len({mine.token, other.token, more.token}) == 3 and all(
        len(one) == 32 for one in (mine.token, other.token)
    )
    mine.delete()
    mine.delete()
    with closing(sqlite3.connect(sessions.path)) as open_:
        for table in ("sessions", "entries", "versions", "questions"):
            (left,) = open_.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert left == (2 if table == "sessions" else 1), table
    assert texts(other) == ["r7"]
    for gone in (lambda: mine.record(*parse("r8")), mine.state, mine.undo, lambda: sessions.open(mine.token)):
        with pytest.raises(DataError):
            gone()


def test_two_that_begin_at_once_have_one_session(store, mine):
    sessions = Sessions(store)
    begun = sessions.create("ada", "digits", steps=[parse("r1")], unless_there=True)
    assert begun.token == mine.token and texts(begun) == []
    assert sessions.create("ada", "mails", unless_there=True).token != mine.token
    assert sessions.create("bob", "digits", unless_there=True).token != mine.token


def test_there_is_no_file_before_the_first_session_and_no_word_of_a_deleted_one(store):
    sessions = Sessions(store)
    assert sessions.of("ada") == [] and sessions.expire(1) == 0
    assert not list(home.home_of(store).folder.rglob("*"))
    other, mine = (sessions.create("ada", "digits") for _ in range(2))
    other.note(7, "stays")
    mine.note(7, "a very private remark")
    mine.delete()
    left = b"".join(path.read_bytes() for path in home.home_of(store).folder.iterdir())
    assert b"stays" in left and b"private" not in left and mine.token.encode() not in left


def test_what_nobody_has_written_to_for_long_expires(store, mine):
    sessions = Sessions(store)
    old = sessions.create("bob", "digits")
    with closing(sqlite3.connect(sessions.path)) as open_, open_:
        open_.execute("UPDATE sessions SET seen = '2020-01-01T00:00:00+00:00' WHERE token = ?", (old.token,))
    assert sessions.expire(30) == 1
    assert sessions.of("bob") == [] and len(sessions.of("ada")) == 1


# ---------------------------------------------------------------------------------------------- the file


def fresh(store):
    """As a new process begins."""
    database._READY.clear()
    return Sessions(store)


def test_a_file_of_the_schema_before_is_brought_up_to_date(store):
    path = home.home_of(store).folder / database.NAME
    path.parent.mkdir(parents=True)
    before = len(database.MIGRATIONS) - 1
    with closing(sqlite3.connect(path)) as open_:
        open_.executescript("".join(database.MIGRATIONS[:before]) + f"PRAGMA user_version = {before}")
        assert "questions" not in {row[0] for row in open_.execute("SELECT name FROM sqlite_master")}
        with open_:
            open_.execute(
                "INSERT INTO sessions VALUES (1, 'aa', 'ada', 'digits', 'Mine', '[\"7\"]', '', '2026-01-01', '2026-01-01', 2)"
            )
            rows = [(1, 1, 1, "r7", 7), (1, 2, 2, "l12=3", 12), (1, 3, 3, "r9", 9)]
            open_.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, '', '2026-01-01', '', 0)", rows)
            open_.execute("INSERT INTO versions VALUES (1, 'first', 'digits@r7', '2026-01-01')")
    (old,) = fresh(store).of("ada")
    assert texts(old) == ["r7", "l12=3"] and old.versions() == {"first": "digits@r7"}
    old.redo()
    old.asked("study=digits")
    assert texts(old) == ["r7", "l12=3", "r9"] and old.questions() == ("study=digits",)
    with closing(sqlite3.connect(path)) as open_:
        assert open_.execute("PRAGMA user_version").fetchone() == (len(database.MIGRATIONS),)


def test_a_file_of_a_newer_app_is_left_alone(store, mine):
    with closing(sqlite3.connect(mine.path)) as open_:
        open_.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer version"):
        fresh(store)
    assert mine.path.exists()


@pytest.mark.parametrize("damage", ["no database at all", "a torn page"])
def test_a_damaged_file_is_put_aside_and_said(store, mine, damage):
    mine.record(*(Change("remove", one, why="x" * 500) for one in range(200)))
    whole = mine.path.read_bytes()
    torn = whole[:8192] + b"\xff" * 8192 + whole[16384:]
    mine.path.write_bytes(b"nothing of ours" * 100 if damage == "no database at all" else torn)
    kept = mine.path.read_bytes()
    sessions = fresh(store)
    (said,) = store.notices()
    assert "damaged" in said and "an empty list begins" in said
    (aside,) = mine.path.parent.glob("sessions-damaged-*.sqlite")
    assert aside.read_bytes() == kept and aside.name in said
    assert sessions.of("ada") == []
    sessions.create("ada", "digits").record(*parse("r7"))


def test_the_file_is_readable_by_its_owner_alone_and_safe_by_its_settings(mine):
    assert mine.path.stat().st_mode & 0o077 == 0
    with database.reading(mine.path) as open_:
        asked = [
            open_.execute(f"PRAGMA {one}").fetchone()[0]
            for one in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert asked == ["wal", 2, 1]


def test_a_disk_that_refuses_is_said_in_words(tmp_path):
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot be read or written"):
        Sessions(Store(tmp_path)).create("ada", "digits")


# ------------------------------------------------------------------------------------ many at once, killed


def write_for_ever(folder, writer, turn, said):
    """Says every acknowledged entry on ``said``."""
    database._READY.clear()
    session = Sessions(Store(folder)).of(f"writer {writer}")[0]
    os.write(said, b"ready\n")
    for at in count():
        example = 10**6 * turn + at
        session.record(Change("remove", example, why=f"writer {writer}"))
        os.write(said, f"{example}\n".encode())
        if at % 5 == 4:
            session.undo()
            session.redo()


def begin(folder, writer, turn, write):
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write(folder, writer, turn, told)
        finally:
            os._exit(1)
    os.close(told)
    return child, os.fdopen(heard)


def kill_all(folder, turn, seconds, write=write_for_ever):
    """What each writer had acknowledged when it was killed, all of them at one random moment."""
    writers = [begin(folder, writer, turn, write) for writer in range(WRITERS)]
    for _, lines in writers:
        assert lines.readline() == "ready\n"
    time.sleep(seconds)
    for child, _ in writers:
        os.kill(child, signal.SIGKILL)
    for child, _ in writers:
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it wrote until it was killed"
    said = []
    for _, lines in writers:
        with lines:
            said.append([int(line) for line in lines])
    return said


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be killed")
def test_four_writers_killed_at_any_moment_lose_nothing_that_was_acknowledged(tmp_path):
    store, moments = Store(tmp_path), random.Random(0)
    for writer in range(WRITERS):
        Sessions(store).create(f"writer {writer}", "digits")
    acknowledged = [[] for _ in range(WRITERS)]
    for turn in range(KILLS):
        for known, new in zip(acknowledged, kill_all(tmp_path, turn, moments.uniform(0, 0.3)), strict=True):
            known += new
        sessions = fresh(store)
        assert store.notices() == []
        with closing(sqlite3.connect(sessions.path)) as open_:
            assert open_.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for writer, known in enumerate(acknowledged):
            there = [one.said for one in sessions.of(f"writer {writer}")[0].history()]
            assert {one.why for one in there} <= {f"writer {writer}"}
            kept = [one.example for one in there]
            assert [one for one in kept if one in set(known)] == known, "in the order in which they were said"
            assert len(kept) <= len(known) + turn + 1, "one a kill may be kept and not yet said"
    assert min(map(len, acknowledged)) > 0, "all of them wrote"


# ------------------------------------------------------------------------------------------------ taken along


def test_a_session_opens_again_in_another_installation_as_it_was(mine, tmp_path):
    mine.record(Change("remove", 7, why="not a digit"))
    mine.record(Change("relabel", 12, label=3, who="Bob"), Remark("unsure", 5))
    mine.record(Change("add", 8612, label=6))
    mine.undo()
    mine.note(7, "half of it – «半分» – is missing")
    mine.save_version("without 7", "digits@r7")
    mine.asked("study=digits&test=8612")
    elsewhere = Sessions(Store(tmp_path / "elsewhere"))
    opened = carried.begin(elsewhere, "eve", unpacked(packed(mine)))
    assert [
        (str(one), one.who, one.when, one.why) for one in (entry.said for entry in opened.state().entries)
    ] == [(str(one), one.who, one.when, one.why) for one in (entry.said for entry in mine.state().entries)]
    assert (opened.versions(), opened.questions()) == (mine.versions(), mine.questions())
    assert (opened.study, opened.title, opened.labels, opened.who) == (
        mine.study,
        mine.title,
        mine.labels,
        mine.who,
    )
    assert opened.owner == "eve" and opened.token != mine.token
    assert opened.state().changes == mine.state().changes and opened.state().notes == mine.state().notes
    opened.undo()
    opened.undo()
    assert texts(opened) == ["r7"], "what was said at once is undone at once"
    with pytest.raises(DataError, match="already"):
        carried.begin(elsewhere, "eve", unpacked(packed(mine)))


def test_a_list_is_opened_whole_or_not_at_all(mine, tmp_path, monkeypatch):
    mine.record(Change("remove", 7))
    mine.save_version("without 7", "digits@r7")
    mine.asked("study=digits&test=8612")
    elsewhere = Sessions(Store(tmp_path / "elsewhere"))
    kept = sessions_module.keep_question

    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sessions_module, "keep_question", stops)
    with pytest.raises(KeyboardInterrupt):
        carried.begin(elsewhere, "eve", unpacked(packed(mine)))
    assert elsewhere.of("eve") == []
    monkeypatch.setattr(sessions_module, "keep_question", kept)
    assert len(carried.begin(elsewhere, "eve", unpacked(packed(mine))).state().entries) == 1


def _of(**changed):
    told = {"format": 1, "study": "digits", "title": "t", "labels": [], "who": "", "entries": []}
    return json.dumps(told | {"versions": {}, "questions": []} | changed).encode()


def _zip(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def test_a_file_of_a_session_is_read_bare_or_in_a_zip():
    assert unpacked(_of()) == unpacked(_zip("session.json", _of()))
    assert unpacked(_of(study="digits")).study == "digits"


NO_SESSIONS = {
    "nothing": lambda: b"",
    "no JSON": lambda: b"<html>",
    "another JSON": lambda: b"[1, 2]",
    "deep": lambda: b"[" * 100_000,
    "a part of it": lambda: b'{"format": 1}',
    "a number for a name": lambda: _of(study=7),
    "a long name": lambda: _of(study="d" * 61),
    "a change that is none": lambda: _of(entries=[[1, "x7", 7, "", "", ""]]),
    "two changes in one": lambda: _of(entries=[[1, "r7,r8", 7, "", "", ""]]),
    "too few parts": lambda: _of(entries=[[1, "r7"]]),
    "a version of another study": lambda: _of(versions={"mine": "mails@r7"}),
    "a zip without one": lambda: _zip("report.html", b"<html>"),
    "half a zip": lambda: _zip("session.json", _of())[:40],
    "a bomb": lambda: _zip("session.json", b" " * 11 * 10**6),
    "a note on an example beyond all numbers": lambda: _of(entries=[[1, "note", 10**30, "", "", "why"]]),
    "a note on an example before the first": lambda: _of(entries=[[1, "note", -1, "", "", "why"]]),
    "half a letter": lambda: _of(who="\ud800"),
    "versions in a row": lambda: _of(versions=["digits@r7"]),
    "a damaged zip": lambda: _zip("session.json", _of()).replace(
        _zip("session.json", _of())[45:60], b"x" * 15
    ),
    "another version of the app": lambda: _of(format=2),
}


@pytest.mark.parametrize("name", NO_SESSIONS)
def test_a_file_that_is_none_is_refused_in_words(name):
    with pytest.raises(DataError, match=r"no list of changes|no change|another version"):
        unpacked(NO_SESSIONS[name]())


ODD_PARTS = {
    "another study's question": {"questions": ["study=digits&test=5", "study=mails&test=5"]},
    "no number": {"questions": ["study=digits&test=x"]},
    "a number without end": {"questions": [f"study=digits&test={'9' * 5_000}"]},
    "too large a number": {"questions": [f"study=digits&test={'9' * 30}"]},
    "no version": {"questions": ["study=digits%40nonsense&test=5"]},
    "no saved version": {"versions": {"half": "digits@nonsense"}},
    "no label": {"entries": [[1, "l5=99", 5, "", "", ""]]},
}


@pytest.mark.parametrize("odd", ODD_PARTS)
def test_a_file_says_nothing_that_the_sidebar_or_a_card_could_not_show(mine, odd):
    mine.record(Change("relabel", 5, label=3))
    mine.asked("study=digits&test=5")
    mine.asked("test=6")
    told = json.loads(packed(mine))
    assert len(unpacked(json.dumps(told).encode()).questions) == 2
    with pytest.raises(DataError):
        unpacked(json.dumps(told | ODD_PARTS[odd]).encode())
