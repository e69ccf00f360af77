"""Written whole or not at all, and nothing of anybody else's is swept away."""

import os
import re
import stat

import pytest

from influence_core.store import atomic
from influence_core.store.atomic import (
    forget_oldest,
    remove_abandoned,
    remove_folder,
    whole_file,
    whole_folder,
)


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.bin"
    with whole_file(path, mode=0o644) as file:
        file.write(b"some")
        assert not path.exists() and len(list(path.parent.iterdir())) == 1
    assert path.read_bytes() == b"some"
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in path.parent.iterdir()] == ["a.bin"]


def test_a_file_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), whole_file(path) as file:
        file.write(b"half")
        raise KeyError
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("unless_there", [False, True])
def test_a_folder_takes_its_place_when_it_is_whole_and_never_anothers(tmp_path, unless_there):
    path = tmp_path / "new" / "a"
    with whole_folder(path, unless_there) as scratch:
        (scratch / "one").write_text("first")
        assert not path.exists()
    assert (path / "one").read_text() == "first"
    with pytest.raises(KeyError), whole_folder(path) as scratch:
        raise KeyError
    if unless_there:
        with whole_folder(path, unless_there) as scratch:
            (scratch / "one").write_text("second")
    else:
        with pytest.raises(OSError), whole_folder(path) as scratch:
            (scratch / "one").write_text("second")
    assert (path / "one").read_text() == "first"
    assert [one.name for one in path.parent.iterdir()] == ["a"]


@pytest.mark.parametrize(("limit", "gone"), [(60, []), (59, ["b"]), (31, ["b", "a"]), (0, ["b", "a", "c"])])
def test_the_oldest_are_forgotten_until_the_rest_fits(tmp_path, limit, gone):
    entries = [(2, 20, tmp_path / "a"), (1, 10, tmp_path / "b"), (3, 30, tmp_path / "c")]
    removed = []
    forget_oldest(entries, limit, lambda path: removed.append(path.name))
    assert removed == gone


def test_leftovers_are_swept_away_and_what_is_in_the_making_stays(tmp_path):
    for name in ("own-a-1.tmp", "notes-1.tmp", "own-a.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "own-b-1.tmp").mkdir()
    ours = re.compile("own-[a-z]")
    with whole_file(tmp_path / "own-c.txt") as file, whole_folder(tmp_path / "own-d") as scratch:
        file.write(b"some")
        (scratch / "one").write_text("first")
        for name in os.listdir(tmp_path):
            os.utime(tmp_path / name, (0, 0))  # whatever the clock says
        remove_abandoned(tmp_path, ours)
        assert len(list(tmp_path.glob("own-*.tmp"))) == 2
    assert (tmp_path / "own-c.txt").read_bytes() == b"some" and (tmp_path / "own-d" / "one").exists()
    remove_abandoned(tmp_path, ours)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "notes-1.tmp",
        "own-a.txt",
        "own-c.txt",
        "own-d",
    ]
    remove_abandoned(tmp_path / "nowhere", re.compile("x"))


def test_a_folder_goes_in_one_step(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    remove_folder(tmp_path / "a")
    remove_folder(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_what_is_swept_away_the_moment_it_is_made_is_made_again(tmp_path, monkeypatch):
    """Between its making and its lock a sweep of another process may come."""
    made, new = [], atomic._new_file

    def swept(path):
        made.append(new(path))
        if len(made) == 1:
            made[0].unlink()
        return made[-1]

    monkeypatch.setattr(atomic, "_new_file", swept)
    with whole_file(tmp_path / "a.txt") as file:
        file.write(b"some")
    assert len(made) == 2 and [one.name for one in tmp_path.iterdir()] == ["a.txt"]
