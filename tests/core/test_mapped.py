"""A matrix in the store as a memory map: what was written comes back, what is damaged is made again."""

import errno
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from influence_core.errors import StoreError
from influence_core.store import NO_STORE, Store, mapped
from influence_core.store.mapped import MappedRows

KEY, AXES = "c" * 64, ("example", "parameter")
MATRIX = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
NORMS = np.random.default_rng(1).uniform(size=10)


def _open(store, key=KEY, shape=(10, 3), dtype="float32") -> MappedRows:
    return MappedRows(store, key, shape, dtype, AXES)


def _fill(rows: MappedRows, *starts: int) -> MappedRows:
    for start in starts:
        rows.add(start, MATRIX[start : start + 4], {"norm": NORMS[start : start + 4]})
    return rows


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "cache")


def test_rows_come_back_as_a_map(store):
    rows = _fill(_open(store), 0, 4, 8)
    for one in (rows, _open(Store(store.folder))):
        assert one.kept
        assert isinstance(one.matrix, np.memmap)
        assert_array_equal(one.matrix, MATRIX)
        assert_array_equal(one.column("norm"), NORMS)
        assert len(one.missing()) == 0
    one.matrix[0] = 7  # of this reader's own, and never the disk's
    assert_array_equal(_open(store).matrix, MATRIX)
    assert store.notices() == []
    assert sorted(path.name for path in store.folder.iterdir()) == [f"{KEY}.json", f"{KEY}.npy"]
    told = json.loads((store.folder / f"{KEY}.json").read_text().split("\n", 1)[1])
    assert (told["axes"], told["shape"], told["dtype"]) == (["example", "parameter"], [10, 3], "<f4")


def test_a_stopped_run_goes_on_where_it_was(store):
    _fill(_open(store), 4)
    rows = _open(store)
    assert_array_equal(rows.missing(), [0, 1, 2, 3, 8, 9])
    assert_array_equal(np.isnan(rows.column("norm")), [True] * 4 + [False] * 4 + [True] * 2)
    assert_array_equal(_fill(rows, 8, 0).matrix, MATRIX)
    assert len(_open(store).missing()) == 0


def test_a_block_that_was_written_but_not_yet_told_does_not_count(store, monkeypatch):
    rows = _fill(_open(store), 0)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MappedRows, "_tell", killed)
    with pytest.raises(KeyboardInterrupt):
        _fill(rows, 4)
    assert_array_equal(_open(store).missing(), range(4, 10))


def test_a_damaged_block_is_missing_and_the_others_stay(store):
    _fill(_open(store), 0, 4, 8)
    path = store.folder / f"{KEY}.npy"
    content = bytearray(path.read_bytes())
    content[-3 * 3 * 4] ^= 1  # the tenth-last row's: of the second block
    path.write_bytes(content)
    rows = _open(store)
    assert_array_equal(rows.missing(), [4, 5, 6, 7])
    assert "part of a stored table was damaged" in store.notices()[0]
    assert_array_equal(_fill(rows, 4).matrix, MATRIX)
    assert len(_open(store).missing()) == 0


@pytest.mark.parametrize("damage", ["json", "json gone", "short", "npy gone", "another shape", "noise"])
def test_a_damaged_table_is_made_again(store, damage):
    _fill(_open(store), 0, 4, 8)
    matrix, beside = store.folder / f"{KEY}.npy", store.folder / f"{KEY}.json"
    match damage:
        case "json":
            beside.write_bytes(beside.read_bytes().replace(b'"start": 4', b'"start": 5'))
        case "json gone":
            beside.unlink()
        case "short":
            matrix.write_bytes(matrix.read_bytes()[:-20])
        case "npy gone":
            matrix.unlink()
        case "another shape":
            np.save(matrix, MATRIX[:5])
        case "noise":
            matrix.write_bytes(b"noise")
    rows = _open(store)
    assert_array_equal(rows.missing(), range(10))
    assert_array_equal(_fill(rows, 0, 4, 8).matrix, MATRIX)
    assert_array_equal(_open(store).matrix, MATRIX)
    assert all("damaged" in one for one in store.notices())


def test_a_table_of_another_shape_is_another_table(store):
    _fill(_open(store), 0, 4, 8)
    assert_array_equal(_open(store, dtype="float64").missing(), range(10))


def test_it_counts_and_is_forgotten_with_the_oldest(tmp_path):
    store = Store(tmp_path, limit_bytes=6_000)
    _fill(_open(store), 0, 4, 8)
    assert store.size() == sum(path.stat().st_size for path in tmp_path.iterdir()) > 1_000
    assert store.put("d" * 64, {"x": np.zeros(200)}, {})
    assert store.put("e" * 64, {"x": np.zeros(250)}, {})
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz", ".npz"]
    assert_array_equal(_open(store).missing(), range(10))
    _fill(_open(store), 0)
    store.clear()
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_kept_it_is_held_in_memory(tmp_path):
    small = Store(tmp_path, limit_bytes=100)
    rows = _fill(_open(small), 0, 4, 8)
    assert not rows.kept
    assert "larger than the store's limit" in small.notices()[0]
    assert_array_equal(rows.matrix, MATRIX)
    assert_array_equal(rows.column("norm"), NORMS)
    assert list(tmp_path.iterdir()) == []
    assert_array_equal(_fill(_open(NO_STORE), 0, 4, 8).matrix, MATRIX)
    assert NO_STORE.notices() == []


def test_a_disk_that_fills_up_costs_nothing_but_the_keeping(store, monkeypatch):
    rows = _fill(_open(store), 0)

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(mapped.os, "fsync", full)
    assert_array_equal(_fill(rows, 4, 8).matrix, MATRIX)
    assert not rows.kept
    assert "the disk is full" in store.notices()[0]
    assert_array_equal(_open(store).missing(), range(4, 10))


def test_forgotten_while_it_is_made(store):
    rows = _fill(_open(store), 0)
    store.clear()
    rows = _fill(rows, 4)
    assert not rows.kept
    assert_array_equal(rows.missing(), [0, 1, 2, 3, 8, 9])
    assert_array_equal(_fill(rows, 0, 8).matrix, MATRIX)


def test_the_key_is_checked(store):
    with pytest.raises(StoreError, match="hex digits"):
        _open(store, key="../here")
