"""The page about a loss with a kink, and its pictures."""

from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr

from influence_core.experiments import smooth_hinge
from influence_core.experiments.hinge_curves import curves
from influence_core.experiments.smooth_hinge import PANELS, TEMPERATURES, SmoothHinge
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.figures.smooth_hinge import PAPER_LINES, agreement, loss_curves, paper_figure, scatters
from influence_core.studies import MACHINES, open_study
from influence_core.words import ratio, sign_rule
from pages._shell import results
from tests.charts import colours_of
from tests.visits import address, cards, charts, keys, press, said, settle, title, visit_page


@pytest.fixture(scope="module", autouse=True)
def server():
    """One server for the module; the machine on the packaged digits is trained on few of them."""
    few = replace(MACHINES["digits"], n_train=150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MACHINES, "digits", few)
        st.cache_resource.clear()
        yield
        st.cache_resource.clear()


@pytest.fixture(scope="module")
def result(server) -> SmoothHinge:
    """What the page should show."""
    return smooth_hinge.run(open_study(MACHINES["digits"]))


def visit(**query):
    return visit_page("smooth_hinge", **query)


# ------------------------------------------------------------------------------------------------- the page


def test_the_page_answers_its_question_in_numbers(result):
    at = visit()
    assert title(at) == "What if the loss has a kink?"
    words = said(at)
    here = result.index(0.001)
    for text in (
        f"**{ratio(float(result.size_ratio[0]))} times**",
        f"**r = {ratio(float(result.pearson[0]))}**",
        f"**{ratio(float(result.size_ratio[here]))} times**",
        f"**r = {ratio(float(result.pearson[here]))}**",
        f"**Test image {result.test_id}**",
        "Unit: hinge units",
        "section 4.3",
        f"one of the {len(result.ids)} training images",
    ):
        assert text in words
    assert sign_rule("image") in words, "the sign rule stands under the charts"
    assert len(at.error) == len(at.warning) == 0
    assert set(charts(at)) == {"loss_curves", "agreement", "scatter_hinge", "scatter_smooth"}


def test_the_badge_holds_every_forecast_against_the_truth(result):
    """At t = 0.001 and at the best t: off by how much of the largest true change, and is the order right."""
    for t in (0.001, float(result.temperatures[result.pearson.argmax()])):
        forecast = result.predicted[result.index(t)]
        off = np.abs(forecast - result.actual).max() / np.abs(result.actual).max()
        order = spearmanr(forecast, result.actual).statistic
        colour = "green" if off <= 0.1 else "yellow" if off <= 0.5 and order >= 0.8 else "red"
        words = said(visit(t=f"{t:g}"))
        assert f":{colour}-badge" in words
        assert f"{len(result.ids)} real retrainings" in words


def test_the_slider_changes_forecast_and_address_but_not_the_truth(result):
    at = visit()
    before = charts(at)
    slider = at.select_slider(key="temperature")
    assert (slider.value, list(slider.options)) == (0.001, [f"{t:g}" for t in TEMPERATURES[1:]])
    slider.set_value(0.1)
    after = charts(settle(at))
    assert address(at)["t"] == "0.1"
    assert "t = 0.1, r = " in after["scatter_smooth"]["layout"]["annotations"][0]["text"]
    assert after["scatter_smooth"] != before["scatter_smooth"]
    assert after["scatter_hinge"] == before["scatter_hinge"]
    assert f"**r = {ratio(float(result.pearson[result.index(0.1)]))}**" in said(at)


@pytest.mark.parametrize(
    ("asked", "shown"), [("0.1", 0.1), ("0.0137", 0.0178), ("1e-9", 0.0001), ("500", 10.0)]
)
def test_the_nearest_temperature_is_shown(asked, shown):
    assert visit(t=asked).select_slider(key="temperature").value == shown


@pytest.mark.parametrize("bad", ["0", "-1", "warm", "nan", "inf", "1" * 500])
def test_a_bad_temperature_is_answered_with_a_sentence_and_a_way_out(bad):
    at = visit(t=bad)
    (error,) = at.error
    assert "temperature t must be a number above 0" in error.value and len(error.value) < 200
    assert len(press(at, "start_over").error) == 0


def test_another_test_image_is_taken_where_its_hinge_is_not_flat(result):
    at = visit()
    at.session_state["choose_another"] = True
    grid = cards(settle(at))["tests"]
    assert grid[0]["id"] == str(result.test_id)
    other = grid[1]["id"]
    assert f"**Test image {other}**" in said(visit(test=other))
    flat = visit(test="5001")
    assert "5001" not in [one["id"] for one in grid]
    assert f"**Test image {result.test_id}**" in said(flat)
    assert "Test image 5001 is no 1 or 7, or lies beyond the margin" in said(flat)


def test_the_table_and_its_download(result):
    at = visit(t="0.1")
    at.session_state["table_folded"] = True
    settle(at)
    (table,) = at.dataframe
    assert_array_equal(table.value["training_id"], result.ids)
    assert_allclose(table.value["forecast, t = 0.1"], result.predicted[result.index(0.1)])
    assert len(at.get("download_button")) == 1


def test_a_study_without_digits_is_answered_with_what_to_choose():
    at = visit(study="diabetes")
    assert "needs a study on digits" in said(at)
    assert "use_one-or-seven" in keys(at)
    assert title(press(at, "use_one-or-seven")) == "What if the loss has a kink?"
    assert address(at)["study"] == "one-or-seven"


def test_missing_mnist_offers_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv(results.downloads.DATA_VARIABLE, str(tmp_path))
    assert "Full MNIST is not on this machine" in said(visit(study="mnist"))


# --------------------------------------------------------------------------------------------- the pictures


def toy(seed=0) -> SmoothHinge:
    rng = np.random.default_rng(seed)
    actual = rng.normal(size=12) / 100
    predicted = np.array([30 * actual + rng.normal(size=12) / 10, actual * 0.9, actual * 0.5])
    return SmoothHinge(
        test_id=7,
        label=1,
        margin=-0.5,
        class_names=("one", "two"),
        ids=np.arange(40, 52),
        labels=np.arange(12) % 2,
        margins=rng.normal(size=12),
        temperatures=np.array(PANELS),
        predicted=predicted,
        actual=actual,
        gradient_norms=np.zeros(12),
        target=1e-9,
        residual=1e-12,
        n=60,
        p=5,
        l2=0.01,
        seconds=0.1,
    )


DRAWN = {
    "loss curves": lambda: loss_curves(curves(), 0.01),
    "scatters": lambda: scatters(toy()),
    "agreement": lambda: agreement(toy(), 0.1),
    "the paper's": lambda: paper_figure(curves(), toy(), "Figure 3"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_equal_results_give_equal_figures_that_can_be_sent(name):
    first = DRAWN[name]().to_json()
    assert first == DRAWN[name]().to_json()
    assert "NaN" not in first


def points(figure):
    return [trace for trace in figure.data if trace.customdata is not None]


def test_every_point_is_truth_across_and_forecast_upward_with_its_id():
    shown = toy()
    for panel, t in enumerate(PANELS):
        drawn = {}
        for trace in points(scatters(shown, (t,))):
            for (train_id,), *rest in zip(
                trace.customdata, trace.x, trace.y, colours_of(trace.marker), strict=True
            ):
                drawn[train_id] = (*rest, trace.marker.symbol)
        for at, train_id in enumerate(shown.ids):
            x, y, colour, symbol = drawn.pop(train_id)
            assert (x, y) == (shown.actual[at], shown.predicted[panel, at])
            assert colour == (HELPFUL if y > 0 else HARMFUL).both
            assert symbol == ("circle" if shown.labels[at] == 1 else "circle-open")
        assert drawn == {}


def test_smoothed_panels_have_equal_axes_and_the_hinge_its_own():
    figure = scatters(toy())
    for column in (2, 3):
        across, upward = (getattr(figure.layout, f"{one}axis{column}").range for one in "xy")
        assert across == upward and across[0] == -across[1]
    assert figure.layout.yaxis.range[1] > 3 * figure.layout.xaxis.range[1]
    diagonals = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(diagonals) == 3
    assert all((trace.x == trace.y).all() for trace in diagonals)


def test_the_papers_look_has_its_row_of_four_on_white():
    figure = paper_figure(curves(), toy(), "Figure 3")
    names = [one.text for one in figure.layout.annotations]
    assert names[0] == "SmoothHinge"
    assert [one.split(",")[0] for one in names[1:]] == ["t = 0 (hinge)", "t = 0.001", "t = 0.1"]
    assert figure.layout.plot_bgcolor == "white"
    assert {trace.marker.color for trace in points(figure)} == {PAPER_LINES[0]}
    assert figure.layout.yaxis.range == (0, 0.3) and figure.layout.xaxis.range == (0.8, 1.2)


def test_the_agreement_is_that_of_the_smoothed_hinge_with_the_hinge_as_a_line():
    shown = toy()
    pearson, spearman = agreement(shown, 0.1).data
    assert_array_equal(pearson.x, PANELS[1:])
    assert_array_equal(pearson.y, shown.pearson[1:])
    assert_array_equal(spearman.y, shown.spearman[1:])
    hinge, slider = agreement(shown, 0.1).layout.shapes
    assert hinge.y0 == hinge.y1 == shown.pearson[0]
    assert slider.x0 == slider.x1 == 0.1


def test_the_opened_curve_is_thick():
    widths = {trace.name: trace.line.width for trace in loss_curves(curves(), 0.01).data}
    assert widths.pop("t = 0.01") > max(widths.values())
