"""Solvers side by side: what a row says, how agreement is measured, and that a failure is a row."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from torch import nn

from influence_core import solvers
from influence_core.context import Context
from influence_core.engines import Engines, SolverSettings
from influence_core.errors import Cancelled, DataError
from influence_core.experiments import eigenvalues, questions, solver_comparison
from influence_core.experiments.solver_comparison import Attempt, SolverAgreement, SolverComparison
from influence_core.figures.solver_comparison import agreement, convergence
from influence_core.losses import SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.solvers import CATALOGUE, EKFAC, ConjugateGradient, LiSSA
from influence_core.store import Store
from influence_core.studies import find, open_study
from tests import references
from tests.benchmarks import solvers as benchmark
from tests.charts import colours_of
from tests.experiments.test_take_out import network_study

EVERY = list(CATALOGUE)


@pytest.fixture(scope="module")
def question(one_or_seven):
    return questions.ask(one_or_seven, int(one_or_seven.data.test.ids[0]))


@pytest.fixture(scope="module")
def compared(one_or_seven, question):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "lissa", LiSSA(depth=200, repeats=2))
        yield solver_comparison.run(one_or_seven, question, EVERY)


# ------------------------------------------------------------------------------------------------- rows


def test_every_solver_is_a_row_in_the_order_of_the_catalogue(compared):
    assert [row.name for row in compared.attempts] == EVERY
    assert (compared.reference, compared.exact.name) == ("cholesky", "cholesky")
    assert (compared.n, compared.p, compared.curvature, compared.damping) == (1092, 784, "hessian", 0.0)
    assert len({row.title for row in compared.attempts}) == len(EVERY)
    for row in compared.attempts:
        assert row.answered, row.words
        assert min(row.preparation, row.solving) >= 0
        assert row.memory > 0
        assert row.residual < 1.01e-8 if row.exact else row.residual > 1e-3


def test_the_residual_is_the_true_one(one_or_seven, question, compared):
    x, y = one_or_seven.data.train.x.numpy(), one_or_seven.data.train.y.numpy()
    theta = one_or_seven.theta.numpy()
    w = references.uniform(len(x))
    g = references.gradients(theta, question.x[None].numpy(), [question.label], "logistic")[0]
    for row in compared.attempts:
        product = references.hessian_vector(theta, x, y, w, 0.01, "logistic", row.s)
        residual = np.linalg.norm(g - product) / np.linalg.norm(g)
        assert row.residual == pytest.approx(residual, rel=1e-3, abs=1e-13)
        scores = references.gradients(theta, x, y, "logistic") @ row.s / len(x)
        assert_allclose(row.scores, scores, rtol=1e-8, atol=1e-14)


def test_products_and_histories(compared):
    for row in compared.attempts:
        products, residuals = row.history.T
        assert products[-1] == pytest.approx(row.products)
        assert residuals[-1] == pytest.approx(row.residual, rel=0.02, abs=1e-9)
    plain, helped, nystrom = (compared.attempt(name) for name in ("cg", "cg-ekfac", "cg-nystrom"))
    assert nystrom.products < helped.products < plain.products == len(plain.history)
    assert (plain.once, helped.once, nystrom.once, compared.attempt("nystrom").once) == (0, 0, 50, 100)
    lissa = compared.attempt("lissa")
    assert lissa.products == pytest.approx(200 * 2 * 64 / 1092)
    assert_allclose(lissa.history[:, 0], np.array([4, 13, 50, 200]) * 2 * 64 / 1092)
    assert lissa.history[0, 1] > lissa.history[-1, 1]


def test_memory_is_what_the_formulas_say(compared, one_or_seven):
    p = 784
    inked = int((one_or_seven.objective.x != 0).any(0).sum())
    bytes_of = {row.name: row.memory for row in compared.attempts}
    assert bytes_of["cholesky"] == 8 * inked**2 < 8 * p * p, "pixels that are always empty need no factor"
    assert bytes_of["cg"] == 8 * 6 * p
    assert bytes_of["nystrom"] == 8 * 300 * p
    assert bytes_of["cg-nystrom"] == 8 * (150 + 6) * p
    assert bytes_of["cg-ekfac"] - bytes_of["cg"] == bytes_of["ekfac"] > 8 * 2 * p * p


# -------------------------------------------------------------------------------------------- agreement


def _row(name: str, scores, s=None, **changes) -> Attempt:
    scores = np.asarray(scores, float)
    s = scores if s is None else np.asarray(s, float)
    made = Attempt(name, "converged", "", 0.0, residual=0.0, history=np.zeros((1, 2)), s=s, scores=scores)
    return replace(made, **changes)


def _against(truth, ours, s=None) -> SolverAgreement | None:
    rows = (_row("cholesky", truth), _row("ekfac", ours, s))
    return SolverComparison(rows, "cholesky", "hessian", 0.0, len(truth), 3).agreement(rows[1])


def test_agreement_against_other_implementations():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    ours = 1.7 * truth + 0.4 * rng.normal(size=200) + 0.3
    found = _against(truth, ours)
    pearson, slope = references.regression(truth, ours)
    ranks = [np.argsort(np.argsort(one)) for one in (truth, ours)]
    assert found.scores.pearson == pytest.approx(pearson, rel=1e-12)
    assert found.scores.slope == pytest.approx(slope, rel=1e-12)
    assert found.scores.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1], rel=1e-12)
    top = [set(np.argsort(np.abs(one))[-10:]) for one in (truth, ours)]
    assert found.top == len(top[0] & top[1]) < 10
    assert found.error == pytest.approx(np.linalg.norm(ours - truth) / np.linalg.norm(truth))
    assert found.scores.worst == pytest.approx(np.abs(ours - truth).max() / np.abs(truth).max())


@pytest.mark.parametrize(
    ("ours", "trust"),
    [
        (lambda d: d, "sizes"),
        (lambda d: 1.09 * d, "sizes"),
        (lambda d: 1.11 * d, "order"),
        (lambda d: 300 * d, "order"),
        (lambda d: np.where(np.abs(d) > 1.9, 2 * d, -d), "strongest"),
        (lambda d: np.roll(d, 1), "nothing"),
    ],
)
def test_what_may_be_read(ours, trust):
    truth = np.random.default_rng(1).normal(size=300)
    assert _against(truth, ours(truth)).trust == trust


def test_no_agreement_without_two_answers():
    truth = np.random.default_rng(1).normal(size=30)
    assert _against(truth, np.full(30, np.nan)) is None
    assert _against(np.zeros(30), truth) is None
    assert math.isnan(_against(truth, np.ones(30)).scores.pearson)
    bad = _row("cholesky", truth, residual=0.1)
    comparison = SolverComparison((bad, _row("cg", truth)), "cholesky", "hessian", 0.0, 30, 3)
    assert comparison.exact is None
    assert comparison.agreement(bad) is None


def test_exact_solvers_agree_and_the_approximations_are_measured(compared):
    for row in compared.attempts:
        found = compared.agreement(row)
        if row.exact:
            assert found.error < 1e-6
            assert (found.trust, found.top) == ("sizes", 10)
            assert found.scores.slope == pytest.approx(1, abs=1e-6)
        else:
            assert found.error > 1e-3
    assert compared.agreement(compared.attempt("nystrom")).scores.pearson > 0.99


# ------------------------------------------------------------------------------------------ what fails


@pytest.fixture(scope="module")
def half_trained():
    return network_study(away=3.0)


def test_negative_curvature_is_a_row_that_says_what_to_do(half_trained):
    asked = questions.ask(half_trained, int(half_trained.data.test.ids[0]))
    how = SolverSettings(curvature="hessian", damping=0.0)
    result = solver_comparison.run(half_trained, asked, ["cholesky", "cg-nystrom", "ekfac"], how)
    dense, plain, nystrom, ekfac = result.attempts
    assert (result.reference, plain.name) == ("cg", "cg")
    assert (dense.status, plain.status, nystrom.status) == ("no answer", "negative curvature", "no answer")
    assert "add damping" in dense.words
    assert "add damping" in plain.words
    assert "Add damping" in nystrom.words
    assert ekfac.answered
    assert result.exact is None
    assert not any(result.agreement(row) for row in result.attempts)
    found = eigenvalues.run(half_trained, how)
    assert found.ends.smallest < 0 < found.suggested_damping
    mended = replace(how, damping=found.suggested_damping)
    again = solver_comparison.run(half_trained, asked, ["cholesky", "cg-ekfac"], mended)
    assert all(row.answered for row in again.attempts)
    assert [again.agreement(row).trust for row in again.attempts] == ["sizes"] * 3


def test_a_layer_that_cannot_be_followed_is_a_row(half_trained):
    o = half_trained.objective
    module = nn.Sequential(nn.Flatten(), nn.Linear(49, 2), nn.LayerNorm(2)).double()
    other = NetworkObjective.build(module, o.x, o.y, SoftmaxLoss(2), 0.1, (1, 7, 7))
    study = replace(half_trained, objective=other, theta=other.theta(), key="1" * 64)
    asked = questions.ask(study, int(study.data.test.ids[0]))
    row = solver_comparison.run(study, asked, ["ekfac"]).attempt("ekfac")
    assert (row.status, row.answered, len(row.history)) == ("no answer", False, 0)
    assert "LayerNorm" in row.words
    assert math.isnan(row.residual)


def test_a_series_that_diverges_is_a_row(one_or_seven, question, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "lissa", LiSSA(batch=1, scale=0.05, depth=500))
    row = solver_comparison.run(one_or_seven, question, ["lissa"]).attempt("lissa")
    assert row.status == "diverged"
    assert "Raise the scale tenfold" in row.words
    assert len(row.history) == 1


def test_an_unknown_solver_is_refused(one_or_seven, question):
    with pytest.raises(DataError, match="no solver 'gauss'.*cholesky.*nystrom"):
        solver_comparison.run(one_or_seven, question, ["cg", "gauss"])


def test_it_can_be_stopped(one_or_seven, question, tmp_path):
    store, seen = Store(tmp_path), []

    def stop_later(fraction, message):
        seen.append(fraction)
        if fraction > 0.5:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        solver_comparison.run(one_or_seven, question, ["cg", "nystrom"], context=Context(store, stop_later))
    assert seen == sorted(seen)
    with pytest.raises(Cancelled):
        eigenvalues.run(one_or_seven, context=Context(progress=stop_later))


# -------------------------------------------------------------------------------------- store and engine


def test_rows_are_kept_one_by_one(one_or_seven, question, tmp_path, monkeypatch):
    store = Store(tmp_path)
    first = solver_comparison.run(one_or_seven, question, ["cg"], context=Context(store))
    monkeypatch.setattr(ConjugateGradient, "prepare", None)
    more = solver_comparison.run(one_or_seven, question, ["cg", "ekfac"], context=Context(store))
    assert [row.name for row in more.attempts] == ["cholesky", "cg", "ekfac"]
    for row in first.attempts:
        kept = more.attempt(row.name)
        assert_array_equal(kept.scores, row.scores)
        assert_array_equal(kept.history, row.history)
        assert (kept.words, kept.solving, kept.residual) == (row.words, row.solving, row.residual)
    monkeypatch.setitem(CATALOGUE, "cg", ConjugateGradient(rtol=1e-3))
    with pytest.raises(TypeError):  # other settings are another row
        solver_comparison.run(one_or_seven, question, ["cg"], context=Context(store))


def test_eigenvalues_are_kept(one_or_seven, tmp_path, monkeypatch):
    store = Store(tmp_path)
    first = eigenvalues.run(one_or_seven, context=Context(store))
    monkeypatch.setattr(eigenvalues, "extreme_eigenvalues", None)
    assert eigenvalues.run(one_or_seven, context=Context(store)) == first
    with pytest.raises(TypeError):
        eigenvalues.run(one_or_seven, SolverSettings(damping=0.1), context=Context(store))


def test_eigenvalues_and_what_they_suggest(one_or_seven):
    x = one_or_seven.objective.x.numpy()
    p = expit(x @ one_or_seven.theta.numpy())
    exact = np.linalg.eigvalsh((x.T * (p * (1 - p))) @ x / len(x) + 0.01 * np.eye(x.shape[1]))
    found = eigenvalues.run(one_or_seven)
    assert found.ends.largest == pytest.approx(exact[-1], rel=1e-6)
    assert exact[0] <= found.ends.smallest < 1.01 * exact[0]
    assert (found.damping, found.suggested_damping) == (0.0, 0.0)
    assert 2 * exact[-1] <= found.lissa_scale <= 8 * exact[-1]
    assert (1 - exact[0] / found.lissa_scale) ** found.lissa_depth < 1.1e-3


def test_a_prepared_factor_is_used(one_or_seven, question, monkeypatch):
    context = Context(engines=Engines(2))
    prepared = context.engines.prepare(one_or_seven, SolverSettings())
    monkeypatch.setattr(solvers.Cholesky, "prepare", None)
    row = solver_comparison.run(one_or_seven, question, [], context=context).attempt("cholesky")
    assert row.preparation == prepared.seconds
    with pytest.raises(TypeError):  # another damping is another matrix
        solver_comparison.run(one_or_seven, question, [], SolverSettings(damping=0.1), context=context)


@pytest.mark.parametrize("name", CATALOGUE)
def test_settings_keep_the_name_of_their_solver(one_or_seven, name):
    """Two rows of the catalogue are of one kind."""
    assert SolverSettings(name).resolved(one_or_seven).solver == name


# ---------------------------------------------------------------------------------------------- figures


def test_the_curves_are_the_histories(compared):
    figure = convergence(compared)
    assert [one.name for one in figure.data] == [row.title for row in compared.attempts]
    for trace, row in zip(figure.data, compared.attempts, strict=True):
        assert_allclose(np.expm1(trace.x), row.history[:, 0], atol=1e-12)
        assert_array_equal(trace.customdata, row.history[:, 0])
        assert_allclose(trace.y, row.history[:, 1], rtol=1e-12, atol=1e-17)
        assert trace.marker.symbol.endswith("-open") != row.exact
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 1e-3
    assert figure.layout.annotations[0].y == -3  # Plotly places text by the logarithm
    assert_allclose(
        np.expm1(figure.layout.xaxis.tickvals), [float(one) for one in figure.layout.xaxis.ticktext]
    )
    assert len({(one.line.dash, one.marker.symbol) for one in figure.data}) == len(figure.data)


def test_the_scatter_shows_the_strongest_of_both(compared):
    row = compared.attempt("ekfac")
    figure = agreement(compared, row)
    points = figure.data[1]
    truth = compared.exact.scores
    for one in (truth, row.scores):
        for i in np.argsort(-np.abs(one))[:50]:
            assert np.isclose(points.x, truth[i], rtol=1e-5).any()
            assert np.isclose(points.y, row.scores[i], rtol=1e-5).any()
    blue = {colour for colour, x in zip(colours_of(points.marker), points.x, strict=True) if x > 0}
    orange = {colour for colour, x in zip(colours_of(points.marker), points.x, strict=True) if x < 0}
    assert (len(blue), len(orange), len(blue | orange)) == (1, 1, 2)
    assert max(np.abs(points.y)) <= figure.layout.yaxis.range[1]
    assert_array_equal(figure.data[0].x, figure.data[0].y)


# ------------------------------------------------------------------------------------ preconditioning pays


def _subset(study, n: int):
    """The first examples, at the parameters of all: a curvature like the whole one's, and quick."""
    return replace(study.objective.subset(torch.arange(n)), weights=study.objective.weights[:n] * 0 + 1 / n)


SLOW = pytest.param("digits-network", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["one-or-seven", "digits", SLOW])
def test_preconditioning_is_exact_and_saves_products(one_or_seven, name):
    if name == "one-or-seven":
        study = one_or_seven
        operator = benchmark.operator_of(study.objective, study.theta, 0.0)
    elif name == "digits":
        study = open_study(replace(find("digits"), classes=(3, 5, 8), n_train=300, gradient_norm=1e-6))
        operator = benchmark.operator_of(study.objective, study.theta, 0.0)
    else:
        study = open_study(find(name))
        operator = benchmark.operator_of(_subset(study, 60), study.theta, 0.01)
    test = study.data.test
    side = operator.objective.gradients(study.theta, test.x[:1], test.y[:1])[0]
    exact = solvers.Cholesky().prepare(operator).solve(side).require()
    steps = {}
    for row in ("cg", "cg-nystrom", "cg-ekfac"):
        solution = replace(CATALOGUE[row], rtol=1e-11).prepare(operator).solve(side)
        assert (solution.require() - exact).norm() <= 1e-8 * exact.norm()
        steps[row] = solution.steps
    assert steps["cg-nystrom"] < steps["cg"]
    if name != "digits-network":  # whose strongest directions run through all layers at once
        assert steps["cg-ekfac"] < steps["cg"]


def test_the_benchmark_measures_and_judges(capsys, monkeypatch, one_or_seven):
    monkeypatch.setattr(benchmark, "open_study", lambda spec: one_or_seven)
    assert benchmark.main(["--check", "--only", "one-or-seven"]) == 0
    out = capsys.readouterr().out
    assert "conjugate gradient with Nyström: products to prepare, once" in out
    assert "falls short" not in out
    monkeypatch.setattr(benchmark, "ERROR", 0.0)
    assert benchmark.main(["--only", "one-or-seven"]) == 0
    assert benchmark.main(["--check", "--only", "one-or-seven"]) == 1
    assert "falls short" in capsys.readouterr().out


def test_ekfac_is_worth_more_than_a_diagonal_on_a_trained_network(half_trained):
    study = network_study()
    operator = benchmark.operator_of(study.objective, study.theta, 0.01)
    sides = study.objective.gradients(study.theta, study.data.test.x[:20], study.data.test.y[:20]).T
    exact = torch.linalg.solve(operator.dense(), sides)
    ours = EKFAC().prepare(operator).solve(sides.contiguous()).require()
    diagonal = sides / operator.dense().diagonal()[:, None]
    assert (ours - exact).norm() < 0.8 * (diagonal - exact).norm()
