"""Why did the model say that: against a dense answer, through the store, and for questions nobody can answer."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from influence_core import data, solvers
from influence_core.context import Context
from influence_core.data import Examples
from influence_core.engines import SolverSettings, needs_preparation
from influence_core.errors import Cancelled, DataError
from influence_core.experiments import all_left_out, at_hand, explain, questions
from influence_core.experiments.effects import Effects
from influence_core.experiments.explanation import SMALL
from influence_core.store import Store
from influence_core.studies import StudySpec, find, open_study
from tests import references
from tests.problems import ready

L2 = 0.01


@pytest.fixture(scope="module")
def study(one_or_seven):
    return one_or_seven


@pytest.fixture(scope="module")
def known(study):
    return study.predictions


@pytest.fixture(scope="module")
def mistake(study, known):
    """A question about the most confident wrong answer."""
    return questions.ask(study, int(known.ids[known.misclassified()[0]]))


@pytest.fixture(scope="module")
def context(study):
    return ready(study)


@pytest.fixture(scope="module")
def answer(study, mistake, context):
    return explain.run(study, mistake, context=context)


@pytest.fixture(scope="module")
def by_solver(study, mistake):
    return {name: explain.run(study, mistake, SolverSettings(name)) for name in ("cholesky", "cg", "lissa")}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def training(study):
    return study.data.train.x.numpy(), study.data.train.y.numpy()


# ------------------------------------------------------------------------------------------- the numbers


def test_scores_equal_a_dense_computation(study, mistake, answer):
    x, y = training(study)
    theta, asked = study.theta.numpy(), mistake.label
    dense = references.removal_scores(x, y, theta, L2, "logistic", mistake.x.numpy(), asked)
    assert_allclose(answer.scores, dense, rtol=0, atol=1e-10 * np.abs(dense).max())
    assert_array_equal(answer.ids, study.data.train.ids.numpy())
    assert_array_equal(answer.labels, y)


@pytest.mark.parametrize("name", solvers.CATALOGUE)
def test_each_solver_stays_itself(study, name):
    assert SolverSettings(name).resolved(study).solver == name


def test_what_stands_beside_the_scores(study, mistake, answer):
    x, y = training(study)
    p_one = 1 / (1 + np.exp(-x @ study.theta.numpy()))
    p_test = 1 / (1 + math.exp(-mistake.x.numpy() @ study.theta.numpy()))
    assert_allclose(answer.own_probability, np.where(y == 1, p_one, 1 - p_one), rtol=1e-9)
    assert_allclose(answer.probabilities, [1 - p_test, p_test], rtol=1e-9)
    assert_allclose(answer.probability, answer.probabilities[mistake.label])
    assert_allclose(answer.distance, np.linalg.norm(x - mistake.x.numpy(), axis=1), rtol=1e-6)
    assert_array_equal(answer.x, mistake.x.numpy())


def test_distances_of_rows_do_not_depend_on_units():
    """Scikit-learn's scaler is the reference; a measure in other units, as raw counts are, gives the same distances."""
    study = open_study(find("diabetes"))
    asked = questions.ask(study, int(study.data.test.ids[0]))
    x, x_test = study.data.train.x.numpy(), asked.x.numpy()
    binary = ((x == 0) | (x == 1)).all(0)
    scaler = StandardScaler().fit(x)
    scaled, scaled_test = np.where(binary, x, scaler.transform(x)), scaler.transform(x_test[None])[0]
    wanted = np.linalg.norm(scaled - np.where(binary, x_test, scaled_test), axis=1)
    assert binary.any() and not binary.all()
    assert_allclose(explain.run(study, asked).distance, wanted, rtol=1e-9)

    units = torch.from_numpy(np.where(binary, 1.0, 60.0))
    other = replace(study.data, train=replace(study.data.train, x=study.data.train.x * units))
    in_seconds = explain.run(replace(study, data=other), replace(asked, x=asked.x * units))
    assert_allclose(in_seconds.distance, wanted, rtol=1e-9)


def test_a_question_is_about_the_models_own_answer_unless_told_otherwise(study, known, mistake):
    at = known.misclassified()[0]
    assert mistake.label == known.predicted[at] != mistake.true_label == known.labels[at]
    assert questions.ask(study, mistake.test_id, 0).label == 0
    other = questions.with_label(study, mistake, mistake.true_label)
    assert (other.label, other.test_id, other.true_label) == (
        mistake.true_label,
        mistake.test_id,
        mistake.true_label,
    )
    own = questions.ask_about(study, mistake.x)
    assert (own.label, own.test_id, own.true_label) == (mistake.label, None, None)


def test_asking_about_the_other_label_turns_the_scores_and_scales_them(study, mistake, answer, context):
    """Of two labels, grad l_other = -p / (1 - p) grad l_asked."""
    other = explain.run(study, questions.with_label(study, mistake, 1 - mistake.label), context=context)
    odds = answer.probability / (1 - answer.probability)
    assert_allclose(other.scores, -odds * answer.scores, rtol=1e-7)
    assert (other.label_name, answer.label_name) == ("7", "1")
    assert_allclose(other.probability, 1 - answer.probability)
    assert other.predicted_label == answer.predicted_label == mistake.label


@pytest.mark.parametrize(
    ("score", "change"),
    [
        (0.0, lambda p: 0.0),
        (math.log(2), lambda p: -p / 2),
        (-1e-9, lambda p: 1e-9 * p),
        (-50.0, lambda p: 1 - p),
        (50.0, lambda p: -p),
    ],
)
def test_the_change_of_the_probability(answer, score, change):
    changed = replace(answer, scores=np.full(3, score)).influence.probability
    assert_allclose(changed, change(answer.probability), rtol=1e-6, atol=1e-12)


def test_for_and_against_are_the_ends_of_one_order(answer):
    best, worst = answer.helpful(6), answer.harmful(6)
    ordered = sorted(range(len(answer.scores)), key=lambda i: -answer.scores[i])
    assert list(best) == ordered[:6]
    assert list(worst) == ordered[::-1][:6]
    assert (answer.scores[best] > 0).all() and (answer.scores[worst] < 0).all()
    everything = len(answer.helpful(10**6)) + len(answer.harmful(10**6))
    assert everything == np.count_nonzero(answer.scores)


@pytest.mark.parametrize(
    ("scores", "best", "worst"),
    [
        ([1.0, 3.0, 2.0], [1, 2], []),
        ([-1.0, -3.0, 0.0], [], [1, 0]),
        ([0.0, 0.0, 0.0], [], []),
        ([2.0, -1.0, 2.0], [0, 2], [1]),
    ],
)
def test_only_the_right_sign_speaks(answer, scores, best, worst):
    some = replace(answer, scores=np.array(scores))
    assert list(some.helpful(2)) == best
    assert list(some.harmful(2)) == worst


def test_ranks_and_the_table_hold_every_example_once_by_size(answer):
    ranks, table = answer.ranks(), explain.table(answer)
    assert sorted(ranks) == list(range(1, len(ranks) + 1))
    assert_array_equal(np.abs(answer.scores)[np.argsort(ranks)], np.sort(np.abs(answer.scores))[::-1])
    at = [answer.position(one) for one in table["training_id"]]
    assert_array_equal(ranks[at], table["rank"])
    for column, values in {
        "label": np.array(answer.class_names)[answer.labels],
        "predicted_loss_change_nats": answer.scores,
        "predicted_probability_change": answer.influence.probability,
        "distance": answer.distance,
        "own_label_probability": answer.own_probability,
    }.items():
        assert_array_equal(table[column], values[at], err_msg=column)


# ------------------------------------------------------------------------------------------- the three numbers


def test_the_best_number_at_hand_is_shown_and_the_influence_keeps_its_name(study, answer):
    table = all_left_out.run(study)
    corrected, proven = at_hand.improve(study, answer), at_hand.improve(study, answer, table)
    assert [one.number for one in (answer, corrected, proven)] == ["influence", "corrected", "proven"]
    assert list(corrected.numbers) == ["corrected", "influence"]
    for one in (corrected, proven):
        assert_array_equal(one.scores, answer.scores)
        assert_array_equal(one.influence.loss, answer.scores)
        assert_array_equal(one.by("influence").shown, answer.scores)
        assert one.content != answer.content == one.by("influence").content
    order = sorted(range(len(answer.ids)), key=lambda i: -proven.proven.loss[i])
    assert list(proven.helpful(6)) == order[:6]
    assert_array_equal(np.abs(proven.shown)[np.argsort(proven.ranks())], np.sort(np.abs(proven.shown))[::-1])
    assert_allclose(proven.shown, all_left_out.effects(study, table, proven.question).loss)
    assert proven.by("corrected").number == "proven", "what is not at hand cannot be shown"


def test_a_number_is_held_against_the_best_at_hand(study, answer):
    proven = at_hand.improve(study, answer, all_left_out.run(study))
    assert proven.miss is None
    truth = proven.proven.loss
    expected = np.abs(answer.scores - truth).max() / np.abs(truth).max()
    assert_allclose(proven.by("influence").miss, expected)
    assert expected > 0.1


def test_a_table_that_is_not_proven_is_not_used(study, answer):
    table = all_left_out.run(study)
    worse = replace(table, gradient_norms=table.gradient_norms + 1.0)
    assert at_hand.improve(study, answer, worse).number == "corrected"


def test_without_an_inverse_there_is_nothing_better(answer):
    """A curvature that the damping alone makes invertible."""
    flat = StudySpec("flat", "Flat", "digits", "logistic", 0.0, (7, 1), 200, 1e-3)
    study = open_study(flat)
    asked = questions.ask(study, int(study.data.test.ids[0]))
    found = explain.run(study, asked, SolverSettings(damping=0.01))
    assert at_hand.improve(study, found).number == "influence"


def test_effects_are_small_beside_the_answers_own_loss_and_no_forecast_can_tell(study, answer):
    x, label = study.example(torch.as_tensor(answer.x), answer.label)
    assert_allclose(answer.own_loss, -math.log(answer.probability), rtol=1e-9)
    assert_allclose(answer.own_loss, float(study.objective.losses(study.theta, x, label)))
    one = at_hand.improve(study, answer)
    assert_allclose(one.largest_share, np.abs(one.corrected.loss).max() / one.own_loss)
    assert not one.small
    n = len(answer.ids)
    little = Effects(np.full(n, 0.999 * SMALL * answer.own_loss), answer.own_loss)
    more = Effects(1.01 * little.loss, little.before)
    assert replace(answer, proven=little).small
    assert not replace(answer, proven=more).small
    assert not replace(answer, scores=0 * little.loss).small
    assert not replace(answer, corrected=Effects(0 * little.loss, little.before), doubt=0.0).small


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("own_loss", "largest", "share"),
    [(0.0, 0.0, 0.0), (0.0, 1e-300, math.inf), (5e-324, 1.0, math.inf), (1e-300, 1e-302, 0.01)],
)
def test_effects_on_an_answer_without_doubt_have_a_share_of_its_loss_too(answer, own_loss, largest, share):
    effects = Effects(np.full(len(answer.ids), largest), own_loss)
    found = replace(answer, own_loss=own_loss, proven=effects)
    assert found.largest_share == pytest.approx(share)
    assert found.small == (share <= SMALL)


# ------------------------------------------------------------------------------------------- the solvers


def test_conjugate_gradient_equals_cholesky(by_solver):
    exact = by_solver["cholesky"].scores
    assert_allclose(by_solver["cg"].scores, exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    assert by_solver["cg"].provenance.concerns() == by_solver["cholesky"].provenance.concerns() == ()


def test_lissa_orders_alike_and_says_that_it_is_an_approximation(by_solver):
    rough = by_solver["lissa"]
    assert np.corrcoef(rough.scores, by_solver["cholesky"].scores)[0, 1] > 0.9
    assert not rough.provenance.exact
    assert "LiSSA is an approximation" in " ".join(rough.provenance.concerns())


@pytest.mark.parametrize("solver", ["cg", "lissa"])
def test_the_reported_residual_is_the_true_one(study, mistake, by_solver, solver):
    x, y = training(study)
    theta, s = study.theta.numpy(), by_solver[solver].s
    g = references.gradients(theta, mistake.x.numpy()[None], [mistake.label], "logistic")[0]
    product = references.hessian_vector(theta, x, y, references.uniform(len(x)), L2, "logistic", s)
    true = np.linalg.norm(product - g) / np.linalg.norm(g)
    assert_allclose(by_solver[solver].provenance.residual, true, rtol=0.01)


def test_provenance_names_everything_needed_to_repeat_it(study, answer):
    x, y = training(study)
    facts, theta = answer.provenance, study.theta.numpy()
    norm = references.gradient_norm(theta, x, y, references.uniform(len(x)), L2, "logistic")
    check = abs(answer.scores.sum() + L2 * theta @ answer.s) / np.abs(answer.scores).sum()
    assert norm < 1e-10 and facts.gradient_norm < 1e-10
    assert check < 1e-9 and facts.convergence_check < 1e-9
    assert abs(facts.drift) < 1e-9 * facts.largest
    assert facts.largest == np.abs(answer.scores).max()
    assert (facts.n, facts.p, facts.l2, facts.damping) == (len(x), len(theta), "0.01", 0.0)
    assert (facts.curvature, facts.device, facts.dtype) == ("hessian", "cpu", "float64")
    assert (facts.status, facts.convex, facts.exact) == ("converged", True, True)


@pytest.mark.parametrize("given", ["settings", "engine"])
def test_the_automatic_choice_is_explained(study, mistake, context, given):
    how = {"settings": SolverSettings()} if given == "settings" else {"context": context}
    facts = explain.run(study, mistake, **how).provenance
    assert facts.solver == "Cholesky"
    assert facts.reason.startswith("chosen because 784 parameters fit")
    assert explain.run(study, mistake, SolverSettings("cg")).provenance.reason == "chosen by you"


def test_damping_is_a_larger_penalty_of_the_curvature(study, mistake, answer):
    """(H + damping) s = g, checked by a product with H."""
    x, y = training(study)
    damped = explain.run(study, mistake, SolverSettings(damping=0.5))
    theta = study.theta.numpy()
    g = references.gradients(theta, mistake.x.numpy()[None], [mistake.label], "logistic")[0]
    weights = references.uniform(len(x))
    product = references.hessian_vector(theta, x, y, weights, L2 + 0.5, "logistic", damped.s)
    assert_allclose(product, g, atol=1e-12)
    assert damped.provenance.damping == 0.5
    assert np.abs(damped.scores).max() < np.abs(answer.scores).max()


def test_hessian_and_gauss_newton_are_one_for_a_linear_model(study, mistake, answer):
    gauss_newton = explain.run(study, mistake, SolverSettings(curvature="gauss-newton"))
    assert gauss_newton.provenance.curvature == "gauss-newton"
    assert_allclose(gauss_newton.scores, answer.scores, rtol=1e-9)


# --------------------------------------------------------------------------------------------- the store


def is_stored(study, question, settings, store):
    way, context = settings.resolved(study), Context(store)
    return explain._solve.recall(study, question.x, question.label, way, context=context) is not None


def assert_same(second, first):
    for name in ("scores", "s"):
        assert_array_equal(getattr(second, name), getattr(first, name))
    assert second.provenance == first.provenance


def test_the_second_answer_is_read_and_equal_bit_for_bit(study, mistake, context, store):
    assert not is_stored(study, mistake, SolverSettings(), store)
    first = explain.run(study, mistake, context=replace(context, store=store))
    again = explain.run(study, mistake, context=Context(store))
    assert is_stored(study, mistake, SolverSettings(), store)
    assert (first.from_store, again.from_store) == (False, True)
    assert_same(again, first)


@pytest.mark.parametrize(
    "other",
    [
        {"settings": SolverSettings("cg")},
        {"settings": SolverSettings(damping=0.01)},
        {"settings": SolverSettings(curvature="gauss-newton")},
        {"label": 0},
        {"pixel": 0},
        {"pixel": 783},
    ],
    ids=str,
)
def test_another_question_is_never_answered_from_the_store(study, mistake, context, store, other):
    explain.run(study, mistake, context=replace(context, store=store))
    question = questions.with_label(study, mistake, other.get("label", mistake.label))
    if "pixel" in other:
        x = mistake.x.clone()
        x[other["pixel"]] = 0.5
        question = questions.ask_about(study, x, mistake.label)
    settings = other.get("settings", SolverSettings())
    assert not is_stored(study, question, settings, store)
    answer = explain.run(study, question, settings, context=Context(store))
    assert not answer.from_store
    assert_array_equal(answer.x, question.x.numpy())
    assert_allclose(answer.scores, explain.run(study, question, settings).scores, rtol=1e-9)


@pytest.mark.parametrize(("row", "pixel"), [(0, 0), (1091, 783), (500, 400)])
def test_one_changed_training_pixel_makes_another_study(
    study, mistake, context, store, monkeypatch, row, pixel
):
    """856,128 training pixels: a digest of a sample of them would miss most edits."""
    first = explain.run(study, mistake, context=replace(context, store=store))
    packaged = data.load("digits")
    x = packaged.train.x.clone()
    x[packaged.train.position(int(first.ids[row])), pixel] += 0.25
    edited = replace(packaged, train=Examples(x.clamp(max=1.0), packaged.train.y, packaged.train.ids))
    monkeypatch.setitem(data.CATALOGUE, "digits", data.DataRow("digits", lambda folder, progress: edited, ""))
    changed = open_study(study.spec, store)
    assert changed.key != study.key
    assert not changed.from_store
    answer = explain.run(changed, mistake, context=Context(store))
    assert not answer.from_store
    assert np.abs(answer.scores - first.scores).max() > 1e-9 * np.abs(first.scores).max()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"not an archive",
        lambda content: content[:3000] + bytes([content[3000] ^ 1]) + content[3001:],
    ],
    ids=["emptied", "cut", "overwritten", "one bit"],
)
def test_a_damaged_answer_is_computed_again(study, mistake, context, store, damage):
    first = explain.run(study, mistake, context=replace(context, store=store))
    (file,) = store.folder.glob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    again = explain.run(study, mistake, context=replace(context, store=store))
    assert not again.from_store
    assert_array_equal(again.scores, first.scores)
    assert any("damaged" in notice for notice in store.notices())
    assert explain.run(study, mistake, context=replace(context, store=store)).from_store


def test_a_large_model_is_answered_first_without_preparation_and_found_again(store):
    """7,840 parameters: the first answers come from conjugate gradient, and count as answers of "auto"."""
    few = open_study(StudySpec("few", "Few digits", "digits", "softmax", 1.0, n_train=60))
    question, settings = questions.ask(few, 5000), SolverSettings()
    assert needs_preparation(few, settings)
    assert not needs_preparation(few, SolverSettings("cholesky"))
    assert settings.resolved(few).solver == "cholesky"
    first = explain.run(few, question, settings, context=Context(store))
    assert first.provenance.solver == "conjugate gradient"
    assert first.provenance.reason == explain.QUICK_REASON
    found = explain.run(few, question, settings, context=Context(store))
    assert found.from_store
    assert_same(found, first)


def test_cancelling_stops_the_work(study, mistake, store):
    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        explain.run(study, mistake, SolverSettings("lissa"), context=Context(store, stop))
    assert store.size() == 0


# ------------------------------------------------------------------------------------------- bad questions

NAN, OUT_OF_RANGE = torch.zeros(784).double(), torch.zeros(784).double()
NAN[400], OUT_OF_RANGE[400] = torch.nan, 255

BAD = {
    "test id too large": (lambda study: questions.ask(study, 10**9), "no example with id 1000000000.*Choose"),
    "a training id": (lambda study: questions.ask(study, 12), "no example with id 12.*Choose"),
    "negative test id": (lambda study: questions.ask(study, -1), "no example with id -1.*Choose"),
    "label 10": (lambda study: questions.ask(study, 5040, 10), r"no label number 10.*0 \(7\), 1 \(1\)"),
    "label -1": (lambda study: questions.ask(study, 5040, -1), "no label number -1.*choose one of"),
    "label of a picture": (
        lambda study: questions.ask_about(study, 0 * NAN.nan_to_num(), 2),
        "no label number 2",
    ),
    "another label": (
        lambda study: questions.with_label(study, questions.ask(study, 5040), 2),
        "no label number 2.*choose one of",
    ),
    "NaN pixels": (lambda study: questions.ask_about(study, NAN), "NaN"),
    "pixels up to 255": (lambda study: questions.ask_about(study, OUT_OF_RANGE), "from 0 .* to 1 .*255"),
    "too few pixels": (lambda study: questions.ask_about(study, NAN[:100].clone()), "784 pixels.*100"),
    "a matrix": (lambda study: questions.ask_about(study, torch.zeros(28, 28)), "784 pixels.*28"),
    "damping -1": (lambda study: SolverSettings(damping=-1.0), "damping must be .* at least 0, but is -1"),
    "damping NaN": (
        lambda study: SolverSettings(damping=math.nan),
        "damping must be .* at least 0, but is nan",
    ),
    "damping infinite": (lambda study: SolverSettings(damping=math.inf), "damping must be .*but is inf"),
    "unknown solver": (
        lambda study: SolverSettings("gauss"),
        "no solver 'gauss'.*auto, cholesky, cg, .*lissa",
    ),
    "unknown curvature": (lambda study: SolverSettings(curvature="fisher"), "'fisher'.*auto, hessian"),
    "unknown study": (lambda study: find("digit"), "no study 'digit'.*digits, one-or-seven"),
    "unknown device": (lambda study: open_study(study.spec, device="tpu"), "no device 'tpu'.*cpu"),
    "unknown training id": (
        lambda study: explain.run(study, questions.ask(study, 5040), SolverSettings("cg")).position(5040),
        "no training image 5040",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_asked_is_refused_in_words(study, name):
    ask, message = BAD[name]
    with pytest.raises(DataError, match=message):
        ask(study)


# ---------------------------------------------------------------------------------------------- two questions


def test_questions_that_come_to_the_same_numbers_stay_two_questions(study, mistake, answer, context):
    """What is made of an answer names its test example and its settings: twins in a table must not share it."""
    twin = explain.run(study, replace(mistake, test_id=-1), context=context)
    chosen = explain.run(study, mistake, SolverSettings("cholesky"), context=context)
    for other in (twin, chosen):
        assert_array_equal(other.s, answer.s)
        assert other.content != answer.content
    assert replace(answer, from_store=True).content == answer.content
