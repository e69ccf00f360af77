"""Real retraining, proved: each edited model's gradient is recomputed, some are fitted by scikit-learn."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.testing import assert_close

from influence_core import data
from influence_core.errors import Cancelled
from influence_core.influence import InfluenceEngine
from influence_core.losses import SoftmaxLoss
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.retraining import linear as linear_retraining
from influence_core.retraining.edits import Edit, predict
from influence_core.retraining.linear import retrain, retrain_cold
from influence_core.solvers import Cholesky, LiSSA
from influence_core.training import minimise
from tests import references
from tests.problems import KINDS, Linear, linear, network, pictures


def _edits(toy: Linear) -> list[tuple[Edit, tuple]]:
    """Edits of every kind, each with the edited weights, inputs and labels."""
    classes, found = int(toy.y.max()) + 1, []
    for i in range(4):
        w, x, y = toy.w.copy(), toy.x.copy(), toy.y.copy()
        w[i] = 0
        y[i] = (y[i] + 1) % classes
        x[i] = toy.xt[i]
        heavier, group = toy.w.copy(), toy.w.copy()
        heavier[i] = 40 / len(w)
        group[[i, i + 9, i + 20]] = 0
        found += [
            (Edit.removal([i]), (w, toy.x, toy.y)),
            (Edit.removal([i, i + 9, i + 20]), (group, toy.x, toy.y)),
            (Edit(torch.tensor([i]), weight=40.0), (heavier, toy.x, toy.y)),
            (Edit.relabel([i], [int(y[i])]), (toy.w, toy.x, y)),
            (Edit.replacement(i, torch.tensor(x[i])), (toy.w, x, toy.y)),
            (Edit.replacement(i, torch.tensor(x[i]), int(y[i])), (toy.w, x, y)),
        ]
    return found


def _norm(toy: Linear, theta: torch.Tensor, w, x, y) -> float:
    return references.gradient_norm(theta.numpy(), x, y, w, toy.l2, toy.kind, toy.temperature)


def _inverse(objective, theta, solver=None):
    return (solver or Cholesky()).prepare(Hessian(objective, theta))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("help_", ["none", "exact inverse", "rough inverse"])
def test_every_edited_model_is_the_cold_fit_of_the_references(kind, help_, monkeypatch):
    monkeypatch.setattr(linear_retraining, "BLOCK_MODELS", 7)
    toy = linear(kind)
    inverse = {
        "none": None,
        "exact inverse": _inverse(toy.objective, toy.theta),
        "rough inverse": _inverse(toy.objective, toy.theta, LiSSA(repeats=1, depth=20, scale=20.0)),
    }[help_]
    edits = _edits(toy)
    models = retrain(toy.objective, toy.theta, [edit for edit, _ in edits], inverse)
    assert models.theta.shape == (24, toy.objective.dim)
    assert models.converged.all()
    for theta, norm, (_, (w, x, y)) in zip(models.theta, models.gradient_norms, edits, strict=True):
        assert norm <= 1e-10
        assert _norm(toy, theta, w, x, y) <= 1.01e-10
        assert_close(theta, toy.refit(w, x, y), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exact_inverse_finishes_the_block_and_leaves_nothing_to_newton(kind, monkeypatch):
    monkeypatch.delattr(linear_retraining, "minimise")
    toy = linear(kind, n=150)
    edits = [edit for edit, _ in _edits(toy) if edit.weight != 40]
    models = retrain(toy.objective, toy.theta, edits, _inverse(toy.objective, toy.theta), gradient_norm=1e-9)
    assert models.converged.all()
    assert models.gradient_norms.max() <= 1e-9


def test_the_reported_gradient_norm_is_the_edited_models_own():
    toy = linear("softmax")
    edits = _edits(toy)
    models = retrain(toy.objective, toy.theta, [edit for edit, _ in edits], None, gradient_norm=1e-3)
    for theta, norm, (_, (w, x, y)) in zip(models.theta, models.gradient_norms, edits, strict=True):
        assert norm.item() == pytest.approx(_norm(toy, theta, w, x, y), rel=1e-8)
    assert models.gradient_norms.max() > 1e-6, "a loose target should show"
    assert models.converged.all()
    impossible = retrain(toy.objective, toy.theta, [Edit.removal([0])], None, gradient_norm=0.0)
    assert not impossible.converged.any()


@pytest.mark.parametrize("help_", ["none", "exact inverse"])
def test_every_model_has_its_own_target_and_stops_there(help_):
    toy = linear("softmax")
    edits = [edit for edit, _ in _edits(toy)][:6]
    inverse = _inverse(toy.objective, toy.theta) if help_ == "exact inverse" else None
    targets = torch.tensor([1e-2, 1e-12, 1e-3, 1e-11, 1e-2, 1e-10], dtype=torch.float64)
    models = retrain(toy.objective, toy.theta, edits, inverse, targets)
    assert models.converged.all()
    assert (models.gradient_norms <= targets).all()
    assert (models.gradient_norms[::2] > 1e-9).all(), "a model that has arrived takes no more steps"
    for theta, norm, (_, (w, x, y)) in zip(models.theta, models.gradient_norms, _edits(toy), strict=False):
        assert norm.item() == pytest.approx(_norm(toy, theta, w, x, y), rel=1e-3, abs=1e-14)


def test_side_by_side_progress_tells_how_many_are_done_and_can_stop(monkeypatch):
    monkeypatch.setattr(linear_retraining, "BLOCK_MODELS", 2)
    toy = linear("softmax")
    inverse, edits = _inverse(toy.objective, toy.theta), [edit for edit, _ in _edits(toy)][:5]
    seen = []
    retrain(toy.objective, toy.theta, edits, inverse, progress=lambda *report: seen.append(report))
    fractions = [fraction for fraction, _ in seen]
    assert min(np.diff(fractions)) > -1e-12
    assert list(dict.fromkeys(words for _, words in seen)) == [
        f"{n} of 5 models retrained" for n in (0, 2, 4, 5)
    ]

    def stop(fraction, message):
        if message.startswith("2 of 5"):
            raise Cancelled

    with pytest.raises(Cancelled):
        retrain(toy.objective, toy.theta, edits, inverse, progress=stop)


def test_the_control_changes_nothing():
    toy = linear("softmax")
    before = toy.test_losses(toy.theta)
    same = Edit(torch.tensor([4]), weight=1.0)
    for models in (
        retrain(toy.objective, toy.theta, [same], _inverse(toy.objective, toy.theta)),
        retrain_cold(toy.objective, None),
    ):
        assert (toy.test_losses(models.theta[0]) - before).abs().max() < 1e-8
        assert models.converged.all()


def test_a_wild_edit_still_reaches_its_own_optimum():
    toy = linear("logistic")
    x = toy.x.copy()
    x[0] = 300
    edits = [Edit.replacement(0, torch.tensor(x[0])), Edit.removal(list(range(50)))]
    models = retrain(toy.objective, toy.theta, edits, _inverse(toy.objective, toy.theta))
    w = toy.w.copy()
    w[:50] = 0
    assert models.converged.all()
    assert _norm(toy, models.theta[0], toy.w, x, toy.y) <= 1.01e-10
    assert _norm(toy, models.theta[1], w, toy.x, toy.y) <= 1.01e-10


def test_the_caller_keeps_the_parameters_it_passed():
    toy = linear("softmax")
    kept = toy.theta.clone()
    retrain(toy.objective, toy.theta, [Edit.removal([0])], _inverse(toy.objective, toy.theta))
    assert_close(toy.theta, kept, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["convolution", "linear"])
def test_networks_are_retrained_from_where_they_stand(name):
    objective, start = network(name, n=200)
    theta = minimise(objective, start, gradient_norm=1e-9, max_steps=4000).theta
    operator = Hessian(objective, theta)
    assert torch.linalg.eigvalsh(operator.dense()).min() > 1e-4, "a strict minimum, or nothing is predicted"
    engine = InfluenceEngine(objective, theta, operator, Cholesky().prepare(operator))
    x, y = objective.x[:1] + 0.2, objective.y[:1]
    scores = engine.score(x, y)
    order = scores.values[0].abs().argsort(descending=True)[:12].tolist()
    models = retrain(objective, theta, [Edit.removal([i]) for i in order], engine.inverse, gradient_norm=1e-8)
    assert models.converged.all()
    inputs = pictures(objective)
    actual = []
    for at, i in zip(models.theta, order, strict=True):
        w = objective.weights.clone()
        w[i] = 0
        gradient = (
            w @ references.network_gradients(objective.module, at, inputs, objective.y) + objective.l2 * at
        )
        assert gradient.norm() <= 1.01e-8
        actual.append((objective.losses(at, x, y) - objective.losses(theta, x, y)).item())
    predicted = scores.values[0, order].numpy()
    pearson, slope = references.regression(np.array(actual), predicted)
    assert pearson > 0.95
    assert 0.7 < slope < 1.1
    assert (np.sign(actual) == np.sign(predicted)).mean() > 0.9


# --------------------------------------------------------------------------------------- the proof on digits


@dataclass(frozen=True)
class Digits:
    """Ten digits, softmax, fitted; one wrongly classified test example."""

    objective: LinearObjective
    theta: torch.Tensor
    engine: InfluenceEngine
    xt: torch.Tensor
    yt: torch.Tensor

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return self.objective.x.numpy(), self.objective.y.numpy()

    def change(self, theta: torch.Tensor) -> float:
        """The test loss at theta less that of the model, by the references."""
        losses = [
            references.losses(at.numpy(), self.xt.numpy(), self.yt.numpy(), "softmax")[0]
            for at in (theta, self.theta)
        ]
        return losses[0] - losses[1]


L2 = 0.01


def _small() -> tuple[torch.Tensor, ...]:
    x, y = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
    return x[:1500] / 16, y[:1500], x[1500:] / 16, y[1500:]


def _packaged() -> tuple[torch.Tensor, ...]:
    digits = data.load("digits")
    return digits.train.x, digits.train.y, digits.test.x, digits.test.y


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(_small, id="8x8"),
        pytest.param(_packaged, id="packaged", marks=pytest.mark.slow),
    ],
)
def digits(request) -> Digits:
    x, y, test_x, test_y = request.param()
    objective = LinearObjective.build(x, y, SoftmaxLoss(10), L2)
    theta = minimise(objective).theta
    wrong = (objective.outputs(theta, test_x).argmax(1) != test_y).nonzero()[0]
    operator = Hessian(objective, theta)
    engine = InfluenceEngine(objective, theta, operator, Cholesky().prepare(operator))
    return Digits(objective, theta, engine, test_x[wrong], test_y[wrong])


def _proved(digits: Digits, theta: torch.Tensor, i: int, w, x, y) -> None:
    """The gradient of the edited risk is nothing against what the edit itself put into it."""
    own = references.gradients(digits.theta.numpy(), *(part[[i]] for part in digits.arrays), "softmax")[0]
    norm = references.gradient_norm(theta.numpy(), x, y, w, L2, "softmax")
    assert norm <= 1e-4 * np.linalg.norm(own) / len(x)


@pytest.mark.slow
def test_the_100_most_influential_digits_left_out_one_by_one(digits):
    scores = digits.engine.score(digits.xt, digits.yt)
    predicted = scores.values[0]
    order = predicted.abs().argsort(descending=True)[:100]
    edits = [Edit.removal([i]) for i in order.tolist()]
    models = retrain(digits.objective, digits.theta, edits, digits.engine.inverse)
    assert models.converged.all()

    x, y = digits.arrays
    actual = np.array([digits.change(theta) for theta in models.theta])
    for i, theta in zip(order.tolist(), models.theta, strict=True):
        w = references.uniform(len(x))
        w[i] = 0
        _proved(digits, theta, i, w, x, y)
    pearson, slope = references.regression(actual, predicted[order].numpy())
    assert pearson > 0.999
    assert 0.9 < slope < 1.02

    for at in (0, 1, 2, 50, 99):
        w = references.uniform(len(x))
        w[order[at]] = 0
        cold = references.cold_fit(x, y, w, L2, "softmax")
        assert abs(digits.change(torch.tensor(cold)) - actual[at]) < 0.01 * abs(actual).max()

    control = retrain_cold(digits.objective, None)
    assert abs(digits.change(control.theta[0])) < 1e-6
    assert (
        abs(digits.change(torch.tensor(references.cold_fit(x, y, references.uniform(len(x)), L2, "softmax"))))
        < 1e-6
    )


def test_three_digits_relabelled_and_three_replaced(digits):
    s = digits.engine.inverse_gradients(digits.xt, digits.yt).require()[:, 0]
    most = digits.engine.removal(s).abs().argsort(descending=True)[:3].tolist()
    x, y = digits.arrays
    found = []
    for i in most:
        relabelled, replaced = y.copy(), x.copy()
        relabelled[i] = digits.yt.item() if relabelled[i] != digits.yt.item() else (relabelled[i] + 1) % 10
        replaced[i] = digits.xt[0].numpy()
        found += [
            (Edit.relabel([i], [int(relabelled[i])]), i, x, relabelled),
            (Edit.replacement(i, digits.xt[0]), i, replaced, y),
        ]
    models = retrain(digits.objective, digits.theta, [edit for edit, *_ in found], digits.engine.inverse)
    w = references.uniform(len(x))
    actual = np.array([digits.change(theta) for theta in models.theta])
    predicted = [predict(digits.objective, digits.theta, edit, s).item() for edit, *_ in found]
    for at, (_, i, new_x, new_y) in enumerate(found):
        _proved(digits, models.theta[at], i, w, new_x, new_y)
        cold = references.cold_fit(new_x, new_y, w, L2, "softmax")
        assert abs(digits.change(torch.tensor(cold)) - actual[at]) < 0.01 * abs(actual).max()
    pearson, slope = references.regression(actual, np.array(predicted))
    assert pearson > 0.999
    assert (
        0.9 < slope < 1.1
    )  # what leaves is under-estimated by its leverage, what comes in is over-estimated
