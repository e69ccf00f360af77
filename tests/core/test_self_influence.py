"""Self-influence: two exact ways, autograd, conjugate gradients and real refits must agree; and the old formula's name."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import Cancelled, SolveError, UnsupportedError
from influence_core.influence import InfluenceEngine, self_influence
from influence_core.influence import closed_form as influence
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.solvers import ConjugateGradient
from tests import references
from tests.problems import KINDS, linear, loss_of, network


def wide(kind="logistic", n=30, d=80, l2=0.02):
    """More parameters than examples, at the optimum."""
    rng = np.random.default_rng(1)
    x, y = rng.poisson(0.4, (n, d)).astype(float), np.arange(n) % 2
    theta = references.cold_fit(x, y, references.uniform(n), l2, kind, 0.3, 1e-11)
    return LinearObjective.build(torch.tensor(x), torch.tensor(y), loss_of(kind), l2), torch.tensor(theta)


def dense(o, theta, kind, damping=0.0):
    """``w_i g_i' A^-1 g_i`` from the references' Hessian and gradients."""
    x, y, w, at = o.x.numpy(), o.y.numpy(), o.weights.numpy(), theta.numpy()
    a = references.hessian(at, x, y, w, float(o.l2), kind, 0.3) + damping * np.eye(len(at))
    gradients = references.gradients(at, x, y, kind, 0.3)
    return torch.tensor(w * (gradients * np.linalg.solve(a, gradients.T).T).sum(1))


def margins(o, theta):
    return (2 * o.y - 1) * (o.x @ theta)


@pytest.mark.parametrize("kind", ["logistic", "smooth_hinge"])
@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_both_ways_are_the_dense_formula(kind, damping):
    o, theta = wide(kind)
    expected = dense(o, theta, kind, damping)
    by_examples = self_influence(o, theta, damping)
    by_parameters = self_influence_by_parameters(o, theta, damping)
    for found in (by_examples, by_parameters):
        assert_close(found.exact, expected, rtol=1e-8, atol=1e-14)
    assert_close(by_examples.exact, by_parameters.exact, rtol=1e-8, atol=1e-15)
    assert_close(by_examples.published, by_parameters.published, rtol=1e-8, atol=1e-15)


def self_influence_by_parameters(o, theta, damping=0.0):
    """The way through the ``p x p`` curvature, which a penalty for each parameter leaves as the only one."""
    return self_influence(replace(o, l2=o.l2.expand(o.dim).clone()), theta, damping)


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)], ids=["wide", "tall"])
def test_a_gram_matrix_at_hand_is_used_and_changes_nothing(shape, monkeypatch):
    o, theta = wide(n=shape[0], d=shape[1])
    expected = dense(o, theta, "logistic")
    assert_close(self_influence(o, theta).exact, expected, rtol=1e-8, atol=1e-14)
    gram = o.x @ o.x.T
    monkeypatch.setattr(influence, "_inverse_norms", lambda *_: pytest.fail("the Gram matrix was at hand"))
    assert_close(self_influence(o, theta, gram=gram).exact, expected, rtol=1e-8, atol=1e-14)
    twice = self_influence(o, theta, gram=2 * gram).exact
    assert float((twice - expected).abs().max()) > 0.01 * float(expected.max())


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_engines(kind):
    toy = linear(kind)
    operator = Hessian(toy.objective, toy.theta)
    engine = InfluenceEngine(toy.objective, toy.theta, operator, ConjugateGradient(1e-12).prepare(operator))
    found = self_influence(toy.objective, toy.theta)
    assert_close(found.exact, engine.self_influence(), rtol=1e-8, atol=1e-14)
    assert (found.published is None) == (kind == "softmax")


def test_it_is_autograds():
    o, theta = wide()
    at = theta.clone().requires_grad_()

    def risk(theta):
        signed = (2 * o.y - 1) * (o.x @ theta)
        return torch.log1p(torch.exp(-signed)).mean() + float(o.l2) / 2 * theta @ theta

    hessian = torch.autograd.functional.hessian(risk, theta)
    for i in (0, 7, 29):
        loss = torch.log1p(torch.exp(-(2 * o.y[i] - 1) * (o.x[i] @ at)))
        gradient = torch.autograd.grad(loss, at)[0]
        expected = gradient @ torch.linalg.solve(hessian, gradient) / o.n
        assert_close(self_influence(o, theta).exact[i], expected, rtol=1e-8, atol=1e-14)


def test_the_published_formula_has_the_first_power_of_the_residual():
    o, theta = wide()
    x = o.x.numpy()
    a = references.hessian(theta.numpy(), x, o.y.numpy(), o.weights.numpy(), float(o.l2), "logistic")
    leverage = torch.tensor((x * np.linalg.solve(a, x.T).T).sum(1))
    sigma = torch.sigmoid(-margins(o, theta))
    found = self_influence(o, theta)
    assert_close(found.published, sigma * leverage / o.n, rtol=1e-8, atol=1e-14)
    assert_close(found.exact, sigma**2 * leverage / o.n, rtol=1e-8, atol=1e-14)
    order = found.exact.argsort(descending=True)
    assert order.tolist() != found.published.argsort(descending=True).tolist()


def test_it_predicts_the_rise_of_the_own_loss():
    o, theta = wide(n=300, d=10, l2=0.05)
    x, y, w = o.x.numpy(), o.y.numpy(), references.uniform(300)
    found = self_influence(o, theta).exact.numpy()
    for i in np.argsort(-found)[:3]:
        without = w.copy()
        without[i] = 0
        left = references.cold_fit(x, y, without, 0.05, "logistic", gradient=1e-11)
        rise = (
            references.losses(left, x, y, "logistic")[i]
            - references.losses(theta.numpy(), x, y, "logistic")[i]
        )
        assert 0.6 * rise < found[i] < rise


def test_weights_are_those_of_the_objective():
    o, theta = wide()
    for weights in (o.without([3]).weights, torch.linspace(0, 2 / o.n, o.n, dtype=torch.float64)):
        weighted = replace(o, weights=weights)
        expected = dense(weighted, theta, "logistic")
        assert_close(self_influence(weighted, theta).exact, expected, rtol=1e-8, atol=1e-14)
        assert_close(self_influence_by_parameters(weighted, theta).exact, expected, rtol=1e-8, atol=1e-14)
    assert float(self_influence(o.without([3]), theta).exact[3]) == 0.0


def test_blocks_do_not_show(monkeypatch):
    wide_one, softmax = wide(), linear("softmax")
    pairs = [(wide_one[0], wide_one[1]), (softmax.objective, softmax.theta)]
    whole = [self_influence(o, theta).exact for o, theta in pairs]
    monkeypatch.setattr(influence, "COLUMNS", 7)
    for (o, theta), expected in zip(pairs, whole, strict=True):
        assert_close(self_influence(o, theta).exact, expected, rtol=1e-10, atol=1e-15)


def test_what_does_not_fit_is_never_formed(monkeypatch):
    o, theta = wide()
    monkeypatch.setattr(influence, "MAX_MATRIX", 30)
    assert len(self_influence(o, theta).exact) == 30  # n x n fits, p x p would not
    monkeypatch.setattr(influence, "MAX_MATRIX", 29)
    monkeypatch.setattr(torch.Tensor, "__matmul__", lambda *_: pytest.fail("formed although too large"))
    with pytest.raises(
        UnsupportedError, match="30 examples and 80 parameters needs a matrix of 30 rows; at most 29"
    ):
        self_influence(o, theta)


def test_networks_and_singular_curvatures_are_refused():
    objective, theta = network("convolution")
    with pytest.raises(UnsupportedError, match="for linear models"):
        self_influence(objective, theta)
    x = torch.ones(4, 2, dtype=torch.float64)
    o = LinearObjective.build(x, torch.tensor([0, 1, 0, 1]), loss_of("logistic"), 0.0)
    with pytest.raises(SolveError, match="not positive definite"):
        self_influence(o, torch.zeros(2, dtype=torch.float64))


def test_it_can_be_stopped():
    def stop(fraction, message):
        raise Cancelled

    for o, theta in (wide(), wide(n=80, d=30)):
        told = []
        self_influence(o, theta, progress=lambda fraction, message, told=told: told.append(fraction))
        assert told == sorted(told) and len(told) > 1
        with pytest.raises(Cancelled):
            self_influence(o, theta, progress=stop)


def test_examples_with_no_word_have_none():
    o, theta = wide()
    x = o.x.clone()
    x[4] = 0
    found = self_influence(replace(o, x=x), theta)
    assert float(found.exact[4]) == float(found.published[4]) == 0.0
    assert bool((found.exact >= 0).all())
    assert bool(torch.isfinite(found.exact).all())
