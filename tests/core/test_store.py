"""The store keeps what it was given or says that it did not: through kills, damage, full disks and rivals."""

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from influence_core.errors import StoreError
from influence_core.store import DEFAULT_LIMIT, FOLDER_VARIABLE, LIMIT_VARIABLE, NO_STORE, Entry, Store
from influence_core.store.store import TABLE

KEY, OTHER = "a" * 64, "b" * 64
META = {"loss": 0.5, "names": ["x", "y"], "nested": {"none": None}}
ROOT = Path(__file__).parents[2]


def some_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "theta": rng.normal(size=(50, 20)),
        "fortran": np.asfortranarray(rng.normal(size=(3, 4))),
        "every other": np.arange(10)[::2],
        "scalar": np.float32(2.5).reshape(()),
        "none": np.zeros((0, 3), np.uint8),
        "flags": np.array([True, False]),
        "text": np.array(["one", "seven"]),
        "file": np.arange(3, dtype=">i4"),
        "../a/b.npy": np.array([np.nan, np.inf]),
    }


def assert_whole(entry: Entry | None) -> None:
    assert entry is not None
    assert entry.meta == META
    assert list(entry.arrays) == list(some_arrays())
    for name, expected in some_arrays().items():
        np.testing.assert_array_equal(entry.arrays[name], expected)
        assert (entry.arrays[name].dtype, entry.arrays[name].shape) == (expected.dtype, expected.shape)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def files(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir())


def test_what_is_put_comes_back(store: Store) -> None:
    assert store.get(KEY) is None
    assert store.put(KEY, some_arrays(), META)
    assert_whole(store.get(KEY))
    assert_whole(Store(store.folder).get(KEY))
    assert store.get(OTHER) is None
    assert files(store) == [f"{KEY}.npz"]
    assert store.size() == (store.folder / f"{KEY}.npz").stat().st_size
    assert store.notices() == []


def test_putting_again_replaces(store: Store) -> None:
    store.put(KEY, {"x": np.zeros(3)}, {})
    store.put(KEY, some_arrays(), META)
    assert_whole(store.get(KEY))
    assert len(files(store)) == 1


def test_clear_removes_entries_and_nothing_else(store: Store) -> None:
    store.put(KEY, some_arrays(), META)
    (store.folder / "holiday.npz").write_bytes(b"the user's own")
    (store.folder / "facade.npz").write_bytes(b"the user's own, by chance in hex")
    store.clear()
    assert files(store) == ["facade.npz", "holiday.npz"]
    assert store.size() == 0


def test_the_folder_and_the_limit_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "named"))
    monkeypatch.setenv(LIMIT_VARIABLE, "3")
    assert Store().folder == tmp_path / "named"
    assert Store().limit_bytes == 3 * 2**20
    assert Store(tmp_path, limit_bytes=7).limit_bytes == 7
    for text in ("plenty", "-1", "1.5"):
        monkeypatch.setenv(LIMIT_VARIABLE, text)
        wrong = Store()
        assert wrong.limit_bytes == DEFAULT_LIMIT
        assert text in wrong.notices()[0]
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.delenv(LIMIT_VARIABLE)
    assert Store().folder == Path(platformdirs.user_cache_dir("influence-explorer"))
    assert Store().notices() == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a" * 31,
        "A" * 64,
        "g" * 64,
        "a" * 129,
        "a" * 64 + "\n",
        "../" + "a" * 61,
        "/" + "a" * 63,
        "a" * 63 + "\0",
    ],
)
def test_a_key_cannot_leave_the_folder(store: Store, key: str) -> None:
    with pytest.raises(StoreError, match="hex digits"):
        store.get(key)
    with pytest.raises(StoreError, match="hex digits"):
        store.put(key, some_arrays(), META)


def test_objects_are_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="'x' holds Python objects"):
        store.put(KEY, {"x": np.array([{}, {}])}, {})
    with pytest.raises(StoreError, match="JSON"):
        store.put(KEY, {}, {"x": object()})
    assert store.size() == 0


def test_a_pickle_in_the_folder_is_never_run(store: Store, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    store.folder.mkdir()
    path = store.folder / f"{KEY}.npz"
    np.savez(path, header=np.array([Trap()], dtype=object))
    assert store.get(KEY) is None
    path.write_bytes(np.array([Trap()], dtype=object).dumps())
    assert store.get(KEY) is None
    assert not (tmp_path / "sprung").exists()
    assert not path.exists()


def test_any_flipped_byte_is_noticed_or_harmless(store: Store) -> None:
    store.put(KEY, some_arrays(), META)
    path = store.folder / f"{KEY}.npz"
    content = path.read_bytes()
    noticed = 0
    for position in range(0, len(content), 37):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        entry = store.get(KEY)
        if entry is not None:  # a date or a name that nobody reads
            assert_whole(entry)
            assert store.notices() == []
            continue
        noticed += 1
        assert "damaged" in store.notices()[0]
        assert not path.exists()
    assert noticed > 0.7 * len(content) / 37
    assert store.put(KEY, some_arrays(), META)
    assert_whole(store.get(KEY))


def test_a_flipped_value_with_a_right_zip_checksum_is_noticed(store: Store) -> None:
    store.put(KEY, some_arrays(), META)
    path = store.folder / f"{KEY}.npz"
    with np.load(path) as archive:
        members = dict(archive)
    members["array0"][3, 3] += 1e-12
    np.savez(path, **members)
    assert store.get(KEY) is None
    assert "damaged" in store.notices()[0]


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1])
def test_a_truncated_file_is_removed(store: Store, kept: float) -> None:
    store.put(KEY, some_arrays(), META)
    path = store.folder / f"{KEY}.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept) if kept == 0.5 else int(kept)])
    assert store.get(KEY) is None
    assert not path.exists()
    assert len(store.notices()) == 1
    assert store.get(KEY) is None
    assert store.notices() == []


def test_a_file_under_another_key_is_removed(store: Store) -> None:
    store.put(KEY, some_arrays(), META)
    os.rename(store.folder / f"{KEY}.npz", store.folder / f"{OTHER}.npz")
    assert store.get(OTHER) is None
    assert files(store) == []


def test_a_foreign_archive_is_removed(store: Store) -> None:
    store.folder.mkdir()
    np.savez(store.folder / f"{KEY}.npz", x=np.zeros(3))
    assert store.get(KEY) is None
    assert files(store) == []


def test_an_entry_larger_than_the_limit_is_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, limit_bytes=100_000)
    assert store.put(KEY, {"x": np.zeros(1000)}, {})
    assert not store.put(OTHER, {"x": np.zeros(100_000)}, {})
    assert "larger than the store's limit of 0.09537 MB" in store.notices()[0]
    assert files(store) == [f"{KEY}.npz"]
    assert not Store(tmp_path / "nothing", limit_bytes=0).put(KEY, {}, {})


def test_what_was_used_longest_ago_is_forgotten_first(tmp_path: Path) -> None:
    store = Store(tmp_path, limit_bytes=40_000)
    keys = [letter * 64 for letter in "abcde"]
    for age, key in zip((50, 40, 30, 20), keys, strict=False):
        assert store.put(key, {"x": np.zeros(1000)}, {})
        then = time.time() - age
        os.utime(tmp_path / f"{key}.npz", (then, then))
    assert store.get(keys[0]) is not None
    assert store.put(keys[4], {"x": np.zeros(1000)}, {})
    assert [store.get(key) is not None for key in keys] == [True, False, True, True, True]
    assert store.size() <= store.limit_bytes
    assert store.put(keys[1], {"x": np.zeros(4000)}, {})
    assert files(store) == [f"{keys[1]}.npz"]
    assert store.notices() == []


def test_a_table_in_parts_counts_as_one_entry_and_is_forgotten_whole(tmp_path: Path) -> None:
    store = Store(tmp_path, limit_bytes=30_000)
    old, new = (store.path(key, TABLE) for key in (KEY, OTHER))
    for age, folder in ((100, old), (50, new)):
        for part in ("part-00000.npy", "table.json"):
            (folder / part).parent.mkdir(exist_ok=True)
            (folder / part).write_bytes(b"0" * 10_000)
            os.utime(folder / part, (time.time() - age,) * 2)
        os.utime(folder, (time.time() - age,) * 2)
    (tmp_path / "mine.table").mkdir()
    assert store.size() >= 40_000
    store.forget_oldest()
    assert not old.exists() and sorted(one.name for one in new.iterdir()) == ["part-00000.npy", "table.json"]
    store.clear()
    assert files(store) == ["mine.table"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_is_a_notice(store: Store, monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    store.put(OTHER, some_arrays(), META)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        assert not store.put(KEY, some_arrays(), META)
        assert not store.put(KEY, some_arrays(), META)
    notices = store.notices()
    assert len(notices) == 1  # said once, however often it happened
    assert "the disk is full" in notices[0]
    assert files(store) == [f"{OTHER}.npz"]
    assert store.get(KEY) is None
    assert store.put(KEY, some_arrays(), META)
    assert_whole(store.get(KEY))


def test_a_folder_that_is_a_file_is_a_notice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")
    assert not store.put(KEY, some_arrays(), META)
    assert store.get(KEY) is None
    assert len(store.notices()) == 2
    assert store.size() == 0
    store.clear()


def test_a_folder_only_for_reading_still_answers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, some_arrays(), META)

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("utime", "replace"):
        monkeypatch.setattr(os, name, refuse)
    assert_whole(store.get(KEY))
    assert not store.put(OTHER, some_arrays(), META)
    assert "Permission denied" in store.notices()[0]


def test_a_folder_in_the_place_of_an_entry_is_a_notice(store: Store) -> None:
    (store.folder / f"{KEY}.npz" / "inside").mkdir(parents=True)
    assert store.get(KEY) is None
    assert not store.put(KEY, some_arrays(), META)
    assert len(store.notices()) == 2


KILLED_WHILE_WRITING = """
import io, os, signal, sys
from pathlib import Path
import numpy as np
from influence_core import store

whole = np.savez
def half_then_die(file, **members):
    buffer = io.BytesIO()
    whole(buffer, **members)
    file.write(buffer.getvalue()[: buffer.tell() // 2])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

np.savez = half_then_die
store.Store(Path(sys.argv[1])).put(sys.argv[2], {"x": np.arange(100_000)}, {})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_write_loses_nothing(store: Store) -> None:
    store.put(OTHER, some_arrays(), META)
    before = store.size()
    for key in (KEY, OTHER):  # a new entry, and one that is being replaced
        command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(store.folder), key]
        assert subprocess.run(command, cwd=ROOT, timeout=120).returncode == -signal.SIGKILL
    temporaries = list(store.folder.glob("*.tmp"))
    assert len(temporaries) == 1  # the second process swept away what the first had left
    assert all(path.stat().st_size > 100_000 for path in temporaries)

    survivor = Store(store.folder)
    assert survivor.get(KEY) is None
    assert_whole(survivor.get(OTHER))
    assert survivor.size() == before
    assert list(store.folder.glob("*.tmp")) == []  # their writers are dead

    (store.folder / "my-notes.tmp").write_text("the user's own")
    recovered = Store(store.folder)
    assert [path.name for path in store.folder.glob("*.tmp")] == ["my-notes.tmp"]
    assert recovered.put(KEY, some_arrays(), META)
    assert_whole(recovered.get(KEY))
    assert recovered.notices() == []


def test_many_threads_and_two_stores_at_once(tmp_path: Path) -> None:
    stores = [Store(tmp_path, limit_bytes=60_000) for _ in range(2)]
    keys = [f"{number:032x}" for number in range(5)]

    def work(turn: int) -> None:
        store, number = stores[turn % 2], turn % 5
        assert store.put(keys[number], {"x": np.full(2000, number)}, {"number": number})
        for key in keys:
            entry = store.get(key)
            if entry is not None:
                np.testing.assert_array_equal(entry.arrays["x"], np.full(2000, entry.meta["number"]))
                assert key == keys[entry.meta["number"]]
        if turn % 7 == 0:
            store.clear()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))
    assert stores[0].put(keys[0], {"x": np.zeros(10)}, {})
    assert stores[0].size() <= 60_000
    assert list(tmp_path.glob("*.tmp")) == []
    assert [store.notices() for store in stores] == [[], []]


def test_notices_are_drained_once(store: Store) -> None:
    store.folder.mkdir()
    for key in (KEY, OTHER):
        (store.folder / f"{key}.npz").write_bytes(b"?")
        assert store.get(key) is None
    assert len(store.notices()) == 1
    assert store.notices() == []


def test_no_store_keeps_nothing_and_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    assert isinstance(NO_STORE, Store)
    assert not NO_STORE.put(KEY, some_arrays(), META)
    assert NO_STORE.get(KEY) is None
    NO_STORE.clear()
    assert (NO_STORE.size(), NO_STORE.notices()) == (0, [])
    assert list(NO_STORE.folder.glob("*/*")) == []
    with pytest.raises(OSError):
        (NO_STORE.folder / "uploads").mkdir(parents=True)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", [name for name in vars(Store) if not name.startswith("_")])
def test_no_store_answers_all_that_a_store_does(name: str) -> None:
    assert name in vars(type(NO_STORE))
