"""Objectives and losses against the references: values, derivatives, weights, chunks, and the border."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import DataError, ShapeError, UnsupportedError
from influence_core.losses import HingeLoss, LogisticLoss, SmoothHingeLoss, SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.network import objective as network_module
from influence_core.objective import LinearObjective
from influence_core.objective import base as objective_module
from influence_core.objective.linear import SPARSE
from tests import memory, references
from tests.problems import KINDS, NETWORKS, linear, network, normal, pictures

# ------------------------------------------------------------------------------------------------ losses


@pytest.mark.parametrize(
    "loss", [SoftmaxLoss(4), LogisticLoss(), SmoothHingeLoss(0.1), HingeLoss()], ids=repr
)
def test_loss_derivatives_agree_with_autograd(loss):
    f = 3 * normal(12, loss.outputs)
    y = torch.arange(12) % loss.classes
    at = f.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss.values(at, y).sum(), at)
    assert_close(loss.residuals(f, y), slope, rtol=1e-12, atol=1e-14)
    assert_close(loss.loss_factors(f, y)[:, None] * loss.directions(f, y), slope, rtol=1e-12, atol=1e-14)

    u = normal(12, loss.outputs, 2, seed=1)
    curves = [
        torch.autograd.functional.hessian(lambda g, i=i: loss.values(g[None], y[i : i + 1])[0], f[i])
        for i in range(12)
    ]
    assert_close(loss.curvature(f, y)(u), torch.stack(curves) @ u, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("temperature", [1e-3, 0.1])
def test_smooth_hinge_at_margin_one_and_far_away(temperature):
    loss, y = SmoothHingeLoss(temperature), torch.tensor([1])
    f = torch.ones(1, 1, dtype=torch.float64)
    assert loss.values(f, y).item() == pytest.approx(temperature * np.log(2), rel=1e-12)
    assert loss.residuals(f, y).item() == pytest.approx(-0.5, rel=1e-12)
    assert loss.curvature(f, y)(f[..., None]).item() == pytest.approx(1 / (4 * temperature), rel=1e-12)
    for margin, value in ((-1e3, 1001.0), (1e3, 0.0)):
        far = torch.full((1, 1), margin, dtype=torch.float64)
        assert loss.values(far, y).item() == pytest.approx(value, abs=1e-12)
        assert torch.isfinite(loss.curvature(far, y)(f[..., None])).all()


def test_logistic_and_softmax_stay_accurate_where_probabilities_round_to_one():
    y = torch.tensor([1])
    for margin in (20.0, 39.0, 41.0, 60.0):
        f = torch.full((1, 1), margin, dtype=torch.float64)
        exact = float(np.log1p(np.exp(-margin)))
        assert LogisticLoss().values(f, y).item() == pytest.approx(exact, rel=1e-10)
        two = torch.tensor([[0.0, margin]], dtype=torch.float64)
        assert SoftmaxLoss(2).loss_factors(two, y).item() == pytest.approx(np.exp(-margin), rel=1e-8)


def test_probabilities_are_those_of_the_labels_in_order():
    f = torch.tensor([[2.0]], dtype=torch.float64)
    assert_close(LogisticLoss().probabilities(f)[0, 1], torch.sigmoid(f[0, 0]))
    assert_close(LogisticLoss().probabilities(f).sum(1), f.new_ones(1))
    with pytest.raises(UnsupportedError, match="margins, not probabilities"):
        SmoothHingeLoss(0.1).probabilities(f)


# ------------------------------------------------------------------------------------------- linear models


@pytest.mark.parametrize("kind", KINDS)
def test_linear_objective_agrees_with_the_references(kind):
    toy = linear(kind)
    o, at = toy.objective, toy.theta
    w = np.random.default_rng(3).uniform(size=len(toy.x))
    weighted = LinearObjective.build(o.x, o.y, o.loss, toy.l2, torch.tensor(w))
    data = (toy.theta.numpy(), toy.x, toy.y)
    extra = (toy.kind, toy.temperature)
    tight = {"rtol": 1e-10, "atol": 1e-12}

    assert_close(o.losses(at, o.x, o.y), torch.tensor(references.losses(*data, *extra)), **tight)
    assert_close(o.gradients(at, o.x, o.y), torch.tensor(references.gradients(*data, *extra)), **tight)
    assert weighted.risk(at).item() == pytest.approx(references.risk(*data, w, toy.l2, *extra), rel=1e-12)
    slope = torch.tensor(references.risk_gradient(*data, w, toy.l2, *extra))
    assert_close(weighted.risk_gradient(at), slope, **tight)
    h = torch.tensor(references.hessian(*data, w, toy.l2, *extra))
    v = normal(o.dim, 3)
    assert_close(weighted.hessian_product(at)(v), h @ v, **tight)
    assert_close(weighted.gauss_newton_product(at)(v), h @ v, **tight)
    assert_close(weighted.dense_gauss_newton(at), h, **tight)
    assert o.is_convex


def test_a_penalty_per_parameter():
    toy = linear("softmax")
    l2 = torch.linspace(0, 0.2, toy.objective.dim, dtype=torch.float64)
    o = LinearObjective.build(toy.objective.x, toy.objective.y, toy.objective.loss, l2)
    bare = LinearObjective.build(toy.objective.x, toy.objective.y, toy.objective.loss, 0.0)
    v = normal(o.dim, 2)
    assert_close(o.hessian_product(toy.theta)(v), bare.hessian_product(toy.theta)(v) + l2[:, None] * v)
    assert_close(o.dense_gauss_newton(toy.theta), bare.dense_gauss_newton(toy.theta) + torch.diag(l2))
    assert_close(o.risk_gradient(toy.theta), bare.risk_gradient(toy.theta) + l2 * toy.theta)
    assert_close(o.risk(toy.theta), bare.risk(toy.theta) + (l2 * toy.theta**2).sum() / 2)
    assert_close(o.risk_and_gradient(toy.theta), (o.risk(toy.theta), o.risk_gradient(toy.theta)))


@pytest.mark.parametrize(("above", "sparse"), [(1.0, False), (1.9, True)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_dense_curvature_of_mostly_empty_features(kind, above, sparse):
    toy = linear(kind)
    x = toy.objective.x.where(normal(*toy.objective.x.shape, seed=3) > above, 0.0)
    x[:, 2] = 0
    assert 0 < x.count_nonzero() < SPARSE * x.numel() or not sparse
    o = LinearObjective.build(x, toy.objective.y, toy.objective.loss, toy.l2)
    h = references.hessian(
        toy.theta.numpy(), x.numpy(), toy.y, o.weights.numpy(), toy.l2, kind, toy.temperature
    )
    assert_close(o.dense_gauss_newton(toy.theta), torch.tensor(h), rtol=1e-10, atol=1e-12)


@pytest.mark.skipif(not memory.STATUS.exists(), reason="the system does not tell the memory of a process")
def test_a_memory_map_stays_on_the_disk(tmp_path):
    n, d = 2**16, 256
    written = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", float, (n, d))
    written[:] = 1 + np.arange(n)[:, None] / n
    written.flush()
    del written
    before = memory.anonymous()
    o = LinearObjective.build(
        np.load(tmp_path / "x.npy", mmap_mode="r")[2:], np.arange(n - 2) % 2, LogisticLoss(), 0.1
    )
    theta = torch.zeros(d, dtype=torch.float64)
    o.risk_and_gradient(theta)
    assert memory.anonymous() - before < n * d * 8 / 4, (
        "a quarter of the file, where a copy would be all of it"
    )
    assert float(o.x[0, 0]) == 1 + 2 / n
    expected = o.x.double().T @ (o.x / n) / 4 * n / o.n + 0.1 * torch.eye(d)
    assert_close(o.dense_gauss_newton(theta), expected)
    o.x[:] = 0
    assert float(np.load(tmp_path / "x.npy")[5, 0]) == 1 + 5 / n, (
        "what is written there never reaches the file"
    )


# ------------------------------------------------------------------------------------------------ networks


@pytest.mark.parametrize("name", NETWORKS)
def test_network_objective_agrees_with_dense_autograd(name):
    o, at = network(name)
    inputs = pictures(o)
    tight = {"rtol": 1e-10, "atol": 1e-12}
    assert_close(
        o.losses(at, o.x, o.y), references.network_losses(o.module, at, inputs, o.y).detach(), **tight
    )
    assert_close(o.gradients(at, o.x, o.y), references.network_gradients(o.module, at, inputs, o.y), **tight)
    data = (o.module, at, inputs, o.y, o.weights, o.l2)
    assert_close(o.risk(at), references.network_risk(*data).detach(), **tight)
    slope = o.weights @ references.network_gradients(o.module, at, inputs, o.y) + o.l2 * at
    assert_close(o.risk_gradient(at), slope, **tight)

    v = normal(o.dim, 3)
    hessian = references.network_hessian(*data)
    gauss_newton = references.network_gauss_newton(*data)
    assert (hessian - gauss_newton).abs().max() > 1e-3, "the two curvatures must differ, or nothing is tested"
    assert_close(o.hessian_product(at)(v), hessian @ v, **tight)
    assert_close(o.gauss_newton_product(at)(v), gauss_newton @ v, **tight)
    assert_close(o.dense_gauss_newton(at), gauss_newton, **tight)
    assert not o.is_convex


def test_a_network_objective_leaves_the_module_alone():
    o, at = network("convolution with bias")
    before = o.theta()
    o.hessian_product(at)(normal(o.dim, 1))
    o.gradients(at, o.x, o.y)
    assert_close(o.theta(), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in o.module.parameters())
    results = [o.outputs(at, o.x), o.gradients(at, o.x, o.y), o.risk_gradient(at), o.losses(at, o.x, o.y)]
    results += [o.hessian_product(at)(normal(o.dim, 1)), o.gauss_newton_product(at)(normal(o.dim, 1))]
    assert not any(result.requires_grad for result in results), "a result that keeps its graph keeps memory"


def test_t6_logistic_closed_form_is_the_autograd_version():
    toy = linear("logistic")
    o = toy.objective
    module = torch.nn.Linear(o.x.shape[1], 1, bias=False, dtype=torch.float64)
    other = NetworkObjective.build(module, o.x, o.y, LogisticLoss(), toy.l2)
    v = normal(o.dim, 3)
    assert_close(
        o.gradients(toy.theta, o.x, o.y), other.gradients(toy.theta, o.x, o.y), rtol=1e-10, atol=1e-12
    )
    assert_close(o.hessian_product(toy.theta)(v), other.hessian_product(toy.theta)(v), rtol=1e-10, atol=1e-12)

    sign = (2 * o.y - 1).double()
    margins = sign * (o.x @ toy.theta)
    p = torch.sigmoid(margins)
    assert_close(o.gradients(toy.theta, o.x, o.y), -(torch.sigmoid(-margins) * sign)[:, None] * o.x)
    h = o.x.T @ (o.x * (p * (1 - p))[:, None]) / o.n + toy.l2 * torch.eye(o.dim, dtype=torch.float64)
    assert_close(o.dense_gauss_newton(toy.theta), h)


# ------------------------------------------------------------------------------- both: products and chunks


def _problems():
    toys = {kind: linear(kind) for kind in KINDS}
    problems = {kind: (toy.objective, toy.theta) for kind, toy in toys.items()}
    return problems | {name: network(name) for name in NETWORKS}


PROBLEMS = [*KINDS, *NETWORKS]


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("columns", [None, 1, 2, 7])
def test_gradient_products_are_gradients_times_v(name, columns):
    o, at = _problems()[name]
    v = normal(o.dim) if columns is None else normal(o.dim, columns)
    expected = o.gradients(at, o.x, o.y) @ v
    assert_close(o.gradient_products(at, o.x, o.y, v), expected, rtol=1e-10, atol=1e-12)
    assert_close(o.gradient_products(at, o.x[3:9], o.y[3:9], v), expected[3:9], rtol=1e-10, atol=1e-12)
    assert_close(o.training_products(at)(v), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", PROBLEMS)
def test_chunks_do_not_change_a_result(name, monkeypatch):
    o, at = _problems()[name]
    v = normal(o.dim, 3)

    def everything():
        return [
            o.outputs(at, o.x),
            o.gradients(at, o.x, o.y),
            o.gradient_products(at, o.x, o.y, v),
            o.gradient_products(at, o.x, o.y, v[:, 0]),
            o.risk_gradient(at),
            o.hessian_product(at)(v),
            o.gauss_newton_product(at)(v),
            o.dense_gauss_newton(at),
        ]

    whole = everything()
    monkeypatch.setattr(objective_module, "CHUNK_ELEMENTS", 7 * 3 * 3 * 3)
    monkeypatch.setattr(network_module, "ROWS", 7)
    assert_close(everything(), whole, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", PROBLEMS)
def test_input_gradient_is_the_finite_difference_of_the_product(name):
    o, at = _problems()[name]
    v = normal(o.dim, seed=4)
    x, y = o.x[5], o.y[5]

    def product(inputs):
        return o.gradients(at, inputs[None], y[None])[0] @ v

    steps = 1e-5 * torch.eye(len(x), dtype=torch.float64)
    expected = torch.stack([(product(x + step) - product(x - step)) / 2e-5 for step in steps])
    assert_close(o.input_gradient(at, x, y, v), expected, rtol=1e-6, atol=1e-8)


# -------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("name", ["softmax", "convolution"])
def test_leaving_out_sets_a_weight_to_zero_and_nothing_else(name):
    o, at = _problems()[name]
    without = o.without([2, 5])
    gradients = o.gradients(at, o.x, o.y)
    assert_close(without.risk_gradient(at), o.risk_gradient(at) - (gradients[2] + gradients[5]) / o.n)
    penalty = 0.5 * (o.l2 * at * at).sum()
    kept = [i for i in range(o.n) if i not in (2, 5)]
    assert_close(without.risk(at), o.losses(at, o.x, o.y)[kept].sum() / o.n + penalty)
    assert_close(o.weights, torch.full((o.n,), 1 / o.n, dtype=torch.float64), rtol=0, atol=0)
    assert_close(o.reweighted([2], 3.0).risk_gradient(at), o.risk_gradient(at) + 2 * gradients[2] / o.n)


@pytest.mark.parametrize("name", ["softmax", "convolution"])
def test_a_subset_has_the_same_expected_risk(name):
    o, at = _problems()[name]
    o = o.reweighted([1], 4.0)
    parts = torch.stack([o.subset(torch.tensor([i])).risk_gradient(at) for i in range(o.n)])
    assert_close(parts.mean(0), o.risk_gradient(at), rtol=1e-10, atol=1e-12)
    halves = [o.subset(torch.arange(start, o.n, 2)).hessian_product(at)(normal(o.dim, 1)) for start in (0, 1)]
    assert_close((halves[0] + halves[1]) / 2, o.hessian_product(at)(normal(o.dim, 1)), rtol=1e-10, atol=1e-12)


def test_replacing_changes_the_examples_of_a_copy():
    toy = linear("softmax")
    o = toy.objective
    new_x, new_y = normal(2, o.x.shape[1]), torch.tensor([0, 0])
    changed = o.replacing([4, 7], new_x, new_y)
    assert_close(changed.x[[4, 7]], new_x)
    assert changed.y[[4, 7]].tolist() == [0, 0]
    kept = [i for i in range(o.n) if i not in (4, 7)]
    assert_close(changed.x[kept], o.x[kept], rtol=0, atol=0)
    assert_close(o.x, torch.tensor(toy.x), rtol=0, atol=0)
    assert_close(changed.weights, o.weights, rtol=0, atol=0)


def test_another_type():
    o = linear("softmax").objective.to("cpu", torch.float32)
    assert {o.x.dtype, o.l2.dtype, o.weights.dtype} == {torch.float32}
    assert o.y.dtype == torch.int64
    assert o.risk(torch.zeros(o.dim)).item() == pytest.approx(np.log(3), rel=1e-6)


# ---------------------------------------------------------------------------------------------- the border


X, Y = torch.ones(4, 2, dtype=torch.float64), torch.tensor([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": torch.ones(4)}, ShapeError, r"\(n, d\)"),
        ({"x": X[:0], "y": Y[:0]}, ShapeError, "n > 0"),
        ({"y": Y[:3]}, ShapeError, r"y must have shape \(4,\).*\(3,\)"),
        ({"y": Y[:, None]}, ShapeError, r"y must have shape \(4,\)"),
        ({"y": Y + 1}, DataError, "from 0 to 1"),
        ({"y": Y - 1}, DataError, "from 0 to 1"),
        ({"y": Y.double()}, DataError, "whole numbers"),
        ({"weights": torch.ones(3)}, ShapeError, r"weights must have shape \(4,\)"),
        ({"l2": torch.ones(3)}, ShapeError, r"l2 must be one number or \(2,\)"),
        ({"l2": -0.1}, DataError, "negative"),
        ({"x": X * torch.nan}, DataError, "finite"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_the_border(arguments, error, message):
    whole = {"x": X, "y": Y, "loss": LogisticLoss(), "l2": 0.1} | arguments
    with pytest.raises(error, match=message):
        LinearObjective.build(**whole)


def test_positions_outside_the_training_set_are_refused():
    o = LinearObjective.build(X, Y, LogisticLoss(), 0.1)
    for bad in ([4], [-1]):
        with pytest.raises(ShapeError, match="between 0 and 3"):
            o.without(bad)
    with pytest.raises(ShapeError, match=r"theta must have shape \(2,\).*\(3,\)"):
        o.check_theta(torch.zeros(3))
