"""The page that puts two models' reasons side by side, what is pinned there, and its pictures."""

import re
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from numpy.testing import assert_allclose

from influence_core import data, studies
from influence_core.experiments import explain, questions, two_models
from influence_core.experiments.reasons import HINGE_UNIT, Reasons
from influence_core.experiments.two_models import kernel_spec
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.figures.two_models import PAPER_OTHER, PAPER_SAME, paper_figure, reach, scatter
from influence_core.models import backbones
from influence_core.studies import open_study
from influence_core.words import percent, ratio, sign_rule, signed
from pages._common import pictures
from pages._shell.catalogue import TWO_MODELS
from tests.charts import colours_of
from tests.experiments.test_two_models import TOY, toy_data
from tests.toy_photos import toy_backbone
from tests.visits import address, cards, charts, keys, press, said, settle, title, visit_page


@pytest.fixture(scope="module", autouse=True)
def server():
    """One server for the module, whose catalogue has the toy photos."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.CATALOGUE, "toy-photos", data.DataRow("toy-photos", toy_data, "A toy."))
        patch.setitem(studies.CATALOGUE, "toy-photos", TOY)
        patch.setattr(backbones, "build", lambda name, folder=None: toy_backbone())
        st.cache_resource.clear()
        yield
        st.cache_resource.clear()


@pytest.fixture(scope="module")
def both(server):
    return open_study(TOY), open_study(kernel_spec(TOY))


@pytest.fixture(scope="module")
def result(both):
    """What the page should show."""
    deep, kernel = both
    return two_models.run(
        deep, kernel, explain.run(deep, questions.ask(deep, two_models.default_test(deep, kernel)))
    )


def visit(**query):
    return visit_page("two_models", **{"study": "toy-photos"} | query)


# ------------------------------------------------------------------------------------------------- the page


def test_the_page_answers_its_question_in_numbers(result):
    at = visit()
    assert title(at) == "Two models, two reasons?"
    words = said(at)
    for text in (
        f"they share **{result.shared}**",
        f"rank correlation of **{ratio(result.kernel.rank_correlation)}** "
        f"(deep features: {ratio(result.deep.rank_correlation)})",
        f"**Test image {result.deep.test_id}**",
        f"margin {signed(result.kernel.certainty)}",
        "Mind the two upward scales",
        "Unit: hinge units",
        "Unit: nats",
        "section 5.1 and Figure 4",
        "-badge[",
    ):
        assert text in words, text
    assert words.count(sign_rule("image")) == 2, "under both models' numbers"
    assert len(at.error) == 0
    assert set(charts(at)) == {"scatter_deep", "scatter_kernel"}


def test_the_strongest_for_and_against_stand_under_each_model(result):
    grids = cards(visit())
    for key, one in (("deep", result.deep), ("kernel", result.kernel)):
        for tone, strongest in (("helpful", one.helpful(4)), ("harmful", one.harmful(4))):
            shown = grids[f"{key}_{tone}"]
            assert [card["id"] for card in shown] == [str(one.ids[i]) for i in strongest]
            assert {card["tone"] for card in shown} == {tone}
            assert [card["lines"][0] for card in shown] == [
                f"{signed(one.scores[i])} {one.unit}" for i in strongest
            ]
            assert all(card["src"].startswith("data:image/jpeg") for card in shown)


def test_the_opened_image_is_ringed_in_both_charts(result):
    opened = int(result.deep.ids[3])
    drawn = charts(visit(open=str(opened)))
    for key, one in (("scatter_deep", result.deep), ("scatter_kernel", result.kernel)):
        ring = drawn[key]["data"][-1]
        assert ring["marker"]["symbol"] == "circle-open"
        figure = scatter(one, opened).data[-1]
        assert_allclose([figure.x[0], figure.y[0]], [one.distance[3], one.scores[3]])
    assert (
        drawn["scatter_deep"]["layout"]["xaxis"]["range"]
        == drawn["scatter_kernel"]["layout"]["xaxis"]["range"]
    )


def test_another_test_image_is_taken(result):
    other = 59 if result.deep.test_id != 59 else 58
    words = said(visit(test=str(other)))
    assert f"**Test image {other}**" in words
    for one in result.accuracies:
        assert re.search(rf"It is right on {re.escape(percent(one))} of all \d+ test images", words)


def test_beyond_the_margin_it_says_so_and_draws_nothing(result, monkeypatch):
    monkeypatch.setattr(Reasons, "flat", property(lambda one: one.unit == HINGE_UNIT))
    at = visit(test=str(result.deep.test_id))
    assert "its loss is flat there" in said(at) and "no single training image matters" in said(at)
    assert set(charts(at)) == {"scatter_deep"}
    assert "use_default" in keys(at)
    monkeypatch.undo()
    assert "test" not in address(press(at, "use_default"))


def test_the_table_and_its_download():
    at = visit()
    at.session_state["table_folded"] = True
    settle(at)
    (table,) = at.dataframe
    assert (np.diff(table.value["pixel_distance"]) >= 0).all()
    assert len(at.get("download_button")) == 1


def test_a_picture_of_ones_own_is_asked_of_both_models(result):
    deep = open_study(TOY)
    key = pictures.keep(deep.data.pictures.read(result.deep.test_id, 300))
    at = visit(picture=key)
    assert len(at.error) == 0
    assert "rank correlation of" in said(at) and "**Your picture**" in said(at)
    assert {"scatter_deep"} <= set(charts(at))
    assert "a picture of your own cannot" in said(at) and "pin" not in keys(at)


def test_a_picture_of_ones_own_stands_beside_a_pinned_one(result):
    key = pictures.keep(open_study(TOY).data.pictures.read(result.deep.test_id, 300))
    at = visit(picture=key, beside=f"toy-photos:{result.deep.test_id}")
    assert "**Toy photos, deep features**, your picture" in said(at) and "None" not in said(at)


def test_a_picture_that_is_gone_is_said():
    (error,) = visit(picture="0" * 64).error
    assert "not on the server" in error.value


# ------------------------------------------------------------------------------------------------- the pin


def test_pin_one_then_choose_another_and_both_stand_side_by_side(result):
    at = press(visit(), "pin")
    here = result.deep.test_id
    assert address(at)["beside"] == f"toy-photos:{here}"
    assert f"Test image {here} is pinned" in said(at) and "scatter_pinned" not in charts(at)
    other = visit(test="59" if here != 59 else "58", beside=f"toy-photos:{here}")
    assert {"scatter_here", "scatter_pinned"} <= set(charts(other))
    assert f"**Toy photos, deep features**, test image {here}" in said(other)
    grids = cards(other)
    strongest = [str(result.deep.ids[i]) for i in result.deep.helpful(4)]
    assert [card["id"] for card in grids["pinned_helpful"]] == strongest
    assert "beside" not in address(press(other, "unpin"))


def test_another_study_stands_beside_the_pinned_one(result):
    at = visit(study="one-or-seven", beside=f"toy-photos:{result.deep.test_id}")
    assert "need a study on photos of two classes" in said(at)
    assert {"scatter_here", "scatter_pinned"} == set(charts(at))
    assert "**Toy photos, deep features**" in said(at)
    assert "**Digits 1 and 7, logistic regression**" in said(at)
    assert "By the paper's influence, the same number for both" in said(at)
    assert "use_toy-photos" in keys(at)
    assert address(press(at, "use_toy-photos"))["study"] == "toy-photos"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("toy-photos", "no study"),
        ("nothing:3", "no study 'nothing'"),
        ("toy-photos:x", "the test image “x”"),
        ("toy-photos:99999", "no example with id 99999"),
        (":" * 300, "no study"),
    ],
)
def test_a_bad_pin_is_answered_with_a_sentence_and_a_way_out(bad, why):
    at = visit(beside=bad)
    (error,) = at.error
    assert why in error.value and len(error.value) < 600
    assert "start_over" in keys(at)


# --------------------------------------------------------------------------------------------- the pictures


def toy(n=40, seed=0) -> Reasons:
    rng = np.random.default_rng(seed)
    return Reasons(
        model="Toy",
        class_names=("<b>blue", "red"),
        kind="image",
        test_id=7,
        label=1,
        answer=1,
        certainty=0.5,
        unit="nats",
        ids=np.arange(500, 500 + n),
        labels=np.arange(n) % 2,
        distance=200 + 300 * rng.random(n),
        scores=rng.normal(size=n),
    )


def points(figure):
    return [trace for trace in figure.data if trace.customdata is not None]


def test_every_point_is_distance_across_and_forecast_upward_with_its_id():
    one, drawn = toy(), {}
    for trace in points(scatter(one)):
        for (train_id,), *rest in zip(
            trace.customdata, trace.x, trace.y, colours_of(trace.marker), strict=True
        ):
            drawn[train_id] = (*rest, trace.marker.symbol)
    for at, train_id in enumerate(one.ids):
        x, y, colour, symbol = drawn.pop(train_id)
        assert_allclose([x, y], [one.distance[at], one.scores[at]], rtol=1e-6)
        assert colour == (HELPFUL if one.scores[at] > 0 else HARMFUL).both
        assert symbol == ("circle" if one.labels[at] == 1 else "circle-open")
    assert drawn == {}


def test_equal_results_give_equal_figures_that_can_be_sent():
    for draw in (lambda: scatter(toy(), 503), lambda: paper_figure([toy(), toy(seed=1)], "Figure 4")):
        first = draw().to_json()
        assert first == draw().to_json()
        assert "NaN" not in first and "<b>blue" not in first


def test_of_very_many_points_the_strongest_and_a_sample_are_drawn():
    one = toy(9_000)
    drawn = np.concatenate([np.ravel(trace.customdata) for trace in points(scatter(one))])
    assert len(drawn) == len(set(drawn)) <= 2_500
    strongest = one.ids[np.argsort(-np.abs(one.scores))[:500]]
    assert set(strongest) <= set(drawn)


def test_the_papers_look_is_green_and_red_on_white_with_one_scale_of_distances():
    many = [toy(), replace(toy(seed=1), unit="hinge units")]
    figure = paper_figure(many, "Figure 4")
    colours = [trace.marker.color for trace in points(figure)]
    assert colours == [PAPER_OTHER, PAPER_SAME] * 2
    assert figure.layout.plot_bgcolor == "white"
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range == reach(many)
    assert (figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text) == ("D, nats", "D, hinge units")
    low, high = reach(many)
    assert low < min(one.distance.min() for one in many) and high > max(one.distance.max() for one in many)


def test_the_page_knows_what_it_can_answer():
    assert TWO_MODELS.supports(TOY) is None
    assert TWO_MODELS.supports(studies.find("digits")) is not None
