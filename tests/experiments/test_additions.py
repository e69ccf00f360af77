"""What is missing: forecasts of added examples against dense algebra of the references and against training again."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import studies
from influence_core.context import Context
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import additions, pools, questions
from influence_core.experiments.pools import Pool
from tests import references
from tests.problems import linear, linear_study, network_study, ready

KINDS = ["softmax", "logistic"]


@pytest.fixture(scope="module", params=KINDS)
def toy(request):
    return linear(request.param, tests=40)


@pytest.fixture(scope="module")
def study(toy):
    return linear_study(toy)


@pytest.fixture(scope="module")
def question(study):
    return questions.ask_truth(study, 901)


def with_candidate(toy, one: int):
    """Weights, inputs and labels once a test example is added with the weight of the others."""
    return np.append(toy.w, 1 / len(toy.w)), np.vstack([toy.x, toy.xt[one]]), np.append(toy.y, toy.yt[one])


@pytest.mark.parametrize("prepared", [True, False], ids=["factor", "conjugate gradient"])
def test_forecasts_are_the_first_order_and_a_dense_newton_step(toy, study, question, prepared):
    pool = pools.held_out(study, question)
    context = ready(study) if prepared else Context()
    found = additions.run(study, question, pool, context=context)
    assert 901 not in found.ids and len(found.ids) == 39
    at, label = toy.theta.numpy(), [question.label]
    hessian = references.hessian(at, toy.x, toy.y, toy.w, toy.l2, toy.kind)
    s = np.linalg.solve(hessian, references.gradients(at, toy.xt[1:2], label, toy.kind)[0])
    before = references.losses(at, toy.xt[1:2], label, toy.kind)[0]
    for one in (0, 2, 17):
        position = int(np.flatnonzero(found.ids == 900 + one)[0])
        gradient = references.gradients(at, toy.xt[one : one + 1], toy.yt[one : one + 1], toy.kind)[0]
        assert_allclose(found.influence[position], -s @ gradient / len(toy.w), rtol=1e-6)
        w, x, y = with_candidate(toy, one)
        data = x, y, w, toy.l2, toy.kind
        moved = at - np.linalg.solve(references.hessian(at, *data), references.risk_gradient(at, *data))
        after = references.losses(moved, toy.xt[1:2], label, toy.kind)[0]
        assert_allclose(found.loss[position], after - before, rtol=1e-6)
        assert_allclose(found.probability[position], np.exp(-after) - np.exp(-before), rtol=1e-6)


def test_the_truth_is_a_cold_fit_with_the_example_added(toy, study, question):
    pool = pools.held_out(study, question)
    for one in (0, 17):
        position = int((pool.ids == 900 + one).nonzero()[0, 0])
        found = additions.prove(study, question, pool, [position])
        w, x, y = with_candidate(toy, one)
        after = toy.test_losses(toy.refit(w, x, y))[1] if toy.yt[1] == question.label else None
        assert after is not None
        assert_allclose(found.actual, float(after - toy.test_losses(toy.theta)[1]), rtol=1e-4)
        assert found.converged and found.gradient_norm <= found.target
        alone = additions.run(study, question, pool)
        assert_allclose(
            [found.alone, found.forecast], [alone.influence[position], alone.loss[position]], rtol=1e-5
        )
        assert_allclose(found.forecast, found.actual, rtol=0.05)


def test_the_best_five_together_beat_five_drawn_by_chance(study, question):
    pool = pools.held_out(study, question)
    order = additions.run(study, question, pool).order()
    best = additions.prove(study, question, pool, order[:5].tolist())
    drawn = np.random.default_rng(0).choice(len(order), 5, replace=False)
    assert best.actual < min(0.0, additions.prove(study, question, pool, drawn.tolist()).actual)
    assert abs(best.forecast - best.actual) < 0.3 * abs(best.actual)


def test_what_has_no_newton_step_stands_behind_what_has(study, question, monkeypatch):
    monkeypatch.setattr(additions, "SHARPENED", 7)
    found = additions.run(study, question, pools.held_out(study, question))
    order = found.order()
    assert np.isfinite(found.loss[order[:7]]).all() and np.isnan(found.loss[order[7:]]).all()
    assert (np.diff(found.loss[order[:7]]) >= 0).all() and (np.diff(found.influence[order[7:]]) >= 0).all()
    assert set(order[:7]) == set(np.argsort(found.influence)[:7])


# ------------------------------------------------------------------------------------------------ without labels


def test_the_expected_effect_is_nothing_and_so_the_size_ranks(toy, study, question):
    pool = pools.unlabelled(study, list(study.data.test.x[5:15]))
    found = additions.run(study, question, pool)
    assert not found.labelled and (found.labels == -1).all()
    p = study.probabilities(pool.x)
    classes = p.shape[1]
    effects = np.stack(
        [
            additions.run(study, question, Pool("", pool.x, torch.full((10,), label), pool.ids)).influence
            for label in range(classes)
        ],
        1,
    )
    assert np.abs((p * effects).sum(1)).max() < 1e-9 * np.abs(effects).max()  # the trap
    assert_allclose(found.influence, np.sqrt((p * effects**2).sum(1)), rtol=1e-6)
    assert_array_equal(found.order(), np.argsort(-found.influence))
    with pytest.raises(DataError, match="label them"):
        additions.prove(study, question, pool, [0])
    with pytest.raises(DataError, match="at least one"):
        pools.unlabelled(study, [])


# ----------------------------------------------------------------------------------------------- other studies


def test_another_studys_examples_are_those_not_learnt_yet_under_their_names():
    thinned, whole = (studies.open_study(studies.find(name)) for name in ("diabetes-thinned", "diabetes"))
    pool = pools.of_study(thinned, whole)
    assert set(pool.ids.tolist()) == set(whole.data.train.ids.tolist()) - set(thinned.data.train.ids.tolist())
    names = [thinned.data.class_names[label] for label in pool.y.tolist()]
    by_id = dict(zip(whole.data.train.ids.tolist(), whole.data.train.y.tolist(), strict=True))
    assert names == [whole.data.class_names[by_id[one]] for one in pool.ids.tolist()]
    with pytest.raises(DataError, match="not learnt from"):
        pools.of_study(whole, whole)
    with pytest.raises(DataError, match="same things"):
        pools.of_study(thinned, linear_study(linear()))


def test_what_cannot_be_asked_is_refused(study, question):
    pool = pools.held_out(study, question)
    for wrong in ([], list(range(additions.MAX_ADDED + 1))):
        with pytest.raises(DataError, match="Choose 1 to"):
            additions.prove(study, question, pool, wrong)
    assert additions.supports(studies.find("digits-network"))
    network = network_study()
    asked = questions.ask(network, 100)
    with pytest.raises(UnsupportedError):
        additions.run(network, asked, pools.held_out(network, asked))
