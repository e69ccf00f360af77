"""The map of all examples: two principal directions, and what is drawn of them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from influence_core.experiments import explain, plane, questions
from influence_core.figures import plane as figure
from influence_core.figures.palette import HARMFUL, HELPFUL
from tests.experiments.test_figures import MANY, MOST_BYTES, explanation
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
    discs = [trace for trace in drawn.data if trace.customdata is not None]
    assert len({trace.marker.color for trace in discs}) == 3
    assert not {trace.marker.color for trace in discs} & {HELPFUL.both, HARMFUL.both}
    sizes, seen = [], []
    for trace in discs:
        at = [answer.position(one[0]) for one in trace.customdata]
        assert (answer.labels[at] == answer.labels[at[0]]).all()
        assert_allclose(np.c_[trace.x, trace.y], result.train[at], rtol=1e-6)
        signs = [HELPFUL.both if one > 0 else HARMFUL.both for one in answer.shown[at]]
        assert list(trace.marker.line.color) == signs
        sizes += list(trace.marker.size)
        seen += at
    order = np.argsort(np.abs(answer.shown[seen]))
    assert (np.diff(np.array(sizes)[order]) >= 0).all() and max(sizes) == figure.LARGEST
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
    discs = [trace for trace in drawn.data if trace.customdata is not None]
    assert [trace.marker.color for trace in discs].count(figure.GREY.both) == 2


def test_an_answer_of_a_study_is_drawn(study):
    answer = explain.run(study, questions.ask(study, 901))
    found = plane.run(study)
    here = plane.place(study, found, answer.question.x)
    drawn = figure.plane(found, answer, here, study.data.test.y.numpy())
    assert (
        "NaN" not in drawn.to_json()
        and drawn.to_json() == figure.plane(found, answer, here, study.data.test.y.numpy()).to_json()
    )
