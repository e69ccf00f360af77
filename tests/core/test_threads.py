"""Two people at once: a network gives each thread the numbers it would get alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from influence_core.losses import SoftmaxLoss
from influence_core.network import NetworkObjective


@pytest.fixture
def objective() -> NetworkObjective:
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x = torch.randn(300, 6, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (300,), generator=generator)
    return NetworkObjective.build(network, x, y, SoftmaxLoss(3), 0.01)


WORK = {
    "outputs": lambda o, theta: o.outputs(theta, o.x),
    "risk gradient": lambda o, theta: o.risk_gradient(theta),
    "gradients": lambda o, theta: o.gradients(theta, o.x, o.y),
    "forward mode": lambda o, theta: o.training_products(theta)(theta),
    "input gradient": lambda o, theta: o.input_gradient(theta, o.x[0], o.y[0], theta),
    "Hessian": lambda o, theta: o.hessian_product(theta)(theta[:, None]),
    "Gauss-Newton": lambda o, theta: o.dense_gauss_newton(theta),
}


@pytest.mark.parametrize("name", WORK)
def test_threads_with_different_parameters_do_not_disturb_each_other(objective, name):
    thetas = [objective.theta() * factor for factor in (0.5, 1.0, 2.0)] * 8
    alone = [WORK[name](objective, theta) for theta in thetas]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda theta: WORK[name](objective, theta), thetas))
    for one, other in zip(alone, together, strict=True):
        assert_close(other, one, rtol=0, atol=0)
