"""All leave-one-out models together: each gradient recomputed by the references, the hard ones fitted cold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import Cancelled, UnsupportedError
from influence_core.influence import largest_leverages, leverage_blocks
from influence_core.losses import HingeLoss
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.retraining import side_by_side
from influence_core.retraining.leave_one_out import leave_each_out, relabel_each, runner_up
from influence_core.retraining.side_by_side import GRADIENT_TOL, EditedModels
from influence_core.solvers import Cholesky, ConjugateGradient
from influence_core.training import minimise
from tests import references
from tests.problems import KINDS, TEMPERATURE, linear, loss_of


def _inverse(o, theta, solver=None):
    return (solver or Cholesky()).prepare(Hessian(o, theta))


def _together(blocks) -> EditedModels:
    blocks = list(blocks)
    return EditedModels(
        *(torch.cat([getattr(one, name) for one in blocks]) for name in EditedModels.__annotations__)
    )


def _all(o, theta, **how) -> EditedModels:
    return _together(leave_each_out(o, theta, _inverse(o, theta), **how))


def _prove(o: LinearObjective, theta, kind: str, models: EditedModels) -> None:
    """Every gradient norm, recomputed, is the one that is told, and small beside what the example pulled with."""
    x, y, w, l2 = (part.numpy() for part in (o.x, o.y, o.weights, o.l2))
    own = references.gradients(theta.numpy(), x, y, kind, TEMPERATURE) * w[:, None]
    sizes = np.linalg.norm(own, axis=1) if kind != "softmax" else w * np.linalg.norm(x, axis=1)
    floor = 1e-15 * sizes.sum()
    for i, change, norm in zip(models.positions, models.changes, models.gradient_norms, strict=True):
        left = w.copy()
        left[i] = 0
        at = theta.numpy() + change.double().numpy()
        found = references.gradient_norm(at, x, y, left, l2, kind, TEMPERATURE)
        assert found <= max(1.001 * GRADIENT_TOL * np.linalg.norm(own[i]), floor)
        assert found == pytest.approx(float(norm), rel=1e-3, abs=floor)


@pytest.mark.parametrize("kind", KINDS)
def test_a_leverage_is_the_most_of_the_curvature_that_is_an_examples_own(kind):
    toy = linear(kind)
    o, theta = toy.objective, toy.theta
    found = largest_leverages(o, theta, leverage_blocks(o, _inverse(o, theta)))
    assert found.shape == (60,)
    for i in range(60):
        own = np.where(np.arange(60) == i, toy.w, 0.0)
        part = references.hessian(theta.numpy(), toy.x, toy.y, own, 0.0, kind, TEMPERATURE)
        shares = np.linalg.eigvals(np.linalg.solve(toy.hessian().numpy(), part)).real
        assert float(found[i]) == pytest.approx(shares.max(), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_every_model_is_proven_and_the_cold_fit_of_the_references(kind, dtype, monkeypatch):
    monkeypatch.setattr(side_by_side, "GRADIENT_TOL", 1e-5 if dtype == torch.float64 else GRADIENT_TOL)
    toy = linear(kind)
    models = _all(toy.objective, toy.theta, dtype=dtype)
    assert models.changes.shape == (60, toy.objective.dim)
    assert models.changes.dtype == dtype
    assert models.proven.all()
    assert_close(models.positions, torch.arange(60))
    _prove(toy.objective, toy.theta, kind, models)
    for i in range(0, 60, 7):
        w = toy.w.copy()
        w[i] = 0
        cold = toy.refit(w) - toy.theta
        assert (models.changes[i] - cold).norm() <= 2e-3 * cold.norm()


def test_blocks_come_one_by_one_and_their_size_changes_nothing():
    toy = linear("softmax")
    whole = _all(toy.objective, toy.theta)
    inverse = _inverse(toy.objective, toy.theta)
    blocks = list(leave_each_out(toy.objective, toy.theta, inverse, memory_bytes=20 * 15 * 8 * 8))
    assert [len(one.positions) for one in blocks] == [8, 8, 8, 8, 8, 8, 8, 4]
    assert_close(_together(blocks).changes, whole.changes, rtol=1e-9, atol=1e-12)
    some = torch.tensor([40, 3, 17])
    few = _all(toy.objective, toy.theta, positions=some)
    assert_close(few.positions, some)
    assert_close(few.changes, whole.changes[some], rtol=1e-9, atol=1e-12)
    known = leverage_blocks(toy.objective, inverse, some)
    again = _all(toy.objective, toy.theta, positions=some, leverages=known)
    assert_close(again.changes, few.changes, rtol=1e-9, atol=1e-12)


def test_progress_rises_and_a_cancelled_run_keeps_the_blocks_before():
    toy = linear("logistic")
    inverse, seen, kept = _inverse(toy.objective, toy.theta), [], []

    def stop(fraction, message):
        seen.append((fraction, message))
        if message.startswith("20 of 60"):
            raise Cancelled

    blocks = leave_each_out(toy.objective, toy.theta, inverse, memory_bytes=20 * 5 * 8 * 10, progress=stop)
    with pytest.raises(Cancelled):
        for one in blocks:
            kept.append(one)
    assert [len(one.positions) for one in kept] == [10, 10]
    assert min(np.diff([fraction for fraction, _ in seen])) >= 0


def test_a_kink_is_refused():
    toy = linear("logistic")
    kinked = replace(toy.objective, loss=HingeLoss())
    inverse = _inverse(toy.objective, toy.theta)
    with pytest.raises(UnsupportedError, match="kink"):
        next(leave_each_out(kinked, toy.theta, inverse))
    with pytest.raises(UnsupportedError, match="kink"):
        next(relabel_each(kinked, toy.theta, inverse, 1 - kinked.y))


def test_another_exact_solver_and_a_penalty_for_each_parameter_serve_as_well():
    toy = linear("logistic")
    l2 = torch.tensor([0.01, 0.02, 0.05, 0.1, 0.2], dtype=torch.float64)
    o = LinearObjective.build(toy.objective.x, toy.objective.y, toy.objective.loss, l2)
    theta = minimise(o).theta
    models = _together(leave_each_out(o, theta, _inverse(o, theta, ConjugateGradient(rtol=1e-12))))
    assert models.proven.all()
    _prove(o, theta, "logistic", models)


# --------------------------------------------------------------------------------------------------- traps


def _duplicates(x, y):
    return np.concatenate([x, x[:10]]), np.concatenate([y, y[:10]]), 0.01, None


def _a_column_of_ones_own(x, y):
    """One row alone has a column, a large one: nothing else holds what the model learnt from it."""
    alone = np.zeros((len(x), 1))
    alone[4] = 100
    return np.hstack([x, alone]), y, 1e-4, None


def _separable(x, y):
    return np.hstack([x, (4.0 * y - 2)[:, None]]), y, 1e-6, None


def _weighted(x, y):
    w = np.random.default_rng(1).uniform(0, 3 / len(x), len(x))
    w[[3, 8]] = 0
    return x, y, 0.02, w


def _far_out(x, y):
    x = x.copy()
    x[5] *= 1000
    return x, y, 0.01, None


def _one_of_its_kind(x, y):
    y = np.zeros_like(y)
    y[7] = 1
    return x, y, 1e-3, None


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
@pytest.mark.parametrize(
    "trap", [_duplicates, _a_column_of_ones_own, _separable, _weighted, _far_out, _one_of_its_kind]
)
def test_in_every_trap_every_model_is_proven(trap, kind):
    toy = linear(kind, n=40)
    x, y, l2, w = trap(toy.x, toy.y)
    weights = None if w is None else torch.tensor(w)
    o = LinearObjective.build(torch.tensor(x), torch.tensor(y), loss_of(kind), l2, weights)
    theta = minimise(o, gradient_norm=1e-12).theta
    models = _all(o, theta)
    assert models.proven.all()
    _prove(o, theta, kind, models)


def _prove_relabelled(o: LinearObjective, theta, kind: str, labels, models: EditedModels) -> None:
    """As ``_prove``, of models in which one label is another."""
    x, y, w, l2, new = (part.numpy() for part in (o.x, o.y, o.weights, o.l2, labels))
    before, after = (references.gradients(theta.numpy(), x, of, kind, TEMPERATURE) for of in (y, new))
    brought = np.linalg.norm(after - before, axis=1) * w
    floor = 1e-15 * (w * np.linalg.norm(x, axis=1)).sum()
    for i, change, norm in zip(models.positions, models.changes, models.gradient_norms, strict=True):
        edited = y.copy()
        edited[i] = new[i]
        at = theta.numpy() + change.double().numpy()
        found = references.gradient_norm(at, x, edited, w, l2, kind, TEMPERATURE)
        assert found <= max(1.001 * GRADIENT_TOL * brought[i], floor)
        assert found == pytest.approx(float(norm), rel=1e-3, abs=floor)


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_with_one_other_label_is_the_cold_fit_of_the_references(kind):
    toy = linear(kind)
    o, theta = toy.objective, toy.theta
    labels = runner_up(o, theta)
    inverse = _inverse(o, theta)
    models = _together(relabel_each(o, theta, inverse, labels, memory_bytes=20 * o.dim * 8 * 25))
    assert models.proven.all()
    _prove_relabelled(o, theta, kind, labels, models)
    for i in range(0, 60, 7):
        y = toy.y.copy()
        y[i] = int(labels[i])
        cold = toy.refit(y=y) - theta
        assert (models.changes[i] - cold).norm() <= 1e-3 * cold.norm()
    few = _together(relabel_each(o, theta, inverse, labels, torch.tensor([9, 2])))
    assert_close(few.changes, models.changes[[9, 2]], rtol=1e-9, atol=1e-12)


def test_the_runner_up_is_the_likeliest_of_the_other_labels():
    toy = linear("softmax")
    found = runner_up(toy.objective, toy.theta)
    likely = toy.objective.probabilities(toy.theta, toy.objective.x).numpy()
    likely[np.arange(60), toy.y] = -1
    assert found.tolist() == likely.argmax(1).tolist()
    two = linear("logistic")
    assert_close(runner_up(two.objective, two.theta), 1 - two.objective.y)


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
@pytest.mark.parametrize(
    "trap", [_duplicates, _a_column_of_ones_own, _separable, _weighted, _far_out, _one_of_its_kind]
)
def test_in_every_trap_every_model_with_another_label_is_proven(trap, kind):
    toy = linear(kind, n=40)
    x, y, l2, w = trap(toy.x, toy.y)
    weights = None if w is None else torch.tensor(w)
    o = LinearObjective.build(torch.tensor(x), torch.tensor(y), loss_of(kind), l2, weights)
    theta = minimise(o, gradient_norm=1e-12).theta
    labels = runner_up(o, theta)
    models = _together(relabel_each(o, theta, _inverse(o, theta), labels))
    assert models.proven.all()
    _prove_relabelled(o, theta, kind, labels, models)


def test_relabelled_models_that_are_hard_are_finished_alone(monkeypatch):
    monkeypatch.setattr(side_by_side, "ROUNDS", 0)
    toy = linear("softmax")
    labels = runner_up(toy.objective, toy.theta)
    models = _together(relabel_each(toy.objective, toy.theta, _inverse(toy.objective, toy.theta), labels))
    assert models.proven.all()
    _prove_relabelled(toy.objective, toy.theta, "softmax", labels, models)


def test_hard_models_are_finished_alone(monkeypatch):
    monkeypatch.setattr(side_by_side, "ROUNDS", 0)
    toy, finished, finish = linear("softmax"), [], side_by_side._Block.finish

    def spy(block, column, progress):
        finished.append(column)
        finish(block, column, progress)

    monkeypatch.setattr(side_by_side._Block, "finish", spy)
    models = _all(toy.objective, toy.theta)
    assert len(finished) > 30
    assert models.proven.all()
    _prove(toy.objective, toy.theta, "softmax", models)


def test_a_model_that_cannot_be_proven_is_told(monkeypatch):
    monkeypatch.setattr(side_by_side, "GRADIENT_TOL", 0.0)
    monkeypatch.setattr(side_by_side, "ROUNDING", 0.0)
    monkeypatch.setattr(side_by_side, "ROUNDS", 2)
    toy = linear("logistic", n=12)
    assert not _all(toy.objective, toy.theta).proven.any()


# ------------------------------------------------------------------------------------------- a real study


@pytest.mark.slow
def test_every_digit_left_out(one_or_seven):
    """1,092 models, each proved again; the 6 of highest leverage and 6 others fitted cold."""
    study = one_or_seven
    o, theta = study.objective, study.theta
    inverse = _inverse(o, theta)
    leverages = leverage_blocks(o, inverse)
    models = _together(leave_each_out(o, theta, inverse, leverages=leverages, dtype=torch.float32))
    assert models.proven.all()
    _prove(o, theta, "logistic", models)
    x, y = o.x.numpy(), o.y.numpy()
    tests = study.data.test.x.double()
    effects = models.changes.double() @ tests.T
    hardest = leverages[:, 0, 0].argsort(descending=True)[:6].tolist()
    for i in [*hardest, *range(50, 1_092, 180)]:
        w = references.uniform(1_092)
        w[i] = 0
        cold = torch.tensor(references.cold_fit(x, y, w, float(o.l2), "logistic")) - theta
        miss = (tests @ cold - effects[i]).abs() / effects.abs().max(0).values
        assert miss.max() <= 1e-3
