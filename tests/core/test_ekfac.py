"""EK-FAC against dense matrices: equal where it must be, its own diagonal elsewhere, and what it cannot follow."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from influence_core.errors import Cancelled, SolveError, UnsupportedError
from influence_core.losses import SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.objective import LinearObjective
from influence_core.operators import DenseOperator, GaussNewton, Hessian
from influence_core.solvers import EKFAC
from tests import references
from tests.problems import KINDS, NETWORKS, SquaredLoss, linear, network, normal, pictures

DAMPING = 0.03
N, D, C = 12, 5, 3


def _labels(n: int = N) -> torch.Tensor:
    return torch.arange(n) % C


def _objective(module: nn.Module, loss, l2: float | torch.Tensor = 0.1, seed: int = 0) -> NetworkObjective:
    """On pictures of 5 x 5, with weights that differ."""
    weights = torch.rand(N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return NetworkObjective.build(
        module.double(), normal(N, 25, seed=seed), _labels(), loss, l2, (1, 5, 5), weights / N
    )


def _theta(objective) -> torch.Tensor:
    return 0.5 * normal(objective.dim, seed=4)


def _inverse(operator) -> torch.Tensor:
    return EKFAC().prepare(operator).solve(torch.eye(operator.dim, dtype=torch.float64)).require()


# --------------------------------------------------------------------------------------- where it is exact


def _with_one(x: np.ndarray) -> np.ndarray:
    return np.hstack([x, np.ones((len(x), 1))])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("damping", [0.0, DAMPING])
@pytest.mark.parametrize("layer", ["linear", "convolution that sees the whole picture"])
def test_one_layer_with_squared_loss_is_the_gauss_newton_matrix(layer, damping, bias):
    if layer == "linear":
        module = nn.Sequential(nn.Flatten(), nn.Linear(25, C, bias=bias))
    else:
        module = nn.Sequential(nn.Conv2d(1, C, 5, bias=bias), nn.Flatten())
    o = _objective(module, SquaredLoss(C))
    x, w = o.x.numpy(), o.weights.numpy()
    moment = sum(wi * np.outer(xi, xi) for wi, xi in zip(w, _with_one(x) if bias else x, strict=True))
    dense = np.kron(np.eye(C), moment) + (0.1 + damping) * np.eye(C * len(moment))
    if bias:  # theta holds the weights of all outputs first, then the biases
        order = np.arange(len(dense)).reshape(C, -1)
        order = np.concatenate([order[:, :-1].ravel(), order[:, -1]])
        dense = dense[np.ix_(order, order)]
    ours = _inverse(GaussNewton(o, _theta(o), damping))
    assert_close(torch.linalg.inv(ours), torch.tensor(dense), rtol=1e-8, atol=1e-8)
    assert_close(ours @ torch.tensor(dense), torch.eye(len(dense), dtype=torch.float64), rtol=0, atol=1e-8)


def test_a_linear_objective_with_squared_loss_is_the_hessian():
    x = normal(N, D)
    o = LinearObjective.build(x, _labels(), SquaredLoss(C), 0.1)
    dense = np.kron(x.T.numpy() @ x.numpy() / N, np.eye(C)) + 0.1 * np.eye(D * C)
    for operator in (Hessian(o, _theta(o)), GaussNewton(o, _theta(o))):
        assert_close(torch.linalg.inv(_inverse(operator)), torch.tensor(dense), rtol=1e-8, atol=1e-8)


def test_a_network_of_one_linear_layer_is_the_linear_objective():
    toy = linear("softmax")
    one = toy.objective
    module = nn.Linear(D, C, bias=False).double()
    same = NetworkObjective.build(module, one.x, one.y, SoftmaxLoss(C), one.l2)
    theta = normal(D * C)
    b = normal(D * C, 4, seed=1)
    ours = EKFAC().prepare(GaussNewton(one, theta)).solve(b).value
    turned = [one.view(D, C, -1).transpose(0, 1).reshape(D * C, -1) for one in (theta, b, ours)]
    theirs = EKFAC().prepare(GaussNewton(same, turned[0][:, 0])).solve(turned[1]).value
    assert_close(theirs, turned[2], rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------- elsewhere: the diagonal of its basis


class Tokens(nn.Module):
    """A linear layer at five places of each example."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.all = nn.Linear(5, 2), nn.Linear(10, C)

    def forward(self, x):
        return self.all(torch.tanh(self.each(x[:, 0])).flatten(1))


def _made(name: str):
    """Objective, theta and the dense Gauss-Newton matrix of the references, penalty included."""
    if name in NETWORKS:
        o, theta = network(name)
    else:
        module = {
            "strides, padding, dilation": lambda: nn.Sequential(
                nn.Conv2d(1, 2, (2, 3), stride=(2, 1), padding=(1, 2)),
                nn.Tanh(),
                nn.Conv2d(2, 3, 2, dilation=2, bias=False),
                nn.Tanh(),
                nn.Flatten(),
                nn.Linear(15, C),
            ),
            "in place": lambda: nn.Sequential(
                nn.Conv2d(1, 2, 3), nn.SiLU(inplace=True), nn.Flatten(), nn.Linear(18, C)
            ),
            "places": Tokens,
        }[name]()
        o = _objective(module, SoftmaxLoss(C), seed=2)
        theta = _theta(o)
    dense = references.network_gauss_newton(o.module, theta, pictures(o), o.y, o.weights, o.l2)
    return o, theta, dense


@pytest.mark.parametrize("name", [*NETWORKS, "strides, padding, dilation", "in place", "places"])
def test_the_eigenvalues_are_the_diagonal_of_the_dense_matrix_in_the_basis(name):
    o, theta, dense = _made(name)
    blocks = EKFAC().prepare(GaussNewton(o, theta, DAMPING)).apply.blocks
    assert sorted(torch.cat([block.at.flatten() for block in blocks]).tolist()) == list(range(o.dim))
    for block in blocks:
        at, basis = block.at.flatten(), torch.kron(block.left, block.right)
        assert_close(basis.T @ basis, torch.eye(len(at), dtype=torch.float64), rtol=0, atol=1e-10)
        expected = (basis.T @ dense[at][:, at] @ basis).diagonal() + DAMPING
        assert_close(block.values.flatten(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_for_linear_objectives(kind):
    toy = linear(kind)
    (block,) = EKFAC().prepare(Hessian(toy.objective, toy.theta, DAMPING)).apply.blocks
    at, basis = block.at.flatten(), torch.kron(block.left, block.right)
    expected = (basis.T @ toy.hessian()[at][:, at] @ basis).diagonal() + DAMPING
    assert_close(block.values.flatten(), expected, rtol=1e-9, atol=1e-12)


def _is_diagonal(matrix: torch.Tensor) -> None:
    off = matrix - torch.diag(matrix.diagonal())
    assert off.norm() <= 1e-10 * matrix.norm()


def test_the_bases_are_those_of_the_kronecker_factors():
    o, theta = network("convolution with bias")
    first, second = EKFAC().prepare(GaussNewton(o, theta, DAMPING)).apply.blocks
    x = pictures(o)
    patches = [
        torch.cat([image[0, i : i + 3, j : j + 3].flatten(), torch.ones(1)])
        for image in x
        for i in (0, 2)
        for j in (0, 2)
    ]
    _is_diagonal(first.right.T @ sum(torch.outer(one, one) for one in patches) @ first.right)
    f = references._network_outputs(o.module, theta, x)
    p = f.detach().softmax(1)
    curvature = sum(
        torch.diag(one) - torch.outer(one, one) for one in p
    )  # the last layer's own output gradients
    _is_diagonal(second.left.T @ curvature @ second.left)
    assert not torch.equal(second.left, torch.eye(C, dtype=torch.float64))


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_closer_to_the_curvature_than_the_diagonal(name):
    o, theta, dense = _made(name)
    dense = dense + DAMPING * torch.eye(o.dim, dtype=torch.float64)
    ours = torch.linalg.inv(_inverse(GaussNewton(o, theta, DAMPING)))
    assert (ours - dense).norm() < 0.95 * (torch.diag(dense.diagonal()) - dense).norm()


# ------------------------------------------------------------------------------------------- as a solver


def test_it_is_an_approximation_with_its_true_residual():
    o, theta = network("convolution with bias")
    operator = GaussNewton(o, theta, DAMPING)
    b = normal(o.dim, 3)
    solution = EKFAC().prepare(operator).solve(b)
    residual = (b - operator.dense() @ solution.require()).norm(dim=0) / b.norm(dim=0)
    assert_close(solution.residuals, residual, rtol=1e-8, atol=0)
    assert residual.min() > 0.01
    assert (solution.steps, EKFAC.exact) == (0, False)
    again = EKFAC().prepare(operator).solve(b[:, 0])
    assert_close(again.value, solution.value[:, 0], rtol=1e-12, atol=1e-14)
    assert not solution.value.requires_grad


def test_single_precision_stays_single():
    o, theta = network("convolution with bias")
    b = normal(o.dim)
    double = EKFAC().prepare(GaussNewton(o, theta, DAMPING)).solve(b).value
    o = replace(o.to("cpu", torch.float32), module=o.module.float())
    single = EKFAC().prepare(GaussNewton(o, theta.float(), DAMPING)).solve(b.float()).value
    assert single.dtype == torch.float32
    assert_close(single.double(), double, rtol=0, atol=1e-3 * double.abs().max().item())


def test_it_tells_its_progress_and_can_be_stopped():
    o, theta = network("linear")
    told = []
    EKFAC().prepare(GaussNewton(o, theta, DAMPING), lambda fraction, message: told.append(fraction))
    assert told == sorted(told)
    assert {0.0, 0.5} <= set(told)

    def stop(fraction, message):
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        EKFAC().prepare(GaussNewton(o, theta, DAMPING), stop)


def test_the_module_is_left_as_it_was():
    o, theta = network("convolution with bias")
    before = [p.clone() for p in o.module.parameters()]
    EKFAC().prepare(GaussNewton(o, theta, DAMPING))
    for now, then in zip(o.module.parameters(), before, strict=True):
        assert_close(now, then, rtol=0, atol=0)
        assert now.grad is None
    assert not any(layer._forward_hooks for layer in o.module.modules())


def test_a_direction_without_any_curvature_is_refused():
    x = normal(N, D)
    x[:, 2] = 0
    o = LinearObjective.build(x, _labels(), SquaredLoss(C), 0.0)
    with pytest.raises(SolveError, match="not positive definite.*add damping"):
        EKFAC().prepare(GaussNewton(o, _theta(o)))
    EKFAC().prepare(GaussNewton(o, _theta(o), DAMPING))


# ---------------------------------------------------------------------------------- what it cannot follow


class Twice(nn.Module):
    """One layer, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.last = nn.Linear(25, 25), nn.Linear(25, C)

    def forward(self, x):
        return self.last(self.inner(torch.tanh(self.inner(x.flatten(1)))))


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.last = nn.Linear(25, 25), nn.Linear(25, 25), nn.Linear(25, C)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.last(self.two(torch.tanh(self.one(x.flatten(1)))))


class Behind(nn.Module):
    """A layer whose weight is used behind its back."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(25, C)

    def forward(self, x):
        return F.linear(x.flatten(1), self.last.weight, self.last.bias)


class Own(nn.Module):
    """A parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(25))
        self.last = nn.Linear(25, C)

    def forward(self, x):
        return self.last(x.flatten(1) + self.shift)


class Mixing(nn.Module):
    """Hands the rows of all pictures to one layer together."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.all = nn.Linear(5, 2), nn.Linear(10, C)

    def forward(self, x):
        return self.all(self.each(x.reshape(-1, 5)).view(len(x), -1))


REFUSED = {
    "norm": (
        lambda: nn.Sequential(nn.Flatten(), nn.LayerNorm(25), nn.Linear(25, C)),
        "'1' is neither: LayerNorm",
    ),
    "groups": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3, groups=2), nn.Flatten(), nn.Linear(2, C)
        ),
        "'1' is neither: Conv2d.*groups=2",
    ),
    "circular": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), nn.Flatten(), nn.Linear(25, C)
        ),
        "'0' is neither: Conv2d.*circular",
    ),
    "padding in words": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 3, padding="same"), nn.Flatten(), nn.Linear(25, C)),
        "'0' is neither: Conv2d.*same",
    ),
    "own parameter": (Own, "neither: Own"),
    "tied": (Tied, "'two' shares its parameters"),
    "twice": (Twice, "'inner' is used more than once"),
    "behind its back": (Behind, "'last' is not called as a module"),
    "mixing": (Mixing, "'each' is used more than once for the same example"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_follow_is_named(name):
    made, message = REFUSED[name]
    o = _objective(made(), SoftmaxLoss(C))
    with pytest.raises(UnsupportedError, match=f"(?s){message}"):
        EKFAC().prepare(GaussNewton(o, _theta(o), DAMPING))
    assert not any(layer._forward_hooks for layer in o.module.modules())


def test_a_matrix_has_no_layers():
    with pytest.raises(UnsupportedError, match="curvature of an objective"):
        EKFAC().prepare(DenseOperator(torch.eye(3)))
