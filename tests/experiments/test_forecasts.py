"""Both forecasts of every training example beside its true effect, and the leverage that tells them apart."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.agreement import Agreement
from influence_core.engines import SolverSettings
from influence_core.errors import UnsupportedError
from influence_core.experiments import all_left_out, corrected, explain, forecasts, questions
from influence_core.figures.forecasts import LARGEST, SMALLEST, every_forecast
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.retraining.side_by_side import GRADIENT_TOL
from tests.charts import colours_of
from tests.problems import linear, linear_study, ready


@pytest.fixture(scope="module")
def context(one_or_seven):
    return ready(one_or_seven)


@pytest.fixture(scope="module")
def left_out(one_or_seven, context):
    return all_left_out.run(one_or_seven, context=context)


@pytest.fixture(scope="module")
def question(one_or_seven):
    known = one_or_seven.predictions
    return questions.ask(one_or_seven, int(known.ids[known.misclassified()[0]]))


@pytest.fixture(scope="module")
def answer(one_or_seven, question, context):
    return explain.run(one_or_seven, question, context=context)


@pytest.fixture(scope="module")
def found(one_or_seven, answer, left_out, context):
    return forecasts.run(one_or_seven, answer, left_out=left_out, context=context)


def test_of_many_examples_the_strongest_and_the_most_missed_are_drawn_and_a_fair_sample(found):
    n, drawn = len(found.ids), found.drawn(200)
    assert_array_equal(found.drawn(n), np.arange(n))
    assert len(drawn) == 200 and (np.diff(drawn) > 0).all()
    sizes = [np.abs(found.proven.loss)]
    sizes += [np.abs(one.loss - found.proven.loss) for one in (found.influence, found.corrected)]
    first = np.argsort(-np.max(sizes, axis=0))[:100]
    assert np.isin(first, drawn).all()
    assert np.isin(found.disagreements(6), drawn).all()
    others = np.setdiff1d(drawn, first)
    assert abs(others.mean() - n / 2) < 4 * n / np.sqrt(12 * len(others)), (
        "from all parts of the training set"
    )
    assert_array_equal(found.drawn(200), drawn)


def test_the_three_numbers_are_those_of_their_experiments(
    one_or_seven, question, answer, left_out, found, context
):
    truth = all_left_out.effects(one_or_seven, left_out, question)
    newton = corrected.run(one_or_seven, question, context=context)
    assert_array_equal(found.ids, answer.ids)
    assert_array_equal(found.influence.loss, answer.scores)
    assert_array_equal(found.influence.probability, answer.influence.probability)
    for name in ("loss", "probability"):
        assert_allclose(getattr(found.proven, name), getattr(truth, name), rtol=1e-12)
        assert_allclose(getattr(found.corrected, name), getattr(newton, name), rtol=1e-12)
    assert found.influence_agreement == Agreement.of(answer.scores, truth.loss)
    assert found.corrected_agreement == Agreement.of(newton.loss, truth.loss)
    assert found.is_proven
    assert 0 < found.remaining <= GRADIENT_TOL


def test_to_second_order_an_example_of_one_output_counts_as_often_as_its_leverage_says(
    one_or_seven, answer, found, context
):
    """Woodbury in one dimension: the Newton step without an example is ``1 / (1 - leverage)`` of the first-order one."""
    engine = context.engines.prepare(one_or_seven, SolverSettings()).engine
    assert_allclose(
        engine.newton_removal(answer.direction(one_or_seven)), answer.scores * found.farther, rtol=1e-7
    )
    assert found.leverage.min() > 0
    assert found.leverage.max() < 1


def test_the_disagreements_are_of_high_leverage_and_the_corrected_forecast_is_right_there(found):
    worst = found.disagreements(6)
    misses = np.abs(found.influence.loss - found.proven.loss)
    assert_array_equal(misses[worst], np.sort(misses)[::-1][:6])
    largest = np.abs(found.proven.loss).max()
    assert misses[worst[0]] == pytest.approx(found.influence_agreement.worst * largest)
    assert found.leverage[worst].min() > np.quantile(found.leverage, 0.95)
    assert np.abs(found.corrected.loss - found.proven.loss)[worst].max() < 0.1 * misses[worst].min()
    assert len(found.disagreements(5_000)) == len(found.ids)


def test_without_a_table_it_is_made():
    study = linear_study(linear("softmax", n=24))
    answer = explain.run(study, questions.ask(study, 900))
    found = forecasts.run(study, answer)
    assert found.is_proven
    assert found.corrected_agreement.worst < found.influence_agreement.worst


def test_a_network_is_refused(one_or_seven, answer):
    layered = replace(one_or_seven, spec=replace(one_or_seven.spec, model="all-convolutional"))
    with pytest.raises(UnsupportedError, match="linear model with a smooth loss"):
        forecasts.run(layered, answer)


def test_the_table_holds_every_example_the_largest_true_change_first(found):
    columns = forecasts.table(found)
    assert {len(values) for values in columns.values()} == {1_092}
    assert (np.diff(np.abs(columns["proven_loss_change_nats"])) <= 0).all()
    at = int(np.flatnonzero(found.ids == columns["training_id"][0])[0])
    assert columns["influence_nats"][0] == found.influence.loss[at]
    assert columns["corrected_loss_change_nats"][0] == found.corrected.loss[at]
    assert columns["leverage"][0] == found.leverage[at]


# ----------------------------------------------------------------------------------------------- the figure


def points(figure):
    return [trace for trace in figure.data if trace.customdata is not None]


def test_both_figures_have_the_same_axes_and_hold_every_point(found, answer):
    drawn = {by: every_forecast(found, answer, by) for by in ("influence", "corrected")}
    ranges = {figure.layout[axis].range for figure in drawn.values() for axis in ("xaxis", "yaxis")}
    (ends,) = ranges
    for by, figure in drawn.items():
        forecast = getattr(found, by).loss
        assert {trace.type for trace in points(figure)} == {"scattergl"}
        ids = np.concatenate([[one[0] for one in trace.customdata] for trace in points(figure)])
        assert_array_equal(np.sort(ids), found.ids)
        at = np.array([answer.position(int(one)) for one in ids])
        x, y = (np.concatenate([getattr(trace, axis) for trace in points(figure)]) for axis in "xy")
        assert_allclose(x, found.proven.loss[at], rtol=1e-6)
        assert_allclose(y, forecast[at], rtol=1e-6)
        assert ends[0] < min(x.min(), y.min(), 0)
        assert ends[1] > max(x.max(), y.max(), 0)


def test_size_is_leverage_colour_the_true_sign_and_shape_the_label(found, answer):
    for trace in points(every_forecast(found, answer, "influence")):
        at = np.array([answer.position(one[0]) for one in trace.customdata])
        assert_allclose(trace.marker.size, SMALLEST + (LARGEST - SMALLEST) * found.leverage[at], rtol=1e-6)
        helps = found.proven.loss[at] > 0
        assert_array_equal(colours_of(trace.marker), np.where(helps, HELPFUL.both, HARMFUL.both))
        (same,) = set(answer.same[at])
        assert trace.marker.symbol == ("circle" if same else "circle-open")


def test_the_numbered_are_tied_to_the_diagonal_and_the_opened_is_ringed(found, answer):
    worst = found.disagreements(3)
    figure = every_forecast(found, answer, "influence", worst, opened=int(found.ids[worst[1]]))
    by_name = {trace.name: trace for trace in figure.data if trace.name}
    assert list(by_name["numbers"].text) == ["<b>1</b>", "<b>2</b>", "<b>3</b>"]
    assert_array_equal(by_name["numbers"].y, found.influence.loss[worst])
    sides = np.array(by_name["numbers"].textposition)[np.argsort(found.influence.loss[worst])]
    assert list(sides) == ["middle left", "middle right", "middle left"], "neighbours on two sides"
    ends = np.reshape(by_name["misses"].y, (3, 3))[:, :2]
    assert_array_equal(ends, np.stack([found.influence.loss[worst], found.proven.loss[worst]], 1))
    assert_array_equal(by_name["opened"].x, found.proven.loss[worst[1:2]])
    assert len(figure.to_json()) < 200_000
