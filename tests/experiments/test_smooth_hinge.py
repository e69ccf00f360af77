"""A loss with a kink: forecasts against dense formulas, truth against other solvers, and the paper's Figure 3."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.stats import pearsonr, spearmanr
from sklearn.svm import LinearSVC

from influence_core.__main__ import main
from influence_core.context import Context
from influence_core.data import DataSet, Examples
from influence_core.errors import Cancelled, DataError, UnsupportedError
from influence_core.experiments import left_out_machines, smooth_hinge
from influence_core.experiments.hinge_curves import CURVES, curves
from influence_core.experiments.smooth_hinge import PANELS, TEMPERATURES, run, table
from influence_core.losses import HingeLoss
from influence_core.objective import LinearObjective
from influence_core.store import Store
from influence_core.studies import MACHINES, Study, StudySpec, open_study
from influence_core.training import fit_hinge, gradient_norm
from tests import references
from tests.problems import linear

L2 = 0.05
TOY = StudySpec("toy", "Toy", "toy", "svm", L2)
DIGITS = MACHINES["digits"]


@pytest.fixture(scope="module")
def toy() -> Study:
    """Sixty overlapping examples with five features: some inside the margin, some on the kink, some beyond."""
    problem = linear("logistic", tests=30, l2=L2)
    x, y, xt, yt = (torch.tensor(one) for one in (problem.x, problem.y, problem.xt, problem.yt))
    train, test = Examples(x, y, 100 + torch.arange(60)), Examples(xt, yt, 500 + torch.arange(30))
    objective = LinearObjective.build(x, y, HingeLoss(), L2)
    trained = fit_hinge(objective)
    data = DataSet("toy", "Toy", train, test, ("minus", "plus"), None)
    return Study(TOY, data, objective, trained.theta, trained.gradient_norm, 0.0, False, "toy")


@pytest.fixture(scope="module")
def asked(toy):
    """Everything that has a forecast, for the narrowest mistake."""
    return run(toy, temperatures=(0.01, 0.3), k=60)


@pytest.fixture(scope="module")
def digits() -> Study:
    return open_study(replace(DIGITS, n_train=150))


def signed(study):
    return study.data.train.x.numpy() * (2 * study.data.train.y.numpy() - 1)[:, None]


def signed_test(study, test_id):
    test = study.data.test
    at = test.position(test_id)
    return test.x[at].numpy() * (2 * int(test.y[at]) - 1)


def dual(x, w, l2):
    """The dual variables by another solver: min ||x'a||^2 / (2 l2) - sum a, 0 <= a <= w; theta = x'a / l2."""

    def negative(a):
        v = x.T @ (a * w)
        return (v @ v / (2 * l2) - w @ a) / w.mean(), w * (x @ v / l2 - 1) / w.mean()

    options = {"maxiter": 100_000, "maxfun": 100_000, "ftol": 0, "gtol": 1e-12, "maxcor": 50}
    found = minimize(
        negative, np.full(len(x), 0.5), jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(x), options=options
    )
    return w * found.x


# ----------------------------------------------------------------------------------------------- the loss


def test_the_curves_are_the_papers_formula():
    drawn = curves((0.0, 0.001, 0.1))
    assert (drawn.margins[0], drawn.margins[-1]) == (0.8, 1.2)
    assert_allclose(drawn.values[0], np.maximum(0, 1 - drawn.margins), rtol=1e-15)
    for t, values in zip((0.001, 0.1), drawn.values[1:], strict=True):
        assert_allclose(values, t * np.logaddexp(0, (1 - drawn.margins) / t), rtol=1e-12, atol=1e-16)
    assert_allclose(drawn.values[2][np.isclose(drawn.margins, 1)], 0.1 * np.log(2), rtol=1e-12)


def test_the_temperatures_hold_the_papers_and_rise():
    assert TEMPERATURES[0] == 0 and {*PANELS, *CURVES} <= set(TEMPERATURES)
    assert list(TEMPERATURES) == sorted(TEMPERATURES)


# ------------------------------------------------------------------------------------------- the forecasts


def positions(study, result):
    ids = study.data.train.ids.tolist()
    return [ids.index(one) for one in result.ids]


@pytest.mark.parametrize("t", [0.01, 0.3])
def test_smoothed_forecasts_are_the_dense_formula_at_the_hinges_optimum(toy, asked, t):
    """The smoothed loss in the Hessian, in the training gradients and in the test gradient."""
    train, test = toy.data.train, toy.data.test
    at = test.position(asked.test_id)
    dense = references.removal_scores(
        train.x.numpy(),
        train.y.numpy(),
        toy.theta.numpy(),
        L2,
        "smooth_hinge",
        test.x[at].numpy(),
        int(test.y[at]),
        t,
    )
    assert_allclose(asked.predicted[asked.index(t)], dense[positions(toy, asked)], rtol=1e-9, atol=1e-15)
    assert asked.residual < 1e-10


def test_forecasts_with_the_hinge_itself_weigh_the_dual_variables(toy, asked):
    """``D_i = a_i (y_i x_i . y_t x_t) / l2``: slope 1 inside the margin, and on the kink what the optimum gives."""
    x = signed(toy)
    a = dual(x, references.uniform(60), L2)
    expected = a * (x @ signed_test(toy, asked.test_id)) / L2
    assert_allclose(asked.predicted[0], expected[positions(toy, asked)], atol=1e-6 * np.abs(expected).max())
    inside, on = asked.margins < 1 - 1e-6, asked.on_kink
    assert inside.any() and on.any() and (inside | on).all(), "beyond the kink there is nothing to forecast"


def test_forecasts_with_the_hinge_itself_add_up_to_the_margin(toy, digits, asked):
    """``sum D + l2 theta . s = 0`` with ``s = -y_t x_t / l2``: the sum of all is the test example's margin."""
    assert_allclose(asked.predicted[0].sum(), asked.margin, rtol=1e-7)
    result = run(digits, temperatures=(), k=150)
    assert_allclose(result.predicted[0].sum(), result.margin, rtol=1e-7)


def test_the_same_examples_in_all_panels_those_of_largest_forecast_under_the_hinge(toy, asked):
    few = run(toy, asked.test_id, (0.3,), k=7)
    size = np.abs(asked.predicted[0])
    assert (np.diff(size) <= 0).all()
    assert_array_equal(few.ids, asked.ids[:7])
    assert_allclose(few.predicted, asked.predicted[[0, 2], :7], rtol=1e-12)
    assert_allclose(few.actual, asked.actual[:7], atol=1e-12)
    assert few.predicted.shape == (2, 7)


def test_agreement_and_size(asked):
    for at in range(3):
        assert_allclose(asked.pearson[at], pearsonr(asked.actual, asked.predicted[at]).statistic, rtol=1e-12)
        assert_allclose(
            asked.spearman[at], spearmanr(asked.actual, asked.predicted[at]).statistic, rtol=1e-12
        )
        ratio = np.abs(asked.predicted[at]).max() / np.abs(asked.actual).max()
        assert_allclose(asked.size_ratio[at], ratio, rtol=1e-12)


# ----------------------------------------------------------------------------------------------- the truth


def test_the_truth_against_another_solver(toy, asked):
    """Every left-out model again, by L-BFGS-B on the dual of what is left; the others keep 1/n."""
    x, xt = signed(toy), signed_test(toy, asked.test_id)
    before = max(0.0, 1 - xt @ toy.theta.numpy())
    for at, actual in zip(positions(toy, asked), asked.actual, strict=True):
        rest = np.delete(x, at, 0)
        theta = rest.T @ dual(rest, np.full(59, 1 / 60), L2) / L2
        assert_allclose(max(0.0, 1 - xt @ theta) - before, actual, atol=2e-6)


def test_the_truth_against_a_cold_fit_without_the_row(digits):
    result = run(digits, temperatures=(0.01,), k=6)
    x, y, xt = (
        digits.data.train.x.numpy(),
        digits.data.train.y.numpy(),
        signed_test(digits, result.test_id),
    )
    svm = LinearSVC(
        loss="hinge", C=1 / (150 * 0.01), tol=1e-10, max_iter=10**6, fit_intercept=False, random_state=1
    )
    before = max(0.0, 1 - xt @ svm.fit(x, y).coef_[0])
    for at, actual in zip(positions(digits, result), result.actual, strict=True):
        theta = svm.fit(np.delete(x, at, 0), np.delete(y, at)).coef_[0]
        assert_allclose(max(0.0, 1 - xt @ theta) - before, actual, atol=1e-7)


def test_every_left_out_model_is_proved(toy, asked):
    smallest = min(np.linalg.norm(one) for one in toy.data.train.x.numpy()[positions(toy, asked)]) / 60
    assert asked.target <= 1.001e-3 * smallest
    assert asked.proved and (asked.gradient_norms <= asked.target).all()
    assert not replace(asked, gradient_norms=asked.gradient_norms + 1).proved


# ------------------------------------------------------------------------------------------- the questions


def test_who_can_be_asked_about(toy):
    margins = smooth_hinge.margins(toy)
    test = toy.data.test
    assert_allclose(margins, (test.x.numpy() @ toy.theta.numpy()) * (2 * test.y.numpy() - 1), rtol=1e-12)
    offered = [test.position(int(one)) for one in smooth_hinge.askable(toy)]
    assert sorted(offered) == np.flatnonzero(margins < 1).tolist()
    wrong = (margins[offered] < 0).sum()
    assert wrong > 1 and (margins[offered[:wrong]] < 0).all(), "wrong answers first"
    assert (np.diff(np.abs(margins[offered[:wrong]])) >= 0).all()
    assert (np.diff(margins[offered[wrong:]]) >= 0).all()
    narrowest = np.flatnonzero(margins < 0)[np.argmax(margins[margins < 0])]
    assert smooth_hinge.default_test(toy) == int(test.ids[narrowest])


def test_what_cannot_be_answered_is_said(toy, one_or_seven):
    with pytest.raises(UnsupportedError, match="not trained with the hinge"):
        run(one_or_seven)
    flat = int(toy.data.test.ids[np.argmax(smooth_hinge.margins(toy))])
    with pytest.raises(DataError, match=f"hinge of test example {flat} is 0"):
        run(toy, flat)
    with pytest.raises(DataError, match="no example with id 7"):
        run(toy, 7)
    for bad in ({"temperatures": (-0.1,)}, {"temperatures": (np.nan,)}, {"k": 1}):
        with pytest.raises(DataError, match="at least"):
            run(toy, **bad)
    far = np.flatnonzero(smooth_hinge.margins(toy) > 1)
    test = Examples(toy.data.test.x[far], toy.data.test.y[far], toy.data.test.ids[far])
    with pytest.raises(DataError, match="every test example is 0"):
        run(replace(toy, data=replace(toy.data, test=test)))


def test_there_is_a_forecast_only_where_one_was_asked_for(asked):
    assert (asked.index(0.0), asked.index(0.3)) == (0, 2)
    with pytest.raises(DataError, match=r"no forecast at t = 0.2; choose one of 0, 0.01, 0.3"):
        asked.index(0.2)


def test_probabilities_are_refused(digits):
    with pytest.raises(UnsupportedError, match="margins, not probabilities"):
        digits.probabilities(digits.data.test.x)


# -------------------------------------------------------------------------------------------- store, progress


def test_a_second_run_reads_the_first_to_the_last_bit(toy, tmp_path, monkeypatch):
    store = Store(tmp_path)
    first = run(toy, temperatures=(0.3,), k=60, context=Context(store))
    monkeypatch.setattr(left_out_machines, "retrain", None)
    again = run(toy, temperatures=(0.3,), k=60, context=Context(store))
    assert_array_equal(again.actual, first.actual)
    assert_array_equal(again.predicted, first.predicted)
    assert (again.test_id, again.margin, again.target) == (first.test_id, first.margin, first.target)


def test_another_test_example_shares_the_left_out_models(toy, tmp_path, monkeypatch):
    store = Store(tmp_path)
    _, one, other = smooth_hinge.askable(toy)[:3].tolist()
    fresh = run(toy, other, (0.3,), k=60)
    run(toy, one, (0.3,), k=60, context=Context(store))
    monkeypatch.setattr(left_out_machines, "retrain", None)
    shared = run(toy, other, (0.3,), k=60, context=Context(store))
    assert_array_equal(shared.ids, fresh.ids)
    assert_allclose(shared.actual, fresh.actual, atol=1e-12)


def test_progress_rises_and_cancelling_stops(toy):
    seen = []
    run(
        toy,
        temperatures=(0.3,),
        k=5,
        context=Context(progress=lambda fraction, words: seen.append((fraction, words))),
    )
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] <= 1
    assert {"2 of 5 models trained again", "forecasting with t = 0.3"} <= {words for _, words in seen}

    def stop(fraction, words):
        if "2 of 5" in words:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(toy, k=5, context=Context(progress=stop))


def test_the_table_holds_every_temperature(asked):
    columns = table(asked)
    assert list(columns)[:4] == ["training_id", "label", "margin", "actual_loss_change"]
    assert list(columns)[4:] == [f"predicted_loss_change_t={t}" for t in ("0", "0.01", "0.3")]
    assert_array_equal(columns["predicted_loss_change_t=0.3"], asked.predicted[2])
    assert set(columns["label"]) <= {"minus", "plus"}


# ----------------------------------------------------------------------------------------------- the study


def test_a_stored_svm_keeps_its_proof(tmp_path):
    spec = replace(DIGITS, n_train=150, n_test=40)
    store = Store(tmp_path)
    first, again = open_study(spec, store), open_study(spec, store)
    assert (first.from_store, again.from_store) == (False, True)
    assert (first.objective.n, len(first.data.test)) == (150, 40)
    assert_array_equal(again.theta.numpy(), first.theta.numpy())
    assert max(first.gradient_norm, again.gradient_norm) <= 1e-10
    assert gradient_norm(first.objective, first.theta + 0.01) > 1e-3
    assert open_study(replace(spec, n_test=41), store).key != first.key


# -------------------------------------------------------------------------------------------- Figure 3


def reproduced(capsys, *arguments):
    assert main(["reproduce", "fig3", "--check", "--json", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    return told, {figure["name"]: figure["value"] for figure in told["figures"]}


@pytest.mark.slow
def test_figure_3_holds_on_the_packaged_digits_as_far_as_it_can(capsys):
    """Few and separable digits: nearly all examples that matter lie on the kink, and a small t pins them."""
    told, values = reproduced(capsys)
    assert (told["study"], told["test_id"], told["label"], told["n"]) == (
        "one-or-seven-svm",
        7786,
        "7",
        1_092,
    )
    assert told["short"] == [] and "stand-in" in told["stand_in"]
    assert values["t = 0: largest forecast over largest true change"] > 5
    assert values["r(t = 0.001) - r(t = 0)"] > 0.2
    assert 0.3 < values["correlation r(t = 0.001)"] < 0.6 < values["correlation r(t = 0.1)"] < 0.9
    assert (values["left-out training images"], values["of them on the kink"]) == (63, 56)


@pytest.mark.slow
@pytest.mark.shared_data
def test_figure_3_holds_on_mnist(capsys, shared_data):
    """The paper's data, sizes, penalty and test image: n = 11,800, r = .95 at t = .001 and .91 at t = .1."""
    told, values = reproduced(capsys, "--data", str(shared_data))
    assert told["short"] == [] and told["stand_in"] == ""
    assert (told["test_id"], told["label"], told["n"], told["p"]) == (7432, "7", 11_800, 784)
    assert (values["training images n"], values["test images"]) == (11_800, 2_100)
    assert values["t = 0: largest forecast over largest true change"] > 5
    assert_allclose(values["correlation r(t = 0)"], 0.63, atol=0.02)
    assert_allclose(values["correlation r(t = 0.001)"], 0.95, atol=0.01)
    assert_allclose(values["correlation r(t = 0.1)"], 0.91, atol=0.01)
    assert values["correlation r(t = 1)"] < values["correlation r(t = 0.1)"]


@pytest.mark.slow
@pytest.mark.shared_data
def test_the_papers_test_image_and_a_few_left_out_models_of_mnist(shared_data):
    """The proof again by the duality gap, which no unknown tolerance enters: it bounds the error of the test loss."""
    study = open_study(MACHINES["mnist"], folder=str(shared_data))
    test = study.data.test
    assert int(test.ids[1_597]) == smooth_hinge.default_test(study) == 7432
    assert study.data.class_names[int(test.y[1_597])] == "7"
    result = run(study, temperatures=(0.001,), k=4)
    x, xt = signed(study), signed_test(study, 7432)
    before = max(0.0, 1 - xt @ study.theta.numpy())
    for at, actual in zip(positions(study, result), result.actual, strict=True):
        w = np.full(11_800, 1 / 11_800)
        w[at] = 0
        theta = fit_hinge(study.objective.without([at])).theta.numpy()
        margins = x @ theta
        near = margins < 1 + 1e-6
        a = np.zeros(11_800)
        a[near] = _multipliers(x[near], w[near], theta, 0.01)
        assert ((a >= 0) & (a <= w + 1e-18)).all()
        v = x.T @ a
        gap = w @ np.maximum(0, 1 - margins) + 0.005 * theta @ theta - (a.sum() - v @ v / 0.02)
        bound = np.sqrt(2 * max(gap, 0.0) / 0.01) * np.linalg.norm(xt)
        assert bound < 2e-3 * np.abs(result.actual).max()
        assert_allclose(max(0.0, 1 - xt @ theta) - before, actual, atol=1e-9)


def _multipliers(x, w, theta, l2):
    """Dual variables at theta: 1 inside the margin, least squares on it."""
    margins = x @ theta
    inside = margins < 1 - 1e-6
    a = np.where(inside, w, 0.0)
    rest = l2 * theta - x[inside].T @ w[inside]
    a[~inside] = np.clip(np.linalg.lstsq(x[~inside].T, rest, rcond=None)[0], 0, w[~inside])
    return a
