"""The Explain page, driven without a browser: what it says, what it refuses, and what it survives."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from numpy.testing import assert_array_equal
from streamlit.testing.v1 import AppTest

from influence_core import devices, engines, studies
from influence_core.engines import SolverSettings
from influence_core.experiments import at_hand, explain, explanation, neighbours, questions, take_out, what_if
from influence_core.exports import as_csv
from influence_core.store import FOLDER_VARIABLE, LIMIT_VARIABLE
from influence_core.studies import CATALOGUE, find
from influence_core.words import having, having_rule, nats, percent, sign_rule
from pages._common import pictures, retraining
from pages._common.number import worth
from pages._parts.explain import panels
from pages._shell import downloads, page
from pages._shell.address import View
from tests.visits import address, cards, charts, compared, keys, metrics, press, said, settle, title, visit


@pytest.fixture(scope="module", autouse=True)
def server():
    """One server for the module; its default study is a small one: 200 digits 0 and 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "digits", replace(find("digits"), classes=(0, 1), n_train=200))
        st.cache_resource.clear()
        yield
        st.cache_resource.clear()


@pytest.fixture
def restart(tmp_path, monkeypatch):
    """A server with an empty store of its own; calling it starts the server again on the same store."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    st.cache_resource.clear()
    yield st.cache_resource.clear
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def study(one_or_seven):
    return one_or_seven


@pytest.fixture(scope="module")
def known(study):
    return study.predictions


@pytest.fixture(scope="module")
def answer(study, known):
    """What the page should show for the least confident mistake."""
    wrong = int(known.ids[known.misclassified()[-1]])
    return at_hand.improve(study, explain.run(study, questions.ask(study, wrong), SolverSettings()))


def at_mistake(answer, **query) -> AppTest:
    return visit(test=str(answer.test_id), **query)


def pair(answer) -> list[str]:
    return [str(answer.ids[at]) for at in answer.helpful(2)]


# ------------------------------------------------------------------------------------------- first sight


def test_the_first_visit_asks_about_the_most_confident_mistake(known):
    at = visit()
    first = known.misclassified()[0]
    assert title(at) == f"Which training images made the model say {'71'[known.predicted[first]]}?"
    assert f"Test image {known.ids[first]}" in said(at)
    assert f"but it is labelled **{'71'[known.labels[first]]}**" in said(at)
    assert "really trained again" in said(at)
    assert [card["id"] for card in cards(at)["tests"]] == [str(known.ids[i]) for i in known.misclassified()]


def test_both_sides_show_the_strongest_images_with_sign_and_unit(study, answer):
    at = at_mistake(answer)
    shown = cards(at)
    for key, strongest, tone in (
        ("side_helpful", answer.helpful(6), "helpful"),
        ("side_harmful", answer.harmful(6), "harmful"),
    ):
        assert [card["id"] for card in shown[key]] == [str(answer.ids[i]) for i in strongest]
        for card, i in zip(shown[key], strongest, strict=True):
            words = " ".join([card["title"], *card["lines"]])
            assert having(answer.corrected.probability[i]) in words
            assert f"label {study.data.class_names[answer.labels[i]]}" in words
            assert card["tone"] == tone
    assert any("Speak for 1" in one.value for one in at.header)
    (against,) = (one for one in at.header if "Speak against 1" in one.value)
    assert "Why one that is itself labelled 1?" in against.proto.help


def test_what_stands_under_every_result(answer):
    words = said(at_mistake(answer))
    for expected in (
        having_rule("image", "1"),
        sign_rule(),
        "Unit: nats",
        "Cholesky, chosen because 784 parameters fit",
        "relative residual",
        "gradient norm",
        "convergence check",
        "damping 0",
        "n = 1,092",
        "p = 784",
        "l2 = 0.01",
        "seed 0",
    ):
        assert expected in words


def test_the_charts_show_the_model_and_all_training_images(answer):
    at = at_mistake(answer)
    assert set(charts(at)) == {"probabilities", "scatter"}
    ids = [one[0] for trace in charts(at)["scatter"]["data"] for one in trace.get("customdata", [])]
    assert set(answer.ids[answer.helpful(50)]) <= set(ids) <= set(answer.ids)


@pytest.mark.parametrize(
    ("chart", "drawn"),
    [
        ("", {"scatter"}),
        ("distance", {"scatter"}),
        ("best", {"scatter"}),
        ("table", set()),
        ("anatomy", {"anatomy"}),
    ],
)
def test_one_view_of_all_training_images_is_open_and_old_links_open_theirs(answer, chart, drawn):
    at = at_mistake(answer, **({"chart": chart} if chart else {}))
    assert set(charts(at)) - {"probabilities"} == drawn
    assert len(at.dataframe) == (chart == "table")
    if drawn == {"scatter"}:
        upwards = json.dumps(charts(at)["scatter"]["layout"]["yaxis"]["title"])
        assert ("Corrected forecast" if chart == "best" else "Influence") in upwards
        other = (
            "The paper's number. That of the cards (corrected forecast) can be many times larger or smaller."
        )
        assert (other in said(at)) == (chart != "best")


def test_a_view_that_this_answer_does_not_have_is_not_offered(answer, monkeypatch):
    monkeypatch.setitem(
        panels.PANELS, "anatomy", replace(panels.PANELS["anatomy"], supports=lambda *_: False)
    )
    at = at_mistake(answer, chart="anatomy")
    assert "scatter" in charts(at) and "anatomy" not in charts(at)


# --------------------------------------------------------------------------------- the label asked about


def test_asking_about_the_true_label_turns_title_headings_and_sides(answer):
    by_model, by_truth = at_mistake(answer), at_mistake(answer, ask="true")
    assert title(by_model) == "Which training images made the model say 1?"
    assert title(by_truth) == "Which training images speak for 7, when the model says 1?"
    assert any("Speak for 7" in one.value for one in by_truth.header)
    assert any("Speak against 7" in one.value for one in by_truth.header)
    strongest = [
        cards(one)[key][0]["id"] for one, key in ((by_model, "side_helpful"), (by_truth, "side_harmful"))
    ]
    assert strongest[0] == strongest[1]


def test_the_toggle_changes_the_address(answer):
    at = at_mistake(answer)
    at.segmented_control(key="ask").set_value("true")
    settle(at)
    assert address(at)["ask"] == "true"
    assert "speak for 7" in title(at)


def test_a_numbered_label_can_be_asked_about(answer):
    assert "speak for 7" in title(at_mistake(answer, ask="0"))
    assert title(at_mistake(answer, ask="1")) == "Which training images made the model say 1?"


def test_small_effects_are_said_to_be_small_and_ranked_all_the_same(answer, monkeypatch):
    monkeypatch.setattr(explanation.Explanation, "small", True)
    at = at_mistake(answer)
    assert "Each of them alone does little" in said(at)
    assert f"by more than {percent(explanation.SMALL)} of it" in said(at)
    assert len(cards(at)["side_helpful"]) > 0


def test_the_number_on_the_cards_is_named_and_every_number_stands_beside_an_opened_example(answer):
    words = said(at_mistake(answer, open=str(answer.ids[answer.helpful(1)[0]])))
    assert "Corrected forecast, one Newton step without it" in words
    best = answer.helpful(1)[0]
    for name in ("corrected", "influence"):
        effects = answer.numbers[name]
        assert f"**{having(effects.probability[best])}**" in words
        assert nats(effects.loss[best]) not in words
    in_nats = said(at_mistake(answer, open=str(answer.ids[best]), unit="nats"))
    for name in ("corrected", "influence"):
        assert f"**{nats(answer.numbers[name].loss[best])}**" in in_nats


# -------------------------------------------------------------------------------------- the opened example


def test_an_opened_example_shows_its_numbers_and_its_pixels(study, answer):
    best = int(answer.helpful(1)[0])
    at = at_mistake(answer, open=str(answer.ids[best]))
    words = said(at)
    label = study.data.class_names[answer.labels[best]]
    assert f"**Training image {answer.ids[best]}**, labelled {label}: " in words
    assert f"[**{having(answer.effects.probability[best])}**] for 1" in words
    assert f"{answer.ranks()[best]:,} of 1,092" in words
    assert "This one alone does for the probability of 1, in the model: " in words
    assert f"{answer.distance[best]:.2f}" in words
    assert [one["title"] for one in compared(at)] == [
        f"Test image {answer.test_id}",
        f"Training image {answer.ids[best]}",
    ]
    press(at, "close_example")
    assert "open" not in address(at)
    assert compared(at) == []


def test_the_maps_of_the_pixels_lie_over_both_pictures_where_they_are_asked_for(answer):
    best = str(answer.ids[answer.helpful(1)[0]])
    assert [one["map"] for one in compared(at_mistake(answer, open=best))] == ["", ""]
    at = at_mistake(answer, open=best, map="1")
    assert all(one["map"].startswith("data:image/png") for one in compared(at))
    assert "Slopes: true for small changes only" in said(at)
    at.toggle(key="map").set_value(False)
    settle(at)
    assert "map" not in address(at)


def test_the_ranking_is_walked_by_buttons(answer):
    first, second = (str(answer.ids[np.flatnonzero(answer.ranks() == rank)[0]]) for rank in (1, 2))
    at = at_mistake(answer, open=first)
    assert at.button(key="open_before").disabled
    press(at, "open_after")
    assert address(at)["open"] == second
    press(at, "open_before")
    assert address(at)["open"] == first


def test_more_like_it_with_their_labels(study, answer):
    one = int(answer.ids[answer.helpful(1)[0]])
    at = at_mistake(answer, open=str(one))
    assert "alike_by_features" not in cards(at)
    at.session_state["alike_folded"] = True
    settle(at)
    alike = cards(at)["alike_by_features"]
    assert [card["id"] for card in alike] == [
        str(i) for i in neighbours.run(study, one, len(alike)).by_features
    ]
    names = study.data.class_names
    assert [card["title"] for card in alike] == [
        f"label {names[answer.labels[answer.position(int(card['id']))]]}" for card in alike
    ]


def test_the_opened_example_can_be_chosen_and_put_back(answer):
    one = pair(answer)[0]
    at = at_mistake(answer, open=one)
    assert "retrain" not in keys(at)
    press(at, "choose_opened")
    assert address(at)["out"] == one
    assert "retrain" in keys(at)
    press(at, "choose_opened")
    assert "out" not in address(at)


def test_a_deep_link_opens_everything_at_once(answer):
    first, second = pair(answer)
    at = at_mistake(answer, open=first, out=f"{first},{second}", chart="anatomy", ask="true")
    assert "speak for 7" in title(at)
    assert f"Training image {first}" in said(at)
    assert [card["id"] for card in cards(at)["chosen"]] == [first, second]
    assert "anatomy" in charts(at) and "scatter" not in charts(at)
    query = {"test": str(answer.test_id), "open": first, "out": f"{first},{second}"}
    assert address(at) == {"study": "one-or-seven", "chart": "anatomy", "ask": "true", **query}


# ------------------------------------------------------------------------------------------- the retraining


def test_taking_a_pair_out_shows_forecast_and_truth(study, answer):
    at = at_mistake(answer, out=",".join(pair(answer)))
    best = answer.helpful(2)
    forecast = what_if.forecast(study, answer, best.tolist(), what_if.Change()).together
    foreseen = what_if.forecast(study, answer, best.tolist(), what_if.Change())
    added = worth(answer.probability, float(answer.scores[best].sum()))
    words = f"does **{having(foreseen.probability)}** for 1, by forecast; by the influence of each, added up: {added}."
    assert f"Having these 2 images together {words}" in said(at)
    in_nats = said(at_mistake(answer, out=",".join(pair(answer)), unit="nats"))
    assert (
        f"does **{nats(forecast)}** for 1, by forecast; by the influence of each, added up: "
        f"{nats(float(answer.scores[best].sum()))}" in in_nats
    )
    assert metrics(at) == {}
    assert "Only training again proves it" in said(at)
    press(at, "retrain")
    shown = metrics(at)
    true = take_out.run(study, answer, answer.ids[best].tolist()).actual
    assert (
        f"Having these 2 images together does **{worth(answer.probability, true)}** for 1, proven. The forecast "
        f"had said **{having(foreseen.probability)}**" in said(at)
    )
    assert "Only training again proves it" not in said(at)
    (predicted,) = (value for label, value in shown.items() if label.startswith("Forecast, pp"))
    (actual,) = (value for label, value in shown.items() if "real training" in label)
    assert f"{predicted} pp" == having(foreseen.probability)
    assert actual.startswith("+")
    assert "The answer flips" in said(at) or "The model still says" in said(at)
    assert "Retrained to a gradient norm of" in said(at)
    assert "NOT reached" not in said(at)
    assert "before_after" in charts(at)


def test_numbers_of_sentences_stay_with_their_units(answer):
    first, second = pair(answer)
    sentences = [one.value for one in at_mistake(answer, open=first, out=f"{first},{second}").markdown]
    for begin in ("Test image", f"**Training image {first}**", "Having these 2 images"):
        (words,) = (one for one in sentences if one.startswith(begin))
        assert "\u00a0pp" in words and " pp" not in words


def test_one_retraining_of_a_network_proves_nothing(answer):
    network = replace(answer, provenance=replace(answer.provenance, convex=False))
    assert [retraining.truth_name(one) for one in (answer, network)] == ["proven", "by real training"]


def test_an_outcome_is_shown_for_its_own_choice_only(answer):
    first, second = pair(answer)
    at = press(at_mistake(answer, out=f"{first},{second}", open=first), "retrain")
    assert metrics(at)
    press(at, "choose_opened")
    assert address(at)["out"] == second
    assert metrics(at) == {}
    press(at, "put_back")
    assert "out" not in address(at)
    assert "retrain" not in keys(at)


# --------------------------------------------------------------------------------------- how it is computed


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"solver": "cg"}, ["conjugate gradient, chosen by you"]),
        ({"solver": "lissa"}, ["LiSSA is an approximation", "read the ranking"]),
        ({"damping": "0.5"}, ["damping 0.5"]),
        ({"curvature": "gauss-newton"}, ["gauss-newton curvature"]),
        ({"device": "cpu"}, ["on cpu"]),
    ],
    ids=str,
)
def test_a_choice_of_the_computation_is_followed_and_named(answer, query, expected):
    at = at_mistake(answer, **query)
    for words in expected:
        assert words in said(at)


def test_the_sidebar_writes_the_address(answer):
    at = at_mistake(answer)
    at.sidebar.text_input(key="side_damping").set_value(" 0,5 ")
    settle(at)
    assert address(at)["damping"] == "0.5"
    at.sidebar.selectbox(key="side_solver").set_value("cg")
    settle(at)
    assert address(at)["solver"] == "cg"
    assert "damping 0.5" in said(at) and "conjugate gradient" in said(at)


def test_a_long_preparation_happens_beside_the_first_answer(restart, monkeypatch, answer):
    monkeypatch.setattr(engines, "QUICK_LIMIT", 100)
    at = at_mistake(answer)
    assert "conjugate gradient, chosen because it needs no preparation" in said(at)
    for _ in range(100):
        if "prepared" in said(at).rpartition("Time.")[2]:
            break
        settle(at)
    assert "Exact solver: prepared" in said(at)
    another = visit(test="5000", solver="auto")
    assert "Cholesky" in said(another)


# ---------------------------------------------------------------------------------------------- the chooser


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ({"show": "unsure", "page": "1"}, lambda known: known.least_confident()),
        (
            {"show": "all", "of": "0", "said": "1"},
            lambda known: np.flatnonzero((known.labels == 0) & (known.predicted == 1)),
        ),
        ({"show": "all"}, lambda known: np.arange(len(known.ids))),
        ({"show": "all", "of": "1"}, lambda known: np.flatnonzero(known.labels == 1)),
        ({"show": "all", "page": "3"}, lambda known: np.arange(len(known.ids))[44:]),
        ({"show": "wrong", "page": "99"}, lambda known: known.misclassified()),
    ],
    ids=["least sure", "a cell of the matrix", "all", "all of a class", "last page", "page beyond the last"],
)
def test_the_chooser_offers(known, query, order):
    ids = [str(one) for one in known.ids[order(known)]]
    shown = [card["id"] for card in cards(visit(**query))["tests"]]
    assert shown == ids[: len(shown)]
    assert 0 < len(shown) <= 40


def test_a_model_without_mistakes_says_so_and_asks_about_its_least_confident_answer():
    at = visit(study="digits")
    assert cards(at)["tests"] == cards(visit(study="digits", show="unsure"))["tests"]
    assert title(at).startswith("Which training images made the model say")
    doubtful = visit(study="digits", show="unsure")
    assert f"Test image {cards(doubtful)['tests'][0]['id']}" in said(at)


def test_the_strip_shows_the_page_of_the_test_image(known):
    last = known.least_confident()[-1]
    at = visit(test=str(known.ids[last]), show="unsure")
    assert cards(at)["tests"][-1]["id"] == str(known.ids[last])
    assert at.button(key="test_after").disabled
    press(at, "test_before")
    assert address(at)["test"] == str(known.ids[known.least_confident()[-2]])


def test_a_cell_of_the_confusion_matrix_is_a_way_in(known):
    at = visit()
    assert "confusion" not in charts(at)
    at.session_state["confusion_folded"] = True
    settle(at)
    assert "confusion" in charts(at)
    cells = charts(at)["confusion"]["data"][1]
    assert [0, 1] in cells["customdata"]
    for (true, said_), text in zip(cells["customdata"], cells["text"], strict=True):
        assert int(text.replace(",", "")) == ((known.labels == true) & (known.predicted == said_)).sum()


def test_the_loss_is_one_toggle_away_and_every_place_follows(answer):
    best = int(answer.helpful(1)[0])
    at = at_mistake(answer, open=str(answer.ids[best]))
    assert f"({having(answer.effects.probability[best])})" in said(at)
    at.toggle(key="unit").set_value(True)
    settle(at)
    assert address(at)["unit"] == "nats"
    loss = nats(answer.effects.loss[best])
    assert f"({loss})" in said(at) and f"[**{loss}**]" in said(at)
    assert loss in cards(at)["side_helpful"][0]["lines"]
    assert "nats" in json.dumps(charts(at)["scatter"]["layout"]["yaxis"]["title"])


def test_a_test_image_by_its_number(answer):
    at = visit()
    (box,) = [one for one in at.text_input if one.label == "Its number"]
    box.set_value(f" {answer.test_id} ")
    settle(at)
    assert address(at)["test"] == str(answer.test_id)
    assert f"Test image {answer.test_id}" in said(at)


def test_a_picture_of_ones_own_has_no_true_label(answer):
    picture = pictures.keep(0.9 * answer.x)
    at = visit(picture=picture)
    assert "Your picture: the model says **1**" in said(at)
    assert len(at.segmented_control(key="ask").options) == 1
    assert "speak for 7" in title(visit(picture=picture, ask="0"))


def test_a_picture_is_not_taken_for_the_test_image_that_it_equals(answer):
    assert f"Test image {answer.test_id}" in said(at_mistake(answer))
    assert "Your picture" in said(visit(picture=pictures.keep(answer.x)))


def test_the_downloaded_ranking_holds_every_training_image_to_the_last_digit(answer):
    ranking = explain.table(answer)
    header, *rows = csv.reader(as_csv(ranking).splitlines())
    assert header == list(ranking)
    assert len(rows) == len(answer.ids)
    for name, column in zip(header, zip(*rows, strict=True), strict=True):
        assert_array_equal(np.array(column, ranking[name].dtype), ranking[name], err_msg=name)


# ---------------------------------------------------------------------------------------------- bad addresses

BAD = {
    "unknown study": ({"study": "foo"}, "There is no study 'foo'"),
    "test is no number": ({"test": "abc"}, "the test image “abc”"),
    "test is not in the study": ({"test": "999999"}, "no example with id 999999"),
    "test is a training image": ({"test": "12"}, "no example with id 12"),
    "open is negative": ({"open": "-1"}, "no training image -1"),
    "open is not in the study": ({"open": "5040"}, "no training image 5040"),
    "out is no number": ({"out": "3727,x"}, "the training image “x”"),
    "out is not in the study": ({"out": "3727,999999"}, "no training image 999999"),
    "label is no number": ({"ask": "xyz"}, "the label “xyz”"),
    "label 10": ({"ask": "10"}, "There is no label number 10"),
    "damping -1": ({"damping": "-1"}, "The damping must be a number of at least 0, but is -1"),
    "damping NaN": ({"damping": "nan"}, "at least 0, but is nan"),
    "damping in words": ({"damping": "much"}, "at least 0, but is “much”"),
    "unknown solver": ({"solver": "foo"}, "There is no solver 'foo'"),
    "unknown curvature": ({"curvature": "foo"}, "There is no curvature 'foo'"),
    "unknown device": ({"device": "tpu"}, "no device “tpu”"),
    "retrain in words": ({"retrain": "yes"}, "retrain"),
    "page in words": ({"page": "two"}, "the page “two”"),
    "label filter in words": ({"of": "x"}, "the label “x”"),
    "answer filter in words": ({"said": "x"}, "the label “x”"),
    "picture that never was": ({"picture": "0" * 64}, "picture is not on the server"),
    "picture that is no key": ({"picture": "../../etc"}, "picture is not on the server"),
    "very long": ({"test": "1" * 5_000}, "the test image “1111"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_address_is_answered_with_a_sentence_and_a_way_out(name):
    query, message = BAD[name]
    at = visit(**query)
    (error,) = at.error
    assert message in error.value
    assert len(error.value) < 400
    press(at, "start_over")
    assert address(at) == {}
    assert len(at.error) == 0
    assert title(at).startswith("Which training images made the model say")


@pytest.mark.parametrize(
    "query", [{"chart": "pie"}, {"show": "foo"}, {"of": "99"}, {"page": "0"}, {"out": ","}]
)
def test_a_harmless_slip_in_the_address_is_overlooked(query):
    at = visit(**query)
    assert len(at.error) == 0
    assert "Which training images" in title(at)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_said(device, monkeypatch):
    monkeypatch.setattr(devices, "available", lambda: ("auto", "cpu"))
    at = visit(device=device)
    assert f"This machine has no {device} device; choose one of auto, cpu" in at.error[0].value


def test_missing_mnist_offers_what_to_do_and_downloads_nothing_unasked(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.DATA_VARIABLE, str(tmp_path))
    at = visit(study="mnist-one-or-seven")
    assert "Full MNIST is not on this machine" in said(at)
    assert str(tmp_path) not in said(at) and tmp_path.name in said(at)
    assert "download_mnist" in keys(at)
    assert list(tmp_path.iterdir()) == []


def test_every_parameter_has_been_tried_badly():
    tried = {name for query, _ in BAD.values() for name in query}
    assert tried == {*View.defaults(), "retrain"} - {"show", "chart", "spot", "beside"}


# ------------------------------------------------------------------------------------------------- the store


def test_computed_now_then_from_memory_then_from_the_store(restart, answer):
    first = at_mistake(answer)
    assert "computed since the app was started" in said(first)
    restart()
    second = at_mistake(answer)
    assert "read from the store" in said(second) and "computed since the app was started" not in said(second)
    assert cards(second)["side_helpful"] == cards(first)["side_helpful"]


def test_damaged_entries_are_computed_again_and_said(restart, tmp_path, answer):
    first = at_mistake(answer)
    files = list(tmp_path.glob("*.npz"))
    assert len(files) >= 2  # the study and the explanation
    for file in files:
        file.write_bytes(file.read_bytes()[:-100])
    restart()
    second = at_mistake(answer)
    assert "computed since the app was started" in said(second)
    assert "damaged" in said(second)
    assert cards(second)["side_helpful"] == cards(first)["side_helpful"]
    restart()
    assert "read from the store" in said(at_mistake(answer))


@pytest.mark.parametrize("megabytes", ["0", "much"])
def test_a_store_without_room_costs_time_only(restart, monkeypatch, answer, megabytes):
    monkeypatch.setenv(LIMIT_VARIABLE, megabytes)
    restart()
    at = at_mistake(answer, out=pair(answer)[0])
    assert "computed since the app was started" in said(at)
    assert LIMIT_VARIABLE in said(at)
    assert "real training" in " ".join(metrics(press(at, "retrain")))


def test_a_store_that_is_a_file_costs_time_only(restart, monkeypatch, tmp_path, answer):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file"))
    restart()
    at = at_mistake(answer)
    assert "computed since the app was started" in said(at)
    assert "could not be" in said(at)


def test_a_study_module_that_fails_is_said_on_the_page_and_run_once(tmp_path, monkeypatch):
    file, runs = tmp_path / "mine.py", tmp_path / "runs"
    file.write_text(f"open({str(runs)!r}, 'a').write('x'); 1 / 0")
    monkeypatch.setenv(studies.MODULE_VARIABLE, str(file))
    page._load_module.clear()
    try:
        for _ in range(2):
            at = visit(study="nothing")
            assert ["could not be run: ZeroDivisionError" in one.value for one in at.error] == [True, False]
        assert runs.read_text() == "x"
    finally:
        page._load_module.clear()
