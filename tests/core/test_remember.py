"""Remembered results: what is in a key, what comes back from the store, rows that come one by one, and contexts."""

import math
import multiprocessing
import threading
from dataclasses import dataclass, field, make_dataclass, replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from influence_core import progress, solvers
from influence_core.context import ALONE, Context
from influence_core.engines import Engines, SolverSettings, engine_key
from influence_core.errors import Cancelled, StoreError, UnsupportedError
from influence_core.experiments.what_if import Change
from influence_core.store import NO_STORE, Store
from influence_core.store.packing import pack, schema, unpack
from influence_core.store.remember import content, key_of, remember
from influence_core.store.rows import StoredRows
from tests.problems import linear, linear_study


@dataclass(frozen=True, eq=False)
class Inner:
    values: np.ndarray
    name: str = ""


@dataclass(frozen=True, eq=False)
class Rich:
    """A field of every kind that results have."""

    table: np.ndarray
    missing: np.ndarray | None
    number: float
    count: int
    known: bool
    name: str
    ids: tuple[int, ...]
    pair: tuple[str, float]
    inner: Inner
    inners: tuple[Inner, ...]
    by_way: dict[str, Inner]
    by_size: dict[int, float]
    target: float | None = None
    from_store: bool = False


def rich(**changes) -> Rich:
    values = {
        "table": np.array([[1.0, math.nan], [-math.inf, math.inf]]),
        "missing": None,
        "number": math.nan,
        "count": 3,
        "known": True,
        "name": "a “word” / of \\ letters",
        "ids": (5, 7),
        "pair": ("x", -math.inf),
        "inner": Inner(np.arange(3), "in"),
        "inners": (Inner(np.zeros(0)), Inner(np.array(["a", "b"]))),
        "by_way": {"a/b": Inner(np.ones((2, 0))), "a": Inner(np.array([True]))},
        "by_size": {10: 0.5, -1: math.inf},
    }
    return Rich(**values | changes)


def assert_equal(one, other):
    """The same types and values, NaN included."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert_array_equal(one, other)
    elif isinstance(one, (Inner, Rich)):
        for name in vars(one):
            assert_equal(getattr(one, name), getattr(other, name))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_equal(one[name], other[name])
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_equal(*pair)
    else:
        assert one == other or (math.isnan(one) and math.isnan(other))


@pytest.fixture
def context(tmp_path):
    return Context(Store(tmp_path))


@pytest.fixture
def counted():
    """A remembered function, and how often it was computed."""
    calls = []

    @remember("counted")
    def counted(one: int, other: str = "x", *, inverse: object = None, context: Context = ALONE) -> Rich:
        calls.append((one, other))
        return rich(count=one, name=other)

    return counted, calls


# ------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"missing": np.array([[1, 2]], dtype=np.uint8), "target": 0.1},
        {"ids": (), "inners": (), "by_way": {}, "by_size": {}},
        {"number": np.float64(0.1), "count": np.int64(3), "known": np.bool_(True)},
    ],
    ids=len,
)
def test_what_is_stored_comes_back_equal(tmp_path, changes):
    store = Store(tmp_path)
    assert store.put("0" * 64, *pack(rich(**changes)))
    entry = store.get("0" * 64)
    found, plain = unpack(entry.arrays, entry.meta, Rich), {"number": 0.1, "count": 3, "known": True}
    assert_equal(found, rich(**(plain if "count" in changes else changes)))


def test_what_is_no_result_is_refused(context):
    @remember("tensor")
    def tensor(*, context: Context) -> Inner:
        return Inner(torch.zeros(2))

    with pytest.raises(StoreError):
        tensor(context=context)


# ------------------------------------------------------------------------------------------------ the keys


def test_the_same_question_has_the_same_key(counted):
    function, _ = counted
    key = function.key(1)
    assert key == function.key(one=1) == function.key(1, "x") == function.key(1, other="x")
    assert key == function.key(1, inverse=object(), context=ALONE)
    assert len({key, function.key(2), function.key(1, "y"), function.key(1.0), function.key(True)}) == 5


def test_other_fields_are_another_result():
    def named(name: str, *names: str):
        kind = make_dataclass("Result", [(one, float) for one in names])

        @remember(name)
        def function(one: int) -> kind:
            return kind(*(0.0 for _ in names))

        return function.key(1)

    assert named("a", "x", "y") == named("a", "x", "y")
    assert len({named("a", "x", "y"), named("b", "x", "y"), named("a", "x"), named("a", "y", "x")}) == 4


def test_fields_inside_fields_count_too():
    assert schema(Inner) == ("values", "name")
    assert schema(Rich).count("values") == 3
    assert schema(tuple[Inner, ...] | None) == ("values", "name")


def test_a_part_is_known_by_its_content():
    @dataclass(frozen=True)
    class Known:
        content: str
        other: object = field(default_factory=object)

    assert key_of("a", Known("x")) == key_of("a", Known("x")) != key_of("a", Known("y"))
    assert key_of("a", Change("relabel", 1)) != key_of("a", Change("relabel", 2))
    assert content(SolverSettings()) != content(Change())
    assert key_of("a", [1, 2]) == key_of("a", (1, 2)) != key_of("a", (1, (2,)))
    assert key_of("a", {"x": 1, "y": 2}) == key_of("a", {"y": 2, "x": 1})
    assert key_of("a", np.arange(3)) != key_of("a", np.arange(3.0))
    with pytest.raises(UnsupportedError):
        key_of("a", {1, 2})


def test_a_solver_with_other_settings_of_its_own_is_another_key(monkeypatch):
    settings = [SolverSettings(name, 0.1) for name in solvers.CATALOGUE]
    before = [key_of("influence", one) for one in settings]
    assert len(set(before)) == len(before) and before == [key_of("influence", one) for one in settings]
    monkeypatch.setitem(solvers.CATALOGUE, "lissa", replace(solvers.CATALOGUE["lissa"], seed=7))
    after = [key_of("influence", one) for one in settings]
    assert [one.solver for one, a, b in zip(settings, before, after, strict=True) if a != b] == ["lissa"]


def test_another_study_device_or_question_is_another_key():
    @remember("about a study")
    def about(study: object, settings: SolverSettings) -> Inner:
        return Inner(np.zeros(1))

    study = linear_study(linear("logistic"))
    there = replace(study, theta=study.theta.to("meta"))
    other = replace(study, key="1" * 64)
    plain = SolverSettings()
    keys = [about.key(one, plain) for one in (study, there, other)]
    keys += [about.key(study, SolverSettings(damping=0.1)), about.key(study, SolverSettings("cg"))]
    assert len(set(keys)) == len(keys)
    assert about.key(replace(study, seconds=99.0), plain) == keys[0]
    engines = {engine_key(one, SolverSettings("cg")) for one in (study, there, other)}
    assert len(engines) == 3
    assert engine_key(study, plain) == engine_key(study, SolverSettings("cholesky", 0.0, "hessian"))


# -------------------------------------------------------------------------------------------- in the store


def test_a_result_is_computed_once_and_learns_where_it_came_from(counted, context):
    function, calls = counted
    assert function.recall(1, context=context) is None
    first = function(1, context=context)
    again = function(one=1, other="x", context=Context(context.store))
    assert calls == [(1, "x")]
    assert (first.from_store, again.from_store) == (False, True)
    assert_equal(replace(again, from_store=False), first)
    assert_equal(function.recall(1, context=context), again)
    function(1, "y", context=context)
    assert calls == [(1, "x"), (1, "y")]


def test_without_a_store_it_is_computed_every_time(counted):
    function, calls = counted
    for how in ({}, {"context": ALONE}, {"context": Context(NO_STORE)}):
        function(1, **how)
        assert function.recall(1, **how) is None
    assert len(calls) == 3


def test_what_is_only_shared_in_memory_is_never_stored(context):
    @remember("shared", stored=False)
    def shared(one: int, *, context: Context) -> Inner:
        return Inner(np.zeros(one))

    shared(1, context=context)
    assert shared.recall(1, context=context) is None
    assert context.store.size() == 0
    assert shared.run(context, 1).values.shape == (1,)


@pytest.mark.parametrize("damage", [lambda all_: b"", lambda all_: all_[:-100], lambda all_: all_[::-1]])
def test_a_damaged_entry_is_computed_again(counted, context, damage):
    function, calls = counted
    first = function(1, context=context)
    (file,) = context.store.folder.glob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    again = function(1, context=context)
    assert len(calls) == 2
    assert_equal(again, first)
    assert any("damaged" in notice for notice in context.store.notices())
    assert function(1, context=context).from_store


def test_what_fails_or_is_stopped_is_not_stored(context):
    @remember("stopped")
    def stopped(*, context: Context) -> Inner:
        context.report(0.5, "half")
        return Inner(np.zeros(1))

    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        stopped(context=replace(context, progress=stop))
    assert context.store.size() == 0
    assert stopped(context=context).values == 0


def test_two_threads_agree(context):
    both = threading.Barrier(2, timeout=10)

    @remember("slow")
    def slow(one: int, *, context: Context) -> Inner:
        both.wait()  # neither is stored before both have begun
        return Inner(np.full(1_000, one))

    found = []
    threads = [threading.Thread(target=lambda: found.append(slow(1, context=context))) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert_equal(*found)
    assert_equal(slow.recall(1, context=context), found[0])


# ------------------------------------------------------------------------------------------------- the rows


def row(*ids):
    return {"ids": np.array(ids), "x": np.array([[10.0 * one, math.nan] for one in ids])}


def test_rows_resume_where_they_stopped(tmp_path):
    store, key = Store(tmp_path), key_of("rows")
    rows = StoredRows(store, key)
    assert rows.missing([3, 1, 2]) == [3, 1, 2]
    rows.add(row(3))
    rows.add(row(1, 7))
    again = StoredRows(Store(tmp_path), key)
    assert again.missing(np.array([3, 1, 2])) == [2]
    again.add(row(2))
    for one in (again, StoredRows(Store(tmp_path), key)):
        found = one.take([1, 2, 3])
        assert_array_equal(found["ids"], [1, 2, 3])
        assert_array_equal(found["x"], [[10.0, math.nan], [20.0, math.nan], [30.0, math.nan]])
    assert StoredRows(store, key_of("other rows")).missing([1]) == [1]


def test_rows_without_a_store_last_as_long_as_they_are_held():
    rows = StoredRows(NO_STORE, key_of("rows"))
    rows.add(row(3, 1))
    assert rows.missing([1, 2]) == [2]
    assert_array_equal(rows.take([1])["ids"], [1])


def _add_rows(folder, first):
    for one in range(first, first + 20):
        StoredRows(Store(folder), key_of("rows")).add(row(one))


@pytest.mark.parametrize("worker", [threading.Thread, multiprocessing.get_context("fork").Process])
def test_rows_that_several_add_at_once_are_all_kept(tmp_path, worker):
    workers = [worker(target=_add_rows, args=(tmp_path, 15 * one)) for one in range(4)]  # some twice
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    found = StoredRows(Store(tmp_path), key_of("rows"))
    assert_array_equal(np.sort(found.ids), np.arange(65))
    assert_array_equal(found.take(range(65))["x"][:, 0], 10.0 * np.arange(65))


def test_rows_whose_folder_cannot_be_written_are_held(tmp_path):
    (tmp_path / "file").write_text("no folder")
    rows = StoredRows(Store(tmp_path / "file" / "folder"), key_of("rows"))
    rows.add(row(3))
    rows.add(row(4))
    assert rows.missing([3, 4, 5]) == [5]


def test_whether_a_result_is_stored_is_told_without_reading_it(tmp_path, monkeypatch):
    @remember("told")
    def told(one: int, *, context: Context = ALONE) -> Inner:
        return Inner(np.array([one]))

    context = Context(Store(tmp_path))
    told(1, context=context)
    monkeypatch.setattr(Store, "get", None)
    assert told.is_stored(1, context=context)
    assert not told.is_stored(2, context=context)
    assert not told.is_stored(1, context=ALONE)


# --------------------------------------------------------------------------------------------- the contexts


def test_parts_of_the_work_add_up():
    seen = []
    context = Context(progress=lambda fraction, message: seen.append((round(fraction, 9), message)))
    context.report(0.1, "whole")
    second = context.part(0.2, 0.6).step(1, 4)  # 0.3 to 0.4
    second.report(0.0, "begins")
    second.report(0.5, "half")
    second.report(7.0, "ends")
    second.named("named").report(0.5, "not this")
    assert seen == [(0.1, "whole"), (0.3, "begins"), (0.35, "half"), (0.4, "ends"), (0.35, "named")]


def test_nobody_need_listen_and_parts_share_store_and_engines(tmp_path):
    ALONE.part(0, 0.5).named("x").report(0.5, "y")
    assert ALONE.part(0, 0.5).progress is None
    context = Context(Store(tmp_path), engines=Engines(1))
    part = context.step(0, 3)
    assert part.store is context.store
    assert part.engines is context.engines
    assert progress.part(None, 0, 1) is None


def test_the_engines_used_last_are_kept():
    study, cg, lissa = linear_study(linear("logistic")), SolverSettings("cg"), SolverSettings("lissa")
    engines = Engines(2)
    assert engines.ready(study, cg) is None
    first = engines.prepare(study, cg)
    assert engines.ready(study, cg) is engines.prepare(study, cg) is first
    engines.prepare(study, SolverSettings())
    assert engines.ready(study, cg) is first
    engines.prepare(study, lissa)
    assert engines.ready(study, SolverSettings()) is None
    assert engines.ready(study, cg) is first
    assert Engines().prepare(study, cg).solver.name == first.solver.name
    assert ALONE.engines.ready(study, cg) is None


def test_a_key_needs_every_argument():
    @remember("needs both")
    def add(one: int, other: int, *, context: Context = ALONE) -> Number:
        return Number(one + other)

    with pytest.raises(TypeError, match="other"):
        add.key(1)


def test_what_was_stored_with_another_type_is_computed_again(tmp_path):
    store = Store(tmp_path)

    @remember("typed")
    def first(*, context: Context = ALONE) -> Text:
        return Text("seven")

    @remember("typed")
    def second(*, context: Context = ALONE) -> Number:
        return Number(7)

    first(context=Context(store))
    assert second(context=Context(store)) == Number(7)


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Text:
    value: str
