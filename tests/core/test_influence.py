"""The engine against dense formulas and against real refits: value, slope, sign, and every exact identity."""

import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import DataError, ShapeError, SolveError, UnsupportedError
from influence_core.influence import InfluenceEngine, leverage
from influence_core.influence import engine as influence
from influence_core.objective import LinearObjective
from influence_core.operators import GaussNewton, Hessian
from influence_core.solvers import Cholesky, ConjugateGradient, LiSSA
from tests import references
from tests.problems import KINDS, NETWORKS, Linear, linear, network, pictures

EXACT = {"Cholesky": Cholesky(), "conjugate gradient": ConjugateGradient(rtol=1e-12)}
ESTIMATORS = EXACT | {"LiSSA": LiSSA(batch=60, repeats=8)}


def _engine(objective, theta, solver=EXACT["Cholesky"], curvature=Hessian, damping=0.0) -> InfluenceEngine:
    operator = curvature(objective, theta, damping)
    return InfluenceEngine(objective, theta, operator, solver.prepare(operator))


def _actual_changes(toy: Linear, positions) -> torch.Tensor:
    """Real changes of the test losses (t, m) if one example is left out and the model fitted again, cold."""
    before = toy.test_losses(toy.theta)
    changes = []
    for i in positions:
        w = toy.w.copy()
        w[i] = 0
        changes.append(toy.test_losses(toy.refit(w)) - before)
    return torch.stack(changes, 1)


# ----------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", EXACT)
def test_scores_are_the_dense_formula(solver, kind):
    toy = linear(kind)
    expected = toy.removal_scores()
    first = references.removal_scores(
        toy.x, toy.y, toy.theta.numpy(), toy.l2, kind, toy.xt[0], toy.yt[0], toy.temperature
    )
    assert_close(expected[0], torch.tensor(first), rtol=1e-10, atol=1e-15)
    scores = _engine(toy.objective, toy.theta, EXACT[solver]).score(*toy.tests)
    assert scores.values.shape == (4, 60)
    assert_close(scores.values, expected, rtol=0, atol=1e-8 * expected.abs().max().item())
    assert scores.solve.status == "converged"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("curvature", [Hessian, GaussNewton])
def test_scores_of_a_network_are_the_dense_formula(name, curvature):
    objective, theta = network(name)
    data = (objective.module, theta, pictures(objective), objective.y)
    oracle = references.network_hessian if curvature is Hessian else references.network_gauss_newton
    dense = oracle(*data, objective.weights, objective.l2)
    damping = 0.1 - min(0.0, torch.linalg.eigvalsh(dense).min().item())
    dense = dense + damping * torch.eye(len(theta), dtype=theta.dtype)
    gradients = references.network_gradients(*data)
    x, y = objective.x[:3] + 0.1, objective.y[:3]
    tests = references.network_gradients(objective.module, theta, x.view(-1, 1, 5, 5), y)
    expected = torch.linalg.solve(dense, tests.T).T @ gradients.T / objective.n
    scores = _engine(objective, theta, Cholesky(), curvature, damping).score(x, y)
    assert_close(scores.values, expected, rtol=1e-8, atol=1e-10)
    one = _engine(objective, theta, Cholesky(), curvature, damping).removal(scores.solve.value[:, 0])
    assert_close(one, gradients @ scores.solve.value[:, 0] / objective.n, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["_solved", "_multiplied"])
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_newton_removal_is_the_dense_step_on_the_risk_without_the_example(kind, way, damping, monkeypatch):
    chosen = getattr(leverage, way)
    for name in ("_solved", "_multiplied"):
        monkeypatch.setattr(leverage, name, chosen)
    monkeypatch.setattr(leverage, "BLOCK", 7)
    toy = linear(kind)
    engine = _engine(toy.objective, toy.theta, damping=damping)
    s = engine.inverse_gradients(*toy.tests).require()
    tests, own = toy.gradients(toy.xt, toy.yt), toy.gradients(toy.x, toy.y) / 60
    expected = torch.empty(4, 60, dtype=torch.float64)
    for i in range(60):
        w = toy.w.copy()
        w[i] = 0
        left_out = references.hessian(toy.theta.numpy(), toy.x, toy.y, w, toy.l2, kind, toy.temperature)
        left_out = torch.tensor(left_out) + damping * torch.eye(toy.objective.dim, dtype=torch.float64)
        expected[:, i] = tests @ torch.linalg.solve(left_out, own[i])
    found = engine.newton_removal(s)
    assert_close(found, expected, rtol=1e-8, atol=1e-14)
    assert (found - engine.removal(s)).abs().max() > 1e-2 * found.abs().max(), "the correction should show"
    some = torch.tensor([40, 3, 17])
    assert_close(engine.newton_removal(s[:, 2], some), expected[2, some], rtol=1e-8, atol=1e-14)


def test_the_cheaper_way_to_the_leverages_is_taken(monkeypatch):
    toy = linear("softmax")  # 15 parameters, 3 outputs: up to 6 examples are solved one by one
    engine = _engine(toy.objective, toy.theta)
    s = engine.inverse_gradients(*toy.tests).require()
    for way, few in (("_multiplied", True), ("_solved", False)):
        with monkeypatch.context() as patch:
            patch.delattr(leverage, way)
            assert engine.newton_removal(s, torch.arange(6 if few else 7)).shape == (4, 6 if few else 7)


def test_features_that_nobody_has_have_no_part_in_the_leverages():
    toy = linear("softmax")
    o, empty = toy.objective, torch.zeros(60, 2, dtype=torch.float64)
    wider = LinearObjective.build(torch.cat([empty, o.x, empty], 1), o.y, o.loss, toy.l2)
    theta = torch.cat([torch.zeros(6), toy.theta, torch.zeros(6)])
    found, expected = (
        leverage._multiplied(one, _engine(one, at).inverse, torch.arange(60), None)
        for one, at in ((wider, theta), (o, toy.theta))
    )
    assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_newton_removal_comes_nearer_to_the_truth():
    toy = linear("softmax")
    engine = _engine(toy.objective, toy.theta)
    s = engine.inverse_gradients(*toy.tests).require()
    order = engine.removal(s)[0].abs().argsort(descending=True)[:12]
    actual = _actual_changes(toy, order.tolist())[0]
    plain, newton = (
        (found[order] - actual).abs().max()
        for found in (engine.removal(s)[0], engine.newton_removal(s[:, 0]))
    )
    assert newton < 0.5 * plain


def test_newton_removal_says_that_it_is_for_linear_models():
    objective, theta = network("linear")
    engine = _engine(objective, theta, curvature=GaussNewton, damping=0.1)
    with pytest.raises(UnsupportedError, match="linear models only"):
        engine.newton_removal(theta)


def test_blocks_of_tests_are_the_whole_table_and_come_when_asked(monkeypatch):
    toy = linear("softmax", tests=7)
    engine = _engine(toy.objective, toy.theta)
    whole = engine.score(*toy.tests).values
    monkeypatch.setattr(influence, "BLOCK", 3)
    seen = []
    blocks = engine.scores(*toy.tests, progress=lambda fraction, message: seen.append(fraction))
    first = next(blocks)
    assert (first.values.shape, seen) == ((3, 60), [])
    rest = [block.values for block in blocks]
    assert [len(block) for block in rest] == [3, 1]
    assert_close(torch.cat([first.values, *rest]), whole, rtol=1e-10, atol=1e-15)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert_close(engine.self_influence(), _self_influence(toy), rtol=1e-8, atol=1e-15)


# --------------------------------------------------------------------------------------- exact identities


@pytest.mark.parametrize("kind", KINDS)
def test_t3_scores_add_up_to_the_penalty_at_the_optimum_and_only_there(kind):
    toy = linear(kind)
    engine = _engine(toy.objective, toy.theta)
    scores = engine.score(*toy.tests)
    for j in range(4):
        s, removal = scores.solve.value[:, j], scores.values[j]
        assert (removal.sum() + toy.l2 * toy.theta @ s).abs() <= 1e-8 * removal.abs().sum()
        assert engine.convergence_check(s, removal) <= 1e-8

    half_trained = _engine(toy.objective, 0.7 * toy.theta)
    scores = half_trained.score(*toy.tests)
    at = 0.7 * toy.theta.numpy()
    gradient = references.risk_gradient(at, toy.x, toy.y, toy.w, toy.l2, kind, toy.temperature)
    expected = (scores.solve.value.T @ torch.tensor(gradient)).abs() / scores.values.abs().sum(1)
    checks = [
        half_trained.convergence_check(s, d) for s, d in zip(scores.solve.value.T, scores.values, strict=True)
    ]
    assert_close(torch.tensor(checks, dtype=torch.float64), expected, rtol=1e-8, atol=0)
    assert max(checks) > 1e-2, "the alarm must ring"


@pytest.mark.parametrize("kind", KINDS)
def test_t4_scores_are_the_derivative_in_the_weights(kind):
    toy = linear(kind)
    engine = _engine(toy.objective, toy.theta)
    positions = torch.tensor([0, 7, 31])
    predicted = -toy.objective.n * engine.parameter_change(positions)  # I_up,params
    scores = engine.score(*toy.tests).values
    for at, i in enumerate(positions.tolist()):
        fits = []
        for epsilon in (1e-4, -1e-4):
            w = toy.w.copy()
            w[i] += epsilon
            fits.append(toy.refit(w))
        actual = (fits[0] - fits[1]) / 2e-4
        assert (actual - predicted[at]).norm() <= 1e-3 * actual.norm()
        one_sided = (fits[0] - toy.theta) / 1e-4
        assert (one_sided - predicted[at]).norm() <= 5e-3 * actual.norm()
        slopes = (toy.test_losses(fits[0]) - toy.test_losses(fits[1])) / 2e-4
        assert_close(-toy.objective.n * scores[:, i], slopes, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_t5_scores_predict_leaving_one_out(kind):
    toy = linear(kind, n=150)
    predicted = _engine(toy.objective, toy.theta).score(*toy.tests).values
    actual = _actual_changes(toy, range(150))
    for j in range(4):
        pearson, slope = references.regression(actual[j].numpy(), predicted[j].numpy())
        assert pearson > 0.999
        assert 0.9 < slope <= 1.02


def _self_influence(toy: Linear) -> torch.Tensor:
    gradients = toy.gradients(toy.x, toy.y)
    return torch.tensor(toy.w) * (gradients * torch.linalg.solve(toy.hessian(), gradients.T).T).sum(1)


@pytest.mark.parametrize("kind", KINDS)
def test_t8_self_influence_is_the_diagonal_and_not_negative(kind):
    toy = linear(kind)
    engine = _engine(toy.objective, toy.theta)
    values = engine.self_influence()
    assert_close(values, _self_influence(toy), rtol=1e-8, atol=1e-15)
    assert (values >= 0).all()
    table = engine.score(toy.objective.x, toy.objective.y).values
    assert_close(values, table.diagonal(), rtol=1e-8, atol=1e-15)
    some = torch.tensor([9, 2])
    assert_close(engine.self_influence(some), values[some], rtol=1e-10, atol=1e-15)


def test_self_influence_has_the_square_of_the_residual():
    """An exponent of 1 went unseen in the authors' own code for three years."""
    toy = linear("logistic")
    margins = torch.tensor((2 * toy.y - 1) * (toy.x @ toy.theta.numpy()))
    x = torch.tensor(toy.x)
    leverage = (x * torch.linalg.solve(toy.hessian(), x.T).T).sum(1)
    expected = torch.sigmoid(-margins) ** 2 * leverage / 60
    assert_close(_engine(toy.objective, toy.theta).self_influence(), expected, rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("solver", EXACT)
def test_t10_permuting_the_training_set_permutes_the_scores(solver):
    toy = linear("softmax")
    o = toy.objective
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    shuffled = LinearObjective.build(o.x[order], o.y[order], o.loss, toy.l2)
    scores = _engine(o, toy.theta, EXACT[solver]).score(*toy.tests).values
    permuted = _engine(shuffled, toy.theta, EXACT[solver]).score(*toy.tests).values
    assert_close(permuted, scores[:, order], rtol=0, atol=1e-9 * scores.abs().max().item())


@pytest.mark.parametrize("kind", KINDS)
def test_t11_duplicating_the_training_set_halves_every_value(kind):
    toy = linear(kind)
    o = toy.objective
    twice = LinearObjective.build(torch.cat([o.x, o.x]), torch.cat([o.y, o.y]), o.loss, toy.l2)
    once, double = _engine(o, toy.theta), _engine(twice, toy.theta)
    scores, halves = once.score(*toy.tests).values, double.score(*toy.tests).values
    assert_close(halves, torch.cat([scores, scores], 1) / 2, rtol=1e-9, atol=1e-14)
    values, halves = once.self_influence(), double.self_influence()
    assert_close(halves, torch.cat([values, values]) / 2, rtol=1e-9, atol=1e-14)


# ------------------------------------------------------------------------------------------- sign and ranks


def _with_twins() -> tuple[Linear, torch.Tensor, torch.Tensor]:
    """Position 0 is a twin of the test example with its label, position 1 a twin with another label."""
    toy = linear("logistic", seed=3)
    x, y = toy.x.copy(), toy.y.copy()
    x[0] = x[1] = toy.xt[0] + 0.01
    y[0], y[1] = toy.yt[0], 1 - toy.yt[0]
    theta = toy.refit(None, x, y)
    objective = LinearObjective.build(torch.tensor(x), torch.tensor(y), toy.objective.loss, toy.l2)
    twins = Linear(objective, theta, x, y, toy.w, toy.l2, toy.kind, toy.xt[:1], toy.yt[:1])
    return twins, torch.tensor(twins.xt), torch.tensor(twins.yt)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_t12_a_mislabelled_twin_is_the_most_harmful(estimator):
    """The sign of every estimator: without the right twin the loss rises, without the wrong one it falls."""
    toy, x, y = _with_twins()
    actual = _actual_changes(toy, [0, 1])[0]
    assert actual[0] > 0 > actual[1]
    scores = _engine(toy.objective, toy.theta, ESTIMATORS[estimator]).score(x, y)
    assert scores.values[0, 0] > 0 > scores.values[0, 1]
    assert scores.harmful(0, 1).tolist() == [1]
    assert 0 in scores.helpful(0, 10).tolist()
    for ranked, sign in ((scores.helpful(0, 1000), 1), (scores.harmful(0, 1000), -1)):
        values = sign * scores.values[0, ranked]
        assert (values > 0).all()
        assert (values.diff() <= 0).all()
        assert len(ranked) == (sign * scores.values[0] > 0).sum()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_sign_and_size_of_parameter_change_and_self_influence(estimator):
    toy = linear("logistic")
    engine = _engine(toy.objective, toy.theta, ESTIMATORS[estimator])
    hardest = int(_self_influence(toy).argmax())
    w = toy.w.copy()
    w[hardest] = 0
    without = toy.refit(w)
    actual = without - toy.theta
    predicted = engine.parameter_change(torch.tensor([hardest]))[0]
    assert torch.cosine_similarity(actual, predicted, dim=0) > 0.95
    assert 0.7 < predicted.norm() / actual.norm() < 1.1
    losses = [references.losses(at.numpy(), toy.x, toy.y, toy.kind)[hardest] for at in (without, toy.theta)]
    rise = losses[0] - losses[1]
    assert rise > 0
    assert 0.6 * rise < engine.self_influence()[hardest].item() < 1.1 * rise


# --------------------------------------------------------------------------------------------- the border


def test_what_does_not_fit_is_refused_at_the_border():
    toy = linear("softmax")
    engine = _engine(toy.objective, toy.theta)
    x, y = toy.tests
    for ask in (engine.score, engine.inverse_gradients, lambda x, y: next(engine.scores(x, y))):
        with pytest.raises(ShapeError, match=r"x must have shape \(b, 5\).*\(4, 4\)"):
            ask(x[:, :4], y)
        with pytest.raises(ShapeError, match=r"x must have shape \(b, 5\)"):
            ask(x[0], y)
        with pytest.raises(ShapeError, match=r"y must have shape \(4,\)"):
            ask(x, y[:3])
        with pytest.raises(DataError, match="from 0 to 2"):
            ask(x, y + 3)
    operator = Hessian(toy.objective, toy.theta)
    with pytest.raises(ShapeError, match=r"theta must have shape \(15,\)"):
        InfluenceEngine(toy.objective, toy.theta[:5], operator, Cholesky().prepare(operator))
    other = linear("logistic")
    with pytest.raises(ShapeError, match="15 rows; the objective 5"):
        InfluenceEngine(other.objective, other.theta, operator, Cholesky().prepare(operator))


def test_a_failed_solve_is_never_a_silent_number():
    objective, theta = network("convolution")
    engine = _engine(objective, 3 * theta, ConjugateGradient())
    scores = engine.score(objective.x[:2], objective.y[:2])
    assert scores.solve.status == "negative curvature"
    with pytest.raises(SolveError, match="add damping"):
        scores.solve.require()
    with pytest.raises(SolveError, match="add damping"):
        engine.self_influence()
    with pytest.raises(SolveError, match="add damping"):
        engine.parameter_change(torch.tensor([0, 1]))


def test_parameters_that_ask_for_a_gradient_give_scores_that_do_not():
    toy = linear("softmax")
    for objective, theta in ((toy.objective, toy.theta), network("convolution")):
        asking = theta.clone().requires_grad_()
        x, y = objective.x[:2], objective.y[:2]
        scores = _engine(objective, asking, Cholesky(), GaussNewton, 0.1).score(x, y)
        assert not scores.values.requires_grad
        plain = _engine(objective, theta, Cholesky(), GaussNewton, 0.1).score(x, y)
        assert_close(scores.values, plain.values, rtol=1e-12, atol=1e-15)


def test_a_score_carries_the_true_residual_of_an_approximate_solve():
    toy = linear("softmax", l2=0.2)
    scores = _engine(toy.objective, toy.theta, LiSSA(batch=10, repeats=1)).score(*toy.tests)
    gradients = toy.gradients(toy.xt, toy.yt).T
    residuals = (gradients - toy.hessian() @ scores.solve.value).norm(dim=0) / gradients.norm(dim=0)
    assert scores.solve.residual == pytest.approx(residuals.max().item(), rel=0.01)
    assert scores.solve.residual > 1e-3, "an approximation should look like one"


def test_lissa_scores_are_near_the_exact_ones():
    toy = linear("softmax", l2=0.1)
    exact = toy.removal_scores()
    scores = _engine(toy.objective, toy.theta, LiSSA(batch=60, repeats=8)).score(*toy.tests).values
    for j in range(4):
        pearson, slope = references.regression(exact[j].numpy(), scores[j].numpy())
        assert pearson > 0.99
        assert 0.9 < slope < 1.1
