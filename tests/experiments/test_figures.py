"""Every figure: what is drawn, in which colour, what a pointer reads, and how much is sent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.engines import SolverSettings
from influence_core.errors import DataError
from influence_core.experiments.anatomy import Anatomy
from influence_core.experiments.explain import Explanation
from influence_core.experiments.flip_curve import FlipCurve
from influence_core.experiments.group_forecast import GroupForecast
from influence_core.experiments.take_out import TakeOut
from influence_core.experiments.targets import Target
from influence_core.experiments.what_if import Calibration
from influence_core.figures.anatomy import GREEN, RED, anatomy
from influence_core.figures.causes import cause_bars
from influence_core.figures.confusion import confusion
from influence_core.figures.explain import (
    CIRCLE,
    CIRCLE_OPEN,
    SAMPLE,
    TOP,
    influence_against_distance,
    probabilities,
)
from influence_core.figures.flip import flip_curve
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL
from influence_core.figures.take_out import before_and_after
from influence_core.figures.version import changed_answer
from influence_core.figures.what_if import calibration
from influence_core.words import having, nats
from tests.charts import colours_of
from tests.core.test_trust import SOUND

MANY = 55_000
NAMES = ("zero", "one", "two")
MOST_BYTES = 2_000_000


def explanation(n: int) -> Explanation:
    rng = np.random.default_rng(0)
    return Explanation(
        label=1,
        class_names=NAMES,
        kind="image",
        test_id=9,
        true_label=2,
        x=rng.random(784),
        probabilities=np.array([0.05, 0.7, 0.25]),
        ids=3 * np.arange(n) + 5_000,  # an id is never a position
        labels=np.arange(n) % 3,
        own_probability=rng.random(n),
        own_loss=0.357,
        scores=rng.normal(size=n) ** 3 * 1e-3,
        distance=5 + 4 * rng.random(n),
        s=rng.normal(size=10),
        provenance=SOUND,
        settings=SolverSettings(),
        from_store=False,
    )


def pieces(n: int) -> Anatomy:
    rng = np.random.default_rng(1)
    factor = rng.random(n)
    without_loss, without_curvature, without_both = rng.normal(size=(3, n))
    return Anatomy(
        ids=3 * np.arange(n) + 5_000,
        same_label=np.arange(n) % 3 == 1,
        full=factor * without_loss,
        without_loss=without_loss,
        without_curvature=without_curvature,
        without_both=without_both,
        loss_factor=factor,
    )


def taken_out() -> TakeOut:
    before, after = np.array([0.1, 0.6, 0.3]), np.array([0.05, 0.4, 0.55])
    return TakeOut(0.41, 0.0, before, after, 1e-12, 1e-10, True, 0.1, (1, 2), GroupForecast(0.4))


def groups(predicted=(0.3, -0.2, 0.01), actual=(0.5, -0.3, -0.02)) -> Calibration:
    return Calibration(7, np.array(predicted), np.array(predicted), np.array(actual), True)


SOME, LOTS = explanation(2_000), explanation(MANY)


def giving_way():
    """Label 1 loses to label 2 as ten examples go."""
    probabilities = np.array([[0.1, 0.8, 0.1], [0.1, 0.6, 0.3], [0.1, 0.44, 0.46]])
    return FlipCurve(np.array([0, 5, 10]), np.array([2.0, 0.7, -0.1]), np.full(3, 1e-4), probabilities)


def asked() -> Target:
    x, y = torch.zeros(2, 3), torch.tensor([0, 1])
    return Target("loss", (), x, y, torch.full((2,), 0.5), "the mean loss of two")


FIGURES = {
    "probabilities": lambda: probabilities(SOME),
    "influence against distance": lambda: influence_against_distance(SOME, 5_003, [5_000, 5_006]),
    "anatomy": lambda: anatomy(pieces(2_000), "one"),
    "anatomy as in the paper": lambda: anatomy(pieces(2_000), paper=True),
    "confusion": lambda: confusion(np.eye(3, dtype=int), NAMES),
    "before and after": lambda: before_and_after(taken_out(), NAMES, 1),
    "changed answer": lambda: changed_answer(
        np.array([0.2, 0.7, 0.1]), np.array([0.3, 0.6, 0.1]), np.array([0.4, 0.5, 0.1]), NAMES, 1
    ),
    "causes": lambda: cause_bars(asked(), ("<b>one", "two"), np.array([0.02, -0.3]), (None, -0.28)),
    "calibration": lambda: calibration(groups()),
    "flip curve": lambda: flip_curve(giving_way(), NAMES, 1, 2),
    "calibration of nothing": lambda: calibration(groups((0.0, 0.0), (0.0, 0.0))),
}


def clickable(figure):
    """The traces whose points carry ids."""
    return [trace for trace in figure.data if trace.customdata is not None]


# ---------------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", FIGURES)
def test_equal_results_give_equal_figures_that_can_be_sent(name):
    first = FIGURES[name]().to_json()
    assert first == FIGURES[name]().to_json()
    assert "NaN" not in first


@pytest.mark.parametrize(
    "draw",
    [lambda: influence_against_distance(LOTS), lambda: anatomy(pieces(MANY), "one")],
    ids=["influence against distance", "anatomy"],
)
def test_many_training_images_are_not_all_sent(draw):
    figure = draw()
    assert len(figure.to_json()) < MOST_BYTES
    points = [len(trace.x) for trace in clickable(figure)]
    assert 0 < sum(points) < MANY / 4


@pytest.mark.parametrize("name", ["influence against distance", "anatomy", "anatomy as in the paper"])
def test_every_point_carries_its_training_id_in_a_list(name):
    traces = clickable(FIGURES[name]())
    assert traces
    for trace in traces:
        assert len(trace.customdata) == len(trace.x)
        for one in trace.customdata:
            assert type(one) in (list, tuple) and len(one) == 1 and type(one[0]) is int


# --------------------------------------------------------------------------------------------------- causes


def test_a_group_that_lowers_a_loss_is_blue_and_its_truth_a_diamond():
    bar, truth = FIGURES["causes"]().data
    assert list(bar.marker.color) == [HARMFUL.both, HELPFUL.both]
    assert list(truth.y) == [1]
    assert_allclose(truth.x, [-0.28])
    assert bar.hovertext[0] == "&lt;b&gt;one: +0.0200 nats"


# ---------------------------------------------------------------------------------------------- whole ticks


def test_an_axis_of_few_examples_has_no_halves():
    curve = giving_way()
    few = flip_curve(replace(curve, counts=np.array([0, 1, 3])), NAMES, 1, 2)
    assert few.layout.xaxis.dtick == 1
    assert flip_curve(curve, NAMES, 1, 2).layout.xaxis.dtick is None, "of many it is whole by itself"


# -------------------------------------------------------------------------------------------- probabilities


def test_bars_name_each_label_and_colour_the_one_asked_about():
    (bars,) = probabilities(SOME).data
    assert_array_equal(bars.x, SOME.probabilities)
    assert list(bars.y) == list(NAMES)
    assert list(bars.text) == ["5.0 %", "70.0 %", "25.0 %"]
    assert list(bars.marker.color) == [GREY.both, HELPFUL.both, GREY.both]


# ------------------------------------------------------------------------------- influence against distance


def drawn_points(figure, shown):
    """(position, x, y, colour, symbol, hover) of every point that can be clicked."""
    for trace in clickable(figure):
        columns = (
            trace.customdata,
            trace.x,
            trace.y,
            colours_of(trace.marker),
            trace.marker.symbol,
            trace.hovertext,
        )
        for (train_id,), *rest in zip(*columns, strict=True):
            yield shown.position(train_id), *rest


def test_points_stand_where_the_numbers_are_coloured_by_sign_and_filled_by_label():
    points = list(drawn_points(influence_against_distance(SOME), SOME))
    assert len(points) == TOP + SAMPLE
    for at, x, y, colour, symbol, hover in points:
        assert_allclose([x, y], [SOME.distance[at], SOME.scores[at]], rtol=1e-6)
        assert colour == (HELPFUL if SOME.scores[at] > 0 else HARMFUL).both
        assert symbol == (CIRCLE if SOME.labels[at] == SOME.label else CIRCLE_OPEN)
        assert f"training image {SOME.ids[at]}, labelled {NAMES[SOME.labels[at]]}<br>" in hover
        assert nats(SOME.scores[at]) in hover
        assert f"influence: {having(SOME.effects.probability[at])} for “one”" in hover
        assert f"distance {SOME.distance[at]:.2f}" in hover


def test_points_in_percentage_points_say_nothing_in_nats():
    points = list(drawn_points(influence_against_distance(SOME, unit="pp"), SOME))
    assert points and not any("nats" in hover for *_, hover in points)


@pytest.mark.parametrize("shown", [SOME, LOTS, explanation(100)], ids=["2,000", "55,000", "100"])
def test_the_strongest_can_all_be_clicked_and_nothing_twice(shown):
    drawn = [at for at, *_ in drawn_points(influence_against_distance(shown), shown)]
    assert len(set(drawn)) == len(drawn) == min(TOP + SAMPLE, len(shown.scores))
    assert set(np.argsort(-np.abs(shown.scores))[:TOP]) <= set(drawn)


def test_the_cloud_counts_every_training_image():
    cloud = influence_against_distance(LOTS).data[0]
    counts = np.expm1(np.nan_to_num(np.array(cloud.z, float)))
    assert_allclose(counts.sum(), MANY, rtol=1e-4)
    assert counts.size < 10_000


def test_opened_and_chosen_examples_are_ringed():
    figure = influence_against_distance(SOME, opened=5_003, chosen=[5_000, 5_006])
    rings = {trace.name: trace for trace in figure.data if trace.name in ("opened", "chosen for retraining")}
    assert_array_equal(rings["opened"].x, SOME.distance[[1]])
    assert_array_equal(rings["opened"].y, SOME.scores[[1]])
    assert_array_equal(rings["chosen for retraining"].y, SOME.scores[[0, 2]])


def test_an_unknown_opened_example_is_refused():
    with pytest.raises(DataError, match="no training image 1 "):
        influence_against_distance(SOME, opened=1)


def test_axes_name_what_they_hold_and_its_unit():
    layout = influence_against_distance(SOME).layout
    assert "Distance" in layout.xaxis.title.text
    assert "loss of “one”, nats" in layout.yaxis.title.text


@pytest.mark.parametrize(
    ("kind", "space"),
    [("image", "pixels"), ("row", "numbers in standard deviations"), ("e-mail", "word counts")],
)
def test_the_distance_says_in_what_it_is_measured(kind, space):
    title = influence_against_distance(replace(SOME, kind=kind)).layout.xaxis.title.text
    assert f"(Euclidean, {space}" in title


# --------------------------------------------------------------------------------------------------- anatomy


def test_the_full_score_stands_upward_in_three_panels():
    result = pieces(2_000)
    figure = anatomy(result, "one")
    panels = {"x": result.without_loss, "x2": result.without_curvature, "x3": result.without_both}
    drawn = dict.fromkeys(panels, 0)
    for trace in clickable(figure):
        at = (np.array(trace.customdata)[:, 0] - 5_000) // 3
        assert_allclose(trace.x, panels[trace.xaxis][at], rtol=1e-6)
        assert_allclose(trace.y, result.full[at], rtol=1e-6)
        assert "nats" in trace.hovertemplate
        same = {"circle": True, "circle-open": False}[trace.marker.symbol]
        assert (result.same_label[at] == same).all()
        drawn[trace.xaxis] += len(at)
    assert set(drawn.values()) == {2_000}
    assert "nats" in figure.layout.yaxis.title.text
    titles = [figure.layout[axis].title.text for axis in ("xaxis", "xaxis2", "xaxis3")]
    for title, word in zip(titles, ["training loss", "Hessian", "both"], strict=True):
        assert word in title


def test_a_sample_of_the_anatomy_says_so_and_keeps_the_extremes():
    result = pieces(MANY)
    figure = anatomy(result, "one")
    (note,) = (note.text for note in figure.layout.annotations)
    assert f"of {MANY:,} training images" in note
    drawn = {one for trace in clickable(figure) for (one,) in trace.customdata}
    for scores in (result.full, result.without_loss, result.without_curvature, result.without_both):
        assert set(result.ids[np.argsort(-np.abs(scores))[:100]]) <= drawn


def test_the_papers_look_is_green_and_red():
    colours = {
        trace.marker.color: result_label(trace) for trace in clickable(anatomy(pieces(90), paper=True))
    }
    assert colours == {GREEN: True, RED: False}


def result_label(trace):
    at = (np.array(trace.customdata)[:, 0] - 5_000) // 3
    (same,) = np.unique(pieces(90).same_label[at])
    return bool(same)


# ------------------------------------------------------------------------------------------------- confusion


def test_the_cells_of_a_confusion_matrix_are_what_can_be_clicked():
    counts = np.array([[5, 1, 0], [0, 7, 2], [0, 0, 0]])
    figure = confusion(counts, ("<b>a</b>", "b", "c"), (1, 2))
    shade, cells = figure.data
    assert dict(zip(map(tuple, cells.customdata), cells.text, strict=True)) == {
        (0, 0): "5",
        (0, 1): "1",
        (1, 1): "7",
        (1, 2): "2",
    }
    assert_array_equal(np.asarray(shade.z) > 0, [[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    assert "<b>a" not in str(figure.layout.xaxis.ticktext)
    (kept,) = figure.layout.shapes
    assert (kept.x0, kept.x1, kept.y0, kept.y1) == (1.5, 2.5, 0.5, 1.5)


def test_the_effect_of_having_an_example_is_drawn_where_it_is_asked_for():
    in_points = influence_against_distance(SOME, 5_003, unit="pp")
    for trace in clickable(in_points):
        at = [SOME.position(one[0]) for one in trace.customdata]
        assert_allclose(trace.y, -100 * SOME.effects.probability[at], rtol=1e-5)
    assert "pp" in in_points.layout.yaxis.title.text
    assert "nats" in influence_against_distance(SOME).layout.yaxis.title.text


# ------------------------------------------------------------------------------------------ before and after


def test_each_label_runs_from_before_to_after():
    result = taken_out()
    figure = before_and_after(result, NAMES, 1)
    assert [trace.y[0] for trace in figure.data] == list(NAMES)
    for at, trace in enumerate(figure.data):
        assert_array_equal(trace.x, [result.before[at], result.after[at]])
        assert list(trace.marker.symbol) == ["circle-open", "circle"]
        assert trace.line.color == (HELPFUL if at == 1 else GREY).both
    assert "60.0 % before, 40.0 % after" in figure.data[1].hovertemplate


# ------------------------------------------------------------------------------------- groups of one size


def test_groups_stand_at_forecast_and_truth_coloured_by_the_forecast():
    result = groups()
    figure = calibration(result)
    (points,) = (trace for trace in figure.data if trace.mode == "markers")
    assert_array_equal(points.y, result.forecast)
    assert_array_equal(points.x, result.actual)
    assert list(points.marker.color) == [HELPFUL.both, HARMFUL.both, HELPFUL.both]
    for hover, predicted, actual in zip(points.hovertext, result.forecast, result.actual, strict=True):
        assert hover == f"forecast {nats(predicted)}<br>truth {nats(actual)}"
    assert "Forecast" in figure.layout.yaxis.title.text and "nats" in figure.layout.yaxis.title.text
    assert "nats" in figure.layout.xaxis.title.text


def test_the_dashed_line_is_the_truth_and_the_solid_one_the_fitted_slope():
    result = groups()
    lines = {trace.line.dash: trace for trace in calibration(result).data if trace.mode == "lines"}
    assert set(lines) == {"dash", "solid"}
    fitted = np.polyfit(result.actual, result.forecast, 1)
    assert_allclose(fitted[0], result.agreement.slope)
    for dash, line in (("dash", (1.0, 0.0)), ("solid", fitted)):
        assert_allclose(lines[dash].y, np.polyval(line, lines[dash].x))
        assert min(lines[dash].x) < min(result.actual) and max(lines[dash].x) > max(result.actual)


# --------------------------------------------------------------------------------------------------- palette

BACKGROUNDS = {"light": "#ffffff", "dark": "#0e1117"}  # Streamlit's own


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""

    def luminance(colour):
        channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", BACKGROUNDS)
@pytest.mark.parametrize("shades", [HELPFUL, HARMFUL, GREY], ids=["helpful", "harmful", "grey"])
def test_colours_can_be_read_on_either_theme(shades, theme):
    assert contrast(shades.on(theme), BACKGROUNDS[theme]) >= 4.5
    assert contrast(shades.both, BACKGROUNDS[theme]) >= 3


def test_class_names_of_somebody_elses_are_shown_to_the_letter():
    name = "<a href='http://x'>c</a>"
    answer = replace(explanation(50), class_names=(name, name, name))
    both = np.array([0.2, 0.3, 0.5])
    taken_out = TakeOut(0.1, 0.0, both, both, 1e-9, 1e-8, True, 0.1, (5_000,), GroupForecast(0.1))
    for figure in (
        probabilities(answer),
        influence_against_distance(answer),
        before_and_after(taken_out, answer.class_names, 1),
    ):
        drawn = str(figure.to_dict())
        assert "<a href" not in drawn and "&lt;a href" in drawn


# ----------------------------------------------------------------------------------------------- flip curve


def test_the_label_that_goes_is_blue_and_the_one_that_comes_grey_and_dashed():
    goes, comes = flip_curve(giving_way(), NAMES, 1, 2).data
    assert (goes.line.color, comes.line.color, comes.line.dash) == (HELPFUL.both, GREY.both, "dash")
    assert list(goes.y) == [0.8, 0.6, 0.44] and list(comes.y) == [0.1, 0.3, 0.46]
    assert list(goes.x) == [0, 5, 10]
    assert len(flip_curve(giving_way(), NAMES, 1, 1).data) == 1
