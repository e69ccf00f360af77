"""Minimisation, proved by the references: gradient norms recomputed, minima compared with other fits."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.testing import assert_close

from influence_core.errors import UnsupportedError
from influence_core.losses import HingeLoss, LogisticLoss, SmoothHingeLoss, SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.objective import LinearObjective
from influence_core.training import (
    AdamSchedule,
    fit_hinge,
    gradient_norm,
    hinge_slopes,
    minimise,
    newton,
    train_network,
)
from influence_core.training.rounding import rounding
from tests import references
from tests.problems import KINDS, NETWORKS, TEMPERATURE, Linear, linear, network, normal, pictures


def _gradient_norm(toy: Linear, theta: torch.Tensor, w=None) -> float:
    w = toy.w if w is None else w
    return references.gradient_norm(theta.numpy(), toy.x, toy.y, w, toy.l2, toy.kind, toy.temperature)


@pytest.fixture(params=["dense factor", "conjugate gradients"])
def steps(request, monkeypatch):
    """Both ways to take a Newton step."""
    if request.param == "conjugate gradients":
        monkeypatch.setattr(newton, "DENSE_LIMIT", 0)


@pytest.mark.parametrize("start", ["zero", "near", "far"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("steps")
def test_minimise_reaches_the_stated_gradient_norm_from_anywhere(kind, start):
    toy = linear(kind)
    begin = {"zero": None, "near": toy.theta + 0.01, "far": 30 * normal(toy.objective.dim)}[start]
    kept = None if begin is None else begin.clone()
    trained = minimise(toy.objective, begin)
    assert trained.converged
    assert trained.gradient_norm <= 1e-10
    assert _gradient_norm(toy, trained.theta) <= 1.01e-10
    assert_close(trained.theta, toy.theta, rtol=0, atol=1e-8)
    assert begin is None or torch.equal(begin, kept), "the start is the caller's"


def test_a_warm_start_is_shorter():
    toy = linear("softmax")
    cold = minimise(toy.objective)
    warm = minimise(toy.objective, toy.theta + 1e-6)
    assert 0 < warm.steps < cold.steps
    assert minimise(toy.objective, toy.theta).steps == 0


@pytest.mark.parametrize("kind", KINDS)
def test_minimise_with_examples_left_out(kind):
    toy = linear(kind)
    w = toy.w.copy()
    w[[3, 17]] = 0
    trained = minimise(toy.objective.without([3, 17]))
    assert _gradient_norm(toy, trained.theta, w) <= 1.01e-10
    assert_close(trained.theta, toy.refit(w), rtol=0, atol=1e-8)


@pytest.mark.parametrize("loss", [LogisticLoss(), SoftmaxLoss(2), SmoothHingeLoss(0.01)], ids=repr)
@pytest.mark.usefixtures("steps")
def test_minimise_on_features_of_very_different_scale_and_hardly_any_penalty(loss):
    x = normal(80, 6) * torch.logspace(-2, 2, 6, dtype=torch.float64)
    y = (x @ torch.logspace(2, -2, 6, dtype=torch.float64) + normal(80, seed=1) > 0).long()
    l2 = 1e-4
    kind = {"LogisticLoss": "logistic", "SoftmaxLoss": "softmax"}.get(type(loss).__name__, "smooth_hinge")
    trained = minimise(LinearObjective.build(x, y, loss, l2), gradient_norm=1e-9)
    assert trained.converged
    theta = trained.theta.numpy()
    norm = references.gradient_norm(theta, x.numpy(), y.numpy(), references.uniform(80), l2, kind, 0.01)
    assert norm <= 1.01e-9


def test_a_singular_curvature_is_no_obstacle():
    """Without a penalty two equal features leave their difference free: no dense factor, but a minimum."""
    toy = linear("logistic")
    x = torch.cat([toy.objective.x, toy.objective.x[:, :1]], 1)
    trained = minimise(LinearObjective.build(x, toy.objective.y, LogisticLoss(), 0.0))
    assert trained.converged
    once = minimise(LinearObjective.build(toy.objective.x, toy.objective.y, LogisticLoss(), 0.0))
    assert_close(trained.theta[0] + trained.theta[5], once.theta[0], rtol=0, atol=1e-7)
    assert_close(trained.theta[1:5], once.theta[1:], rtol=0, atol=1e-7)


def test_what_did_not_converge_says_so():
    toy = linear("softmax")
    trained = minimise(toy.objective, max_steps=1)
    assert (trained.steps, trained.converged) == (1, False)
    assert trained.gradient_norm == pytest.approx(_gradient_norm(toy, trained.theta), rel=1e-10)
    impossible = minimise(toy.objective, gradient_norm=0.0)
    assert not impossible.converged
    assert impossible.gradient_norm < 1e-12


def test_progress_rises_to_the_end():
    seen = []
    minimise(linear("softmax").objective, progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1


# ------------------------------------------------------------------------------------------------- float32


@pytest.mark.parametrize("kind", KINDS)
def test_rounding_is_the_gradients_distance_from_the_references(kind):
    toy = linear(kind)
    single, theta = toy.objective.to("cpu", torch.float32), toy.theta.float()
    x, at = single.x.double().numpy(), theta.double().numpy()
    exact = references.risk_gradient(
        at, x, toy.y, single.weights.double().numpy(), float(single.l2), kind, TEMPERATURE
    )
    error = np.linalg.norm(single.risk_gradient(theta).double().numpy() - exact)
    assert error > 1e-9, "or nothing is tested"
    assert rounding(single, theta) == pytest.approx(error, rel=1e-6)
    assert rounding(toy.objective, toy.theta) == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_rounding_of_a_network_is_the_gradients_distance_from_float64(name):
    objective, theta = network(name)
    single = objective.to("cpu", torch.float32)
    exact = single.to("cpu", torch.float64).risk_gradient(theta.float().double())
    error = float((single.risk_gradient(theta.float()).double() - exact).norm())
    assert rounding(single, theta.float()) == pytest.approx(error, rel=1e-6)
    assert 1e-9 < error < 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("steps")
def test_float32_is_trained_as_far_as_it_can_show_and_says_so(kind):
    toy = linear(kind, n=300, d=40)
    trained = minimise(toy.objective.to("cpu", torch.float32))
    assert trained.converged
    assert 1e-10 < trained.target < 1e-6
    assert trained.gradient_norm <= trained.target
    assert _gradient_norm(toy, trained.theta.double()) <= 2 * trained.target, "the proof, in float64"
    assert trained.steps <= minimise(toy.objective).steps + 2, "no steps below the rounding"
    coarse = minimise(toy.objective.to("cpu", torch.float32), gradient_norm=1e-3)
    assert (coarse.target, coarse.converged) == (1e-3, True)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_in_float32_is_trained_as_far_as_it_can_show(name):
    objective, theta = network(name)
    trained = minimise(objective.to("cpu", torch.float32), theta.float(), max_steps=2000)
    assert 1e-10 < trained.target < 1e-6
    assert _network_gradient_norm(objective, trained.theta.double()) <= 5 * trained.target


def test_in_float64_the_target_is_what_was_asked_for():
    assert minimise(linear("softmax").objective, gradient_norm=1e-9).target == 1e-9


# ------------------------------------------------------------------------------------------------ networks


def _network_gradient_norm(objective, theta: torch.Tensor) -> float:
    gradients = references.network_gradients(objective.module, theta, pictures(objective), objective.y)
    return (objective.weights @ gradients + objective.l2 * theta).norm().item()


@pytest.mark.parametrize("name", NETWORKS)
def test_minimise_a_network(name):
    objective, theta = network(name)
    trained = minimise(objective, theta, gradient_norm=1e-8, max_steps=2000)
    assert trained.converged
    assert _network_gradient_norm(objective, trained.theta) <= 1.01e-8
    assert objective.risk(trained.theta) < objective.risk(theta)


def test_a_network_has_no_cold_start():
    objective, _ = network("linear")
    with pytest.raises(UnsupportedError, match="give its initial parameters"):
        minimise(objective)


def test_adam_repeats_itself_and_learns():
    objective, theta = network("convolution with bias")
    before = theta.clone()
    schedule = AdamSchedule(steps=200, batch=8, rate=1e-2)
    first, again = (train_network(objective, theta, schedule, seed=5) for _ in range(2))
    assert_close(first.theta, again.theta, rtol=0, atol=0)
    other = train_network(objective, theta, schedule, seed=6)
    assert (first.theta - other.theta).abs().max() > 1e-6
    assert_close(theta, before, rtol=0, atol=0)
    assert objective.risk(first.theta) < 0.7 * objective.risk(theta)
    assert first.gradient_norm == pytest.approx(_network_gradient_norm(objective, first.theta), rel=1e-9)
    assert not first.theta.requires_grad


def test_the_learning_rate_falls_in_steps():
    schedule = AdamSchedule(steps=100, batch=1, rate=1.0, drops=(0.5, 0.8))
    assert [schedule.rate_at(step) for step in (0, 49, 50, 79, 80, 99)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


# --------------------------------------------------------------------------------------------- the SVM


def _hinge(seed: int = 0) -> tuple[LinearObjective, Linear]:
    toy = linear("logistic", seed=seed)
    return LinearObjective.build(toy.objective.x, toy.objective.y, HingeLoss(), toy.l2), toy


def _dual_value(toy: Linear, w: np.ndarray) -> float:
    """max sum a - ||sum a_i y_i x_i||^2 / (2 l2), 0 <= a <= w: equals the primal minimum at the optimum."""
    signed = toy.x * (2 * toy.y - 1)[:, None]

    def negative(a):
        v = signed.T @ a
        return v @ v / (2 * toy.l2) - a.sum(), signed @ v / toy.l2 - 1

    bounds = [(0, weight) for weight in w]
    options = {"maxiter": 100_000, "maxfun": 100_000, "ftol": 1e-16, "gtol": 1e-10}
    return -minimize(negative, w / 2, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun


@pytest.mark.parametrize("left_out", [[], [3, 17]])
def test_the_svm_closes_the_duality_gap(left_out):
    objective, toy = _hinge()
    w = toy.w.copy()
    w[left_out] = 0
    trained = minimise(objective.without(left_out))
    primal = references.risk(trained.theta.numpy(), toy.x, toy.y, w, toy.l2, "hinge")
    dual = _dual_value(toy, w)
    assert dual <= primal + 1e-9
    assert primal - dual < 1e-6
    assert trained.converged
    assert trained.gradient_norm <= 1e-3 * toy.l2


@pytest.mark.parametrize("left_out", [[], [3, 17]])
def test_the_slopes_at_the_optimum_are_dual_variables_that_prove_it(left_out):
    """Feasible, and of the same value as the primal: no theta has a smaller risk (weak duality)."""
    objective, toy = _hinge()
    objective = objective.without(left_out)
    theta, w = fit_hinge(objective).theta, objective.weights.numpy()
    slopes = hinge_slopes(objective, theta).numpy()
    signed = toy.x * (2 * toy.y - 1)[:, None]
    margins = signed @ theta.numpy()
    assert ((slopes >= 0) & (slopes <= 1)).all()
    assert (slopes[margins < 1 - 1e-6] == 1).all() and (slopes[margins > 1 + 1e-6] == 0).all()
    assert 0 < ((slopes > 0.01) & (slopes < 0.99)).sum() <= 5, (
        "at most as many on the kink as there are features"
    )
    v = signed.T @ (w * slopes)
    dual = w @ slopes - v @ v / (2 * toy.l2)
    primal = references.risk(theta.numpy(), toy.x, toy.y, w, toy.l2, "hinge")
    assert abs(primal - dual) < 1e-10
    norm = np.linalg.norm(toy.l2 * theta.numpy() - v)
    assert gradient_norm(objective, theta) == pytest.approx(norm, rel=1e-6, abs=1e-15)
    assert norm < 1e-14


def test_the_smallest_subgradient_off_the_optimum_is_found_among_all():
    """Two examples on the kink whose best slopes lie on their bounds, against a search of the whole square."""
    x = torch.tensor([[1.0, 0.2], [0.5, 0.6], [2.0, 1.0]], dtype=torch.float64)
    objective = LinearObjective.build(x, torch.tensor([1, 1, 0]), HingeLoss(), 0.3)
    theta = torch.linalg.solve(x[:2], torch.ones(2, dtype=torch.float64))
    grid = torch.linspace(0, 1, 201, dtype=torch.float64)
    weighted = (grid[:, None, None] * x[0] + grid[None, :, None] * x[1]) / 3
    norms = (0.3 * theta + x[2] / 3 - weighted).norm(dim=2)
    assert gradient_norm(objective, theta) == pytest.approx(float(norms.min()), abs=1e-4)
    assert hinge_slopes(objective.without([0]), theta)[0] == 0


def test_the_hinge_of_a_network_is_refused():
    o = linear("logistic").objective
    module = torch.nn.Linear(o.x.shape[1], 1, bias=False).double()
    objective = NetworkObjective.build(module, o.x, o.y, HingeLoss(), 0.1)
    with pytest.raises(UnsupportedError, match="linear models only.*SmoothHingeLoss"):
        minimise(objective, objective.theta())


def test_an_svm_in_float32_is_fitted_and_proved_in_float64():
    objective, _ = _hinge()
    single = fit_hinge(objective.to("cpu", torch.float32))
    assert single.theta.dtype == torch.float32
    assert single.converged
    assert_close(single.theta.double(), fit_hinge(objective).theta, rtol=0, atol=1e-4)


def test_an_unfinished_svm_says_so():
    objective, _ = _hinge()
    with pytest.warns(UserWarning, match="converge"):
        trained = fit_hinge(objective, max_steps=1)
    assert not trained.converged
    assert trained.gradient_norm > 1e-3
