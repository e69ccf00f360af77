"""The span of a linear model's curvature: what is left out of it is the penalty alone, and a factor of it solves for all."""

import pytest
import torch
from torch.testing import assert_close

from influence_core import Cholesky, Hessian, LinearObjective, LogisticLoss, SoftmaxLoss
from influence_core.errors import SolveError
from influence_core.objective.span import Span, differences
from influence_core.solvers.cholesky import GAP, DenseFactor

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def drawings(loss, empty=(0, 3), l2=0.1):
    """Seven features, some of which no example has."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 7, generator=generator, dtype=torch.float64)
    x[:, list(empty)] = 0
    y = torch.randint(loss.classes, (40,), generator=generator)
    return LinearObjective.build(x, y, loss, l2)


def matrix_of(span):
    """``E (p, q)``."""
    return span.back(torch.eye(span.dim, dtype=torch.float64))


@pytest.mark.parametrize("loss", [SoftmaxLoss(4), LogisticLoss()])
def test_outside_of_it_the_curvature_is_the_penalty(loss):
    o = drawings(loss)
    theta = torch.randn(o.dim, dtype=torch.float64)
    operator = Hessian(o, theta, damping=0.05)
    span, dense = operator.span, operator.dense()
    e = matrix_of(span)
    assert span.dim == 5 * (loss.outputs - 1 or 1) < o.dim
    assert_close(e.T @ e, torch.eye(span.dim, dtype=torch.float64), **TIGHT)
    assert_close(operator.compact(), e.T @ dense @ e, **TIGHT)
    rest = torch.eye(o.dim, dtype=torch.float64) - e @ e.T
    assert_close(rest @ dense, operator.outside * rest, **TIGHT)
    v = torch.randn(o.dim, 3, dtype=torch.float64)
    assert_close(span.into(v), e.T @ v, **TIGHT)


@pytest.mark.parametrize("loss", [SoftmaxLoss(4), LogisticLoss()])
@pytest.mark.parametrize("columns", [(), (1,), (3,), (0,)])
@pytest.mark.parametrize("inverse", [False, True])
def test_its_factor_solves_for_every_side(loss, columns, inverse):
    o = drawings(loss)
    operator = Hessian(o, torch.randn(o.dim, dtype=torch.float64), damping=0.05)
    factor = Cholesky(inverse=inverse).prepare(operator)
    rhs = torch.randn(o.dim, *columns, dtype=torch.float64)
    assert len(factor.lower) == operator.span.dim < o.dim
    found = factor.solve(rhs)
    assert found.value.shape == rhs.shape
    assert_close(found.value, torch.linalg.solve(operator.dense(), rhs), **TIGHT)
    if rhs.numel():
        assert found.residual < 1e-13 and factor.rounded().solve(rhs).residual < 1e-5
    g = o.gradients(operator.theta, o.x, o.y).T
    assert_close(factor.half(g).square().sum(0), (g * factor.solve(g).value).sum(0), **TIGHT)
    assert Cholesky(inverse=inverse).memory(operator) == operator.span.dim**2 * (1 + inverse)


@pytest.mark.parametrize("inked", [(), (2,), (0, 1, 9, 10, 25, 39), range(40)])
def test_with_the_inverse_a_question_of_few_features_reads_their_rows_alone(inked):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(60, 40, generator=generator, dtype=torch.float64)
    o = LinearObjective.build(x, torch.arange(60) % 3, SoftmaxLoss(3), 0.1)
    operator = Hessian(o, torch.zeros(o.dim, dtype=torch.float64))
    factor, plain = Cholesky(inverse=True).prepare(operator), Cholesky().prepare(operator)
    drawing = torch.zeros(1, 40, dtype=torch.float64)
    drawing[0, list(inked)] = 1.0
    g = o.gradients(operator.theta, drawing, torch.tensor([1]))[0]
    assert_close(factor.solve(g).value, plain.solve(g).value, **TIGHT)
    others = [row for k in set(range(40)) - set(inked) for row in (2 * k, 2 * k + 1)]
    near = {row for k in inked for row in range(2 * k - GAP, 2 * k + 2 + GAP)}
    factor.inverse[[row for row in others if row not in near]] = torch.nan
    assert_close(factor.solve(g).value, plain.solve(g).value, **TIGHT)


def test_a_penalty_of_each_parameter_has_none_nor_has_a_model_that_needs_all():
    o = drawings(SoftmaxLoss(3), l2=torch.rand(21, dtype=torch.float64))
    assert o.span() is None
    operator = Hessian(o, torch.zeros(21, dtype=torch.float64))
    assert len(Cholesky().prepare(operator).lower) == 21
    assert drawings(LogisticLoss(), empty=()).span() is None
    assert drawings(SoftmaxLoss(3), empty=()).span().dim == 7 * 2


@pytest.mark.parametrize("l2", [1e-4, 1e-8, 1e-11])
@pytest.mark.parametrize("loss", [SoftmaxLoss(4), LogisticLoss()])
def test_a_small_penalty_takes_nothing_from_what_the_data_say(loss, l2):
    """A side that the data bend, such as a gradient, is solved for as if there were no other directions."""
    o = drawings(loss, l2=l2)
    operator = Hessian(o, torch.randn(o.dim, dtype=torch.float64))
    g = o.gradients(operator.theta, o.x, o.y).T.contiguous()
    assert Cholesky().prepare(operator).solve(g).residual < 1e-11
    assert Cholesky().prepare(operator).rounded().solve(g).residual < 1e-2


def test_of_nothing_and_of_one_class_there_is_none():
    assert drawings(SoftmaxLoss(3), empty=range(7)).span() is None
    o = drawings(SoftmaxLoss(1))
    assert o.span().dim == 5
    theta = torch.zeros(7, dtype=torch.float64)
    assert o.training_products(theta)(torch.ones(7, 2, dtype=torch.float64)).shape == (40, 2)
    assert Cholesky().prepare(Hessian(o, theta)).solve(torch.ones(7, dtype=torch.float64)).residual < 1e-13


@pytest.mark.parametrize("empty", [(), (0, 3)])
@pytest.mark.parametrize("share", [0.0, 0.04])
def test_sparse_and_dense_inputs_come_to_the_same(empty, share):
    o = drawings(SoftmaxLoss(3), empty)
    x = o.x * (torch.rand(o.x.shape) < share) if share else o.x.clone()
    x[0] = o.x[0]
    o = LinearObjective.build(x, o.y, o.loss, 0.1)
    operator = Hessian(o, torch.randn(o.dim, dtype=torch.float64))
    e = matrix_of(operator.span)
    assert_close(operator.compact(), e.T @ operator.dense() @ e, **TIGHT)


def test_without_penalty_and_damping_nothing_is_solved():
    o = drawings(SoftmaxLoss(3), l2=0.0)
    with pytest.raises(SolveError, match="not positive definite"):
        Cholesky().prepare(Hessian(o, torch.zeros(21, dtype=torch.float64)))
    assert isinstance(
        Cholesky().prepare(Hessian(o, torch.zeros(21, dtype=torch.float64), damping=0.1)), DenseFactor
    )


def test_differences_add_up_to_nothing_and_a_span_is_moved():
    basis = differences(5, torch.zeros((), dtype=torch.float64))
    assert_close(basis.sum(0), torch.zeros(4, dtype=torch.float64), **TIGHT)
    assert_close(basis.T @ basis, torch.eye(4, dtype=torch.float64), **TIGHT)
    moved = Span(torch.tensor([0]), basis, 2).to(torch.zeros((), dtype=torch.float32))
    assert moved.basis.dtype == torch.float32 and moved.dim == 4
