"""The examples that are hardest to forecast: which ones, their truth, and what a forecast misses of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.context import Context
from influence_core.experiments import all_left_out, at_hand, corrected, explain, hardest, questions
from influence_core.store import Store
from tests.problems import linear, linear_study

SOME = 10


@pytest.fixture(params=["softmax", "logistic"])
def study(request):
    return linear_study(linear(request.param, n=40))


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(hardest, "COUNT", SOME)


def test_they_are_those_whose_own_outputs_go_farthest(study):
    """By the Newton step without them, from a dense inverse."""
    o, theta = study.objective, study.theta
    hessian = torch.autograd.functional.hessian(o.risk, theta)
    found, moves = hardest.run(study), []
    for i in range(o.n):
        own = torch.autograd.functional.hessian(
            lambda t, i=i: o.losses(t, o.x[i : i + 1], o.y[i : i + 1])[0], theta
        )
        gradient = o.gradients(theta, o.x[i : i + 1], o.y[i : i + 1])[0]
        step = torch.linalg.solve(hessian - o.weights[i] * own, o.weights[i] * gradient)
        moved = o.outputs(step, o.x[i : i + 1])
        moves.append(float(moved.abs().max()))
    assert_array_equal(found.positions, np.sort(np.argsort(moves)[-SOME:]))
    assert found.proven


def test_the_miss_is_the_largest_on_them_as_a_share_of_the_largest_change(study):
    question, found, table = questions.ask(study, 900), hardest.run(study), all_left_out.run(study)
    forecast, truth = corrected.run(study, question), all_left_out.effects(study, table, question)
    at, expected = found.positions, []
    for one, true in ((forecast.loss, truth.loss), (forecast.probability, truth.probability)):
        largest = max(np.abs(true[at]).max(), np.abs(one).max())
        expected.append(np.abs(one - true)[at].max() / largest)
    assert expected[0] != pytest.approx(expected[1])
    assert_allclose(hardest.miss(study, found, question, forecast), max(expected), rtol=1e-2, atol=1e-6)
    swapped = replace(forecast, loss=-forecast.loss)
    assert hardest.miss(study, found, question, swapped) > 1
    assert np.isnan(hardest.miss(study, replace(found, proven=False), question, forecast))


def test_they_measure_every_answer_once_they_are_there(study, tmp_path):
    context = Context(Store(tmp_path))
    answer = explain.run(study, questions.ask(study, 900), context=context)
    assert at_hand.improve(study, answer, context=context).doubt is None, "nobody waits for them"
    found = hardest.run(study, context=context)
    improved = at_hand.improve(study, answer, context=context)
    assert improved.doubt == hardest.miss(study, found, answer.question, improved.corrected)


def test_what_training_leaves_open_is_the_outputs_that_finishing_it_would_move(study):
    """The loss itself may stay where it is by chance; and far from the optimum a Newton step tells nothing."""
    known, o = [], study.objective
    half = [replace(study, theta=study.theta + off) for off in (0.0, 0.01, 3.0)]
    for one in half:
        question = questions.ask(one, 900)
        x, label = one.example(question.x, question.label)
        outputs = torch.cat([o.outputs(theta, x) for theta in (one.theta, study.theta)])
        pulls = o.loss.residuals(outputs, label.expand(2)).norm(dim=1)
        found = corrected.left_open(one, question, corrected.leverages(one).unfinished)
        assert_allclose(found, float((outputs[0] - outputs[1]).norm() * pulls.max()), rtol=1e-6, atol=1e-8)
        known.append((found, abs(float(o.loss.values(outputs, label.expand(2)).diff()))))
    assert known[0][0] < 1e-6 * known[1][0]
    assert all(left >= change for left, change in known[1:])
