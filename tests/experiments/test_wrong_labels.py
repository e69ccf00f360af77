"""Wrong labels: flips, rankings, repairs and curves, each against a slow way; the order of Figure 6 is a slow test."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import studies
from influence_core.context import Context
from influence_core.errors import Cancelled, DataError, SolveError, UnsupportedError
from influence_core.experiments import suspects, wrong_labels
from influence_core.experiments.suspects import METHODS, rank
from influence_core.experiments.wrong_labels import FlipSettings, WrongLabels, count, flip
from influence_core.losses import SoftmaxLoss
from influence_core.objective import LinearObjective
from influence_core.reproduce import labels
from influence_core.retraining import side_by_side
from influence_core.store import Store
from influence_core.training import refit
from influence_core.training.refit import Fitter
from tests import references, toy_mails
from tests.data.test_text_folder import write
from tests.problems import linear

TWICE = FlipSettings(repeats=2, seed=3)


@pytest.fixture(scope="module")
def study():
    return toy_mails.study()


@pytest.fixture(scope="module")
def result(study):
    return wrong_labels.run(study, TWICE)


# ------------------------------------------------------------------------------------------------- flips


def test_the_papers_counts():
    assert [count(4137, share) for share in wrong_labels.BUDGETS] == [206, 412, 618, 824, 1030, 1236]
    assert count(4137, 0.10) == 412
    assert (count(100, 0.1), count(10, 0.1), count(7, 0.05)) == (10, 1, 1)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_flipped_label_is_another_one_and_the_rest_stays(classes):
    true = np.arange(400) % classes
    wrong, at = flip(true, classes, FlipSettings(0.2, seed=1))
    assert len(at) == len(set(at.tolist())) == 80
    assert_array_equal(np.flatnonzero(wrong != true), at)
    assert set(wrong.tolist()) == set(range(classes))
    again, _ = flip(true, classes, FlipSettings(0.2, seed=1))
    assert_array_equal(wrong, again)
    for other in (FlipSettings(0.2, seed=2), FlipSettings(0.2, seed=1, repeats=9)):
        different = not np.array_equal(flip(true, classes, other)[0], wrong)
        assert different == (other.seed == 2)
    assert not np.array_equal(flip(true, classes, FlipSettings(0.2, seed=1), repeat=1)[0], wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 0.0}, "between 0 and 0.5"),
        ({"share": 0.6}, "between 0 and 0.5"),
        ({"share": float("nan")}, "between 0 and 0.5"),
        ({"repeats": 0}, "1 to 1,000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        FlipSettings(**changes)


# ----------------------------------------------------------------------------------------------- rankings


def test_the_scores_are_the_formulas(study):
    o, theta = study.objective, study.theta
    scores = rank(o, theta, METHODS).scores
    x, y, at = o.x.numpy(), o.y.numpy(), theta.numpy()
    a = references.hessian(at, x, y, references.uniform(len(x)), toy_mails.L2, "logistic")
    leverage = (x * np.linalg.solve(a, x.T).T).sum(1)
    losses = references.losses(at, x, y, "logistic")
    sigma = 1 - np.exp(-losses)
    assert_allclose(scores["loss"], losses, rtol=1e-9)
    assert_allclose(scores["exact"], sigma**2 * leverage / len(x), rtol=1e-7)
    assert_allclose(scores["published"], sigma * leverage / len(x), rtol=1e-7)
    assert sorted(scores) == sorted(METHODS)
    assert len(set(scores["random"])) == len(x)
    assert_array_equal(scores["random"], rank(o, theta, ["random"]).scores["random"])
    assert not np.array_equal(scores["random"], rank(o, theta, ["random"], seed=1).scores["random"])


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_the_loss_of_what_was_never_seen_is_that_of_cold_fits(kind):
    toy = linear(kind, n=40)
    at, own = toy.theta.numpy(), toy.gradients(toy.x, toy.y).numpy() / 40
    with_it = references.losses(at, toy.x, toy.y, kind)
    expected, stepped = np.empty(40), np.empty(40)
    for i in range(40):
        w = toy.w.copy()
        w[i] = 0
        expected[i] = references.losses(toy.refit(w).numpy(), toy.x, toy.y, kind)[i]
        step = np.linalg.solve(references.hessian(at, toy.x, toy.y, w, toy.l2, kind), own[i])
        stepped[i] = references.losses(at + step, toy.x, toy.y, kind)[i]
    proven = rank(toy.objective, toy.theta, ["proven"])
    assert_allclose(proven.scores["proven"], expected, rtol=1e-4)
    assert_allclose(proven.unseen.memorisation, expected - with_it, rtol=1e-3)
    corrected = rank(toy.objective, toy.theta, ["corrected"])
    assert_allclose(corrected.scores["corrected"], stepped, rtol=1e-7)
    assert_allclose(corrected.unseen.memorisation, stepped - with_it, rtol=1e-7, atol=1e-12)
    assert_array_equal(corrected.unseen.losses, corrected.scores["corrected"])


def test_models_that_are_not_trained_to_the_end_prove_nothing(monkeypatch):
    toy = linear()
    monkeypatch.setattr(side_by_side, "ROUNDS", 0)
    monkeypatch.setattr(side_by_side._Block, "finish", lambda *_: None)
    with pytest.raises(SolveError, match="could not be trained to the end"):
        rank(toy.objective, toy.theta, ["proven"])


def test_what_ranks_a_study(study, monkeypatch):
    assert suspects.methods_for(study) == ("exact", "published", "proven", "loss", "random")
    several = replace(study, objective=linear("softmax").objective)
    assert suspects.methods_for(several) == ("exact", "proven", "loss", "random")
    monkeypatch.setattr(suspects, "PROVABLE", 160 * 32 * 192 - 1)
    assert suspects.methods_for(study) == ("exact", "published", "corrected", "loss", "random")


def test_only_logistic_and_softmax_regressions_are_answered(study):
    for model in ("svm", "all-convolutional"):
        with pytest.raises(UnsupportedError, match="logistic and softmax"):
            wrong_labels.run(replace(study, spec=replace(study.spec, model=model)))


# ----------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
@pytest.mark.parametrize("sparse", [True, False])
def test_a_fit_is_proved_and_is_the_references(kind, sparse):
    toy = linear(kind, n=90, d=8)
    x = toy.x * (np.random.default_rng(0).random(toy.x.shape) < 0.15) if sparse else toy.x
    o = replace(toy.objective, x=torch.tensor(x))
    fitter = Fitter(o)
    assert isinstance(fitter.x, np.ndarray) != sparse
    y = toy.y.copy()
    y[:9] = (y[:9] + 1) % o.loss.classes
    for start in (None, toy.theta):
        theta = fitter.fit(y, start).numpy()
        norm = references.gradient_norm(theta, x, y, toy.w, toy.l2, kind)
        assert norm <= refit.GRADIENT_TOL
        assert fitter.largest_norm >= 0.99 * norm
        expected = references.cold_fit(x, y, toy.w, toy.l2, kind, gradient=1e-10)
        assert_allclose(theta, expected, atol=1e-5)


def test_scikit_learn_does_all_of_the_work_where_it_can(monkeypatch):
    for kind in ("logistic", "softmax"):
        toy = linear(kind, n=90, d=8)
        monkeypatch.setattr(refit, "minimise", lambda *_, **__: pytest.fail("something was left over"))
        assert Fitter(toy.objective).fit(toy.y).shape == (toy.objective.dim,)


def test_weights_and_two_output_models_are_fitted_too():
    toy = linear("logistic")
    weights = toy.w.copy()
    weights[:20] = 0
    o = replace(toy.objective, weights=torch.tensor(weights))
    expected = references.cold_fit(toy.x, toy.y, weights, toy.l2, "logistic", gradient=1e-10)
    assert_allclose(Fitter(o).fit(toy.y).numpy(), expected, atol=1e-5)
    pair = LinearObjective.build(o.x, o.y, SoftmaxLoss(2), toy.l2)
    theta = Fitter(pair).fit(toy.y).numpy()
    assert references.gradient_norm(theta, toy.x, toy.y, toy.w, toy.l2, "softmax") <= refit.GRADIENT_TOL


def test_a_class_without_examples_is_refused(study):
    with pytest.raises(DataError, match="No training example of label 1 would be left"):
        Fitter(study.objective).fit(np.zeros(study.objective.n, dtype=np.int64))


# ------------------------------------------------------------------------------------------ the experiment


def by_hand(study, method, repeat, budget):
    """Share of the flips fixed and accuracy after repair, with the references' fits."""
    x, true = study.data.train.x.numpy(), study.data.train.y.numpy()
    wrong, at = flip(true, 2, TWICE, repeat)
    w = references.uniform(len(x))
    theta = references.cold_fit(x, wrong, w, toy_mails.L2, "logistic", gradient=1e-10)
    losses = references.losses(theta, x, wrong, "logistic")
    a = references.hessian(theta, x, wrong, w, toy_mails.L2, "logistic")
    leverage = (x * np.linalg.solve(a, x.T).T).sum(1)
    sigma = 1 - np.exp(-losses)
    scores = {"exact": sigma**2 * leverage, "published": sigma * leverage, "loss": losses}.get(method)
    if method == "proven":
        scores = np.array([own_loss_without(x, wrong, i) for i in range(len(x))])
    first = np.argsort(-scores, kind="stable")[:budget]
    wrong[first] = true[first]
    repaired = references.cold_fit(x, wrong, w, toy_mails.L2, "logistic", gradient=1e-10)
    test = study.data.test
    right = ((test.x.numpy() @ repaired > 0) == test.y.numpy()).mean()
    return np.isin(at, first).mean(), right


def own_loss_without(x, y, i):
    """Of the model that has never seen example i."""
    w = references.uniform(len(x))
    w[i] = 0
    theta = references.cold_fit(x, y, w, toy_mails.L2, "logistic", gradient=1e-10)
    return references.losses(theta, x[i : i + 1], y[i : i + 1], "logistic")[0]


@pytest.mark.slow
def test_the_curves_are_those_of_a_slow_way(study, result):
    assert result.methods == ("exact", "published", "proven", "loss", "random")
    assert result.fixed.shape == result.accuracy.shape == (2, 5, 6)
    assert_array_equal(result.checked, [8, 16, 24, 32, 40, 48])
    for row, method in enumerate(result.methods[:4]):
        for repeat, budget in ((0, 0), (1, 3)):
            fixed, right = by_hand(study, method, repeat, result.checked[budget])
            assert_allclose(result.fixed[repeat, row, budget], fixed)
            assert_allclose(result.accuracy[repeat, row, budget], right)


@pytest.mark.slow
def test_facts_and_proof(study, result):
    test = study.data.test
    right = (study.probabilities(test.x).argmax(1) == test.y.numpy()).mean()
    assert_allclose(result.clean_accuracy, right)
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    assert result.unseen_accuracy == np.mean([own_loss_without(x, y, i) < np.log(2) for i in range(160)])
    assert (result.n, result.p, result.n_test, result.flipped) == (160, 32, 80, 16)
    assert 0 < result.gradient_norm <= refit.GRADIENT_TOL
    assert_allclose(result.budgets, [0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    assert (np.diff(result.fixed, axis=2) >= 0).all()
    assert (result.flipped_accuracy < 1).all()


def test_what_is_found_is_worth_more_than_chance(result):
    exact, loss, chance = (result.mean_fixed(one) for one in ("exact", "loss", "random"))
    assert (exact > chance).all() and (loss > chance).all()
    assert exact[-1] > 0.8


def test_error_bars():
    values = np.array([[1.0, 4.0], [2.0, 4.0], [6.0, 4.0]])
    assert_allclose(wrong_labels.standard_deviation(values), [np.sqrt(7.0), 0])
    assert_allclose(wrong_labels.standard_error(values), [np.sqrt(7 / 3), 0])
    assert_array_equal(wrong_labels.standard_error(values[:1]), [0, 0])


def test_the_table_holds_the_curves(result):
    columns = wrong_labels.table(result)
    assert all(len(column) == 30 for column in columns.values())
    at = 6 + 2  # the second method, the third budget
    assert columns["ranked_by"][at] == METHODS["published"]
    assert columns["examples_checked"][at] == 24
    assert_allclose(columns["share_of_flips_found"][at], result.fixed[:, 1, 2].mean())
    assert_allclose(
        columns["accuracy_after_repair_standard_deviation"][at], result.accuracy[:, 1, 2].std(ddof=1)
    )
    error = columns["share_of_flips_found_standard_error"][at]
    assert_allclose(error, result.fixed[:, 1, 2].std(ddof=1) / np.sqrt(2))


def test_the_result_is_kept_by_everything_that_makes_it_another(study, result, tmp_path, monkeypatch):
    context = Context(Store(tmp_path))
    first = wrong_labels.run(study, TWICE, context=context)
    monkeypatch.setattr(suspects, "rank", lambda *_, **__: pytest.fail("computed again"))
    again = wrong_labels.run(study, TWICE, context=context)
    assert_array_equal(first.fixed, result.fixed)
    for name in ("fixed", "accuracy", "flipped_accuracy", "checked"):
        assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.seconds, first.gradient_norm) == (again.seconds, again.gradient_norm)
    for other in (
        FlipSettings(0.2, repeats=2, seed=3),
        FlipSettings(repeats=1, seed=3),
        FlipSettings(repeats=2),
    ):
        with pytest.raises(pytest.fail.Exception, match="computed again"):
            wrong_labels.run(study, other, context=context)


def test_progress_is_told_often_and_can_stop(study):
    told = []
    context = Context(progress=lambda fraction, words: told.append((fraction, words)))
    wrong_labels.run(study, FlipSettings(repeats=1), context=context)
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert len(told) >= 24
    assert told[0] == (0.0, "repeat 1 of 1")

    def stop(fraction, words):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        wrong_labels.run(study, FlipSettings(repeats=1), context=Context(progress=stop))


# ------------------------------------------------------------------------------- the paper's figure, again


def made_up(**changes) -> WrongLabels:
    """A result in which everything is as the paper says."""
    base = np.array([0.3, 0.5, 0.65, 0.75, 0.8, 0.85])
    order = np.stack([base + 0.05, base + 0.08, base + 0.06, base, np.array(wrong_labels.BUDGETS)])
    fields = {
        "settings": FlipSettings(repeats=3),
        "methods": ("exact", "published", "proven", "loss", "random"),
        "checked": np.array([5, 10, 15, 20, 25, 30]),
        "fixed": np.stack([order - 0.01, order, order + 0.01]),
        "accuracy": np.stack([0.85 + order / 10] * 3),
        "flipped_accuracy": np.full(3, 0.85),
        "clean_accuracy": 0.97,
        "unseen_accuracy": 0.96,
        "flipped": 10,
        "n": 100,
        "p": 7,
        "n_test": 50,
        "gradient_norm": 1e-9,
        "seconds": 1.0,
    }
    return WrongLabels(**fields | changes)


def checks(result, monkeypatch):
    monkeypatch.setattr(labels.wrong_labels, "run", lambda *_, **__: result)
    return labels.run.of(toy_mails.study())


def test_the_reproduction_holds_its_figures_against_the_paper(monkeypatch):
    found = checks(made_up(), monkeypatch)
    assert not found.short
    assert found.setting["repeats"] == "3 (the paper's: 40)"
    at = {check.name: check for check in found.checks}
    listed = at["flips found, 10 % checked, self-influence as in the 2017 figure"]
    assert_allclose(listed.value, 0.58)
    assert listed.paper == "0.62"
    assert at["accuracy after repair, 30 % checked, training loss"].paper == "0.96"


@pytest.mark.parametrize("spoilt", ["order", "chance", "repair"])
def test_the_reproduction_says_where_it_falls_short(spoilt, monkeypatch):
    good = made_up()
    fixed, accuracy = good.fixed.copy(), good.accuracy.copy()
    if spoilt == "order":
        fixed[:, [0, 3], 2] = fixed[:, [3, 0], 2]
    elif spoilt == "chance":
        fixed[:, 4, 4] += 0.04
    else:
        accuracy[:, 1, 0] = 0.84
    result = made_up(fixed=fixed, accuracy=accuracy)
    (short,) = checks(result, monkeypatch).short
    words = {
        "order": "“self-influence (exact)” finds more",
        "chance": "random order",
        "repair": "2017 figure",
    }
    assert words[spoilt] in short.name


@pytest.mark.slow
def test_the_reproduction_reads_texts_of_ones_own(tmp_path):
    found = labels.run(str(write(tmp_path)))
    assert (found.setting["study"], found.setting["stand_in"], found.setting["n"]) == ("text-folder", "", 80)
    assert found.result.settings.repeats == 5
    with pytest.raises(DataError, match="two sub-folders|No such file"):
        labels.run(str(tmp_path / "texts"))


@pytest.mark.slow
def test_figure_6_on_the_packaged_mails(tmp_path):
    """Two repeats: self-influence finds more than the loss, the loss more than chance, at every budget."""
    mails = studies.open_study(studies.find("mails"))
    result = wrong_labels.run(mails, FlipSettings(repeats=2), context=Context(Store(tmp_path)))
    exact, published, unseen, loss, chance = (result.mean_fixed(one) for one in result.methods)
    assert (exact > loss).all() and (published > loss).all() and (loss > chance).all()
    assert (unseen > exact).all()
    assert_allclose(result.mean_fixed("random"), result.budgets, atol=0.03)
    assert (result.accuracy.mean(0) > result.flipped_accuracy.mean()).all()
    assert result.accuracy.mean(0).max() < result.clean_accuracy
    assert result.gradient_norm <= refit.GRADIENT_TOL
    assert abs(result.unseen_accuracy - result.clean_accuracy) < 0.02
