"""Curvature products of networks in a stream: equal to those through kept graphs, and flat in memory."""

import gc
import weakref

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from influence_core.losses import SoftmaxLoss
from influence_core.network import NetworkObjective, curvature
from influence_core.operators import GaussNewton, Hessian
from tests import memory
from tests.problems import network, normal


@pytest.mark.parametrize("kind", [Hessian, GaussNewton])
@pytest.mark.parametrize("name", ["linear", "convolution with bias"])
@pytest.mark.parametrize("columns", [None, 1, 3])
def test_a_product_in_a_stream_is_the_one_through_kept_graphs(monkeypatch, kind, name, columns):
    objective, theta = network(name)
    v = normal(objective.dim) if columns is None else normal(objective.dim, columns)
    kept = kind(objective, theta, 0.01).matvec(v)
    each = curvature.TWICE * curvature.bytes_each(objective, theta)
    for rows in (1, 3, objective.n - 1):
        monkeypatch.setattr(curvature, "GRAPH_BYTES", rows * each)
        operator = kind(objective, theta, 0.01)
        assert_close(operator.matvec(v), kept, rtol=1e-12, atol=1e-14)
        assert_close(operator.matvec(v), kept, rtol=1e-12, atol=1e-14)


class Seen(nn.Module):
    """Notes how many examples come together, and whether what it gave is still there."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.given: list[weakref.ref] = []

    def forward(self, x):
        self.batches.append(len(x))
        out = x.tanh()
        self.given.append(weakref.ref(out))
        return out


def _watched(n: int = 40) -> tuple[NetworkObjective, Seen]:
    seen = Seen()
    module = nn.Sequential(nn.Linear(6, 5), seen, nn.Linear(5, 3)).double()
    labels = torch.arange(n) % 3
    return NetworkObjective.build(module, normal(n, 6), labels, SoftmaxLoss(3), 0.1, trial=False), seen


def test_graphs_are_kept_where_they_fit_and_chunks_fit_where_they_do_not(monkeypatch):
    objective, seen = _watched()
    theta = objective.theta()
    each = curvature.TWICE * curvature.bytes_each(objective, theta)
    assert (
        each == curvature.TWICE * 8 * 5
    )  # what tanh gives, which the second layer keeps too; the inputs are there anyway
    whole = 40 * each + curvature.VECTORS * theta.nbytes
    assert seen.batches == [1, 2], "the estimate takes two passes, once"
    for limit, batches in ((whole, [40]), (whole - 1, [])):
        monkeypatch.setattr(curvature, "GRAPH_BYTES", limit)
        seen.batches.clear()
        product = objective.hessian_product(theta)
        assert seen.batches == batches
    monkeypatch.setattr(curvature, "GRAPH_BYTES", 16 * each)
    product = objective.hessian_product(theta)
    seen.batches.clear(), seen.given.clear()
    for _ in range(2):
        product(normal(objective.dim, 2))
    assert seen.batches == 2 * [16, 16, 8]
    gc.collect()
    assert not any(one() is not None for one in seen.given), "a graph outlived its product"


@pytest.mark.skipif(not memory.STATUS.exists(), reason="the system does not tell the memory of a process")
@pytest.mark.parametrize("kind", [Hessian, GaussNewton])
def test_memory_stays_flat_over_products_in_a_stream(monkeypatch, kind):
    monkeypatch.setattr(curvature, "GRAPH_BYTES", 1)
    module = nn.Sequential(nn.Linear(10_000, 2), nn.Tanh(), nn.Linear(2, 2)).double()
    objective = NetworkObjective.build(
        module, normal(2, 10_000), torch.arange(2), SoftmaxLoss(2), 0.1, trial=False
    )
    operator, v = kind(objective, objective.theta()), normal(objective.dim)
    seen = []
    for _ in range(200):
        v = operator.matvec(v)
        v /= v.norm()
        seen.append(memory.anonymous())
    assert seen[-1] - seen[50] < 15 * objective.dim * 8, "a leak of one vector in ten products"
