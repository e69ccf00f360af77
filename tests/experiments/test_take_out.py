"""Taken out and trained again: the truth against cold fits of another library, and the control."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from influence_core import data
from influence_core.context import ALONE, Context
from influence_core.data import DataSet, Examples
from influence_core.errors import Cancelled, DataError
from influence_core.experiments import explain, questions, take_out
from influence_core.losses import SoftmaxLoss
from influence_core.network import NetworkObjective
from influence_core.retraining.edits import Edit
from influence_core.store import Store
from influence_core.studies import Study, StudySpec
from influence_core.training import minimise
from tests import references
from tests.problems import ready

L2 = 0.01


@pytest.fixture(scope="module")
def study(one_or_seven):
    return one_or_seven


@pytest.fixture(scope="module")
def context(study):
    return ready(study)


@pytest.fixture(scope="module")
def answer(study, context):
    """Why the least confident mistake."""
    known = study.predictions
    return explain.run(
        study, questions.ask(study, int(known.ids[known.misclassified()[-1]])), context=context
    )


@pytest.fixture
def trained_again(monkeypatch):
    """The parameters of every retrained model, in order."""
    kept = []

    def spied(original):
        def spy(*args, **named):
            models = original(*args, **named)
            kept.extend(models.theta)
            return models

        return spy

    for name in ("retrain", "retrain_damped"):
        monkeypatch.setattr(take_out, name, spied(getattr(take_out, name)))
    return kept


def left_out(n, at):
    weights = references.uniform(n)
    weights[at] = 0
    return weights


def test_loss(theta, answer):
    return references.losses(theta, answer.x[None], [answer.label], "logistic")[0]


test_loss.__test__ = False


@pytest.fixture(scope="module")
def truth(study, answer):
    """Choices by name: positions, and the change of the test loss according to cold fits."""
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    first, second, third = np.argsort(-np.abs(answer.scores))[:3]
    choices = {"first": [first], "second": [second], "third": [third], "pair": [first, second]}
    everything = test_loss(references.cold_fit(x, y, references.uniform(len(x)), L2, "logistic"), answer)
    fits = {
        name: references.cold_fit(x, y, left_out(len(x), at), L2, "logistic") for name, at in choices.items()
    }
    return {name: (choices[name], test_loss(fits[name], answer) - everything) for name in choices}


@pytest.mark.parametrize("engine", [True, False], ids=["prepared", "unprepared"])
@pytest.mark.parametrize("name", ["first", "second", "third", "pair"])
def test_forecast_and_truth(study, answer, context, truth, trained_again, name, engine):
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    at, change = truth[name]
    result = take_out.run(study, answer, answer.ids[at], context=context if engine else ALONE)
    largest = max(abs(one) for _, one in truth.values())
    assert_allclose(result.actual, change, rtol=0, atol=0.01 * largest)
    assert_allclose(result.forecast.alone, answer.scores[at].sum())
    assert abs(result.forecast.together - change) < 0.3 * abs(result.forecast.alone - change)
    assert result.forecast.best == result.forecast.together

    (theta,) = (one.numpy() for one in trained_again)
    weights = left_out(len(x), at)
    norm = references.gradient_norm(theta, x, y, weights, L2, "logistic")
    edit = references.gradients(study.theta.numpy(), x[at], y[at], "logistic").sum(0) / len(x)
    assert_allclose(result.target, 1e-6 * np.linalg.norm(edit), rtol=1e-6)
    assert norm <= result.target
    assert_allclose(result.gradient_norm, norm, rtol=0.01, atol=1e-15)
    assert result.converged

    p = 1 / (1 + np.exp(-answer.x @ theta))
    assert_allclose(result.after, [1 - p, p], rtol=1e-9)
    assert_array_equal(result.before, answer.probabilities)
    assert result.control == 0.0


def test_the_answer_flips_where_it_does(study, answer, context):
    for_it = take_out.run(study, answer, answer.ids[answer.helpful(10)], context=context)
    against = take_out.run(study, answer, answer.ids[answer.harmful(10)], context=context)
    assert for_it.actual > 0 > against.actual
    assert for_it.after[answer.label] < 0.5 < for_it.before[answer.label] < against.after[answer.label]
    assert (for_it.flips, against.flips) == (True, False)


def test_an_id_named_twice_is_taken_out_once(study, answer, context):
    one = int(answer.ids[answer.helpful(1)[0]])
    result = take_out.run(study, answer, [one, one], context=context)
    assert result.train_ids == (one,)
    assert_allclose(result.forecast.alone, answer.scores.max())


@pytest.mark.parametrize(
    ("choose", "message"),
    [
        (lambda answer: [], "at least one training image"),
        (lambda answer: [999_999], "no training image 999999"),
        (lambda answer: [int(answer.ids[0]), -1], "no training image -1"),
        (lambda answer: [answer.test_id], "no training image"),
        (lambda answer: answer.ids[answer.labels == 1], "no training image labelled 1; keep"),
        (lambda answer: answer.ids, "no training image labelled 7"),
    ],
)
def test_what_cannot_be_taken_out_is_refused_in_words(study, answer, choose, message):
    with pytest.raises(DataError, match=message):
        take_out.run(study, answer, choose(answer))


def test_a_stored_outcome_belongs_to_each_examples_own_label(study, answer, context, tmp_path):
    context, (one, other) = (
        replace(context, store=Store(tmp_path)),
        np.flatnonzero(answer.labels == 0)[:2].tolist(),
    )
    first = take_out.run_edit(study, answer, Edit.relabel([one, other], [0, 1]), context=context)
    turned = take_out.run_edit(study, answer, Edit.relabel([other, one], [0, 1]), context=context)
    same = take_out.run_edit(study, answer, Edit.relabel([other, one], [1, 0]), context=context)
    assert turned.forecast.alone * first.forecast.alone != 0
    assert abs(turned.actual - first.actual) > 1e-4 * abs(first.actual)
    assert_allclose(same.actual, first.actual, rtol=0, atol=0)
    assert same.train_ids == turned.train_ids == first.train_ids[::-1]


def test_cancelling_stops_the_training(study, answer):
    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        take_out.run(study, answer, answer.ids[:1], context=Context(progress=stop))


# --------------------------------------------------------------------- a network, trained to the end or not


def small_digits() -> DataSet:
    """100 training digits 1 and 7 of 7 x 7 pixels."""
    packaged = data.load("digits").keep_classes((7, 1)).first(n_train=100, n_test=50)

    def shrink(examples: Examples) -> Examples:
        x = nn.functional.avg_pool2d(examples.x.view(-1, 28, 28), 4).flatten(1)
        return replace(examples, x=x)

    return replace(
        packaged, train=shrink(packaged.train), test=shrink(packaged.test), image_shape=(7, 7), name="small"
    )


def network_study(away: float = 0.0) -> Study:
    """A small network, ``away`` from the optimum."""
    small = small_digits()
    module = nn.Sequential(nn.Flatten(), nn.Linear(49, 2), nn.Tanh(), nn.Linear(2, 2)).double()
    l2 = torch.cat([torch.full((p.numel(),), 0.02 if p.ndim > 1 else 0.0) for p in module.parameters()])
    objective = NetworkObjective.build(
        module, small.train.x, small.train.y, SoftmaxLoss(2), l2.double(), (1, 7, 7)
    )
    generator = torch.Generator().manual_seed(1)
    start, shift = torch.randn(2, objective.dim, generator=generator, dtype=torch.float64)
    theta = minimise(objective, 0.3 * start, 1e-11).theta + away * shift
    norm = float(objective.risk_gradient(theta).norm())
    spec = StudySpec("small", "Small", "small", "all-convolutional", 0.02, damping=0.01)
    return Study(spec, small, objective, theta, norm, 0.0, False, "0" * 64)


def reference_network():
    return nn.Sequential(nn.Flatten(), nn.Linear(49, 2), nn.Tanh(), nn.Linear(2, 2)).double()


def network_gradient_norm(study, theta, weights):
    train = study.data.train
    at = theta.clone().requires_grad_()
    risk = references.network_risk(
        reference_network(), at, train.x, train.y, torch.as_tensor(weights), study.objective.l2
    )
    return float(torch.autograd.grad(risk, at)[0].norm())


def test_the_control_is_subtracted_where_training_had_not_ended(trained_again):
    study = network_study(away=0.01)
    question = questions.ask(study, int(study.data.test.ids[0]))
    answer = explain.run(study, question)
    assert answer.provenance.curvature == "gauss-newton"
    best = int(answer.helpful(1)[0])
    result = take_out.run(study, answer, [int(answer.ids[best])])

    without, everything = trained_again
    n = len(study.data.train)
    assert network_gradient_norm(study, without, left_out(n, [best])) <= result.target
    assert network_gradient_norm(study, everything, references.uniform(n)) <= result.target
    before, after, finished = (
        float(
            references.network_losses(
                reference_network(), theta, question.x[None], torch.tensor([question.label])
            )
        )
        for theta in (study.theta, without, everything)
    )
    assert abs(finished - before) > 0.05 * abs(after - finished)  # or the subtraction would not show
    assert_allclose(result.control, finished - before, rtol=1e-6)
    assert_allclose(result.actual, after - finished, rtol=1e-6)
    assert result.converged


def test_a_network_trained_to_the_end_needs_no_control(trained_again):
    study = network_study()
    answer = explain.run(study, questions.ask(study, int(study.data.test.ids[0])))
    best = int(answer.helpful(1)[0])
    result = take_out.run(study, answer, [int(answer.ids[best])])
    assert len(trained_again) == 1
    assert result.control == 0.0
    assert result.forecast.alone * result.actual > 0
    assert result.forecast.together is None
    assert result.forecast.best == result.forecast.alone
