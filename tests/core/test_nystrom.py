"""Nyström against dense matrices: exact at full rank, on the way there below it, and what it refuses."""

import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import Cancelled, SolveError, UnsupportedError
from influence_core.losses import SoftmaxLoss
from influence_core.objective import LinearObjective
from influence_core.operators import DenseOperator, GaussNewton, Hessian
from influence_core.solvers import ConjugateGradient, Nystrom
from tests import references
from tests.problems import NETWORKS, linear, network, normal, pictures

DAMPING = 0.03


def _network(name: str):
    """Operator, and its dense matrix from the references: the penalty differs from parameter to parameter."""
    o, theta = network(name)
    dense = references.network_gauss_newton(o.module, theta, pictures(o), o.y, o.weights, o.l2)
    return GaussNewton(o, theta, DAMPING), dense + DAMPING * torch.eye(o.dim, dtype=torch.float64)


def _wide(n: int = 4, l2: float = 0.05, decay: float = 0.0):
    """Few examples, many parameters: the curvature of the data has rank ``2 n`` at most."""
    x = normal(n, 30) * torch.logspace(0, -decay, 30, dtype=torch.float64)
    o = LinearObjective.build(x, torch.arange(n) % 3, SoftmaxLoss(3), l2)
    theta = 0.1 * normal(90)
    dense = references.hessian(
        theta.numpy(), o.x.numpy(), o.y.numpy(), references.uniform(n), l2, "softmax", None
    )
    return Hessian(o, theta), torch.tensor(dense)


def _error(value: torch.Tensor, exact: torch.Tensor) -> float:
    return ((value - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rank", [69, 1000])
def test_at_full_rank_it_is_the_exact_inverse(name, rank):
    operator, dense = _network(name)
    b = normal(operator.dim, 3)
    solution = Nystrom(rank).prepare(operator).solve(b)
    assert _error(solution.require(), torch.linalg.solve(dense, b)) < 1e-8
    assert solution.residual < 1e-8


def test_the_rank_of_the_data_is_enough():
    operator, dense = _wide()
    b = normal(90, 2)
    exact = torch.linalg.solve(dense, b)
    assert _error(Nystrom(8).prepare(operator).solve(b).require(), exact) < 1e-8
    assert _error(Nystrom(6).prepare(operator).solve(b).require(), exact) > 1e-3


def test_both_inverses_are_those_of_nystroms_formula():
    """With the same random block, written out densely; the preconditioner as Frangella et al. write it, times a number."""
    operator, dense = _network("convolution with bias")
    eye = torch.eye(operator.dim, dtype=torch.float64)
    known = operator.objective.l2 + DAMPING
    root = torch.diag(known.rsqrt())
    white = root @ (dense - torch.diag(known)) @ root
    drawn = torch.randn((operator.dim, 10), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    products = white @ drawn
    formula = products @ torch.linalg.solve(drawn.T @ products, products.T)
    alone = root @ torch.linalg.inv(eye + formula) @ root
    ours = Nystrom(10, seed=3).prepare(operator).solve(eye).require()
    assert_close(ours, alone, rtol=0, atol=1e-8 * alone.abs().max().item())
    values, u = torch.linalg.eigh(formula)
    values, u = values[-10:], u[:, -10:]
    kept = u @ torch.diag((1 + values[0]) / (1 + values)) @ u.T
    preconditioner = root @ (kept + eye - u @ u.T) @ root
    built = Nystrom(10, seed=3).build(operator)(eye)
    assert_close(built, preconditioner, rtol=0, atol=1e-8 * preconditioner.abs().max().item())


def test_more_rank_less_error():
    operator, _ = _network("convolution with bias")
    b = normal(operator.dim, 5)
    residuals = [Nystrom(rank).prepare(operator).solve(b).residual for rank in (2, 20, 40, 69)]
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[1] > 0.01
    assert Nystrom.exact is False


def test_the_preconditioner_draws_the_spectrum_together():
    operator, dense = _wide(n=30, l2=1e-3, decay=2.0)
    eye = torch.eye(90, dtype=torch.float64)
    inverse = Nystrom(40).build(operator)(eye)
    assert_close(inverse, inverse.T, rtol=0, atol=1e-12)
    before = torch.linalg.eigvalsh(dense)
    lower = torch.linalg.cholesky(inverse)
    after = torch.linalg.eigvalsh(lower.T @ dense @ lower)
    assert after.min() > 0
    assert after.max() / after.min() < 0.05 * before.max() / before.min()


@pytest.mark.parametrize("name", NETWORKS)
def test_preconditioned_conjugate_gradient_is_exact_in_fewer_products(name):
    operator, dense = _network(name)
    b = normal(operator.dim)
    plain = ConjugateGradient(rtol=1e-11).prepare(operator).solve(b)
    helped = ConjugateGradient(rtol=1e-11, preconditioner=Nystrom(30)).prepare(operator).solve(b)
    assert _error(helped.require(), torch.linalg.solve(dense, b)) < 1e-8
    assert 0 < helped.steps < 0.8 * plain.steps


def test_it_takes_as_many_products_as_its_rank_and_repeats_itself():
    operator, _ = _network("linear")
    b = normal(operator.dim)
    first = Nystrom(25).prepare(operator).solve(b)
    assert operator.products == 25
    assert_close(Nystrom(25).prepare(operator).solve(b).value, first.value, rtol=0, atol=0)
    assert not torch.equal(Nystrom(25, seed=1).prepare(operator).solve(b).value, first.value)
    assert "25" in first.settings


def test_single_precision_stays_single():
    operator, dense = _wide(n=10)
    o = operator.objective.to("cpu", torch.float32)
    b = normal(90)
    solution = Nystrom(40).prepare(Hessian(o, operator.theta.float())).solve(b.float())
    assert solution.require().dtype == torch.float32
    assert _error(solution.value.double(), torch.linalg.solve(dense, b)) < 1e-3


def test_it_tells_its_progress_and_can_be_stopped():
    operator, _ = _network("linear")
    told = []
    Nystrom(25).prepare(operator, lambda fraction, message: told.append(fraction))
    assert told == [0.0, 0.4, 0.8]

    def stop(fraction, message):
        raise Cancelled("stop")

    for solver in (Nystrom(25), ConjugateGradient(preconditioner=Nystrom(25))):
        with pytest.raises(Cancelled):
            solver.prepare(operator, stop)


# --------------------------------------------------------------------------------------------- what it refuses


def test_a_parameter_without_penalty_needs_damping():
    o, theta = network("linear with bias")  # whose biases have no penalty
    with pytest.raises(SolveError, match="on every parameter.*Add damping"):
        Nystrom().prepare(GaussNewton(o, theta))


def test_an_indefinite_curvature_is_refused():
    o, theta = network("convolution with bias")
    with pytest.raises(SolveError, match="not positive.*add damping.*Gauss-Newton"):
        Nystrom().prepare(Hessian(o, 3 * theta, DAMPING))


def test_what_is_not_finite_is_refused():
    toy = linear("softmax")
    with pytest.raises(SolveError, match="not finite.*NaN or infinity"):
        Nystrom(3).prepare(Hessian(toy.objective, toy.theta * torch.nan))


def test_a_matrix_without_a_penalty_of_its_own_is_refused():
    with pytest.raises(UnsupportedError, match="curvature of an objective"):
        Nystrom().prepare(DenseOperator(torch.eye(3)))
