"""Other rankings against plain arithmetic, and how often each names the same examples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import studies
from influence_core.errors import UnsupportedError
from influence_core.experiments import explain, foils, questions
from influence_core.experiments.foils import RULES, TITLES, TOP
from influence_core.figures.foils import often_on_top
from tests import references
from tests.problems import linear, linear_study, network_study


@pytest.fixture(scope="module", params=["softmax", "logistic"])
def toy(request):
    return linear(request.param, tests=12)


@pytest.fixture(scope="module")
def study(toy):
    return linear_study(toy)


def test_every_ranking_is_its_formula(toy, study):
    answer = explain.run(study, questions.ask(study, 903))
    found = foils.run(study, answer)
    assert found.names == tuple(TITLES) == tuple(RULES)
    at, n, x = toy.theta.numpy(), len(toy.w), toy.xt[3]
    g = references.gradients(at, toy.x, toy.y, toy.kind)
    test = references.gradients(at, x[None], [answer.label], toy.kind)[0]
    inverse = np.linalg.inv(references.hessian(at, toy.x, toy.y, toy.w, toy.l2, toy.kind))
    influence = g @ inverse @ test / n
    own = np.einsum("ip,pq,iq->i", g, inverse, g) / n
    size = toy.x.std(0)
    expected = {
        "influence": influence,
        "relative": influence / np.sqrt(own),
        "nearest": -np.linalg.norm((toy.x - x) / size, axis=1),
        "dot": g @ test / n,
        "cosine": g @ test / np.linalg.norm(g, axis=1) / np.linalg.norm(test),
    }
    for name, values in expected.items():
        assert_allclose(found.scores[found.names.index(name)], values, rtol=1e-5, atol=1e-12)
        assert_array_equal(found.top(name), np.argsort(-values)[:TOP])
    assert found.shared("influence") == TOP


def test_representer_points_add_up_to_the_output_of_the_label(toy, study):
    for label in range(len(study.data.class_names)):
        asked = questions.ask(study, 903, label)
        found = foils.run(study, explain.run(study, asked))
        outputs = study.objective.outputs(study.theta, study.inputs(asked.x)[None])[0]
        expected = float(outputs[label]) if len(outputs) > 1 else (2 * label - 1) * float(outputs[0])
        assert_allclose(found.scores[found.names.index("representer")].sum(), expected, rtol=1e-6)


def test_it_is_counted_question_by_question_which_are_on_top(study):
    found = foils.often(study)
    assert (found.questions, found.tests) == (12, 12)
    for row, name in enumerate(found.names):
        counts = np.zeros(study.objective.n, int)
        for test_id in study.data.test.ids.tolist():
            counts[foils.run(study, explain.run(study, questions.ask(study, test_id))).top(name)] += 1
        assert_array_equal(found.counts[row], counts)
        assert found.most(name) == counts.max() / 12 and found.different(name) == (counts > 0).sum()


def test_an_outlier_that_is_always_on_top_by_influence_is_not_relative_to_itself():
    """Planted: one wrong label far out pulls at every answer."""
    from dataclasses import replace

    import torch

    from influence_core.training import minimise

    study = linear_study(linear("logistic", n=80, tests=30, l2=0.01))
    x, y = study.data.train.x.clone(), study.data.train.y.clone()
    x[0], y[0] = 6 * x[study.data.train.y == 0].mean(0), 1
    objective = replace(study.objective, x=x, y=y)
    theta = minimise(objective).theta
    data = replace(study.data, train=replace(study.data.train, x=x, y=y))
    planted = replace(study, objective=objective, theta=theta, data=data, key="1" * 64)
    found = foils.often(planted)
    rows = {name: found.counts[at] for at, name in enumerate(found.names)}
    assert rows["relative"][0] < rows["influence"][0]
    assert torch.isfinite(theta).all()


def test_a_line_a_ranking_whose_colour_is_no_sign(study):
    figure = often_on_top(foils.often(study))
    assert len(figure.data) == len(TITLES) and len({one.line.dash for one in figure.data}) == len(TITLES)
    assert len({one.line.color for one in figure.data}) == 1
    assert figure.data[0].y[0] == pytest.approx(100 * foils.often(study).most("influence"))


def test_networks_are_refused():
    assert foils.supports(studies.find("digits-network"))
    network = network_study()
    with pytest.raises(UnsupportedError):
        foils.run(network, explain.run(network, questions.ask(network, 100)))
