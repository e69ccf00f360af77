"""L-BFGS's corrections: its two loops, and the same for many right-hand sides in one formula."""

import pytest
import torch
from torch.testing import assert_close

from influence_core.operators import DenseOperator
from influence_core.retraining.following import _Learnt
from influence_core.solvers import Cholesky
from influence_core.training.descent import Memory


@pytest.mark.parametrize("pairs", [0, 1, 7])
def test_the_formula_is_the_two_loops(pairs):
    root = torch.randn(9, 9, dtype=torch.float64)
    curvature = root @ root.T + torch.eye(9)
    memory = Memory(Cholesky().prepare(DenseOperator(torch.diag(curvature.diagonal()))))
    for moved in torch.randn(pairs, 9, dtype=torch.float64):
        memory.learn(moved, curvature @ moved)
    assert len(memory.pairs) == pairs
    learnt, columns = _Learnt(memory, DenseOperator(curvature)), torch.randn(9, 4, dtype=torch.float64)
    looped = torch.stack([memory.product(one) for one in columns.T], 1)
    assert_close(learnt.solve(columns).value, looped, rtol=1e-10, atol=1e-10)
    assert_close(learnt.solve(columns[:, 0]).value, looped[:, 0], rtol=1e-10, atol=1e-10)
    if pairs:
        moved, turned = memory.pairs[-1]
        assert_close(learnt.solve(turned).value, moved)
