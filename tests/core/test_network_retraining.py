"""Networks trained again after an edit: each way against a slow one of its own, each end proved by the references."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.testing import assert_close

from influence_core.errors import DataError, UnsupportedError
from influence_core.operators import GaussNewton
from influence_core.retraining import networks
from influence_core.retraining.edits import Edit
from influence_core.retraining.networks import retrain_damped, retrain_with_adam
from influence_core.retraining.response import respond
from influence_core.solvers import Cholesky
from influence_core.training import AdamSchedule, held, minimise
from tests import references
from tests.problems import NETWORKS, network, normal, pictures

DAMPING = 0.05
SCHEDULE = AdamSchedule(steps=30, batch=16, rate=1e-3)
NOTHING = Edit(torch.tensor([0]))


class Toy:
    """A tiny network at its optimum, and the references' view of its risk."""

    def __init__(self, name: str = "convolution with bias", n: int = 40, trained: bool = True) -> None:
        self.objective, theta = network(name, n=n)
        self.theta = (
            minimise(self.objective, theta, gradient_norm=1e-9, max_steps=4000).theta if trained else theta
        )
        operator = GaussNewton(self.objective, self.theta, DAMPING)
        self.inverse = Cholesky().prepare(operator)

    def risk(self, theta: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        o = self.objective
        return references.network_risk(o.module, theta, pictures(o), o.y, w, o.l2)

    def gradient(self, theta: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        at = theta.detach().clone().requires_grad_()
        return torch.autograd.grad(self.risk(at, w), at)[0]

    def without(self, *positions: int) -> torch.Tensor:
        w = self.objective.weights.clone()
        w[list(positions)] = 0
        return w

    def curvature(self) -> torch.Tensor:
        o = self.objective
        matrix = references.network_gauss_newton(o.module, self.theta, pictures(o), o.y, o.weights, o.l2)
        return matrix + DAMPING * torch.eye(o.dim, dtype=torch.float64)


@pytest.fixture(scope="module")
def toy() -> Toy:
    return Toy()


# ---------------------------------------------------------------------------------------- risk and gradient


@pytest.mark.parametrize("name", NETWORKS)
def test_risk_and_gradient_are_the_references_for_many_left_out_models(name, monkeypatch):
    monkeypatch.setattr("influence_core.network.objective.GRADIENT_ROWS", 7)
    toy = Toy(name, n=20, trained=False)
    for i in (0, 6, 7, 19):
        theta, w = toy.theta + 0.1 * normal(toy.objective.dim, seed=i), toy.without(i, 3)
        risk, gradient = Edit.removal([i, 3] if i != 3 else [3]).apply(toy.objective).risk_and_gradient(theta)
        assert_close(risk, toy.risk(theta, w), rtol=0, atol=1e-12)
        assert_close(gradient, toy.gradient(theta, w), rtol=0, atol=1e-10)
        assert not risk.requires_grad
        assert not gradient.requires_grad


# ------------------------------------------------------------------------------------------- damped steps


def _slow_walk(toy: Toy, w: torch.Tensor, target: float) -> tuple[torch.Tensor, int]:
    """The damped steps and their number, each taken to its end by scipy."""
    theta = toy.theta
    for steps in range(1000):
        if toy.gradient(theta, w).norm() <= target:
            return theta, steps
        anchor = theta

        def damped(u: np.ndarray, anchor: torch.Tensor = anchor) -> tuple[float, np.ndarray]:
            at = torch.tensor(u, requires_grad=True)
            value = toy.risk(at, w) + DAMPING / 2 * ((at - anchor) ** 2).sum()
            return value.item(), torch.autograd.grad(value, at)[0].numpy()

        options = {"maxiter": 10_000, "ftol": 0, "gtol": 1e-9}
        theta = torch.tensor(minimize(damped, theta.numpy(), jac=True, method="L-BFGS-B", options=options).x)
    raise AssertionError("the slow walk does not end")


def test_damped_steps_go_where_slow_ones_go(monkeypatch):
    toy, target = Toy(n=15), 3e-3
    monkeypatch.setattr(networks, "STEP_RTOL", 1e-7)
    monkeypatch.setattr(held, "SINGLE", 1.0)
    edits = [Edit.removal([3]), Edit.removal([0, 11, 14])]
    models = retrain_damped(toy.objective, toy.theta, edits, toy.inverse, DAMPING, target)
    assert models.converged.all()
    for at, left_out in zip(models.theta, ([3], [0, 11, 14]), strict=True):
        slow, steps = _slow_walk(toy, toy.without(*left_out), target)
        assert steps > 1
        assert_close(at, slow, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "convolution with bias"])
@pytest.mark.parametrize("single", [1e-5, 1.0], ids=["float32 first", "float64"])
def test_every_left_out_norm_is_proved(name, single, monkeypatch):
    monkeypatch.setattr(held, "SINGLE", single)
    toy = Toy(name)
    left_out = [[0], [7], [12], [5, 30], [39]]
    models = retrain_damped(
        toy.objective, toy.theta, [Edit.removal(one) for one in left_out], toy.inverse, DAMPING, 5e-5
    )
    assert models.theta.shape == (5, toy.objective.dim)
    assert models.theta.dtype == torch.float64
    assert models.converged.all()
    for at, norm, one in zip(models.theta, models.gradient_norms, left_out, strict=True):
        w = toy.without(*one)
        assert toy.gradient(toy.theta, w).norm() > 5e-4, "else nothing was to be done"
        assert norm <= 5e-5
        assert norm.item() == pytest.approx(toy.gradient(at, w).norm().item(), rel=1e-8)


def test_a_target_out_of_reach_is_reported_not_claimed(toy, monkeypatch):
    monkeypatch.setattr(networks, "DAMPED_STEPS", 2)
    models = retrain_damped(toy.objective, toy.theta, [Edit.removal([3])], toy.inverse, DAMPING, 1e-7)
    assert not models.converged.any()
    w = toy.without(3)
    assert models.gradient_norms[0].item() == pytest.approx(
        toy.gradient(models.theta[0], w).norm().item(), abs=1e-14
    )


def test_nothing_taken_out_changes_nothing(toy):
    models = retrain_damped(toy.objective, toy.theta, [NOTHING], toy.inverse, DAMPING, 1e-6)
    assert_close(models.theta[0], toy.theta, rtol=0, atol=0)


def test_any_edit_is_walked(toy):
    o = toy.objective
    x, y = o.x.clone(), o.y.clone()
    x[4], y[4] = x[9] + 0.5, (y[4] + 1) % 3
    edit = Edit.replacement(4, x[4], int(y[4]))
    models = retrain_damped(o, toy.theta, [edit], toy.inverse, DAMPING, 1e-4)
    images = x.view(-1, 1, 5, 5)
    gradient = (
        o.weights @ references.network_gradients(o.module, models.theta[0], images, y)
        + o.l2 * models.theta[0]
    )
    assert models.converged.all()
    assert gradient.norm() <= 1.01e-4


# ---------------------------------------------------------------------------- the proximal Bregman response


@pytest.mark.parametrize("trained", [True, False], ids=["at the optimum", "anywhere"])
def test_the_first_order_of_the_response_is_the_damped_gauss_newton_step(trained):
    toy = Toy(trained=trained)
    o, curvature = toy.objective, toy.curvature()
    rows = references.network_gradients(o.module, toy.theta, pictures(o), o.y)
    for positions in ([3], [8, 21]):
        expected = torch.linalg.solve(curvature, o.weights[positions] @ rows[positions])
        errors = []
        for share in (1e-2, 1e-3):
            edit = Edit(torch.tensor(positions), weight=1 - share)
            models = respond(o, toy.theta, [edit], toy.inverse, DAMPING, 1e-13)
            assert models.gradient_norms[0] <= 1e-12
            change = (models.theta[0] - toy.theta) / share
            errors.append(float((change - expected).norm() / expected.norm()))
        assert errors[1] < 1e-3
        assert errors[1] < 0.2 * errors[0], "what is left is of second order"


@pytest.mark.parametrize("trained", [True, False], ids=["at the optimum", "anywhere"])
def test_the_response_minimises_its_definition(trained):
    toy = Toy(trained=trained)
    o, images = toy.objective, pictures(toy.objective)
    labels = o.y.clone()
    labels[9] = (labels[9] + 1) % 3
    edits = [Edit.removal([3]), Edit.removal([1, 2]), Edit.relabel([9], [int(labels[9])])]
    edited = [(toy.without(3), o.y), (toy.without(1, 2), o.y), (o.weights, labels)]
    models = respond(o, toy.theta, edits, toy.inverse, DAMPING, 1e-7)
    assert models.converged.all()
    start = references._network_outputs(o.module, toy.theta, images).detach()
    slope = start.softmax(1) - torch.eye(3, dtype=torch.float64)[o.y]
    before = references.network_losses(o.module, toy.theta, images, o.y)
    for at, norm, (w, y) in zip(models.theta, models.gradient_norms, edited, strict=True):
        u = at.clone().requires_grad_()
        f = references._network_outputs(o.module, u, images)
        losses = references.network_losses(o.module, u, images, o.y)
        bregman = losses - before - (slope * (f - start)).sum(1)
        pull = (o.l2 * (u - toy.theta) ** 2).sum() / 2 + DAMPING / 2 * ((u - toy.theta) ** 2).sum()
        edit = w @ references.network_losses(o.module, u, images, y) - o.weights @ losses
        (gradient,) = torch.autograd.grad(o.weights @ bregman + pull + edit, u)
        assert gradient.norm() <= 1.01e-7
        assert norm.item() == pytest.approx(gradient.norm().item(), rel=1e-4)
        assert (at - toy.theta).norm() > 1e-3


def test_without_an_edit_the_response_stays_even_where_training_was_not_finished():
    toy = Toy(trained=False)
    assert toy.objective.risk_gradient(toy.theta).norm() > 0.01
    models = respond(toy.objective, toy.theta, [NOTHING], toy.inverse, DAMPING, 1e-10)
    assert_close(models.theta[0], toy.theta, rtol=0, atol=1e-12)


# ----------------------------------------------------------------------------------------------------- Adam


def test_adam_without_an_edit_changes_exactly_nothing(toy):
    models = retrain_with_adam(
        toy.objective, toy.theta, [NOTHING, Edit(torch.tensor([5, 9]))], SCHEDULE, seed=3
    )
    assert_close(models.theta[0], models.theta[1], rtol=0, atol=0)
    assert (models.theta[0] - toy.theta).abs().max() > 1e-4, "it does move"
    assert not models.converged.any()
    assert models.gradient_norms[0].item() == pytest.approx(
        toy.gradient(models.theta[0], toy.objective.weights).norm().item(), rel=1e-8
    )


def test_adam_never_sees_what_is_left_out_and_keeps_its_place_in_the_batches(toy):
    o = toy.objective
    x, y = o.x.clone(), o.y.clone()
    x[3], y[3] = -x[3], (y[3] + 1) % 3
    other = o.replacing([3], x[3:4], y[3:4])
    mine, theirs = (
        retrain_with_adam(one, toy.theta, [Edit.removal([3])], SCHEDULE).theta[0] for one in (o, other)
    )
    assert_close(mine, theirs, rtol=0, atol=0)
    control = retrain_with_adam(o, toy.theta, [NOTHING], SCHEDULE).theta[0]
    assert 1e-5 < (mine - control).norm() < (mine - toy.theta).norm()


def test_adam_is_adam(toy):
    o, steps = toy.objective, 5
    found = retrain_with_adam(
        o, toy.theta, [Edit.removal([3])], AdamSchedule(steps, 40, 1e-2, ()), seed=1
    ).theta[0]
    w, theta = toy.without(3), toy.theta.clone()
    m = v = torch.zeros_like(theta)
    for step in range(1, steps + 1):  # one batch holds all examples, so their order does not matter
        g = toy.gradient(theta, w)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        theta = theta - 1e-2 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    assert_close(found, theta, rtol=0, atol=1e-4)
    assert (found - toy.theta).abs().max() > 1e-2


# ---------------------------------------------------------------------------------------------- manners


def test_what_cannot_be_done_is_refused(toy):
    for way in (retrain_damped, respond):
        for damping in (0.0, -1.0, float("nan")):
            with pytest.raises(DataError, match="damping above 0"):
                way(toy.objective, toy.theta, [NOTHING], toy.inverse, damping)
    with pytest.raises(UnsupportedError, match="not of inputs"):
        respond(toy.objective, toy.theta, [Edit.replacement(0, toy.objective.x[1])], toy.inverse, DAMPING)


@pytest.mark.slow
def test_the_caller_keeps_its_parameters_and_is_told_often(toy):
    before, reports = toy.theta.clone(), []
    edits = [Edit.removal([3]), Edit.removal([4])]
    arguments = (toy.objective, toy.theta, edits)
    tell = lambda fraction, words: reports.append((fraction, words))  # noqa: E731
    retrain_damped(*arguments, toy.inverse, DAMPING, 1e-4, tell)
    respond(*arguments, toy.inverse, DAMPING, 1e-5, tell)
    retrain_with_adam(*arguments, SCHEDULE, 0, tell)
    assert_close(toy.theta, before, rtol=0, atol=0)
    assert any(words.startswith("model 2 of 2") for _, words in reports)
    assert [fraction for fraction, _ in reports].count(1.0) >= 3
    assert len(reports) > 20


@pytest.mark.parametrize("way", ["damped", "response", "adam"])
def test_a_listener_can_stop_it(toy, way):
    class StopError(Exception):
        pass

    def stop(_fraction, _words):
        raise StopError

    edits = [Edit.removal([3])]
    with pytest.raises(StopError):
        if way == "damped":
            retrain_damped(toy.objective, toy.theta, edits, toy.inverse, DAMPING, progress=stop)
        elif way == "response":
            respond(toy.objective, toy.theta, edits, toy.inverse, DAMPING, progress=stop)
        else:
            retrain_with_adam(toy.objective, toy.theta, edits, SCHEDULE, progress=stop)
