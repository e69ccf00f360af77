"""Groups that explain: two planted causes come out as two groups; names, stability, forecast and truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from influence_core.data import DataSet, Examples
from influence_core.experiments import any_question, causes, questions, target_edits, targets
from influence_core.losses import LogisticLoss
from influence_core.objective import LinearObjective
from influence_core.retraining.edits import Edit
from influence_core.studies import Study, StudySpec
from influence_core.training import minimise
from tests.problems import network_study

EACH = 12
FIRST, SECOND = range(EACH), range(EACH, 2 * EACH)
"""Rows of the two planted causes, at the head of the training set."""


@pytest.fixture(scope="module")
def study():
    """Rows are "yes" where `sign` is positive; a dozen with the mark `ink` and another dozen with the mark `fold`, which
    nothing else has, are wrongly "no". The test row has both marks and a positive sign, and is answered "no"."""
    rng = np.random.default_rng(0)
    n = 400
    x = np.zeros((n + 1, 5))
    x[:, 0] = rng.choice([-1.0, 1.0], n + 1) * rng.uniform(0.5, 1.5, n + 1)
    x[:, 3:] = 0.3 * rng.normal(size=(n + 1, 2))
    y = (x[:, 0] > 0).astype(int)
    for rows, mark in ((FIRST, 1), (SECOND, 2)):
        x[list(rows), mark], x[list(rows), 0], y[list(rows)] = 2.0, 0.8, 0
    x[n, :3], y[n] = (0.8, 1.5, 1.5), 1
    order, xs, ys = torch.arange(n), torch.tensor(x), torch.tensor(y)
    objective = LinearObjective.build(xs[:n], ys[:n], LogisticLoss(), 0.005)
    trained = minimise(objective)
    names = ("sign", "ink", "fold", "noise", "more noise")
    data = DataSet(
        "planted",
        "Planted",
        Examples(xs[:n], ys[:n], 500 + order),
        Examples(xs[n:], ys[n:], torch.tensor([900])),
        ("no", "yes"),
        None,
        kind="row",
        feature_names=names,
    )
    spec = StudySpec("planted", "Planted", "planted", "logistic", 0.005)
    return Study(spec, data, objective, trained.theta, trained.gradient_norm, 0.0, False, "c" * 64)


@pytest.fixture(scope="module")
def answered(study):
    target = targets.of_question(study, questions.ask(study, 900))
    return target, any_question.run(study, target)


@pytest.fixture(scope="module")
def found(study, answered):
    return causes.run(study, answered[1])


def holding(found, rows):
    """The group that holds most of some rows."""
    return max(found.groups, key=lambda group: len(np.intersect1d(group.positions, list(rows))))


def test_two_unrelated_causes_of_a_mistake_are_two_groups(study, answered, found):
    assert study.predictions.wrong.all(), "the causes make the mistake"
    one, other = holding(found, FIRST), holding(found, SECOND)
    assert set(one.positions) == set(FIRST)
    assert set(other.positions) == set(SECOND)
    assert "ink" in one.name
    assert "fold" in other.name
    assert one.name.startswith("no")
    assert max(one.effect, other.effect) < 0, "without either it says no less surely"
    assert found.stable
    assert found.rand == 1


def test_each_cause_is_forecast_and_true(study, answered, found):
    target, effects = answered
    for rows in (FIRST, SECOND):
        edit = Edit.removal(holding(found, rows).positions.tolist())
        forecast = target_edits.forecast(study, target, effects, edit)
        truth = target_edits.retrain(study, target, edit)
        assert truth.converged
        assert truth.change < -0.05
        assert 0.5 < forecast.best / truth.change < 2
        assert abs(forecast.best - truth.change) < abs(forecast.alone - truth.change)


def test_rows_add_up_to_the_effects_and_the_carriers_are_the_strongest(study, answered, found):
    _, effects = answered
    at, carried = causes.carriers(effects.influence)
    assert_allclose(causes._rows(study, effects, at).sum(1), effects.influence[at], rtol=1e-9)
    assert found.carried == carried >= 0.5 or len(at) == causes.MAX_CARRIERS
    together = np.concatenate([group.positions for group in found.groups])
    assert sorted(together) == sorted(at)
    for group in found.groups:
        assert group.medoid in group.positions
        assert_allclose(group.effect, effects.influence[group.positions].sum())
    sizes = [abs(group.effect) for group in found.groups]
    assert sizes == sorted(sizes, reverse=True)
    assert 3 <= len(found.groups) <= 7
    assert len({group.name for group in found.groups}) == len(found.groups), "names tell groups apart"


def test_another_seed_that_gives_other_groups_is_told(study, answered, monkeypatch):
    def shuffled(points, sizes, k, seed, context):
        return np.random.default_rng(seed).integers(k, size=len(points))

    monkeypatch.setattr(causes, "_clustered", shuffled)
    found = causes.run(study, answered[1])
    assert found.rand < 0.2
    assert not found.stable


def test_examples_that_are_all_alike_are_one_group(study, answered):
    effects = answered[1]
    flat = replace(effects, influence=np.where(np.arange(400) == 0, 1.0, 0.0), s=np.zeros_like(effects.s))
    found = causes.run(study, flat)
    assert len(found.groups) == 1


def test_a_network_has_groups_too():
    study = network_study()
    found = causes.run(study, any_question.run(study, targets.ask(study, "all", "loss")))
    assert sum(len(group.positions) for group in found.groups) == 20
    assert all(group.name for group in found.groups)


def test_neighbours_say_what_a_mislabelled_group_looks_like(study):
    assert set(causes.neighbour_labels(study, np.array([100, 101]))) <= {0, 1}
    right = [i for i in range(100, 130) if abs(float(study.data.train.x[i, 0])) > 0.9]
    assert causes.neighbour_labels(study, np.array(right)) == study.data.train.y[right].tolist()
