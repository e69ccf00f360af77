"""A network's forecasts against three ways of training it again: on a toy, and on the packaged digits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import studies
from influence_core.agreement import Agreement
from influence_core.context import Context
from influence_core.engines import SolverSettings
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import explain, network_leave_one_out, network_retraining, questions
from influence_core.models import all_convolutional
from influence_core.store import Store
from influence_core.training import AdamSchedule
from tests import references
from tests.experiments.test_take_out import network_study, reference_network
from tests.problems import ready

K = 6
TRAINERS = ("retrain_damped", "respond", "retrain_with_adam")
SHORT = AdamSchedule(steps=40, batch=20, rate=1e-3)


@pytest.fixture(scope="module")
def study():
    return network_study()


@pytest.fixture(scope="module")
def answer(study):
    """Why a mistake: its true label is asked about."""
    test = study.data.test
    at = int(np.flatnonzero(study.probabilities(test.x).argmax(1) != test.y.numpy())[-1])
    return explain.run(study, questions.ask(study, int(test.ids[at]), int(test.y[at])))


@pytest.fixture
def trained_again(monkeypatch):
    """The parameters of every retrained model by way of training, in order."""
    kept = {name: [] for name in TRAINERS}

    def spied(name, original):
        def spy(*args, **named):
            models = original(*args, **named)
            kept[name].extend(models.theta)
            return models

        return spy

    for name in TRAINERS:
        monkeypatch.setattr(network_retraining, name, spied(name, getattr(network_retraining, name)))
    return kept


@pytest.fixture
def nothing_is_trained(monkeypatch):
    for name in TRAINERS:
        monkeypatch.setattr(network_retraining, name, None)


def _loss(theta, x, label):
    losses = references.network_losses(
        reference_network(), theta, torch.as_tensor(x)[None], torch.tensor([label])
    )
    return float(losses)


def test_every_truth_is_the_references_change_of_loss_less_the_control(study, answer, trained_again):
    found = network_leave_one_out.run(study, answer, K, adam=SHORT)
    order = np.argsort(-np.abs(answer.scores), kind="stable")[:K]
    assert_array_equal(found.train_ids, answer.ids[order])
    assert_allclose(found.predicted, answer.scores[order], rtol=0, atol=0)
    before = _loss(study.theta, answer.x, answer.label)
    for way, name in zip(
        network_leave_one_out.WARM_WAYS, ("retrain_damped", "retrain_with_adam", "respond"), strict=True
    ):
        truth, thetas = found.retrainings[way], trained_again[name]
        control = _loss(thetas.pop(0), answer.x, answer.label) - before if way == "adam" else 0.0
        assert len(thetas) == K
        changes = np.array([_loss(theta, answer.x, answer.label) - before for theta in thetas])
        assert_allclose(truth.actual, changes - control, rtol=0, atol=1e-12)
        assert_allclose(truth.control, control, rtol=0, atol=1e-12)
        assert_allclose(truth.moved, [float((one - study.theta).norm()) for one in thetas])
        assert truth.proved and truth.moved.min() > 0
        assert found.agreement(way) == Agreement.of(found.predicted, truth.actual)
        order = np.argsort(np.abs(truth.actual))[:-1]
        expected = np.corrcoef(found.predicted[order], truth.actual[order])[0, 1]
        assert_allclose(found.pearson_without_strongest(way), expected, rtol=1e-9)
        assert found.left_out(way).actual is truth.actual
    assert found.retrainings["adam"].control != 0
    assert found.agreement("pbrf").pearson > 0.95, "the question that the forecast answers"


def test_the_same_models_answer_for_the_other_mistakes(study, answer, trained_again):
    found = network_leave_one_out.run(study, answer, K, ("local",))
    test, train = study.data.test, study.data.train
    wrong = np.flatnonzero(study.probabilities(test.x).argmax(1) != test.y.numpy())
    others = [at for at in wrong if int(test.ids[at]) != answer.test_id][: network_leave_one_out.OTHERS]
    assert_array_equal(found.other_ids, test.ids[others])
    at = [answer.position(int(one)) for one in found.train_ids]
    module, theta = reference_network(), study.theta
    rows = references.network_gradients(module, theta, train.x, train.y)
    weights = torch.full((len(train),), 1 / len(train), dtype=torch.float64)
    matrix = references.network_gauss_newton(module, theta, train.x, train.y, weights, study.objective.l2)
    damped = matrix + study.spec.damping * torch.eye(len(theta), dtype=torch.float64)
    for row, one in enumerate(others):
        x, label = test.x[one], int(test.y[one])
        gradient = references.network_gradients(module, theta, x[None], test.y[one : one + 1])[0]
        predicted = (rows[at] @ torch.linalg.solve(damped, gradient) / len(train)).numpy()
        actual = [
            _loss(model, x, label) - _loss(theta, x, label) for model in trained_again["retrain_damped"]
        ]
        assert_allclose(
            found.retrainings["local"].others[row], np.corrcoef(predicted, actual)[0, 1], atol=1e-6
        )


def test_the_eigenvalues_are_those_of_the_hessian_without_damping(study, answer):
    found = network_leave_one_out.run(study, answer, 2, ("pbrf",))
    train, o = study.data.train, study.objective
    weights = torch.full((len(train),), 1 / len(train), dtype=torch.float64)
    hessian = references.network_hessian(reference_network(), study.theta, train.x, train.y, weights, o.l2)
    values = torch.linalg.eigvalsh(hessian)
    assert_allclose(
        found.eigenvalues.smallest, float(values[0]), atol=found.eigenvalues.smallest_error + 1e-8
    )
    assert_allclose(found.eigenvalues.largest, float(values[-1]), rtol=1e-8)
    assert found.damping == study.spec.damping
    assert found.p == len(study.theta)


@pytest.mark.slow
def test_random_forecasts_know_nothing(study, answer):
    truth = network_leave_one_out.run(study, answer, 40, ("pbrf",)).retrainings["pbrf"]
    r = truth.random_pearson()
    assert abs(r.mean()) < 0.03
    assert 0.2 < np.quantile(np.abs(r), 0.95) < 0.35
    assert_array_equal(r, truth.random_pearson())


def test_models_are_kept_one_by_one_for_every_test_example(
    study, answer, tmp_path, trained_again, monkeypatch
):
    store, ways = Store(tmp_path), ("local", "adam")
    first = network_leave_one_out.run(study, answer, 3, ways, SHORT, context=Context(store))
    assert [len(trained_again[name]) for name in TRAINERS] == [3, 0, 4]
    more = network_leave_one_out.run(study, answer, 5, ways, SHORT, context=Context(Store(tmp_path)))
    assert [len(trained_again[name]) for name in TRAINERS] == [5, 0, 6], "only what is missing is trained"
    assert_allclose(more.retrainings["local"].actual[:3], first.retrainings["local"].actual, rtol=0, atol=0)
    for name in TRAINERS:
        monkeypatch.setattr(network_retraining, name, None)
    again = network_leave_one_out.run(study, answer, 5, ways, SHORT, context=Context(Store(tmp_path)))
    assert_array_equal(again.retrainings["adam"].actual, more.retrainings["adam"].actual)
    assert again.eigenvalues.smallest == more.eigenvalues.smallest
    assert again.retrainings["adam"].seconds == more.retrainings["adam"].seconds
    other = explain.run(study, questions.ask(study, answer.test_id, 1 - answer.label))
    shared = replace(other, scores=answer.scores)  # the same examples, asked about another label
    asked = network_leave_one_out.run(study, shared, 5, ("local",), context=Context(Store(tmp_path)))
    before = _loss(study.theta, other.x, other.label)
    changes = [_loss(theta, other.x, other.label) - before for theta in trained_again["retrain_damped"]]
    assert_allclose(asked.retrainings["local"].actual, changes, rtol=0, atol=1e-12)


def test_other_steps_are_other_models(study, answer, tmp_path, trained_again):
    store = Store(tmp_path)
    for schedule in (SHORT, replace(SHORT, steps=20), SHORT):
        network_leave_one_out.run(study, answer, 2, ("adam",), schedule, context=Context(store))
    assert len(trained_again["retrain_with_adam"]) == 6


def test_a_cold_start_begins_at_the_initialisation(study, answer, trained_again):
    cold = replace(study, spec=replace(study.spec, schedule=replace(SHORT, steps=1, rate=1e-6)))
    found = network_leave_one_out.run(cold, answer, 2, ("cold",))
    for theta in trained_again["retrain_with_adam"]:
        assert (theta - study.objective.theta()).abs().max() < 1e-5
    assert found.retrainings["cold"].control_moved > 0.1
    with pytest.raises(UnsupportedError, match="no cold start"):
        network_leave_one_out.run(study, answer, 2, ("cold",))


@pytest.mark.parametrize(
    ("k", "ways", "words"),
    [
        (1, ("local",), "between 2 and 100"),
        (101, ("local",), "between 2 and 100"),
        (2, ("guess",), "no way 'guess'"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(study, answer, nothing_is_trained, k, ways, words):
    with pytest.raises(DataError, match=words):
        network_leave_one_out.run(study, answer, k, ways)


def test_a_linear_model_is_sent_away(one_or_seven, answer):
    with pytest.raises(UnsupportedError, match="leave examples out one by one"):
        network_leave_one_out.run(one_or_seven, answer, 2)
    with pytest.raises(UnsupportedError):
        network_leave_one_out.paper_time(one_or_seven)


def test_the_papers_time_is_extrapolated_from_its_steps(study):
    took = network_leave_one_out.paper_time(study, steps=30)
    assert took.seconds_a_step > 0
    assert_allclose(took.training / took.seconds_a_step, 500_000)
    assert_allclose(took.retraining / took.seconds_a_step, 101 * 30_000)


# ------------------------------------------------------------------------------ the proof on packaged digits


@pytest.fixture(scope="module")
def digits():
    return studies.open_study(studies.find("digits-network"))


@pytest.fixture(scope="module")
def context(digits):
    return ready(digits, SolverSettings("cholesky"))


@pytest.fixture(scope="module")
def mistake(digits, context):
    """Why the first mistake: its true label is asked about."""
    test = digits.data.test
    at = int(np.flatnonzero(digits.probabilities(test.x).argmax(1) != test.y.numpy())[0])
    question = questions.ask(digits, int(test.ids[at]), int(test.y[at]))
    return explain.run(digits, question, context=context)


def _left_out_norm(digits, theta, position):
    """Of the risk without one digit, by the references and the paper's network built anew."""
    o = digits.objective
    weights = torch.full((o.n,), 1 / o.n, dtype=torch.float64)
    weights[position] = 0
    at = theta.clone().requires_grad_()
    module = all_convolutional.build(10, 0).double()
    images = digits.data.train.x.double().view(-1, 1, 28, 28)
    risk = references.network_risk(module, at, images, digits.data.train.y, weights, o.l2)
    return float(torch.autograd.grad(risk, at)[0].norm())


def test_the_papers_network_is_trained_to_the_norm(digits):
    sizes, side = [], []
    module = all_convolutional.build(10, 0)
    for layer in module.convolutions:
        layer.register_forward_hook(lambda *seen: side.append(seen[-1].shape[-1]))
        sizes.append(sum(p.numel() for p in layer.parameters()))
    module(torch.zeros(1, 1, 28, 28))
    assert (sizes, side) == ([80, 584, 584, 584, 584, 90], [26, 12, 10, 4, 2, 2])
    assert digits.objective.dim == 2_616
    assert digits.objective.n >= 1_000
    assert _left_out_norm(digits, digits.theta, []) <= 1e-4


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_forty_digits_left_out_of_the_papers_network(
    digits, context, mistake, trained_again, record_property
):
    """One way of three: `reproduce fig2-network --check` holds Adam with identical batches to the same correlation."""
    found = network_leave_one_out.run(digits, mistake, 40, ("local",), context=context)
    truth, agreement = found.retrainings["local"], found.agreement("local")
    record_property("pearson", agreement.pearson)
    assert agreement.pearson >= 0.7
    assert found.pearson_without_strongest("local") >= 0.7
    assert np.quantile(np.abs(truth.random_pearson()), 0.95) < 0.35
    assert abs(truth.random_pearson().mean()) < 0.03
    assert truth.proved
    assert found.eigenvalues.smallest + found.damping > 0
    for train_id, theta, norm in zip(
        found.train_ids, trained_again["retrain_damped"], truth.gradient_norms, strict=True
    ):
        proved = _left_out_norm(digits, theta, mistake.position(int(train_id)))
        assert proved <= 1e-4
        assert_allclose(norm, proved, rtol=1e-6)
