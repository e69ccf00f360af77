"""A handful of real retrainings: which ones, and against cold fits of another library."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.context import ALONE, Context
from influence_core.errors import Cancelled
from influence_core.experiments import explain, leave_one_out, questions, spot_check, take_out, truths
from influence_core.experiments.spot_check import AMONG, ODD, OTHERS, SIDE_BY_SIDE, STRONGEST, chosen
from influence_core.store import Store
from tests import references
from tests.problems import network_study, ready

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
    wrong = int(known.ids[known.misclassified()[-1]])
    return explain.run(study, questions.ask(study, wrong), context=context)


# ------------------------------------------------------------------------------------------- which are left out


def odds(n):
    """The later an example, the worse it is fitted."""
    return 1.0 - np.arange(n) / n


def test_the_strongest_of_either_sign_come_first_and_the_worst_fitted_last():
    scores = np.array([0.1, -5.0, 0.2, 4.0, -0.3, 4.5, 0.0])
    at = chosen(scores, odds(7))
    assert_array_equal(at[:STRONGEST], [1, 5])
    assert set(at[STRONGEST:]) <= {0, 2, 3, 4, 6}
    assert len(set(at)) == len(at) == STRONGEST + OTHERS + ODD
    odd = np.array([0.9, 0.9, 0.9, 0.1, 0.9, 0.2])
    for seed in range(20):
        at = chosen(np.array([9.0, 8.0, 1.0, 1.0, 1.0, 1.0]), odd, seed)
        assert list(at[-ODD:]) == [one for one in (3, 5, 0, 1, 2, 4) if one not in at[:-ODD]][:ODD]


def test_the_others_are_drawn_among_the_next_and_differ_with_the_seed():
    scores = np.random.default_rng(1).normal(size=2_000)
    order = sorted(range(len(scores)), key=lambda i: -abs(scores[i]))
    drawn = [chosen(scores, odds(2_000), seed)[: STRONGEST + OTHERS] for seed in range(50)]
    for at in drawn:
        assert list(at[:STRONGEST]) == order[:STRONGEST]
        assert set(at[STRONGEST:]) <= set(order[STRONGEST:AMONG])
    assert len({int(one) for at in drawn for one in at[STRONGEST:]}) > 20
    assert_array_equal(chosen(scores, odds(2_000)), chosen(scores, odds(2_000), 0))


@pytest.mark.parametrize(("n", "count"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5), (101, 5)])
def test_of_few_examples_as_many_as_there_are(n, count):
    at = chosen(np.ones(n), odds(n))
    assert len(set(at)) == len(at) == count
    assert set(at) <= set(range(n))


# ------------------------------------------------------------------------------------------------- the truth


@pytest.mark.parametrize("with_engine", [True, False], ids=["prepared", "unprepared"])
def test_each_of_a_linear_model_is_left_out_alone_and_trained_again(
    study, answer, context, truth, tmp_path, with_engine
):
    context = replace(context if with_engine else ALONE, store=Store(tmp_path))
    found = spot_check.run(study, answer, context=context)
    assert len(found.train_ids) == spot_check.count(study) == SIDE_BY_SIDE
    at = [answer.position(one) for one in found.train_ids]
    assert set(at) == set(np.argsort(-np.abs(answer.scores))[:SIDE_BY_SIDE])
    mine = found.actual[[list(found.train_ids).index(answer.ids[one]) for one in truth]]
    actual = np.array(list(truth.values()))
    assert_allclose(mine, actual, rtol=0, atol=1e-3 * np.abs(actual).max())
    agreement = found.agreement(answer)
    assert_allclose(
        agreement.worst, np.abs(answer.scores[at] - found.actual).max() / np.abs(found.actual).max()
    )


@pytest.fixture(scope="module")
def truth(study, answer):
    """The changes of the test loss by position, according to cold fits, for five of the strongest."""
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    at = np.argsort(-np.abs(answer.scores))[:SIDE_BY_SIDE:4]
    losses = []
    for one in (None, *at):
        weights = references.uniform(len(x))
        if one is not None:
            weights[one] = 0
        theta = references.cold_fit(x, y, weights, L2, "logistic")
        losses.append(references.losses(theta, answer.x[None], [answer.label], "logistic")[0])
    return dict(zip(at, np.array(losses[1:]) - losses[0], strict=True))


def test_what_is_known_is_kept_for_every_page_and_once(study, answer, context, tmp_path):
    context = replace(context, store=Store(tmp_path))
    strongest = int(answer.ids[np.abs(answer.scores).argmax()])
    assert not len(truths.recall(study, answer, context=context).train_ids)
    alone = take_out.run(study, answer, [strongest], context=context)
    known = truths.recall(study, answer, context=context)
    assert (known.train_ids.tolist(), known.actual.tolist()) == ([strongest], [alone.actual])
    take_out.run(study, answer, known.train_ids.tolist() + [int(answer.ids[0])], context=context)
    left_out = leave_one_out.run(study, answer, 5, context=context)
    known = truths.recall(study, answer, context=context)
    assert sorted(known.train_ids) == sorted(left_out.train_ids), "of groups nothing, of each example once"


@pytest.mark.slow
def test_a_network_is_trained_again_one_by_one(tmp_path):
    """Both of the strongest, one of the others, and the two that it fits worst."""
    study = network_study()
    answer = explain.run(study, questions.ask(study, 100))
    assert spot_check.count(study) == STRONGEST + OTHERS + ODD
    found = spot_check.run(study, answer, context=Context(Store(tmp_path)))
    at = {answer.position(one) for one in found.train_ids}
    assert at <= set(chosen(answer.scores, answer.own_probability))


def test_cancelling_is_heard(study, answer, context, tmp_path):
    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        spot_check.run(study, answer, context=replace(context, store=Store(tmp_path), progress=stop))
