"""Small problems that many tests share, each fitted by the references and never by the library itself."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from influence_core.context import Context
from influence_core.data import DataSet, Examples
from influence_core.engines import Engines, SolverSettings
from influence_core.losses import LogisticLoss, SmoothHingeLoss, SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.objective import LinearObjective, Objective
from influence_core.studies import Study, StudySpec
from tests import references

KINDS = ["softmax", "logistic", "smooth_hinge"]
TEMPERATURE = 0.3
NETWORKS = ["linear", "linear with bias", "convolution", "convolution with bias"]


def ready(study: Study, settings: SolverSettings | None = None) -> Context:
    """A context whose engine for these settings is prepared."""
    context = Context(engines=Engines(2))
    context.engines.prepare(study, settings or SolverSettings())
    return context


def loss_of(kind: str, classes: int = 3):
    """The library's loss of a kind that the references know."""
    return {
        "softmax": SoftmaxLoss(classes),
        "logistic": LogisticLoss(),
        "smooth_hinge": SmoothHingeLoss(TEMPERATURE),
    }[kind]


@dataclass(frozen=True)
class Linear:
    """A linear problem twice: as the library's objective, and as arrays for the references."""

    objective: LinearObjective
    theta: Tensor
    x: np.ndarray
    y: np.ndarray
    w: np.ndarray
    l2: float
    kind: str
    xt: np.ndarray
    yt: np.ndarray

    @property
    def temperature(self) -> float:
        return TEMPERATURE

    @property
    def tests(self) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.xt), torch.tensor(self.yt)

    def hessian(self) -> Tensor:
        at = self.theta.numpy()
        return torch.tensor(references.hessian(at, self.x, self.y, self.w, self.l2, self.kind, TEMPERATURE))

    def gradients(self, x: np.ndarray, y: np.ndarray) -> Tensor:
        return torch.tensor(references.gradients(self.theta.numpy(), x, y, self.kind, TEMPERATURE))

    def removal_scores(self) -> Tensor:
        """D (t, n), densely."""
        s = torch.linalg.solve(self.hessian(), self.gradients(self.xt, self.yt).T)
        return (self.gradients(self.x, self.y) @ s).T * torch.tensor(self.w)

    def refit(
        self, w: np.ndarray | None = None, x: np.ndarray | None = None, y: np.ndarray | None = None
    ) -> Tensor:
        """The minimiser after a change of the weights, the inputs or the labels, from a cold start."""
        x, y, w = (old if new is None else new for new, old in ((x, self.x), (y, self.y), (w, self.w)))
        return torch.tensor(references.cold_fit(x, y, w, self.l2, self.kind, TEMPERATURE, 1e-11))

    def test_losses(self, theta: Tensor) -> Tensor:
        return torch.tensor(references.losses(theta.numpy(), self.xt, self.yt, self.kind, TEMPERATURE))


def linear(
    kind: str = "logistic", n: int = 60, d: int = 5, l2: float = 0.05, seed: int = 0, tests: int = 4
) -> Linear:
    """Overlapping clouds with a few wrong labels, at the optimum."""
    rng = np.random.default_rng(seed)
    classes = 3 if kind == "softmax" else 2
    centres = rng.normal(size=(classes, d))
    y = np.arange(n + tests) % classes
    x = centres[y] + rng.normal(size=(n + tests, d))
    y = np.where(rng.uniform(size=n + tests) < 0.05, (y + 1) % classes, y)
    w = references.uniform(n)
    theta = references.cold_fit(x[:n], y[:n], w, l2, kind, TEMPERATURE, 1e-11)
    objective = LinearObjective.build(torch.tensor(x[:n]), torch.tensor(y[:n]), loss_of(kind), l2)
    return Linear(objective, torch.tensor(theta), x[:n], y[:n], w, l2, kind, x[n:], y[n:])


@dataclass(frozen=True)
class SquaredLoss:
    """Half the squared distance of the outputs from the label's unit vector; its curvature is the identity."""

    classes: int = 3

    @property
    def outputs(self) -> int:
        return self.classes

    def values(self, f: Tensor, y: Tensor) -> Tensor:
        return 0.5 * self.residuals(f, y).square().sum(1)

    def residuals(self, f: Tensor, y: Tensor) -> Tensor:
        return f - torch.eye(self.classes, dtype=f.dtype)[y]  # one_hot looks at y, which vmap forbids

    def curvature(self, f: Tensor, y: Tensor):
        return lambda u: u.clone()


def network(name: str, n: int = 20, seed: int = 0) -> tuple[NetworkObjective, Tensor]:
    """A tiny network with smooth activations on pictures of 5 x 5, biases unpenalised, at a random theta."""
    bias = name.endswith("with bias")
    if name.startswith("linear"):
        module = nn.Sequential(
            nn.Flatten(), nn.Linear(25, 2, bias=bias), nn.Tanh(), nn.Linear(2, 3, bias=bias)
        )
    else:
        module = nn.Sequential(
            nn.Conv2d(1, 3, 3, stride=2, bias=bias), nn.Tanh(), nn.Conv2d(3, 3, 2, bias=bias), nn.Flatten()
        )
    module = module.double()
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 25, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (n,), generator=generator)
    l2 = torch.cat(
        [p.new_full((p.numel(),), 0.1 if p.ndim > 1 else 0.0) for p in module.parameters()]
    ).detach()
    objective = NetworkObjective.build(module, x, y, SoftmaxLoss(3), l2, input_shape=(1, 5, 5))
    theta = 0.5 * torch.randn(objective.dim, generator=generator, dtype=torch.float64)
    return objective, theta


def pictures(objective: Objective) -> Tensor:
    """The inputs of a network problem in the shape its module takes."""
    return objective.x.view(-1, 1, 5, 5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal float64 numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_study(name: str = "linear") -> Study:
    """A study of a tiny network at a random theta, where the risk is not convex; its first examples are the test."""
    objective, theta = network(name)
    ids = torch.arange(objective.n)
    train = Examples(objective.x, objective.y, ids)
    test = Examples(objective.x[:4], objective.y[:4], ids[:4] + 100)
    toy = DataSet("toy", "Toy", train, test, ("a", "b", "c"), (5, 5))
    norm = float(objective.risk_gradient(theta).norm())
    spec = StudySpec("toy", "Toy", "toy", "all-convolutional", 0.1, damping=0.01)
    return Study(spec, toy, objective, theta, norm, 0.0, False, "0" * 64)


def linear_study(toy: Linear) -> Study:
    """The same problem as a study of rows; the ids of its training rows count from 500, those of its tests from 900."""
    names, (xt, yt) = tuple("abc"[: int(toy.y.max()) + 1]), toy.tests
    train = Examples(toy.objective.x, toy.objective.y, 500 + torch.arange(toy.objective.n))
    test = Examples(xt, yt, 900 + torch.arange(len(yt)))
    rows = DataSet("toy", "Toy", train, test, names, None, kind="row")
    norm = float(toy.objective.risk_gradient(toy.theta).norm())
    spec = StudySpec("toy", "Toy", "toy", toy.kind, toy.l2)
    return Study(
        spec, rows, toy.objective, toy.theta, norm, 0.0, False, toy.kind.encode().hex().ljust(64, "0")
    )
