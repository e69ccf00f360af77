"""A group's forecast against a dense Newton step of the references; and what a study's retrainings teach about forecasts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from influence_core.context import Context
from influence_core.errors import SolveError
from influence_core.experiments import explain, group_forecast, questions, take_out, track_record, what_if
from influence_core.experiments.group_forecast import GroupForecast
from influence_core.experiments.what_if import Change
from influence_core.retraining.edits import Edit
from influence_core.store import NO_STORE, Store
from tests import references
from tests.problems import KINDS, linear, linear_study, network_study, ready

GROUP = [3, 17, 40, 41]


def asked(toy):
    study = linear_study(toy)
    return study, explain.run(study, questions.ask(study, 901))


@pytest.fixture(scope="module")
def toy():
    return linear("logistic")


@pytest.fixture(scope="module")
def one(toy):
    return asked(toy)


@pytest.mark.parametrize("engine", [True, False], ids=["prepared", "unprepared"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "smooth_hinge"])  # it has no study
def test_the_outputs_move_by_a_newton_step_and_the_loss_is_taken_there(kind, engine):
    toy = linear(kind)
    study, answer = asked(toy)
    found = group_forecast.run(
        study, answer, Edit.removal(GROUP), context=ready(study) if engine else Context()
    )
    at, w = toy.theta.numpy(), toy.w.copy()
    w[GROUP] = 0
    data = toy.x, toy.y, w, toy.l2, kind
    moved = at - np.linalg.solve(references.hessian(at, *data), references.risk_gradient(at, *data))
    x = toy.xt[1:2]
    loss = [references.losses(one, x, [answer.label], kind)[0] for one in (at, moved)]
    assert_allclose(found.together, loss[1] - loss[0], rtol=1e-6)
    assert_allclose(found.probability, np.exp(-loss[1]) - np.exp(-loss[0]), rtol=1e-6)
    assert_allclose(found.alone, answer.scores[GROUP].sum(), rtol=1e-6)
    assert found.best == found.together != found.alone


def test_a_network_has_the_sum_alone():
    study = network_study()
    answer = explain.run(study, questions.ask(study, 100))
    found = group_forecast.run(study, answer, Edit.removal([3, 17]))
    assert found.together is found.probability is None
    assert_allclose(found.best, answer.scores[[3, 17]].sum(), rtol=1e-5)


def test_where_the_step_cannot_be_solved_for_the_sum_remains(one, monkeypatch):
    def fail(*_):
        raise SolveError("too few steps")

    monkeypatch.setattr(group_forecast, "edited_step", fail)
    found = group_forecast.run(*one, Edit.removal(GROUP))
    assert found.together is found.probability is None
    assert_allclose(found.best, one[1].scores[GROUP].sum())


# ------------------------------------------------------------------------------------------------ track record


@pytest.fixture
def context(tmp_path):
    return Context(Store(tmp_path))


NEW, CHANGE = [50, 51, 52, 53], Change()


def record_of(asked, at, context, change=CHANGE):
    """What the study's record says of the forecast of a change."""
    return what_if.record(*asked, at, change, what_if.forecast(*asked, at, change), context=context)


def groups(size: int, count: int, start: int = 0) -> list[list[int]]:
    return [list(range(start + at, start + at + size)) for at in range(count)]


def test_every_retraining_teaches_and_before_enough_nothing_is_said(one, context):
    study, answer = one
    found = []
    for at in groups(4, track_record.ENOUGH):
        assert record_of(one, NEW, context) is None
        found.append(take_out.run(study, answer, answer.ids[at], context=context))
    record = record_of(one, NEW, context)
    ratios = [each.actual / each.forecast.together for each in found]
    assert (record.count, record.fewest, record.most) == (5, 4, 4)
    assert_allclose([record.lowest, record.highest], [min(ratios), max(ratios)])
    take_out.run(study, answer, answer.ids[:4], context=context)
    assert record_of(one, NEW, context) == record, "one teaches once"


def test_the_truth_of_a_forecast_is_no_witness_for_it(one, context):
    study, answer = one
    for at in groups(4, 6):
        what_if.run(study, answer, at, Change(), context=context)
    assert record_of(one, [3, 2, 1, 0], context).count == 5
    other = explain.run(study, questions.ask(study, 902))
    assert record_of((study, other), [0, 1, 2, 3], context).count == 6


def test_only_like_is_compared_with_like(one, context):
    study, answer = one
    for at in groups(6, 5):
        what_if.run(study, answer, at, Change(), context=context)
    for at in groups(6, 5):
        what_if.run(study, answer, at, Change("reweight", weight=2.0), context=context)

    def count(size: int, change: Change) -> int:
        found = record_of(one, list(range(30, 30 + size)), context, change)
        return 0 if found is None else found.count

    assert [count(size, Change()) for size in (2, 3, 6, 12, 13)] == [0, 5, 5, 5, 0]
    assert count(6, Change("reweight", weight=2.0)) == 5
    assert count(6, Change("reweight", weight=0.0)) == 5, "nothing weighs as much as nothing there"
    assert count(6, Change("reweight", weight=3.0)) == count(6, Change("relabel", label=1)) == 0
    assert record_of(asked(linear("softmax")), [30, 31, 32, 33, 34, 35], context) is None


def test_a_tiny_effect_says_nothing_of_a_strong_one(one, context):
    for at in range(5):
        track_record.note(*one, Edit.removal([at]), -1e-3, 5e-3, context=context)
    seen = {f: track_record.read(*one, Edit.removal([50]), f, context=context) for f in (0.099, 0.101, 9e-6)}
    assert [None if record is None else record.count for record in seen.values()] == [5, None, None]


def test_a_sum_has_no_record(one, context):
    for at in range(6):
        track_record.note(*one, Edit.removal([at]), 1.0, 1.0, context=context)
    for forecast, known in ((GroupForecast(1.0, 1.0, 0.1), True), (GroupForecast(1.0), False)):
        found = what_if.record(*one, [50], Change(), forecast, context=context)
        assert (found is not None) == known


@pytest.mark.parametrize("truth", [np.nan, np.inf, -np.inf])
def test_what_has_no_ratio_teaches_nothing(one, context, truth):
    for at in range(2 * track_record.ENOUGH):
        edit = Edit.removal([at])
        track_record.note(*one, edit, 1.0 if at % 2 else 0.0, truth if at % 2 else 1.0, context=context)
    assert track_record.read(*one, Edit.removal([50]), 1.0, context=context) is None


def test_a_training_that_did_not_end_teaches_nothing(one, context, monkeypatch):
    study, answer = one
    original = take_out._retrained
    monkeypatch.setattr(take_out, "_retrained", lambda *a, **k: replace(original(*a, **k), converged=False))
    for at in groups(4, 6):
        take_out.run(study, answer, answer.ids[at], context=context)
    assert record_of(one, NEW, context) is None


def test_the_record_stays_small_and_keeps_the_last(one, context, monkeypatch):
    monkeypatch.setattr(track_record, "KEPT", 8)
    for at in range(20):
        track_record.note(*one, Edit.removal([at]), 1.0, 1.0 + at, context=context)
    record = track_record.read(*one, Edit.removal([50]), 1.0, context=context)
    assert (record.count, record.lowest, record.highest) == (8, 13.0, 20.0)


def test_many_threads_teach_at_once(one, context):
    def teach(at: int) -> None:
        track_record.note(*one, Edit.removal([at]), 1.0, 1.0 + at, context=context)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(teach, range(40)))
    assert track_record.read(*one, Edit.removal([50]), 1.0, context=context).count == 40


def test_without_a_store_nothing_is_learnt(one):
    context = Context(NO_STORE)
    for at in range(6):
        track_record.note(*one, Edit.removal([at]), 1.0, 1.0, context=context)
    assert track_record.read(*one, Edit.removal([50]), 1.0, context=context) is None
