"""The page that leaves the most influential examples out, driven without a browser, and its figures."""

import base64
import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from numpy.testing import assert_allclose

from influence_core.data.brought import uploads
from influence_core.data.brought.tables import Choices
from influence_core.engines import SolverSettings
from influence_core.experiments import explain, leave_one_out, lissa_estimate, questions
from influence_core.exports import as_csv
from influence_core.figures.leave_one_out import PAPER_BLUE, Panel, forecast_and_truth, paper_panels
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.studies import CATALOGUE
from influence_core.words import nats, percent
from pages._shell import results
from tests.charts import colours_of
from tests.visits import charts, keys, metrics, press, said, settle, title, turn_to, visit, visit_page

K = 10


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory):
    """One server for the module, on an empty store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path_factory.mktemp("store")))
        st.cache_resource.clear()
        yield
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def answer(one_or_seven):
    """What the page is about: the least confident mistake, as the model sees it."""
    known = one_or_seven.predictions
    wrong = int(known.ids[known.misclassified()[-1]])
    return explain.run(one_or_seven, questions.ask(one_or_seven, wrong), SolverSettings())


@pytest.fixture(scope="module")
def left_out(one_or_seven, answer):
    return leave_one_out.run(one_or_seven, answer, K)


def at_mistake(answer, **query):
    return visit_page("leave_one_out", test=str(answer.test_id), **{"k": str(K), **query})


def numbers(packed: dict) -> np.ndarray:
    """An array as Plotly packs it."""
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])


def points(figure: dict) -> dict[int, tuple[float, float]]:
    """Truth and forecast by training id."""
    found = {}
    for trace in figure["data"]:
        if trace.get("customdata"):
            ids = [one[0] for one in trace["customdata"]]
            found |= dict(zip(ids, zip(numbers(trace["x"]), numbers(trace["y"]), strict=True), strict=True))
    return found


# ------------------------------------------------------------------------------------------------- the page


def test_nothing_is_trained_before_it_is_asked_for(answer):
    at = at_mistake(answer)
    assert title(at) == "Do the forecasts come true?"
    assert f"Each of the {K} training images with the largest forecasts is left out in turn" in said(at)
    assert "leave_out" in keys(at) and "left_out" not in charts(at)


def test_forecast_and_truth(answer, left_out):
    at = press(at_mistake(answer), "leave_out")
    assert "In their order, yes; in their sizes, not all." in said(at), "a few of 1,092 weigh much"
    assert f"r = {left_out.agreement.pearson:.5f}" in said(at)
    assert f"misses by {percent(left_out.agreement.worst)} of the largest true change" in said(at)
    shown = metrics(at)
    assert shown["Pearson"] == f"{left_out.agreement.pearson:.5f}"
    assert shown["Slope"] == f"{left_out.agreement.slope:.4f}"
    assert shown["Worst miss"] == percent(left_out.agreement.worst)
    assert "NOT reach" not in said(at) and "Control." in said(at)
    found = points(charts(at)["left_out"])
    assert sorted(found) == sorted(left_out.train_ids)
    for train_id, actual, predicted in zip(
        left_out.train_ids, left_out.actual, left_out.predicted, strict=True
    ):
        assert_allclose(found[train_id], (actual, predicted), rtol=1e-4, atol=1e-7)


def test_the_newton_forecast_takes_the_places_upward(answer, left_out):
    at = at_mistake(answer, retrain="1", panel="newton")
    assert metrics(at)["Slope"] == f"{left_out.newton_agreement.slope:.4f}"
    found = points(charts(at)["left_out"])
    assert_allclose([found[one][1] for one in left_out.train_ids], left_out.newton, rtol=1e-4, atol=1e-7)
    assert "One Newton step on the loss without the example" in said(at)
    assert f"r = {left_out.agreement.pearson:.5f}" in said(at), "the answer is about D"


def test_another_number_goes_on_from_there(answer):
    at = at_mistake(answer, retrain="1")
    at.select_slider(key="left_out_k").set_value(20)
    at = settle(at)
    assert at.query_params["k"] in ("20", ["20"])
    assert len(points(charts(at)["left_out"])) == 20


def test_an_opened_example_is_shown_with_forecast_and_truth(answer, left_out):
    at = at_mistake(answer, retrain="1", open=str(left_out.train_ids[3]))
    assert f"Training image {left_out.train_ids[3]}, labelled" in said(at)
    assert f"**{nats(float(left_out.actual[3]))}**" in said(at)
    assert f"Rank by size | 4 of {K}" in said(at)
    ring = charts(at)["left_out"]["data"][-1]
    assert_allclose(
        [numbers(ring["x"])[0], numbers(ring["y"])[0]], [left_out.actual[3], left_out.predicted[3]], rtol=1e-4
    )
    closed = press(at, "close_example")
    assert "Rank by size" not in said(closed)


def test_the_estimates_stand_side_by_side(answer, monkeypatch):
    small = lissa_estimate.LiSSA(batch=50, depth=200, repeats=1, scale=10.0)
    monkeypatch.setattr("pages._parts.leave_one_out.lissa.PAPER", replace(small, depth=50))
    monkeypatch.setattr("pages._parts.leave_one_out.lissa.OURS", small)
    at = at_mistake(answer, retrain="1", panel="lissa")
    assert "The paper's settings**: r =" in said(at) and "Ours, at the same cost**: r =" in said(at)
    assert sum(key.startswith("lissa_") for key in charts(at)) == 2
    rows = at.dataframe[0].value
    assert rows["cut off"].tolist() == ["0", percent(0.999**50), percent(0.999**200)]


def test_the_table_and_the_download_hold_everything(answer, left_out):
    at = at_mistake(answer, retrain="1")
    assert f"Table of the {K} training images, and download" in [one.label for one in at.expander]
    rows = list(csv.DictReader(io.StringIO(as_csv(leave_one_out.table(left_out)))))
    assert [int(row["training_id"]) for row in rows] == left_out.train_ids.tolist()
    assert_allclose([float(row["actual_loss_change_nats"]) for row in rows], left_out.actual)
    assert_allclose([float(row["newton_loss_change_nats"]) for row in rows], left_out.newton)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"k": "1"}, "between 2 and 500"),
        ({"k": "501"}, "between 2 and 500"),
        ({"k": "many"}, "whole number"),
        ({"panel": "magic"}, "There is no panel “magic”; choose one of newton, lissa"),
    ],
)
def test_what_cannot_be_is_said_in_words(answer, query, words):
    at = at_mistake(answer, **query)
    assert words in said(at)
    assert "start_over" in keys(at)


@pytest.mark.parametrize(("rows", "n"), [(28, 20), (10, 8), (4, 2)])
def test_a_study_of_a_few_rows_leaves_out_as_many_as_it_has(rows, n):
    lines = ["age,pay,bought"] + [f"{20 + at * 7 % 31},{at * at % 17},{at % 2}" for at in range(rows)]
    table = uploads.keep(results.get_store(), "\n".join(lines).encode(), Choices("bought"), f"{rows}.csv")
    study, test = f"table-{table.key}", str(uploads.load(results.get_store(), table.key).test.ids[0].item())
    at = visit_page("leave_one_out", study, test=test)
    assert (
        f"Each of the {n} training rows with the largest forecasts is left out" in said(at) and not at.error
    )
    at = visit_page("leave_one_out", study, test=test, retrain="1")
    assert f"Of the {n} most influential training rows" in said(at)
    assert "Leave out between 2 and" in said(visit_page("leave_one_out", study, test=test, k="21"))


def test_a_study_that_cannot_be_trained_so_often_is_told_and_others_offered(monkeypatch):
    kink = replace(CATALOGUE["one-or-seven"], model="svm")
    monkeypatch.setitem(CATALOGUE, "one-or-seven", kink)
    at = visit_page("leave_one_out", study="one-or-seven")
    assert "takes a linear model with a smooth loss" in said(at)
    assert {"use_digits", "use_one-or-seven", "use_mnist"} <= keys(at)
    assert "leave_out" not in keys(at)


def test_from_the_menu_the_question_goes_along(answer):
    at = turn_to(visit(test=str(answer.test_id)), "leave_one_out")
    assert f"**Test image {answer.test_id}**" in said(at)


# ---------------------------------------------------------------------------------------------- the figures


def test_colour_is_the_forecasts_sign_and_shape_the_label(answer, left_out):
    figure = forecast_and_truth(left_out, answer, left_out.newton)
    for trace in figure.data:
        if trace.customdata is None:
            continue
        for (train_id,), colour in zip(trace.customdata, colours_of(trace.marker), strict=True):
            row = int(np.flatnonzero(left_out.train_ids == train_id)[0])
            assert colour == (HELPFUL if left_out.predicted[row] > 0 else HARMFUL).both
            same = answer.labels[answer.position(train_id)] == answer.label
            assert trace.marker.symbol == ("circle" if same else "circle-open")


def test_both_axes_are_the_same_and_hold_every_point(answer, left_out):
    figure = forecast_and_truth(left_out, answer)
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    assert figure.layout.yaxis.scaleanchor == "x"
    low, high = figure.layout.xaxis.range
    values = np.concatenate([left_out.actual, left_out.predicted])
    assert low < min(0, values.min()) and max(0, values.max()) < high
    assert tuple(figure.data[0].x) == tuple(figure.data[0].y) == (low, high), "the diagonal"


@pytest.mark.parametrize("limit", [0.05, None])
def test_the_papers_look(left_out, limit):
    panels = [
        Panel("Linear (exact)", left_out, left_out.predicted),
        Panel("Other", left_out, left_out.newton),
    ]
    figure = paper_panels(panels, limit, title="Figure 2")
    assert [one.text for one in figure.layout.annotations] == ["Linear (exact)", "Other"]
    points_, diagonals = figure.data[1::2], figure.data[::2]
    assert {trace.marker.color for trace in points_} == {PAPER_BLUE}
    assert_allclose(points_[1].y, left_out.newton)
    assert (
        points_[0].customdata[0] == [left_out.train_ids[0]]
        or points_[0].customdata[0][0] == left_out.train_ids[0]
    )
    reach = limit or float(
        np.abs(np.concatenate([left_out.actual, left_out.predicted, left_out.newton])).max()
    )
    for axis in (figure.layout.xaxis, figure.layout.xaxis2, figure.layout.yaxis):
        assert -axis.range[0] == axis.range[1] >= reach
        assert axis.range[1] < 2 * reach
    assert all(trace.x == trace.y for trace in diagonals)
