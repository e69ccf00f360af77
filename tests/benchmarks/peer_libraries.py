"""Other people's libraries at the work of `peers`, each by its own documented calls and its quickest way to the data.

A peer is prepared once, for one setting of its accuracy, and then gives the scores of the first ``k`` test examples in our
unit, ``w_i s_j . grad l_i``, ``(k, n)``. All solve ``(H + l2 I) s = grad l``, ``H`` the mean Hessian of the data.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from influence_core.objective import LinearObjective
from tests.benchmarks.scores import Problem

Scores = Callable[[int], Tensor]
ABSOLUTE = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
"""Residuals at which an iteration ends, loose to tight."""
ITERATIONS = (10, 15, 20, 25, 30, 40, 50, 60, 80)
"""The same for a library that reads no tolerance."""
MOST_ITERATIONS = 150
BATCH = 100
"""Examples whose Hessian is formed at once: 31 MB for each number that it is made of."""


@dataclass(frozen=True)
class Peer:
    """A way of another library.

    Attributes:
        package: To import.
        distribution: Whose version is said.
        way: In words.
        prepare: A problem and a setting -> scores.
        settings: Of its accuracy, loose to tight.
        exact: Whether it claims the exact answer.
        many: Whether it is asked many questions together; not, where it would only ask itself one after the other.
    """

    package: str
    distribution: str
    way: str
    prepare: Callable[[Problem, float], Scores]
    settings: Sequence[float] = (0.0,)
    exact: bool = True
    many: bool = True

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None

    @property
    def name(self) -> str:
        return f"{self.distribution} {version(self.distribution)}, {self.way}"


class Head(nn.Module):
    """``x W`` with ``W`` in the order of ``theta``."""

    def __init__(self, given: Problem) -> None:
        super().__init__()
        self.weight = nn.Parameter(given.theta.view(given.x.shape[1], -1).clone())

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


class Rows(Dataset):
    """Examples that come as one slice instead of one by one: a loader's own collating would be most of its time."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitems__(self, at: list[int]) -> tuple[Tensor, Tensor]:
        rows = slice(at[0], at[-1] + 1)
        return self.x[rows], self.y[rows]


def _loader(x: Tensor, y: Tensor, size: int) -> DataLoader:
    return DataLoader(Rows(x, y), batch_size=size, collate_fn=lambda rows: rows)


def _mean(inner: Tensor) -> Tensor:
    """From inner products to removals of one of ``n`` examples."""
    return inner / inner.shape[1]


# --------------------------------------------------------------------------------------------------- pyDVL


def _pydvl(block: bool) -> Callable[[Problem, float], Scores]:
    def prepare(given: Problem, residual: float) -> Scores:
        from pydvl.influence.torch import CgInfluence

        o = given.objective
        model = CgInfluence(
            Head(given),
            nn.functional.cross_entropy,
            regularization=float(o.l2),
            rtol=0.0,
            atol=residual**0.5,  # it stops at the square
            maxiter=MOST_ITERATIONS,
            solve_simultaneously=block,
            warn_on_max_iteration=False,
        ).fit(_loader(o.x, o.y, o.n))
        return lambda k: _mean(model.influences(given.x[:k], given.y[:k], o.x, o.y))

    return prepare


def _pydvl_direct(given: Problem, _: float) -> Scores:
    from pydvl.influence.torch import DirectInfluence

    o = given.objective
    model = DirectInfluence(Head(given), nn.functional.cross_entropy, regularization=float(o.l2))
    model = model.fit(_loader(o.x, o.y, BATCH))
    return lambda k: _mean(model.influences(given.x[:k], given.y[:k], o.x, o.y))


# -------------------------------------------------------------------------------------------------- dattri


def _dattri(given: Problem, iterations: float) -> Scores:
    from dattri.algorithm.influence_function import IFAttributorCG
    from dattri.task import AttributionTask

    o, model = given.objective, Head(given)

    def loss(params: dict[str, Tensor], data: tuple[Tensor, Tensor]) -> Tensor:
        x, y = data
        return nn.functional.cross_entropy(torch.func.functional_call(model, params, (x,)), y)

    task = AttributionTask(loss_func=loss, model=model, checkpoints=model.state_dict())
    attributor = IFAttributorCG(task, max_iter=int(iterations), regularization=float(o.l2))
    training = _loader(o.x, o.y, o.n)
    attributor.cache(training)

    def scores(k: int) -> Tensor:
        with redirect_stderr(io.StringIO()):  # its bars
            found = attributor.attribute(training, _loader(given.x[:k], given.y[:k], k))
        return _mean(found.T.detach())

    return scores


# ---------------------------------------------------------------------------------------------- curvlinops


def _curvlinops(given: Problem, residual: float) -> Scores:
    """It ends with ``s``; the gradients before and the products after are ours, the quickest there are."""
    from curvlinops import CGInverseLinearOperator, HessianLinearOperator
    from curvlinops.examples import IdentityLinearOperator

    o, model = given.objective, Head(given)
    weights = [model.weight]
    hessian = HessianLinearOperator(
        model, nn.CrossEntropyLoss(), weights, [(o.x, o.y)], check_deterministic=False
    )
    damping = float(o.l2) * IdentityLinearOperator([tuple(model.weight.shape)], o.x.device, o.x.dtype)
    inverse = CGInverseLinearOperator(
        hessian + damping,
        tolerance=residual,
        max_iter=MOST_ITERATIONS,
        eps=1e-30,  # by default it stands still at 1e-5
    )
    products = o.training_products(given.theta)

    def scores(k: int) -> Tensor:
        sides = o.gradients(given.theta, given.x[:k], given.y[:k]).T.contiguous()
        return _mean(products(inverse @ sides).T)

    return scores


# --------------------------------------------------------------------------------------------- kronfluence


def _kronfluence(given: Problem, _: float) -> Scores:
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Softmax(Task):
        def compute_train_loss(self, batch, model, sample=False):
            x, y = batch
            outputs = model(x)
            if sample:
                y = torch.multinomial(outputs.detach().softmax(1), 1)[:, 0]
            return nn.functional.cross_entropy(outputs, y, reduction="sum")

        def compute_measurement(self, batch, model):
            return self.compute_train_loss(batch, model)

    o = given.objective
    layer = nn.Linear(o.x.shape[1], o.loss.outputs, bias=False, dtype=o.x.dtype)
    layer.weight.data.copy_(given.theta.view(o.x.shape[1], -1).T)
    folder = tempfile.TemporaryDirectory()
    analyzer = Analyzer(
        "peers",
        prepare_model(nn.Sequential(layer), Softmax()),
        Softmax(),
        cpu=True,
        disable_tqdm=True,
        output_dir=folder.name,
    )
    training = TensorDataset(o.x, o.y)
    analyzer.fit_all_factors("factors", training, per_device_batch_size=o.n, factor_args=FactorArguments())

    def scores(k: int, _: object = folder) -> Tensor:
        analyzer.compute_pairwise_scores(
            "scores",
            "factors",
            TensorDataset(given.x[:k], given.y[:k]),
            training,
            per_device_query_batch_size=k,
            per_device_train_batch_size=o.n,
            score_args=ScoreArguments(damping_factor=float(o.l2)),
            overwrite_output_dir=True,
        )
        return _mean(analyzer.load_pairwise_scores("scores")["all_modules"])

    return scores


PEERS = (
    Peer("pydvl", "pydvl", "conjugate gradient", _pydvl(block=False), ABSOLUTE, many=False),
    Peer("pydvl", "pydvl", "block conjugate gradient", _pydvl(block=True), ABSOLUTE),
    Peer("pydvl", "pydvl", "direct", _pydvl_direct, many=False),
    Peer("dattri", "dattri", "conjugate gradient", _dattri, ITERATIONS),
    Peer("curvlinops", "curvlinops-for-pytorch", "conjugate gradient", _curvlinops, ABSOLUTE),
    Peer("kronfluence", "kronfluence", "EK-FAC", _kronfluence, exact=False),
)


# --------------------------------------------------------------------------------------------- pyinfluence


def pyinfluence(objective: LinearObjective, theta: Tensor) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Prepared for a logistic regression that is ours already: features and labels of test examples -> scores ``(t, n)``."""
    from pyinfluence import InfluenceFunctions
    from sklearn.linear_model import LogisticRegression

    o = objective
    model = LogisticRegression(C=1 / (o.n * float(o.l2)), fit_intercept=False)
    model.classes_, model.n_features_in_ = np.array([0, 1]), o.x.shape[1]
    model.coef_, model.intercept_ = theta.numpy()[None], np.zeros(1)
    return InfluenceFunctions(mode="loss", damping=0.0).fit(model, o.x.numpy(), o.y.numpy()).explain


def has_pyinfluence() -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec("pyinfluence") is not None


def quiet() -> None:
    """No warnings of the peers among our lines."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
