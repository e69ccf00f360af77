"""Every solver as rows of one table: what must be solved, what must fail, and the message it must give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import DataError, ShapeError, SolveError, UnsupportedError
from influence_core.losses import LogisticLoss, SoftmaxLoss
from influence_core.objective import LinearObjective
from influence_core.operators import DenseOperator, GaussNewton, Hessian, LinearOperator
from influence_core.solvers import CATALOGUE, EKFAC, Cholesky, ConjugateGradient, LiSSA, Nystrom, choose
from tests import memory
from tests.problems import KINDS, linear, network, normal

SIZE = 40

# ----------------------------------------------------------------------------- exact solvers: the table


def _matrix(condition: float) -> torch.Tensor:
    """Symmetric with eigenvalues from 1 down to 1/condition."""
    basis = torch.linalg.qr(normal(SIZE, SIZE)).Q
    values = condition ** -torch.linspace(0, 1, SIZE, dtype=torch.float64)
    matrix = (basis * values) @ basis.T
    return (matrix + matrix.T) / 2


SYSTEMS = {"well conditioned": _matrix(10), "badly conditioned": _matrix(1e6)}
RIGHT_HAND_SIDES = {
    "one vector": normal(SIZE, seed=1),
    "one column": normal(SIZE, 1, seed=1),
    "columns of different scale": normal(SIZE, 9, seed=1) * torch.logspace(-8, 8, 9, dtype=torch.float64),
    "zero": torch.zeros(SIZE, dtype=torch.float64),
    "a zero column among others": normal(SIZE, 3, seed=1) * torch.tensor([1.0, 0.0, 1e3]),
    "an eigenvector": torch.linalg.eigh(_matrix(10)).eigenvectors[:, 0],
}


class ExactInverse:
    """The best preconditioner there is."""

    name = "the inverse itself"

    def build(self, operator: LinearOperator, progress=None):
        inverse = torch.linalg.inv(operator.dense())
        return lambda residual: inverse @ residual


SOLVERS = {
    "Cholesky": Cholesky(),
    "Cholesky and the inverse": Cholesky(inverse=True),
    "conjugate gradient": ConjugateGradient(rtol=1e-12),
    "preconditioned conjugate gradient": ConjugateGradient(rtol=1e-12, preconditioner=ExactInverse()),
}
OF_AN_OBJECTIVE = {
    "conjugate gradient with Nyström": ConjugateGradient(rtol=1e-12, preconditioner=Nystrom(3)),
    "conjugate gradient with EK-FAC": ConjugateGradient(rtol=1e-12, preconditioner=EKFAC()),
    "Nyström of full rank": Nystrom(1000),
}
"""Exact solvers that need more than a matrix."""


@pytest.mark.parametrize("rhs", RIGHT_HAND_SIDES)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_t2_exact_solvers_agree_with_the_dense_answer(solver, system, rhs):
    matrix, b = SYSTEMS[system], RIGHT_HAND_SIDES[rhs]
    solution = SOLVERS[solver].prepare(DenseOperator(matrix)).solve(b)
    x = solution.require()
    assert x.shape == b.shape
    exact = torch.linalg.solve(matrix, b)
    size = exact.norm(dim=0)
    assert ((x - exact).norm(dim=0) <= 1e-8 * size).all()
    residual = (b - matrix @ x).norm(dim=0) / b.norm(dim=0).clamp_min(1e-300)
    assert solution.residual == pytest.approx(residual.max().item(), rel=0.01)
    assert residual.max() <= 1e-9
    assert solution.status == "converged"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", [*SOLVERS, *OF_AN_OBJECTIVE])
def test_t2_exact_solvers_on_real_curvature(solver, kind):
    toy, settings = linear(kind), (SOLVERS | OF_AN_OBJECTIVE)[solver]
    b = normal(toy.objective.dim, 3)
    x = settings.prepare(Hessian(toy.objective, toy.theta, 0.02)).solve(b).require()
    eye = torch.eye(toy.objective.dim, dtype=torch.float64)
    exact = torch.linalg.solve(toy.hessian() + 0.02 * eye, b)
    assert ((x - exact).norm(dim=0) <= 1e-8 * exact.norm(dim=0)).all()


def test_cholesky_of_the_identity_is_a_symmetric_inverse():
    matrix = _matrix(1e3)
    value = Cholesky().prepare(DenseOperator(matrix)).solve(torch.eye(SIZE, dtype=torch.float64)).require()
    assert_close(value @ matrix, torch.eye(SIZE, dtype=torch.float64), rtol=0, atol=1e-10)
    assert_close(value, value.T, rtol=1e-13, atol=1e-13)


def test_preparing_does_not_change_the_operator():
    matrix = _matrix(10)
    operator = DenseOperator(matrix.clone())
    for solver in SOLVERS.values():
        solver.prepare(operator).solve(normal(SIZE)).require()
        assert_close(operator.matrix, matrix, rtol=0, atol=0)


@pytest.mark.parametrize("rtol", [1e-2, 1e-5, 1e-8])
def test_conjugate_gradient_reads_its_tolerance(rtol):
    operator = DenseOperator(_matrix(1e4))
    b = RIGHT_HAND_SIDES["columns of different scale"][
        :, 3:5
    ]  # all nine see every direction within five steps
    solution = ConjugateGradient(rtol=rtol).prepare(operator).solve(b)
    assert solution.status == "converged"
    assert 1e-4 * rtol < solution.residual <= 1.01 * rtol
    assert solution.steps == len(solution.history) > 0
    assert solution.history[-1] <= rtol < solution.history[-2]


def test_a_finished_column_waits_for_the_others():
    matrix = _matrix(1e4)
    easy = torch.linalg.eigh(matrix).eigenvectors[:, -1]
    hard = normal(SIZE, seed=2)
    together = (
        ConjugateGradient(rtol=1e-12)
        .prepare(DenseOperator(matrix))
        .solve(torch.stack([easy, hard], 1))
        .require()
    )
    alone = ConjugateGradient(rtol=1e-12).prepare(DenseOperator(matrix)).solve(hard).require()
    assert_close(together[:, 1], alone, rtol=0, atol=1e-9 * alone.norm().item())
    assert_close(together[:, 0], easy, rtol=0, atol=1e-9)


def test_columns_that_search_together_need_fewer_products():
    matrix, b = _matrix(1e4), RIGHT_HAND_SIDES["columns of different scale"]
    together, alone = DenseOperator(matrix), DenseOperator(matrix)
    solution = ConjugateGradient(rtol=1e-10).prepare(together).solve(b)
    for column, value in zip(b.T, solution.require().T, strict=True):
        single = ConjugateGradient(rtol=1e-10).prepare(alone).solve(column).require()
        assert_close(value, single, rtol=0, atol=1e-8 * single.norm().item())
    assert solution.steps < SIZE / 2
    assert together.products < alone.products / 8


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_columns_that_are_the_same_or_more_than_there_are_parameters_are_no_trouble(dtype):
    matrix, rtol = _matrix(100).to(dtype), 1e-10 if dtype == torch.float64 else 1e-5
    b = normal(SIZE, 3, seed=1).to(dtype)
    many = torch.cat([b, normal(SIZE, 2 * SIZE, seed=2).to(dtype)], 1)
    for columns in (torch.cat([b, -2 * b], 1), many):
        operator = DenseOperator(matrix)
        solution = ConjugateGradient(rtol=rtol).prepare(operator).solve(columns)
        assert operator.products < 0.75 * columns.shape[1] * solution.steps
        assert solution.status == "converged"
        assert solution.residual < 2 * rtol


def test_the_best_preconditioner_needs_one_step():
    solver = ConjugateGradient(rtol=1e-8, preconditioner=ExactInverse())
    assert solver.prepare(DenseOperator(_matrix(1e6))).solve(normal(SIZE)).steps == 1


def test_single_precision_stays_single():
    operator, b = DenseOperator(_matrix(10).float()), normal(SIZE).float()
    for solver in (Cholesky(), ConjugateGradient(rtol=1e-5)):
        solution = solver.prepare(operator).solve(b)
        assert solution.require().dtype == torch.float32
        assert solution.residual < 2e-5


# --------------------------------------------------------------------- exact solvers: what must fail

INDEFINITE = _matrix(10) - 0.5 * torch.eye(SIZE, dtype=torch.float64)


def test_cholesky_refuses_an_indefinite_matrix():
    with pytest.raises(SolveError, match="not positive definite.*add damping.*Gauss-Newton"):
        Cholesky().prepare(DenseOperator(INDEFINITE))


def test_cholesky_refuses_what_is_not_finite():
    with pytest.raises(SolveError, match="NaN or infinity"):
        Cholesky().prepare(DenseOperator(INDEFINITE * torch.nan))


BROKEN = _matrix(10)
BROKEN[3, 4] = BROKEN[4, 3] = torch.nan
BAD = normal(SIZE, 2)
BAD[0, 1] = torch.nan
HUGE = normal(SIZE, 2)
HUGE[0, 1] = torch.inf


@pytest.mark.parametrize(
    ("solver", "matrix", "rhs", "status", "remedy"),
    [
        (ConjugateGradient(), INDEFINITE, normal(SIZE), "negative curvature", "add damping.*Gauss-Newton"),
        (ConjugateGradient(), INDEFINITE, normal(SIZE, 4), "negative curvature", "add damping.*Gauss-Newton"),
        (ConjugateGradient(), -_matrix(10), normal(SIZE), "negative curvature", "add damping"),
        (ConjugateGradient(max_steps=5), _matrix(1e6), normal(SIZE), "too few steps", "more steps.*Cholesky"),
        (ConjugateGradient(max_steps=0), _matrix(10), normal(SIZE), "too few steps", "more steps"),
        (ConjugateGradient(), BROKEN, normal(SIZE), "not finite", "NaN or infinity"),
        (ConjugateGradient(), _matrix(10), BAD, "not finite", "NaN or infinity"),
        (ConjugateGradient(), _matrix(10), HUGE, "not finite", "NaN or infinity"),
        (Cholesky(), _matrix(10), BAD, "not finite", "NaN or infinity"),
    ],
)
def test_a_failure_is_a_status_until_required(solver, matrix, rhs, status, remedy):
    solution = solver.prepare(DenseOperator(matrix)).solve(rhs)
    assert solution.status == status
    with pytest.raises(SolveError, match=f"'{status}'.*{remedy}") as raised:
        solution.require()
    assert "None" not in str(raised.value)


def test_conjugate_gradient_notices_the_curvature_of_a_half_trained_network():
    objective, theta = network("convolution with bias")
    b = normal(objective.dim)
    assert torch.linalg.eigvalsh(Hessian(objective, 3 * theta).dense()).min() < -1e-3
    solution = ConjugateGradient().prepare(Hessian(objective, 3 * theta)).solve(b)
    assert solution.status == "negative curvature"
    remedied = ConjugateGradient().prepare(GaussNewton(objective, 3 * theta, 0.01)).solve(b)
    assert remedied.require().isfinite().all()
    assert remedied.residual <= 1.01e-8


@pytest.mark.parametrize("solver", CATALOGUE.values(), ids=CATALOGUE)
@pytest.mark.parametrize("shape", [(4,), (6, 2), (), (5, 2, 2)])
def test_a_right_hand_side_of_another_shape_is_refused(solver, shape):
    toy = linear("logistic")
    inverse = solver.prepare(Hessian(toy.objective, toy.theta))
    with pytest.raises(ShapeError, match=r"\(5,\) or \(5, k\)"):
        inverse.solve(torch.zeros(shape, dtype=torch.float64))


# ------------------------------------------------------------------------------------------------- LiSSA


def _mean_is_within_three_standard_errors(solution, exact):
    solution.require()
    error, expected = (solution.value - exact).norm(dim=0), solution.spread.norm(dim=0)
    assert (error <= 3 * expected).all()
    assert (expected <= 0.05 * exact.norm(dim=0)).all(), "an estimate this rough proves nothing"


@pytest.mark.parametrize("scale", [None, 3.0, 8.0])
@pytest.mark.parametrize("damping", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_t9_lissa_tends_to_the_damped_inverse_whatever_the_scale(kind, damping, scale):
    """The released code solves (H + damping scale I) instead."""
    toy = linear(kind, l2=0.3)
    operator = Hessian(toy.objective, toy.theta, damping)
    b = normal(operator.dim, 2, seed=3)
    left = 10  # e^-10 of the weakest direction is cut off
    depth = None if scale is None else int(left * scale / (toy.l2 + damping))
    solver = LiSSA(batch=30, repeats=12, scale=scale, depth=depth, truncation=1e-4)
    solution = solver.prepare(operator).solve(b)
    eye = torch.eye(operator.dim, dtype=torch.float64)
    exact = torch.linalg.solve(toy.hessian() + damping * eye, b)
    _mean_is_within_three_standard_errors(solution, exact)
    if damping and scale:
        released = torch.linalg.solve(toy.hessian() + damping * scale * eye, b)
        assert ((solution.value - released).norm(dim=0) > 3 * solution.spread.norm(dim=0)).all()


def test_lissa_reports_the_true_residual_and_repeats_itself():
    toy = linear("softmax", l2=0.1)
    operator = Hessian(toy.objective, toy.theta)
    b = normal(operator.dim, 3, seed=3) * torch.tensor([1e-6, 1.0, 1e6])
    solver = LiSSA(batch=30, depth=300, scale=8.0)
    solution = solver.prepare(operator).solve(b)
    residual = (b - toy.hessian() @ solution.value).norm(dim=0) / b.norm(dim=0)
    assert solution.residual == pytest.approx(residual.max().item(), rel=0.01)
    again = solver.prepare(operator).solve(b)
    assert_close(again.value, solution.value, rtol=0, atol=0)
    other = LiSSA(batch=30, depth=300, scale=8.0, seed=1).prepare(operator).solve(b)
    assert (other.value - solution.value).abs().max() > 0


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_lissa_of_the_whole_set_misses_exactly_what_its_truncation_says(average):
    """Without noise, an eigenvector of eigenvalue ``smallest`` is short by ``(1 - smallest / scale)^(t + 1)``, averaged."""
    o = LinearObjective.build(normal(20, 3), torch.arange(20) % 2, LogisticLoss(), 0.5)
    blank = replace(o, x=torch.zeros_like(o.x))  # no data curvature is left: every direction is the weakest
    b = normal(3)
    inverse = LiSSA(batch=20, depth=30, repeats=1, scale=5.0, average=average).prepare(
        Hessian(blank, torch.zeros(3, dtype=torch.float64))
    )
    steps = range(16, 31) if average else [30]
    missing = np.mean([0.9**t for t in steps])
    assert inverse.truncation == pytest.approx(missing)
    assert_close(inverse.solve(b).value, (1 - 0.9 * missing) * b / 0.5, rtol=1e-12, atol=0)  # it starts at b


def test_averaging_takes_out_the_noise_of_small_batches():
    toy = linear("softmax", n=200, l2=0.1)
    operator, b = Hessian(toy.objective, toy.theta), normal(toy.objective.dim)
    exact = torch.linalg.solve(toy.hessian(), b)
    plain, averaged = (
        LiSSA(batch=2, depth=2000, repeats=1, average=share).prepare(operator).solve(b).value - exact
        for share in (0.0, 0.5)
    )
    assert averaged.norm() < 0.3 * plain.norm()


def test_lissa_of_zero_is_zero():
    toy = linear("logistic")
    solution = (
        LiSSA(depth=50).prepare(Hessian(toy.objective, toy.theta)).solve(torch.zeros(5, dtype=torch.float64))
    )
    assert_close(solution.require(), torch.zeros(5, dtype=torch.float64), rtol=0, atol=0)
    assert solution.residual == 0


@pytest.mark.parametrize("columns", [None, 3])
def test_lissa_that_diverges_says_so_and_names_the_remedy(columns):
    toy = linear("softmax")
    operator = Hessian(toy.objective, toy.theta)
    b = normal(operator.dim) if columns is None else normal(operator.dim, columns)
    solution = LiSSA(batch=1, scale=0.05, depth=5000).prepare(operator).solve(b)
    assert solution.status == "diverged"
    assert solution.steps < 1000, "it should stop at the first sign"
    assert all(value < 1e12 for value in solution.history)
    with pytest.raises(SolveError, match="'diverged'.*Raise the scale tenfold"):
        solution.require()


@pytest.mark.slow
def test_the_automatic_scale_does_not_diverge_on_features_of_different_scale():
    x = normal(200, 6) * torch.logspace(-2, 1, 6, dtype=torch.float64)
    objective = LinearObjective.build(x, torch.arange(200) % 3, SoftmaxLoss(3), 0.05)
    operator = Hessian(objective, torch.zeros(18, dtype=torch.float64))
    for batch in (1, 8, 64):
        solution = LiSSA(batch=batch, repeats=1, depth=3000).prepare(operator).solve(normal(18))
        assert solution.status == "converged"
        assert max(solution.history) < 1e3


def test_lissa_needs_a_sum_over_examples():
    with pytest.raises(UnsupportedError, match="sum over training examples"):
        LiSSA().prepare(DenseOperator(_matrix(10)))


# ------------------------------------------------------------------------------------------------ memory


class Diagonal(LinearOperator):
    """A diagonal operator: a thousand cheap steps on long vectors."""

    def __init__(self, values: torch.Tensor) -> None:
        self.values, self.dim, self.like = values, len(values), values

    def _product(self, v: torch.Tensor) -> torch.Tensor:
        return self.values[:, None] * v

    def subset(self, indices: torch.Tensor) -> LinearOperator:
        return self


LONG = 20_000


class Memory:
    """A progress callback that notes the memory in use, in bytes."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, fraction: float, message: str) -> None:
        self.seen.append(memory.anonymous())

    def grown(self) -> int:
        """From the first tenth to the end."""
        return self.seen[-1] - self.seen[len(self.seen) // 10]


def _long_objective() -> LinearObjective:
    return LinearObjective.build(normal(6, LONG // 2) / 50, torch.arange(6) % 2, SoftmaxLoss(2), 1.0)


@pytest.mark.skipif(not memory.STATUS.exists(), reason="the system does not tell the memory of a process")
@pytest.mark.parametrize("case", ["diagonal", "Hessian", "LiSSA"])
def test_memory_stays_flat_over_a_thousand_steps(case):
    theta = torch.zeros(LONG, dtype=torch.float64, requires_grad=True)  # as a user's own parameters come
    rhs = torch.ones(LONG, dtype=torch.float64, requires_grad=True)
    watched = Memory()
    if case == "LiSSA":
        inverse = LiSSA(batch=2, repeats=1, scale=2.0, depth=1000).prepare(Hessian(_long_objective(), theta))
    elif case == "Hessian":
        inverse = ConjugateGradient(rtol=1e-300, max_steps=1000).prepare(Hessian(_long_objective(), theta))
    else:
        spectrum = Diagonal(torch.logspace(-9, 0, LONG, dtype=torch.float64))
        inverse = ConjugateGradient(rtol=1e-15, max_steps=1000).prepare(spectrum)
    with torch.enable_grad():
        solution = inverse.solve(rhs, watched)
    assert not solution.value.requires_grad
    if case != "Hessian":  # whose right-hand side is solved to the last digit long before
        assert solution.steps == 1000
    assert watched.grown() < 100 * LONG * 8, "a leak of one vector in ten steps"


# ------------------------------------------------------------------------------------------------ the choice


def test_the_automatic_choice_gives_its_reason():
    solver, reason = choose("auto", 100)
    assert (solver.name, solver.exact) == ("Cholesky", True)
    assert "100 parameters" in reason
    solver, reason = choose("auto", 1_000_000)
    assert solver.name == "conjugate gradient"
    assert "1,000,000" in reason
    for name, expected in CATALOGUE.items():
        assert choose(name, 5)[0] == expected
    with pytest.raises(DataError, match="no solver 'lisa'; choose auto, .*lissa"):
        choose("lisa", 5)


def test_a_rounded_factor_solves_as_near_as_float32_does():
    root = torch.randn(30, 30, dtype=torch.float64)
    operator = DenseOperator(root @ root.T + 30 * torch.eye(30))
    factor, rhs = Cholesky().prepare(operator), torch.randn(30, 3, dtype=torch.float64)
    rough = factor.rounded().solve(rhs)
    assert rough.value.dtype == torch.float64 and factor.rounded().lower.dtype == torch.float32
    assert 1e-12 < rough.residual < 1e-5
    assert_close(factor.solve(rhs).value, rough.value, rtol=1e-4, atol=1e-6)
