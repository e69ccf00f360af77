"""Written whole or not at all, and nothing of anybody else's is swept away."""

import os
import re
import stat

import pytest

from influence_core.store.atomic import forget_oldest, remove_abandoned, whole_file, whole_folder


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


def test_only_ones_own_old_leftovers_are_swept_away(tmp_path):
    for name in ("own-a-1.tmp", "own-a-2.tmp", "notes-1.tmp", "own-a.txt"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "own-b-1.tmp").mkdir()
    os.utime(tmp_path / "own-b-1.tmp", (0, 0))
    os.utime(tmp_path / "own-a-2.tmp")
    remove_abandoned(tmp_path, re.compile("own-[a-z]"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes-1.tmp", "own-a-2.tmp", "own-a.txt"]
    remove_abandoned(tmp_path / "nowhere", re.compile("x"))
