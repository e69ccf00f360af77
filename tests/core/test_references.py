"""The references against finite differences and scikit-learn: what checks the library is checked itself."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from tests import references

KINDS = [("softmax", 3, None), ("logistic", 1, None), ("smooth_hinge", 1, 0.3)]


def _problem(outputs, n=30, d=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, max(2, outputs), n)
    return rng.normal(size=(n, d)), y, rng.normal(size=d * outputs)


def _differences(function, theta, step=1e-5):
    """Central differences of a scalar or a vector, (..., p)."""
    columns = [
        (function(theta + step * e) - function(theta - step * e)) / (2 * step) for e in np.eye(len(theta))
    ]
    return np.stack(columns, -1)


@pytest.mark.parametrize(("kind", "outputs", "temperature"), KINDS)
def test_losses_gradients_and_hessian_agree_with_finite_differences(kind, outputs, temperature):
    x, y, theta = _problem(outputs)
    w = np.random.default_rng(1).uniform(size=len(x))

    slopes = references.gradients(theta, x, y, kind, temperature)
    expected = _differences(lambda at: references.losses(at, x, y, kind, temperature), theta)
    assert_allclose(slopes, expected, atol=1e-8)

    slope = references.risk_gradient(theta, x, y, w, 0.1, kind, temperature)
    expected = _differences(lambda at: references.risk(at, x, y, w, 0.1, kind, temperature), theta)
    assert_allclose(slope, expected, atol=1e-8)

    h = references.hessian(theta, x, y, w, 0.1, kind, temperature)
    expected = _differences(lambda at: references.risk_gradient(at, x, y, w, 0.1, kind, temperature), theta)
    assert_allclose(h, expected, atol=1e-7)
    v = np.random.default_rng(2).normal(size=len(theta))
    assert_allclose(references.hessian_vector(theta, x, y, w, 0.1, kind, v, temperature), h @ v, atol=1e-12)


def test_smooth_hinge_at_margin_one_and_at_a_tiny_temperature():
    x = np.ones((1, 1))
    for t in (1e-3, 0.1):
        assert_allclose(references.losses([1.0], x, [1], "smooth_hinge", t), [t * np.log(2)])
        assert_allclose(references.gradients([1.0], x, [1], "smooth_hinge", t), [[-0.5]])
        assert_allclose(references.hessian([1.0], x, [1], [1.0], 0, "smooth_hinge", t), [[1 / (4 * t)]])
    assert_allclose(references.losses([-5.0], x, [1], "smooth_hinge", 1e-3), [6.0])
    assert_allclose(references.losses([-5.0], x, [1], "hinge"), [6.0])


@pytest.mark.parametrize(("kind", "outputs", "temperature"), KINDS)
def test_cold_fit_is_stationary_also_with_examples_left_out(kind, outputs, temperature):
    x, y, _ = _problem(outputs, n=60)
    w = references.uniform(60)
    w[[3, 17]] = 0
    theta = references.cold_fit(x, y, w, 0.01, kind, temperature)
    assert references.gradient_norm(theta, x, y, w, 0.01, kind, temperature) <= 1e-9
    kept = w > 0
    without = references.cold_fit(x[kept], y[kept], w[kept], 0.01, kind, temperature)
    assert_allclose(theta, without, atol=1e-7)


def test_cold_fit_is_scikit_learn_with_c_one_over_n_l2():
    x, y = load_digits(return_X_y=True)
    x = x / 16
    theta = references.cold_fit(x, y, references.uniform(len(x)), 0.01, "softmax")
    assert references.gradient_norm(theta, x, y, references.uniform(len(x)), 0.01, "softmax") <= 1e-9
    theirs = LogisticRegression(C=1 / (len(x) * 0.01), fit_intercept=False, tol=1e-8, max_iter=5000).fit(x, y)
    assert_allclose(theta.reshape(64, 10).T, theirs.coef_, atol=1e-4)


def test_removal_scores_predict_a_real_refit():
    x, y, _ = _problem(1, n=200)
    w = references.uniform(200)
    theta = references.cold_fit(x, y, w, 0.05, "logistic")
    predicted = references.removal_scores(x, y, theta, 0.05, "logistic", x[0], 1 - y[0])
    before = references.losses(theta, x[:1], [1 - y[0]], "logistic")[0]
    actual = []
    for i in range(40):
        left = np.where(np.arange(200) == i, 0, w)
        after = references.cold_fit(x, y, left, 0.05, "logistic")
        actual.append(references.losses(after, x[:1], [1 - y[0]], "logistic")[0] - before)
    pearson, slope = references.regression(np.array(actual), predicted[:40])
    assert pearson > 0.999
    assert 0.9 < slope < 1.02


def test_network_references_agree_with_the_linear_ones():
    x, y, theta = _problem(3)
    w = references.uniform(len(x))
    module = torch.nn.Linear(4, 3, bias=False, dtype=torch.float64)
    transposed = theta.reshape(4, 3).T.ravel()  # torch keeps (outputs, features)
    order = np.arange(12).reshape(4, 3).T.ravel()
    tx, ty, tw = torch.tensor(x), torch.tensor(y), torch.tensor(w)
    at = torch.tensor(transposed)
    h = references.hessian(theta, x, y, w, 0.1, "softmax")[np.ix_(order, order)]
    assert_allclose(references.network_hessian(module, at, tx, ty, tw, 0.1).numpy(), h, atol=1e-12)
    assert_allclose(references.network_gauss_newton(module, at, tx, ty, tw, 0.1).numpy(), h, atol=1e-12)
    slopes = references.gradients(theta, x, y, "softmax")[:, order]
    assert_allclose(references.network_gradients(module, at, tx, ty).numpy(), slopes, atol=1e-12)
