"""Any question: sets and quantities in the address, the widgets that change them, groups and their truth."""

import json

import pytest

from influence_core.studies import find, open_study
from influence_core.words import percent
from tests.visits import address, cards, charts, keys, press, said, settle, title, visit, visit_page


def control(at, key):
    return next(one for one in at.get("button_group") if one.key == key)


def test_all_mistakes_are_asked_about_first():
    at = visit_page("ask")
    assert title(at) == "What drives the mean loss of the 9 test images that the model gets wrong?"
    assert "It is **1.67 nats**. Of 1,092 training images, image " in said(at)
    assert "lowers it most (:blue[**" in said(at)
    assert "The model is right on 0 of the 9 test images (0.0 %)." in said(at)
    tests = open_study(find("one-or-seven")).predictions
    assert f"{percent(tests.accuracy)} of all {len(tests.ids):,} are answered rightly." in said(at)
    assert {"side_helpful", "side_harmful"} <= set(cards(at))
    assert all(card["lines"][0].startswith("−") for card in cards(at)["side_helpful"])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"over": "cell=7,1"}, "What drives the mean loss of the 8 test images of 7 taken for 1?"),
        (
            {"over": "cell=7,1", "quantity": "margin=7,1"},
            "What drives the mean log odds of 7 rather than 1 over the 8 test images of 7 taken for 1?",
        ),
        ({"over": "class=1", "quantity": "gap=class=7"}, "less the 517 test images of 7?"),
        (
            {"over": "all", "quantity": "recall=7"},
            "What drives the recall of 7, smoothed: the mean probability",
        ),
        ({"over": "ids=5040", "quantity": "probability=7"}, "the probability of 7 over test image 5040?"),
    ],
)
def test_sets_and_quantities_stand_in_the_address(query, words):
    at = visit_page("ask", **query)
    assert words in title(at)
    assert not at.error


def test_a_smoothed_recall_says_so():
    assert "so this is the recall smoothed" in said(visit_page("ask", over="all", quantity="recall=7"))


def test_a_group_of_a_table_and_its_gap():
    at = visit_page("ask", "diabetes", over="group=sex=2", quantity="gap=group=sex=1")
    assert "with sex = 2, less the" in title(at)
    assert {one.label for one in at.selectbox} >= {"Column", "Its value", "Less the mean loss of"}


def test_widgets_lead_from_set_to_set():
    at = visit_page("ask")
    control(at, "over_kind").set_value("cell")
    settle(at)
    assert address(at)["over"] == "cell=7,1"
    control(at, "quantity_kind").set_value("margin")
    settle(at)
    assert address(at)["quantity"] == "margin=7,1"
    assert "rather than" in title(at)
    control(at, "over_kind").set_value("class")
    settle(at)
    assert address(at)["over"] == "class=7"
    control(at, "quantity_kind").set_value("recall")
    settle(at)
    assert address(at) | {"quantity": "recall=7", "over": "all"} == address(at)
    control(at, "over_kind").set_value("ids")
    settle(at)
    at.text_input(key="over_ids").set_value("5040, 5041")
    settle(at)
    assert address(at)["over"] == "ids=5040, 5041"
    assert "2 test images chosen by hand" in title(at)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"over": "mistakes"}, "There is no set of test examples “mistakes”"),
        ({"over": "class=<b>"}, "There is no label"),
        ({"quantity": "margin=7"}, "takes 2 labels"),
        ({"quantity": "margin=7,nine"}, "There is no label"),
        ({"over": "group=sex=1"}, "table"),
        ({"over": "ids=99999999"}, "99999999"),
    ],
)
def test_what_there_is_not_is_said_and_the_chooser_stays(query, words):
    at = visit_page("ask", **query)
    assert words in at.error[0].value
    control(at, "over_kind").set_value("all")
    settle(at)
    assert not at.error


def test_where_no_mistake_is_left_that_is_said_kindly_and_others_are_offered():
    known = open_study(find("diabetes")).predictions
    wrong = zip(known.ids[known.wrong].tolist(), known.predicted[known.wrong].tolist(), strict=True)
    study = "diabetes@" + ",".join(f"t{test}={label}" for test, label in wrong)
    same = visit_page("ask", study, over="cell=#1,#1")
    assert not same.info and "These must be different labels" in same.error[0].value
    for over in ("cell=#0,#1", "errors"):
        at = visit_page("ask", study, over=over)
        assert not at.error
        assert [one.value for one in at.info] == [
            "No mistakes are left among the test rows. Choose others below."
        ]
    control(at, "over_kind").set_value("all")
    settle(at)
    assert not at.info and title(at) != "What drives it?"


def test_a_group_that_no_address_can_name_is_said_with_a_way_out():
    at = visit_page("ask", cause="nine")
    assert "a training example is a whole number" in at.error[0].value
    assert "start_over" in keys(at)


def test_the_line_of_provenance_has_sign_and_unit_and_the_verdict_is_said():
    at = visit_page("ask", quantity="probability=7", over="cell=7,1")
    (line,) = [one.value for one in at.caption if "plus raises it by being there" in one.value]
    assert ", pp: " in line and "residual" in line and "\n" not in line
    assert "-badge[" in said(at)
    assert "for more; :orange[orange]: for less" in said(at) and "for the better" not in said(at)


def test_chosen_examples_are_taken_out_and_an_open_one_is_shown():
    at = visit_page("ask", out="2,16", open="2", retrain="1")
    assert not at.error, at.error[0].value
    assert "Training image 2, labelled" in said(at)
    assert "Having it: **" in said(at)
    assert "Forecast of having these 2 images: **" in said(at)
    assert "nats** (1.67 nats with them, " in said(at)
    press(at, "put_back")
    assert "Tick images above" in said(at)


def test_the_test_examples_are_shown():
    at = visit_page("ask", over="cell=7,1")
    assert len(cards(at)["asked_about"]) == 8
    assert all(card["title"] == "says 1" for card in cards(at)["asked_about"])


# ---------------------------------------------------------------------------------------------------- groups


def test_groups_of_an_answer_on_explain_are_taken_out_and_named():
    assert "cause_bars" not in charts(visit(test="5040")), "what takes seconds waits until it is wanted"
    at = visit(test="5040", chart="groups")
    assert "38 of 1,092 training images carry 50.3 % of all effects" in said(at)
    assert "they fall into 4 groups" in said(at)
    assert "adjusted Rand index 1.00" in said(at)
    drawn = charts(at)["cause_bars"]["data"]
    assert len(drawn[0]["hovertext"]) == 4
    assert drawn[1]["x"] == []
    words = said(at)
    assert words.count("**], by forecast") == 4
    assert (
        words.count("One Newton step without them all together; the influence of each, added up, says ") == 4
    )
    assert (
        "Bar: the forecast of all of a group together. A card's own number is about one image alone" in words
    )
    assert "diamond" not in words
    press(at, "cause_out_0")
    assert address(at)["cause"] == cards(at)["medoid_0"][0]["id"]
    assert (
        "Having them, by real training: **−2.57 pp** (95.1 % with them, 97.6 % without). It still says **1**."
        in said(at)
    )
    assert charts(at)["cause_bars"]["data"][1]["x"] != []
    assert "diamond: after real training" in said(at)
    name = at.text_input(key=next(one.key for one in at.text_input if one.key.startswith("cause_name_0")))
    assert name.value == "7, looks like 1"
    name.set_value("crossed <b>sevens</b>")
    settle(at)
    assert "crossed &lt;b&gt;sevens" in json.dumps(charts(at)["cause_bars"])
    name = at.text_input(key=name.key)
    assert name.value == "crossed <b>sevens</b>"


def test_groups_obey_the_unit_with_the_same_sign():
    having = [
        one.partition(": ")[2]
        for one in charts(visit(test="5040", chart="groups"))["cause_bars"]["data"][0]["hovertext"]
    ]
    drawn = charts(visit(test="5040", chart="groups", unit="nats"))["cause_bars"]["data"][0]["hovertext"]
    in_nats = [one.partition(": ")[2] for one in drawn]
    assert all(one.endswith(" pp") for one in having) and all(one.endswith(" nats") for one in in_nats)
    assert sorted(one[0] for one in having) == sorted(one[0] for one in in_nats)


def test_explain_leads_to_more_questions():
    at = visit(test="5040", chart="groups")
    links = [one.proto for one in at.get("page_link")]
    asked = {one.query_string for one in links if one.page.endswith("ask")}
    assert any("over=cell%3D7%2C1" in one for one in asked)
    assert any("quantity=margin%3D1%2C7" in one for one in asked)


def test_groups_behind_all_mistakes_are_taken_out():
    second = cards(visit_page("ask"))["medoid_1"][0]["id"]
    at = visit_page("ask", cause=second)
    assert "of 9 answers change." in said(at)
    assert "nats** (1.67 nats with them, " in said(at)


def test_unstable_groups_say_so(monkeypatch):
    from influence_core.experiments import causes

    monkeypatch.setattr(causes, "_rand", lambda *_: 0.41)
    at = visit_page("ask", over="class=1")
    assert "These groups are unstable" in said(at)
    assert "adjusted Rand index 0.41" in said(at)


def test_a_link_to_a_group_that_is_taken_out_opens_it():
    at = visit(test="5040", chart="groups", cause="2")
    assert "No group lies around training image 2" in said(at)
    at = visit(test="5040", chart="groups", cause=cards(at)["medoid_1"][0]["id"])
    assert "pp** (95.1 % with them, " in said(at)
