"""What the tests of the benchmarks share: one round of everything, and a tiny problem."""

import pytest
import torch

from influence_core.losses import SoftmaxLoss
from influence_core.objective import LinearObjective
from influence_core.training import minimise
from tests.benchmarks import scores
from tests.benchmarks.scores import Problem
from tests.problems import normal


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch):
    monkeypatch.setattr(scores, "ROUNDS", 1)


@pytest.fixture(scope="module")
def tiny() -> Problem:
    x, y = normal(70, 6).abs(), torch.arange(70) % scores.CLASSES
    objective = LinearObjective.build(x[:60], y[:60], SoftmaxLoss(scores.CLASSES), scores.L2)
    return Problem("tiny", objective, minimise(objective).theta, x[60:], y[60:])
