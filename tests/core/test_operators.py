"""Every operator against a dense float64 oracle, symmetric, damped, subsampled, and checked at its border."""

import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import DataError, ShapeError, SolveError
from influence_core.operators import DenseOperator, GaussNewton, Hessian
from influence_core.spectrum import extreme_eigenvalues
from tests import references
from tests.problems import KINDS, NETWORKS, linear, network, normal, pictures

DAMPING = 0.03
CURVATURES = [(name, kind) for name in [*KINDS, *NETWORKS] for kind in (Hessian, GaussNewton)]


def _dense(name, kind):
    """The problem, and its curvature from the references."""
    if name in KINDS:
        toy = linear(name)
        return toy.objective, toy.theta, toy.hessian()
    objective, theta = network(name)
    oracle = references.network_hessian if kind is Hessian else references.network_gauss_newton
    data = (pictures(objective), objective.y, objective.weights, objective.l2)
    return objective, theta, oracle(objective.module, theta, *data)


@pytest.mark.parametrize(("name", "kind"), CURVATURES)
def test_t1_products_are_the_dense_matrix_and_symmetric(name, kind):
    objective, theta, oracle = _dense(name, kind)
    eye = torch.eye(objective.dim, dtype=torch.float64)
    for damping in (0.0, DAMPING):
        operator = kind(objective, theta, damping)
        u, v = normal(operator.dim, seed=1), normal(operator.dim, 3, seed=2)
        expected = oracle + damping * eye
        assert_close(operator.matvec(v), expected @ v, rtol=1e-10, atol=1e-10)
        assert_close(operator.matvec(u), expected @ u, rtol=1e-10, atol=1e-10)
        assert_close(operator.dense(), expected, rtol=1e-10, atol=1e-10)
        assert_close(u @ operator.matvec(v[:, 0]), v[:, 0] @ operator.matvec(u), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "kind"), CURVATURES)
def test_products_leave_their_argument_alone_and_keep_no_graph(name, kind):
    objective, theta, _ = _dense(name, kind)
    operator = kind(objective, theta, DAMPING)
    v = normal(operator.dim, 2)
    before = v.clone()
    first = operator.matvec(v)
    kept = first.clone()
    second = operator.matvec(v)
    assert_close(v, before, rtol=0, atol=0)
    assert_close(first, kept, rtol=0, atol=0)
    assert_close(second, kept, rtol=0, atol=0)
    assert not first.requires_grad


@pytest.mark.parametrize(("name", "kind"), CURVATURES)
def test_subsets_average_to_the_operator(name, kind):
    objective, theta, _ = _dense(name, kind)
    operator = kind(objective, theta, DAMPING)
    v = normal(operator.dim, 2)
    singles = [operator.subset(torch.tensor([i])).matvec(v) for i in range(objective.n)]
    assert_close(torch.stack(singles).mean(0), operator.matvec(v), rtol=1e-10, atol=1e-12)
    repeated = operator.subset(torch.tensor([3, 3, 3]))
    assert_close(repeated.matvec(v), operator.subset(torch.tensor([3])).matvec(v), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_gauss_newton_is_positive_semidefinite_where_the_hessian_is_not(name):
    objective, theta = network(name)
    assert torch.linalg.eigvalsh(Hessian(objective, 3 * theta).dense()).min() < -1e-3
    assert torch.linalg.eigvalsh(GaussNewton(objective, 3 * theta).dense()).min() > -1e-12


@pytest.mark.parametrize("name", KINDS)
def test_the_known_bound_is_below_every_eigenvalue(name):
    toy = linear(name)
    operator = Hessian(toy.objective, toy.theta, DAMPING)
    assert operator.smallest_known == pytest.approx(toy.l2 + DAMPING, rel=1e-12)
    assert torch.linalg.eigvalsh(operator.dense()).min() >= operator.smallest_known - 1e-12


def _with_spectrum(values) -> DenseOperator:
    """A matrix with these eigenvalues in a random basis."""
    values = torch.as_tensor(values, dtype=torch.float64)
    basis = torch.linalg.qr(normal(len(values), len(values), seed=5)).Q
    matrix = (basis * values) @ basis.T
    return DenseOperator((matrix + matrix.T) / 2)


@pytest.mark.parametrize(("name", "kind"), CURVATURES)
def test_lanczos_finds_both_ends_of_the_dense_spectrum(name, kind):
    objective, theta, oracle = _dense(name, kind)
    exact = torch.linalg.eigvalsh(oracle) + DAMPING
    found = extreme_eigenvalues(kind(objective, theta, DAMPING), steps=200)
    assert found.smallest == pytest.approx(exact[0].item(), abs=1e-9)
    assert found.largest == pytest.approx(exact[-1].item(), rel=1e-9)
    assert found.steps <= objective.dim
    assert found.size == max(-found.smallest, found.largest)


@pytest.mark.parametrize("steps", [1, 3, 10, 30])
def test_lanczos_stays_inside_and_its_bounds_hold(steps):
    exact = torch.cat([torch.linspace(-2, 3, 60), torch.tensor([-5.0, 9.0])]).double()
    for seed in range(5):
        found = extreme_eigenvalues(_with_spectrum(exact), steps, seed)
        assert found.steps == steps
        assert -5 - 1e-12 <= found.smallest <= found.largest <= 9 + 1e-12
        for value, error in (
            (found.smallest, found.smallest_error),
            (found.largest, found.largest_error),
        ):
            assert (exact - value).abs().min() <= error + 1e-12
        if steps == 30:
            assert (found.smallest, found.largest) == (
                pytest.approx(-5, abs=1e-3),
                pytest.approx(9, abs=1e-3),
            )
            assert max(found.smallest_error, found.largest_error) < 0.05


def test_lanczos_stops_where_nothing_is_left():
    found = extreme_eigenvalues(_with_spectrum([1.0] * 20 + [4.0] * 20 + [-2.0] * 3), steps=40)
    assert found.steps == 3
    assert (found.smallest, found.largest) == (pytest.approx(-2), pytest.approx(4))
    assert max(found.smallest_error, found.largest_error) < 1e-9
    nothing = extreme_eigenvalues(DenseOperator(torch.zeros(3, 3)))
    assert (nothing.smallest, nothing.largest, nothing.steps) == (0.0, 0.0, 1)


def test_lanczos_on_what_is_not_finite():
    with pytest.raises(SolveError, match="NaN or infinity"):
        extreme_eigenvalues(DenseOperator(torch.full((3, 3), torch.nan)))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_missing_damping_makes_an_indefinite_curvature_positive(name):
    objective, theta = network(name)
    found = extreme_eigenvalues(Hessian(objective, 3 * theta))
    exact = torch.linalg.eigvalsh(Hessian(objective, 3 * theta).dense())
    assert found.smallest < -1e-3
    assert found.missing_damping == pytest.approx(-2 * exact[0].item(), rel=0.05)
    mended = torch.linalg.eigvalsh(Hessian(objective, 3 * theta, found.missing_damping).dense())
    assert mended[0] > 0.9 * -exact[0]
    assert extreme_eigenvalues(Hessian(objective, 3 * theta, found.missing_damping)).missing_damping == 0


def test_a_curvature_known_to_be_positive_misses_no_damping():
    """However roughly its smallest eigenvalue was found."""
    toy = linear("softmax", l2=1e-6)
    operator = Hessian(toy.objective, toy.theta)
    rough = extreme_eigenvalues(operator, steps=3)
    assert rough.smallest_error > 1e-3
    assert rough.lower_bound == rough.floor == operator.smallest_known
    assert rough.missing_damping == 0
    singular = extreme_eigenvalues(_with_spectrum([0.0] * 5 + [1.0] * 5))
    assert singular.missing_damping == pytest.approx(2e-6, rel=0.01)


def test_products_are_counted_a_column_each():
    operator = DenseOperator(torch.eye(4))
    operator.matvec(torch.ones(4))
    operator.matvec(torch.ones(4, 5))
    assert operator.products == 6


def test_a_matrix_as_an_operator():
    matrix = normal(4, 4)
    matrix = matrix @ matrix.T
    operator = DenseOperator(matrix)
    assert_close(operator.matvec(matrix), matrix @ matrix)
    operator.dense().zero_()
    assert operator.matrix.abs().max() > 0, "dense() must give a copy"
    with pytest.raises(ShapeError, match=r"square matrix.*\(4, 3\)"):
        DenseOperator(matrix[:, :3])


def test_what_does_not_fit_is_refused_at_the_border():
    toy = linear("logistic")
    operator = Hessian(toy.objective, toy.theta)
    for bad in (torch.zeros(4), torch.zeros(6, 2), torch.zeros(()), torch.zeros(5, 2, 2)):
        with pytest.raises(ShapeError, match=r"\(5,\) or \(5, k\)"):
            operator.matvec(bad)
    with pytest.raises(ShapeError, match=r"theta must have shape \(5,\)"):
        Hessian(toy.objective, torch.zeros(6))
    for damping in (-1e-3, float("nan"), float("inf")):
        with pytest.raises(DataError, match="at least 0"):
            GaussNewton(toy.objective, toy.theta, damping)
