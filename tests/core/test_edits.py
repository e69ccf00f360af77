"""Edits of the training set: the exact gradient change, the predicted loss change, and real retraining."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import DataError, ShapeError
from influence_core.influence import InfluenceEngine, InfluenceScores
from influence_core.operators import Hessian
from influence_core.retraining.edits import Edit, pixel_influence, predict
from influence_core.solvers import Cholesky
from tests import references
from tests.problems import KINDS, NETWORKS, Linear, linear, network, normal


def _scores(toy: Linear) -> InfluenceScores:
    operator = Hessian(toy.objective, toy.theta)
    engine = InfluenceEngine(toy.objective, toy.theta, operator, Cholesky().prepare(operator))
    return engine.score(*toy.tests)


def _actual(toy: Linear, w=None, x=None, y=None) -> torch.Tensor:
    """Real changes of the test losses (t,), from a cold refit by the references."""
    return toy.test_losses(toy.refit(w, x, y)) - toy.test_losses(toy.theta)


def _edits(toy: Linear, count: int = 12):
    """One edit of each kind for ``count`` examples, with the arrays of the edited problem."""
    classes = int(toy.y.max()) + 1
    for i in range(count):
        w, x, y = toy.w.copy(), toy.x.copy(), toy.y.copy()
        w[i] = 0
        yield "removal", Edit.removal([i]), (w, None, None)
        w = toy.w.copy()
        w[i] = 1.5 / len(w)
        yield "weight", Edit(torch.tensor([i]), weight=1.5), (w, None, None)
        y[i] = (y[i] + 1) % classes
        yield "relabel", Edit.relabel([i], [int(y[i])]), (None, None, y)
        x[i] = toy.xt[i % len(toy.xt)]
        yield "replacement", Edit.replacement(i, torch.tensor(x[i])), (None, x, None)
        yield "both", Edit.replacement(i, torch.tensor(x[i]), int(y[i])), (None, x, y)
        w = toy.w.copy()
        w[[i, i + count]] = 0
        yield "group", Edit.removal([i, i + count]), (w, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_change_is_exact(kind):
    toy = linear(kind)
    for name, edit, (w, x, y) in _edits(toy, 3):
        x, y, w = (old if new is None else new for new, old in ((x, toy.x), (y, toy.y), (w, toy.w)))
        at = toy.theta.numpy()
        after = references.risk_gradient(at, x, y, w, toy.l2, kind, toy.temperature)
        before = references.risk_gradient(at, toy.x, toy.y, toy.w, toy.l2, kind, toy.temperature)
        change = edit.gradient_change(toy.objective, toy.theta)
        assert_close(
            change, torch.tensor(after - before), rtol=1e-8, atol=1e-14, msg=lambda m, n=name: f"{n}: {m}"
        )
        edited = edit.apply(toy.objective)
        assert_close(edited.risk_gradient(toy.theta), torch.tensor(after), rtol=1e-10, atol=1e-13)
    assert_close(toy.objective.x, torch.tensor(toy.x), rtol=0, atol=0)
    assert_close(toy.objective.y, torch.tensor(toy.y), rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_predictions_agree_with_real_retraining(kind):
    toy = linear(kind, n=150)
    o, at = toy.objective, toy.theta
    s = _scores(toy).solve.require()
    pairs: dict[str, list[tuple[float, float]]] = {}
    for name, edit, (w, x, y) in _edits(toy):
        predicted, actual = predict(o, at, edit, s), _actual(toy, w, x, y)
        pairs.setdefault(name, []).extend(zip(actual.tolist(), predicted.tolist(), strict=True))
    assert set(pairs) == {"removal", "weight", "relabel", "replacement", "both", "group"}
    for name, found in pairs.items():
        actual, predicted = np.array(found).T
        pearson, slope = references.regression(actual, predicted)
        assert pearson > 0.99, name
        assert 0.85 < slope < 1.1, name
        large = abs(actual) > 0.3 * abs(actual).max()
        assert (np.sign(actual[large]) == np.sign(predicted[large])).all(), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_is_the_sum_of_its_removals_and_a_relabel_the_difference_of_two(kind):
    toy = linear(kind)
    o, at = toy.objective, toy.theta
    scores = _scores(toy)
    s = scores.solve.require()
    tight = {"rtol": 1e-9, "atol": 1e-14}
    assert_close(predict(o, at, Edit.removal([4, 9, 11]), s), scores.values[:, [4, 9, 11]].sum(1), **tight)
    assert_close(predict(o, at, Edit.removal([4]), s[:, 2]), scores.values[2, 4], **tight)

    new = (int(toy.y[4]) + 1) % (int(toy.y.max()) + 1)
    gradient = toy.gradients(toy.x[4:5], np.array([new]))[0]
    up = -(gradient @ s)  # I_up,loss of the new example
    expected = (up + toy.objective.n * scores.values[:, 4]) / toy.objective.n
    assert_close(predict(o, at, Edit.relabel([4], [new]), s), expected, **tight)


def test_an_edit_that_changes_nothing_predicts_nothing():
    toy = linear("softmax")
    o, at = toy.objective, toy.theta
    s = _scores(toy).solve.require()
    for edit in (
        Edit.relabel([4], toy.objective.y[[4]]),
        Edit.replacement(4, toy.objective.x[4]),
        Edit(torch.tensor([4]), weight=1.0),
    ):
        assert_close(predict(o, at, edit, s), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-15)


# ------------------------------------------------------------------------------------------- pixel influence


@pytest.mark.parametrize("name", [*KINDS, *NETWORKS])
def test_t7_pixel_influence_is_minus_the_slope_of_the_score(name):
    """I_pert = -d(n D_i)/dx: central differences of the score itself."""
    if name in KINDS:
        toy = linear(name)
        objective, theta = toy.objective, toy.theta
    else:
        objective, theta = network(name)
    s = normal(objective.dim, seed=5)
    for i in (0, 3):
        steps = 1e-5 * torch.eye(objective.x.shape[1], dtype=torch.float64)
        slopes = []
        for step in steps:
            moved = [
                objective.replacing([i], (objective.x[i] + sign * step)[None], objective.y[[i]])
                for sign in (1, -1)
            ]
            scores = [objective.n * (o.weights * o.gradient_products(theta, o.x, o.y, s))[i] for o in moved]
            slopes.append((scores[0] - scores[1]) / 2e-5)
        assert_close(pixel_influence(objective, theta, i, s), -torch.stack(slopes), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_t7_moving_an_input_along_pixel_influence_raises_the_test_loss(kind):
    """The sign, once: a real retraining with x + delta changes the loss by I_pert . delta / n."""
    toy = linear(kind)
    o, at = toy.objective, toy.theta
    s = _scores(toy).solve.require()
    for i in (0, 17):
        influence = pixel_influence(o, at, i, s[:, 0])
        delta = 0.01 * influence / influence.norm()
        x = toy.x.copy()
        x[i] += delta.numpy()
        actual = _actual(toy, x=x)[0].item()
        assert actual > 0
        assert actual == pytest.approx((influence @ delta).item() / toy.objective.n, rel=0.03)
        finite = predict(o, at, Edit.replacement(i, torch.tensor(x[i])), s[:, 0])
        assert actual == pytest.approx(finite.item(), rel=0.03)


# ------------------------------------------------------------------------------------------------ the border


def test_what_does_not_fit_is_refused_at_the_border():
    toy = linear("softmax")
    o, at = toy.objective, toy.theta
    s = torch.zeros(15, dtype=torch.float64)
    for positions in ([], [3, 3]):
        with pytest.raises(ShapeError, match="at least one training position, and each position once"):
            Edit.removal(positions)
    with pytest.raises(ShapeError, match="2 examples needs 2 rows of y, but has 1"):
        Edit.relabel([1, 2], [0])
    for position in (60, -1):
        edits = [Edit.removal([position]), Edit.relabel([position], [0]), Edit.replacement(position, o.x[0])]
        for edit in edits:
            with pytest.raises(ShapeError, match="between 0 and 59"):
                edit.apply(o)
            with pytest.raises(ShapeError, match="between 0 and 59"):
                predict(o, at, edit, s)
    with pytest.raises(DataError, match="from 0 to 2"):
        predict(o, at, Edit.relabel([0], [3]), s)
    with pytest.raises(DataError, match="from 0 to 2"):
        Edit.relabel([0], [-1]).apply(o)
    with pytest.raises(ShapeError, match=r"x must have shape \(b, 5\)"):
        predict(o, at, Edit.replacement(0, torch.zeros(4)), s)
    for position in (60, -1):
        with pytest.raises(ShapeError, match="between 0 and 59"):
            pixel_influence(o, at, position, s)
