"""The map of all examples: two principal directions, and what is drawn of them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from influence_core.experiments import explain, plane, questions
from influence_core.figures import plane as figure
from influence_core.figures.palette import HARMFUL, HELPFUL
from tests.charts import colours_of
from tests.experiments.test_figures import MANY, MOST_BYTES, NAMES, explanation
from tests.problems import linear, linear_study

PlaneResult = plane.Plane


@pytest.fixture(scope="module")
def study():
    return linear_study(linear("softmax", n=90, d=6, tests=8))


def test_the_directions_are_those_of_the_covariance(study):
    found = plane.run(study)
    x = study.data.train.x.numpy() / study.data.train.x.numpy().std(0)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    assert_allclose(found.share, values[::-1][:2] / values.sum(), rtol=1e-6)
    assert_allclose(np.abs(np.sum(found.directions * vectors[:, ::-1][:, :2].T, axis=1)), 1, rtol=1e-6)
    assert_allclose(found.train, (x - x.mean(0)) @ found.directions.T, atol=1e-9)
    assert_allclose(found.train.var(0, ddof=1), values[::-1][:2], rtol=1e-6)


def test_a_test_example_lies_where_the_map_has_it(study):
    found = plane.run(study)
    for row, x in zip(found.test, study.data.test.x, strict=True):
        assert_allclose(plane.place(study, found, x), row, atol=1e-9)


def made_up(n: int) -> PlaneResult:
    rng = np.random.default_rng(0)
    return PlaneResult(
        rng.normal(size=(n, 2)), rng.normal(size=(900, 2)), np.zeros(5), np.eye(2, 5), np.array([0.3, 0.1])
    )


def test_many_examples_are_not_all_sent_and_the_strongest_are():
    answer, result = explanation(MANY), made_up(MANY)
    drawn = figure.plane(result, answer, np.zeros(2), np.arange(900) % 3)
    assert len(drawn.to_json()) < MOST_BYTES
    ids = {one[0] for trace in drawn.data if trace.customdata is not None for one in trace.customdata}
    assert len(ids) == figure.POINTS
    top = answer.ids[np.argsort(-np.abs(answer.shown))[: figure.STRONGEST]]
    assert set(top.tolist()) <= ids


def test_colour_is_label_size_is_effect_and_the_rim_is_its_sign():
    answer, result = explanation(500), made_up(500)
    drawn = figure.plane(
        result, answer, np.array([1.0, 2.0]), np.arange(900) % 3, opened=5_003, chosen=[5_000]
    )
    (discs,) = (trace for trace in drawn.data if trace.customdata is not None)
    at = [answer.position(one[0]) for one in discs.customdata]
    colours = np.array(colours_of(discs.marker))
    assert not set(colours) & {HELPFUL.both, HARMFUL.both}
    for label in range(3):
        crosses = next(trace for trace in drawn.data if trace.name == NAMES[label])
        assert set(colours[answer.labels[at] == label]) == {crosses.marker.color}
    assert_allclose(np.c_[discs.x, discs.y], result.train[at], rtol=1e-6)
    effects = answer.shown[at]
    assert colours_of(discs.marker.line) == [HELPFUL.both if one > 0 else HARMFUL.both for one in effects]
    top = set(np.argsort(-np.abs(answer.shown))[: figure.RIMMED].tolist())
    assert [one > 0 for one in discs.marker.line.width] == [one in top for one in at]
    assert (np.diff(np.array(discs.marker.size)[np.argsort(np.abs(effects))]) >= 0).all()
    assert max(discs.marker.size) == figure.LARGEST


def test_a_lasso_names_the_strongest_first():
    answer = explanation(500)
    drawn = figure.plane(made_up(500), answer, np.zeros(2), np.arange(900) % 3)
    (discs,) = (trace for trace in drawn.data if trace.customdata is not None)
    first = [one[0] for one in discs.customdata[:50]]
    assert first == answer.ids[np.argsort(-np.abs(answer.shown), kind="stable")[:50]].tolist()


def test_a_star_marks_the_test_example():
    drawn = figure.plane(made_up(500), explanation(500), np.array([1.0, 2.0]), np.arange(900) % 3)
    star = next(trace for trace in drawn.data if trace.marker.symbol == "star")
    assert (star.x[0], star.y[0]) == (1.0, 2.0)


def test_names_of_labels_are_no_markup():
    answer = replace(explanation(60), class_names=("<b>x</b>", "one", "two"))
    drawn = figure.plane(made_up(60), answer, np.zeros(2), np.arange(900) % 3)
    assert "<b>x" not in drawn.to_json()


def test_more_labels_than_colours_are_grey(study):
    names = tuple(map(str, range(12)))
    answer = replace(explanation(60), class_names=names, labels=np.arange(60) % 12)
    drawn = figure.plane(made_up(60), answer, np.zeros(2), np.arange(900) % 12)
    (discs,) = (trace for trace in drawn.data if trace.customdata is not None)
    grey = np.array(colours_of(discs.marker)) == figure.GREY.both
    at = [answer.position(one[0]) for one in discs.customdata]
    assert (grey == (answer.labels[at] >= 10)).all()


def test_an_answer_of_a_study_is_drawn(study):
    answer = explain.run(study, questions.ask(study, 901))
    found = plane.run(study)
    here = plane.place(study, found, answer.question.x)
    drawn = figure.plane(found, answer, here, study.data.test.y.numpy())
    assert (
        "NaN" not in drawn.to_json()
        and drawn.to_json() == figure.plane(found, answer, here, study.data.test.y.numpy()).to_json()
    )
