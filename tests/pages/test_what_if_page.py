"""The page about any group and any edit, driven without a browser, and the badge that every such page carries."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st

from influence_core.context import Context
from influence_core.engines import SolverSettings
from influence_core.errors import DataError
from influence_core.experiments import (
    all_relabelled,
    at_hand,
    explain,
    questions,
    spot_check,
    verdict,
    what_if,
)
from influence_core.experiments.track_record import ENOUGH
from influence_core.experiments.what_if import GROUPS, HEAVIEST, Change
from influence_core.store import Store
from influence_core.studies import CATALOGUE, find
from influence_core.words import having_rule, nats, points, ratio, three_digits
from pages._common.number import NAMES
from pages._shell import results
from pages._shell.own_params import WhatIfParams
from tests.visits import (
    address,
    cards,
    charts,
    keys,
    metrics,
    press,
    said,
    settle,
    title,
    turn_to,
    visit,
    visit_page,
)

pytestmark = pytest.mark.usefixtures("one_server")


@pytest.fixture(scope="module")
def study(one_or_seven):
    return one_or_seven


@pytest.fixture(scope="module")
def answer(study):
    """What the page is about: the least confident mistake, of which the model says 1 (label 1)."""
    known = study.predictions
    wrong = int(known.ids[known.misclassified()[-1]])
    return at_hand.improve(study, explain.run(study, questions.ask(study, wrong), SolverSettings()))


def at_mistake(answer, **query):
    return visit_page("what_if", test=str(answer.test_id), **query)


def made(answer, loss_change: float) -> str:
    """What a change of the loss is for the probability."""
    return points(min(1.0, float(np.exp(-(answer.own_loss + loss_change)))) - answer.probability)


def forecast_of(study, answer, at, change) -> str:
    found = what_if.forecast(study, answer, at, change)
    others = "its influence alone" if len(at) == 1 else "by the influence of each, added up"
    return (
        f"**{points(found.probability)}** (minus: the answer gets less likely); "
        f"{others}: {made(answer, found.alone)}."
    )


# ------------------------------------------------------------------------------------------- forecasts


def test_the_first_sight_is_the_strongest_group_taken_out(study, answer):
    at = at_mistake(answer)
    strongest = answer.helpful(50)
    assert title(at) == "What if these training images were different?"
    assert [one.key for one in at.get("download_button")] == ["download_csv", "take_home"]
    assert f"**Test image {answer.test_id}**: the model says **1**" in said(at)
    assert (
        f"50 training images taken out: the probability of “1” changes by {forecast_of(study, answer, strongest, Change())}"
        in said(at)
    )
    assert [card["id"] for card in cards(at)["group"]] == [str(one) for one in answer.ids[strongest[:12]]]
    assert {card["tone"] for card in cards(at)["group"]} == {"helpful"}
    assert "The first 12 of 50. On each card: what having that one does to the probability of 1" in said(at)
    assert f"({NAMES['corrected']})" in said(at)
    assert "This number is about all of them together, and a forecast: one Newton step for all of it" in said(
        at
    )
    assert having_rule("image", "1") in said(at) and "pp of probability: plus speaks for the label" in said(
        at
    )
    assert "minus: the answer gets less likely" in said(at)
    assert verdict.run(study, answer).reason in said(at)
    assert metrics(at) == {}


ASKED = {
    "against, relabelled": (
        {"panel": "against", "k": "7", "edit": "relabel", "to": "1"},
        lambda answer: answer.harmful(7),
        Change("relabel", label=1),
        "7 training images labelled 1",
    ),
    "a whole label, reweighted": (
        {"panel": "class", "group": "1", "edit": "reweight", "weight": "0.5"},
        lambda answer: np.flatnonzero(answer.labels == 1),
        Change("reweight", weight=0.5),
        "training images counted 0.5 times",
    ),
    "random, relabelled": (
        {"panel": "random", "k": "30", "edit": "relabel"},
        lambda answer: what_if.group(answer, "random", 30, seed=1),
        Change("relabel", label=0),
        "30 training images labelled 7",
    ),
    "one, counted more often": (
        {"k": "1", "edit": "reweight", "weight": f"{HEAVIEST:g}"},
        lambda answer: answer.helpful(1),
        Change("reweight", weight=HEAVIEST),
        "1 training image counted 10 times",
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_forecast_of_each_group_and_edit(study, answer, name):
    query, group, change, words = ASKED[name]
    at, positions = at_mistake(answer, **query), group(answer)
    assert words in said(at)
    assert forecast_of(study, answer, positions, change) in said(at)
    assert [card["id"] for card in cards(at)["group"]] == [str(one) for one in answer.ids[positions[:12]]]
    assert address(at) == {"study": "one-or-seven", "test": str(answer.test_id), **query}


def test_those_chosen_by_hand(study, answer):
    chosen = [int(one) for one in answer.harmful(3)]
    out = ",".join(str(answer.ids[one]) for one in chosen)
    at = at_mistake(answer, panel="hand", out=out, ask="true")
    assert set(charts(at)) == {"scatter"}
    upwards = charts(at)["scatter"]["layout"]["yaxis"]["title"]["text"]
    assert upwards.startswith("Corrected forecast") and upwards.endswith("pp"), "the number of the cards"
    assert [card["id"] for card in cards(at)["group"]] == out.split(",")
    by_truth = explain.run(study, questions.ask(study, answer.test_id, 0), SolverSettings())
    assert "the probability of “7”" in said(at)
    assert forecast_of(study, by_truth, chosen, Change()) in said(at)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"panel": "hand"}, "No training images are chosen yet."),
        ({"panel": "class", "group": "1", "edit": "relabel", "to": "1"}, "This would change nothing"),
        ({"edit": "reweight", "weight": "1"}, "This would change nothing"),
    ],
    ids=str,
)
def test_without_a_change_there_is_nothing_to_forecast_or_train(answer, query, words):
    at = at_mistake(answer, retrain="1", **query)
    assert words in said(at)
    assert "Forecast with" not in said(at)
    assert "what_if_run" not in keys(at)
    assert metrics(at) == {}


def test_the_controls_write_the_address_and_forget_the_training(answer):
    at = at_mistake(answer, k="3", retrain="1")
    assert metrics(at)
    at.slider(key="what_if_k").set_value(5)
    settle(at)
    assert (address(at)["k"], metrics(at)) == ("5", {})
    press(at, "what_if_run")
    assert address(at)["retrain"] == "1"
    for key, value, field in (("panel", "against", "panel"), ("edit", "relabel", "edit")):
        at.segmented_control(key=f"what_if_{key}").set_value(value)
        settle(at)
        assert (address(at)[field], metrics(at)) == (value, {})
    at.selectbox(key="what_if_to").set_value(1)
    settle(at)
    assert address(at)["to"] == "1"
    at.segmented_control(key="what_if_edit").set_value("reweight")
    settle(at)
    at.slider(key="what_if_weight").set_value(2.5)
    settle(at)
    assert address(at)["weight"] == "2.5"
    assert "counted 2.5 times" in said(at)


# --------------------------------------------------------------------------------------------- the truth


def test_a_deep_link_trains_again_and_shows_forecast_and_truth(study, answer):
    at = at_mistake(answer, panel="against", k="4", edit="relabel", to="1", retrain="1")
    change, group = Change("relabel", label=1), answer.harmful(4)
    truth = what_if.run(study, answer, group.tolist(), change)
    shown = metrics(at)
    assert f"{shown['Forecast, pp']} pp" == points(truth.forecast.probability)
    changed = truth.after[answer.label] - truth.before[answer.label]
    assert f"{shown['After real training, pp']} pp" == points(changed)
    off = 100 * abs(truth.forecast.probability - changed)
    assert shown["Forecast off by, pp"] == three_digits(off)
    assert "reached" in said(at) and "NOT reached" not in said(at)
    assert set(charts(at)) == {"before_after"}
    assert "calibrate" in keys(at)
    changes = f"the probability of “{answer.label_name}” changes by **{made(answer, truth.actual)}**"
    assert f"**Proven** with 4 training images labelled 1: {changes}" in said(at)
    assert f"The forecast had said **{made(answer, truth.forecast.best)}**" in said(at)
    assert "Only training again proves it" not in said(at)


def test_other_groups_of_the_same_size_say_how_far_the_forecast_may_be_believed(study, answer):
    at = press(at_mistake(answer, k="4", retrain="1"), "calibrate")
    assert address(at)["retrain"] == "groups"
    assert "calibrate" not in keys(at)
    result = what_if.calibrate(study, answer, 4, Change())
    assert set(charts(at)) == {"before_after", "calibration"}
    assert metrics(at)["Rank agreement (Spearman)"] == ratio(result.agreement.spearman)
    assert metrics(at)["Forecast, in multiples of the truth"] == ratio(result.agreement.slope)
    slope = ratio(result.agreement_alone.slope)
    assert f"Each alone, added up, the members would make {slope} times the truth." in said(at)
    assert f"{GROUPS} groups of 4" in said(at)
    assert ("Read the order." in said(at)) == (result.agreement.spearman >= 0.8)
    assert "NOT come to its end" not in said(at)


def test_what_other_retrainings_of_the_study_taught_gives_the_forecast_a_reach(study, answer):
    group = answer.harmful(10)[1:].tolist()  # not the strongest nine, which calibrating trains without
    query = {"panel": "hand", "out": ",".join(str(answer.ids[one]) for one in group)}
    words = "other retrainings of this study, after the same change of"
    what_if.calibrate(study, answer, 9, Change(), context=Context(Store()))
    forecast = what_if.forecast(study, answer, group, Change())
    record = what_if.record(study, answer, group, Change(), forecast, context=Context(Store()))
    assert record.count >= ENOUGH
    at = at_mistake(answer, **query)
    low, high = record.reach(forecast.together)
    assert f"In {record.count} {words}" in said(at)
    assert f"between {ratio(record.lowest)} and {ratio(record.highest)} times the forecast" in said(at)
    assert f"the truth lies between {made(answer, high)} and {made(answer, low)}." in said(at)
    assert words not in said(at_mistake(answer, edit="reweight", weight="7.25", **query))


def test_one_example_is_no_group_to_calibrate(answer):
    at = at_mistake(answer, k="1", retrain="groups")
    assert set(charts(at)) == {"before_after"}
    assert "calibrate" not in keys(at)


def test_a_label_that_would_vanish_is_said(answer):
    at = at_mistake(answer, panel="class", group="0", retrain="1")
    assert "This would leave no training image labelled 7; keep at least one" in said(at).replace("\\", "")
    assert "job_start_again" in keys(at)


def test_long_training_shows_how_far_it_is_and_can_be_cancelled(answer, monkeypatch):
    begun, opened = threading.Event(), threading.Event()

    def slow(study, explanation, positions, change, *, context):
        begun.set()
        while not opened.wait(0.005):
            context.report(0.4, "gradient norm 1e-3")

    monkeypatch.setattr(what_if.run, "compute", slow)
    at = at_mistake(answer, k="6")
    at.button(key="what_if_run").click()
    at.run()
    assert begun.is_set()
    assert "Training again" in said(at)
    assert "Forecast with 6 training images taken out" in said(at)
    at.button(key="job_cancel").click()
    settle(at)
    assert "was stopped. Nothing is lost" in said(at)
    assert "job_start_again" in keys(at)
    opened.set()


# --------------------------------------------------------------------------------------------- the badge


def test_a_spot_check_is_a_button_and_then_the_evidence(study, answer, tmp_path):
    at = press(at_mistake(answer, k="2"), "spot_check")
    assert address(at)["spot"] == "1"
    assert "spot_check" not in keys(at)
    context = Context(Store(tmp_path))
    known = spot_check.run(study, answer, context=context)
    found = verdict.run(study, answer, context=context)
    assert found.reason in said(at)
    assert "20 real retrainings" in found.reason
    for train_id, actual in list(zip(known.train_ids, known.actual, strict=True))[:3]:
        forecast = answer.shown[answer.position(train_id)]
        assert f"| {train_id} | {nats(forecast)} | {nats(actual)} |" in said(at)
    assert f"rank agreement {ratio(known.agreement(answer).spearman)}" in said(at)
    assert ":yellow-badge[" in said(at) or ":green-badge[" in said(at) or ":red-badge[" in said(at)
    explained = turn_to(at, "explain")
    assert found.reason in said(explained)


def test_a_spot_check_that_was_cancelled_leaves_the_page_as_it_was(answer, monkeypatch):
    begun, opened, check = threading.Event(), threading.Event(), spot_check.run.compute

    def slow(*asked, context):
        begun.set()
        while not opened.wait(0.005):
            context.report(0.4, "leaving one out")
        return check(*asked, context=context)

    monkeypatch.setattr(spot_check.run, "compute", slow)
    at = at_mistake(answer, k="2", ask="true")
    before = [one.value for one in at.markdown]
    at.button(key="spot_check").click()
    at.run()
    assert begun.is_set()
    assert "Checking the forecast with real retraining" in said(at)
    press(at, "job_cancel")
    assert "Checking the forecast with real retraining: stopped" in said(at)
    assert [one.value for one in at.markdown] == before
    opened.set()
    (again,) = (key for key in keys(at) if str(key).startswith("job_retry"))
    assert "20 real retrainings" in said(press(at, again))


def test_a_model_trained_half_way_is_red_and_offers_no_spot_check(monkeypatch):
    half = replace(find("digits"), model="logistic", classes=(7, 1), n_train=300, gradient_norm=0.2)
    monkeypatch.setitem(CATALOGUE, "digits", half)
    st.cache_resource.clear()
    at = visit_page("what_if", "digits", k="2")
    assert ":red-badge[" in said(at)
    assert "The model is only half trained" in said(at)
    assert "spot_check" not in keys(at)


def test_a_curvature_that_cannot_be_factored_is_a_sentence(monkeypatch):
    """Without a penalty, pixels that are always white leave the curvature singular."""
    flat = replace(find("digits"), model="logistic", classes=(7, 1), n_train=200, l2=0.0, gradient_norm=1e-3)
    monkeypatch.setitem(CATALOGUE, "digits", flat)
    st.cache_resource.clear()
    at = visit_page("what_if", "digits", solver="cholesky")
    (error,) = at.error
    assert "The curvature is not positive definite" in error.value
    assert "add damping" in error.value
    assert len(error.value) < 300
    assert "Traceback" not in said(at)
    damped = visit_page("what_if", "digits", solver="cholesky", damping="0.01")
    assert len(damped.error) == 0
    assert "Forecast with 50 training images" in said(damped)


# ------------------------------------------------------------------------------------- addresses and pages

REFUSED = {
    "panel": (
        {"panel": "foo"},
        "There is no group “foo”; choose one of for, against, class, random, rows, hand",
    ),
    "a very long panel": ({"panel": "x" * 5_000}, "There is no group “xxx"),
    "panel of another page": ({"panel": "lissa"}, "There is no group “lissa”"),
    "edit": ({"edit": "burn"}, "There is no change “burn”; choose one of remove, relabel, reweight"),
    "weight in words": ({"weight": "much"}, "The weight must be a number of at least 0, but is “much”"),
    "weight below 0": ({"weight": "-1"}, "A weight must be between 0 and 10, but is -1"),
    "weight 11": ({"weight": "11"}, "A weight must be between 0 and 10, but is 11"),
    "weight NaN": ({"weight": "nan"}, "but is nan"),
    "weight infinite": ({"weight": "1e400"}, "but is inf"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_choice_is_refused_in_a_short_sentence(name):
    query, message = REFUSED[name]
    with pytest.raises(DataError) as caught:
        WhatIfParams.read(query)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


BAD = {
    "panel": REFUSED["panel"],
    "weight": REFUSED["weight NaN"],
    "new label 2": ({"edit": "relabel", "to": "2"}, "no label number “2”; choose one from 0 to 1"),
    "new label squared": ({"edit": "relabel", "to": "²"}, "There is no label number “²”"),
    "new label of 5,000 digits": ({"edit": "relabel", "to": "9" * 5_000}, "There is no label number “999"),
    "label of a group": ({"panel": "class", "group": "age=40s"}, "There is no label number “age=40s”"),
    "how many": ({"k": "ten"}, "the number of examples “ten”"),
    "spot": ({"spot": "yes"}, "spot=“yes”"),
    "retrain": ({"retrain": "each"}, "retrain=“each”"),
    "a training image": ({"panel": "hand", "out": "5040"}, "There is no training image 5040"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_address_is_answered_with_a_sentence_and_a_way_out(name):
    query, message = BAD[name]
    at = visit_page("what_if", **query)
    (error,) = at.error
    assert message in error.value.replace("\\", "")
    assert len(error.value) < 400
    assert "start_over" in keys(at)


def test_starting_over_leads_to_a_page_that_works(monkeypatch):
    monkeypatch.setitem(CATALOGUE, "digits", replace(find("digits"), classes=(0, 1), n_train=200))
    st.cache_resource.clear()
    at = press(visit_page("what_if", edit="burn"), "start_over")
    assert (address(at), len(at.error)) == ({}, 0)
    assert "Forecast with 50 training images taken out" in said(at)


@pytest.mark.parametrize("query", [{"k": "0"}, {"k": "9" * 18, "out": ","}], ids=str)
def test_a_harmless_slip_in_the_address_is_overlooked(query):
    at = visit_page("what_if", **query)
    assert len(at.error) == 0
    assert "Forecast with" in said(at)


def test_the_menu_carries_the_question_and_the_ticks_from_page_to_page(answer):
    out = ",".join(str(answer.ids[one]) for one in answer.helpful(2))
    explained = visit(test=str(answer.test_id), out=out, retrain="1", ask="true")
    question = {"study": "one-or-seven", "test": str(answer.test_id), "ask": "true", "out": out}
    at = turn_to(explained, "what_if")
    assert title(at).startswith("What if")
    assert address(at) == question
    assert f"**Test image {answer.test_id}**" in said(at)
    assert metrics(at) == {}
    at.segmented_control(key="what_if_panel").set_value("hand")
    settle(at)
    assert [card["id"] for card in cards(at)["group"]] == out.split(",")
    press(at, "what_if_run")
    assert metrics(at)
    back = turn_to(at, "explain")
    assert address(back) == question
    assert title(back) == "Which training images speak for 7, when the model says 1?"


def test_what_is_proven_of_one_example_is_said_beside_the_forecast(study, answer):
    one = int(answer.helpful(1)[0])
    query = {"panel": "for", "k": "1", "edit": "relabel"}
    assert "**Proven**" not in said(at_mistake(answer, to=str(1 - answer.labels[one]), **query))
    table = all_relabelled.run(study, context=Context(results.get_store()))
    truth = all_relabelled.effects(study, table, answer.question)
    at = at_mistake(answer, to=str(table.labels[one]), **query)
    assert "**Proven** with 1 training image labelled" in said(at)
    assert f"changes by **{points(float(truth.probability[one]))}** (minus" in said(at)
    assert "The forecast had said **" in said(at)
    assert "Only training again proves it" not in said(at)
    two = at_mistake(answer, to=str(table.labels[one]), **(query | {"k": "2"}))
    assert "**Proven**" not in said(two)


def test_a_first_visit_says_why_a_group_is_chosen_already():
    words = "It begins with a group that is likely to matter"
    assert words in said(visit_page("what_if"))
    assert words not in said(visit_page("what_if", k="3"))
