"""Every training example truly left out: effects, own predictions and corrected forecasts, against cold fits."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.agreement import Agreement
from influence_core.context import Context
from influence_core.errors import Cancelled, UnsupportedError
from influence_core.experiments import all_left_out, corrected, leave_one_out, questions
from influence_core.experiments.explain import run as explain
from influence_core.retraining import leave_one_out as together
from influence_core.retraining import side_by_side
from influence_core.solvers import ConjugateGradient
from influence_core.store import Store
from tests import references
from tests.problems import TEMPERATURE, linear, linear_study, ready


def _cold(toy, xt, yt):
    """Loss and probability of a test example, and of each own example, without each example: all fitted cold."""
    losses, probabilities, own = [], [], []
    for i in range(len(toy.x)):
        w = toy.w.copy()
        w[i] = 0
        theta = toy.refit(w).numpy()
        f = np.vstack([xt, toy.x[i]]) @ theta.reshape(toy.x.shape[1], -1)
        p = references.softmax(f if f.shape[1] > 1 else np.hstack([0 * f, f]), axis=1)
        losses.append(references.losses(theta, xt[None], [yt], toy.kind, TEMPERATURE)[0])
        probabilities.append(p[0, yt])
        own.append(p[1])
    return np.array(losses), np.array(probabilities), np.array(own)


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_effects_and_own_predictions_are_those_of_cold_fits(kind):
    toy = linear(kind, n=24)
    study = linear_study(toy)
    table = all_left_out.run(study)
    assert table.proven
    assert not table.kept
    assert_array_equal(table.ids, np.arange(500, 524))
    question = questions.ask(study, 900)
    loss, probability, own = _cold(toy, toy.xt[0], question.label)
    found = all_left_out.effects(study, table, question)
    before = references.losses(toy.theta.numpy(), toy.xt[:1], [question.label], kind)[0]
    assert_allclose(found.loss, loss - before, rtol=0, atol=1e-3 * np.abs(loss - before).max())
    change = probability - study.probabilities(question.x[None])[0, question.label]
    assert_allclose(found.probability, change, rtol=0, atol=1e-3 * np.abs(change).max())
    without = all_left_out.without_itself(study, table)
    assert_allclose(without.probabilities, own, rtol=0, atol=1e-4)
    assert_allclose(without.own_probability, own[np.arange(24), toy.y], rtol=0, atol=1e-4)
    assert without.accuracy == (own.argmax(1) == toy.y).mean()
    with_it = references.losses(toy.theta.numpy(), toy.x, toy.y, kind)
    assert_allclose(without.memorisation, -np.log(without.own_probability) - with_it, rtol=1e-6, atol=1e-9)


def test_the_corrected_forecast_is_the_newton_step_at_the_loss_itself():
    toy = linear("softmax", n=24)
    study = linear_study(toy)
    question = questions.ask(study, 901, label=2)
    found = corrected.run(study, question, context=ready(study, corrected.UNDAMPED))
    own, at = toy.gradients(toy.x, toy.y).numpy() / 24, toy.theta.numpy()
    before = references.losses(at, toy.xt[1:2], [2], "softmax")[0]
    for i in range(24):
        w = toy.w.copy()
        w[i] = 0
        moved = at + np.linalg.solve(references.hessian(at, toy.x, toy.y, w, toy.l2, "softmax"), own[i])
        after = references.losses(moved, toy.xt[1:2], [2], "softmax")[0]
        assert found.loss[i] == pytest.approx(after - before, rel=1e-7, abs=1e-12)
        assert found.probability[i] == pytest.approx(np.exp(-after) - np.exp(-before), rel=1e-7, abs=1e-12)
    quick = corrected.run(study, question).loss  # without a factor, as near as the solver's residual keeps it
    bent = np.linalg.cond(references.hessian(at, toy.x, toy.y, toy.w, toy.l2, "softmax"))
    near = bent * ConjugateGradient().rtol * np.abs(found.loss).max()
    assert_allclose(quick, found.loss, rtol=0, atol=near)


def test_what_a_corrected_forecast_needs_of_the_training_examples_is_made_once_an_open_study(monkeypatch):
    study, other = (linear_study(linear("softmax", seed=seed)) for seed in (0, 1))
    first, second = (questions.ask(study, one) for one in (900, 901))
    expected = corrected.run(replace(study), second)  # opened on its own
    corrected.run(study, first)

    def leverages(*_, **__):
        raise AssertionError("made again")

    monkeypatch.setattr(corrected, "leverages", leverages)
    assert_array_equal(corrected.run(study, second).loss, expected.loss)
    with pytest.raises(AssertionError, match="made again"):
        corrected.run(other, second)
    closed = weakref.ref(study)
    del study
    gc.collect()
    assert closed() is None


@pytest.fixture(scope="module")
def context(one_or_seven):
    return ready(one_or_seven)


@pytest.fixture(scope="module")
def table(one_or_seven, context):
    return all_left_out.run(one_or_seven, context=context)


def test_the_truth_is_that_of_one_by_one_and_the_corrected_forecast_is_nearer(one_or_seven, context, table):
    known = one_or_seven.predictions
    question = questions.ask(one_or_seven, int(known.ids[known.misclassified()[-1]]))
    truth = all_left_out.effects(one_or_seven, table, question)
    answer = explain(one_or_seven, question, context=context)
    few = leave_one_out.run(one_or_seven, answer, 20, context=context)
    at = [answer.position(int(one)) for one in few.train_ids]
    assert_allclose(truth.loss[at], few.actual, rtol=0, atol=1e-3 * np.abs(few.actual).max())
    first = Agreement.of(answer.scores, truth.loss)
    nearer = Agreement.of(corrected.run(one_or_seven, question, context=context).loss, truth.loss)
    assert 0.97 < nearer.slope < 1.03
    assert nearer.worst < 0.25 * first.worst
    without = all_left_out.without_itself(one_or_seven, table)
    assert 0.98 < without.accuracy < 1
    assert (without.memorisation > 0).all()


def _stop_at(words):
    def stop(fraction, message):
        if message.startswith(words):
            raise Cancelled

    return stop


@pytest.fixture
def blocks_of_300(monkeypatch):
    def in_blocks(*args, **named):
        return together.leave_each_out(*args, **named, memory_bytes=300 * 784 * 8 * side_by_side.COLUMNS)

    monkeypatch.setattr(all_left_out, "leave_each_out", in_blocks)


def test_a_stopped_run_goes_on_with_the_same_numbers(one_or_seven, context, table, tmp_path, blocks_of_300):
    store = Store(tmp_path)
    with pytest.raises(Cancelled):
        all_left_out.run(one_or_seven, context=replace(context, store=store, progress=_stop_at("600 done")))
    assert all_left_out.recall(one_or_seven, context=Context(store)) is None
    seen = []
    heard = replace(context, store=Store(tmp_path), progress=lambda *one: seen.append(one))
    again = all_left_out.run(one_or_seven, context=heard)
    assert [one for _, one in seen if one.endswith(" done")][0] == "600 done"
    assert min(np.diff([fraction for fraction, _ in seen])) >= 0
    assert_allclose(again.changes, table.changes, rtol=1e-4, atol=1e-9)
    assert again.proven
    assert again.kept
    assert isinstance(again.changes, np.memmap)
    found = all_left_out.recall(one_or_seven, context=Context(Store(tmp_path)))
    for name in ("changes", "gradient_norms", "targets"):
        assert_array_equal(getattr(found, name), getattr(again, name))
    assert all_left_out.estimate(one_or_seven, context=Context(store)).seconds == 0


def test_a_damaged_block_is_made_again(one_or_seven, context, tmp_path, blocks_of_300, monkeypatch):
    store = Store(tmp_path)
    first = all_left_out.run(one_or_seven, context=replace(context, store=store))
    (path,) = tmp_path.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    trained, train = [], side_by_side.Trainer.train

    def spy(trainer, at, *rest):
        trained.extend(at.tolist())
        return train(trainer, at, *rest)

    monkeypatch.setattr(side_by_side.Trainer, "train", spy)
    again = all_left_out.run(one_or_seven, context=replace(context, store=store))
    assert trained == list(range(900, 1_092))
    assert "damaged" in store.notices()[0]
    assert_allclose(again.changes, first.changes, rtol=1e-4, atol=1e-9)


def test_a_store_that_is_too_small_says_so_and_the_table_is_held(one_or_seven, context, table, tmp_path):
    small = Store(tmp_path, limit_bytes=2**20)
    found = all_left_out.run(one_or_seven, context=replace(context, store=small))
    assert not found.kept
    assert any("larger than the store's limit" in one for one in small.notices())
    assert_allclose(found.changes, table.changes, rtol=1e-4, atol=1e-9)
    assert list(tmp_path.glob("*.npy")) == []


def test_what_it_would_take_is_told_before(one_or_seven, context):
    told = all_left_out.estimate(one_or_seven, context=context)
    assert told.bytes == 1_092 * 784 * 4
    assert 0 < told.seconds < 60


def test_a_network_and_a_machine_are_refused(one_or_seven):
    layered = replace(one_or_seven, spec=replace(one_or_seven.spec, model="all-convolutional"))
    for ask in (all_left_out.run, all_left_out.estimate):
        with pytest.raises(UnsupportedError, match="linear model with a smooth loss"):
            ask(layered)
    assert all_left_out.supports(one_or_seven.spec) is None
