"""The page about poisoned training pictures."""

import numpy as np
import pytest
import streamlit as st

from influence_core.experiments import poison, poison_many
from influence_core.experiments.poison import Attack
from influence_core.experiments.questions import ask
from influence_core.figures.poison import TITLES
from influence_core.words import percent
from pages._parts.poison import panels, share
from pages._parts.poison.candidates import SHOWN
from pages._shell import results
from tests.toy_photos import toy_photo_study
from tests.visits import address, cards, charts, keys, metrics, press, said, settle, title, visit_page

NAME = "dog-or-frog"


@pytest.fixture(scope="module", autouse=True)
def server():
    """One server for the module, on which the packaged photos are a tiny study."""
    toy = toy_photo_study()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "load_study", lambda view: toy)
        st.cache_resource.clear()
        yield toy
        st.cache_resource.clear()


@pytest.fixture(scope="module")
def asked(server):
    """The question that the page asks of test image 41: the model's own answer."""
    return ask(server, 41)


def visit(**query):
    return visit_page("poison", NAME, **{"test": "41"} | query)


def test_candidates_first_and_nothing_is_changed_unasked(server, asked):
    at = visit()
    assert title(at) == "Can one picture poison the answer?"
    known = poison.shortlist(server, [asked])
    assert [one["id"] for one in cards(at)["candidates"]] == [str(one) for one in known.ids[:SHOWN]]
    assert at.button(key="poison_run").label == f"Poison training image {known.ids[0]} and train again"
    words = said(at)
    assert "to know a risk, and to defend against it" in words
    assert "Change of this test image's loss" in words, "the sign rule"
    assert "poison_steps" not in charts(at) and not at.error


def test_it_begins_with_the_right_answer_that_turns_most_easily(server):
    at = visit_page("poison", NAME)
    known = server.predictions
    first = known.first_right()
    assert not known.wrong[first]
    assert f"Test image {known.ids[first]}" in said(at)
    assert "poison_right" not in keys(at)


def test_from_a_wrong_answer_there_is_a_way_to_a_right_one(server):
    known = server.predictions
    wrong = known.ids[known.misclassified()[0]]
    at = visit(test=str(wrong))
    assert "wrong without any poison" in said(at)
    press(at, "poison_right")
    assert address(at)["test"] == str(known.ids[known.first_right()])
    assert "wrong without any poison" not in said(at)


def test_poisoned_and_trained_again(server, asked):
    at = press(visit(), "poison_run")
    assert address(at)["retrain"] == "1"
    ids = poison.shortlist(server, [asked]).ids[:1].tolist()
    result = poison.run(server, [asked], ids)
    shown = metrics(at)
    assert shown["Probability before"] == percent(float(result.before[0]))
    assert shown["After real retraining"] == percent(float(result.after[0]))
    assert shown["With random signs instead"] == percent(float(result.control[0]))
    assert shown["Saved as PNG"] == percent(float(result.before[0]))
    assert "poison_steps" in charts(at)
    pictures = next(one.proto.body for one in at.get("html") if "<figure" in one.proto.body)
    assert pictures.count("data:image/png;base64,") == 3 and all(f'alt="{one}"' in pictures for one in TITLES)
    words = said(at)
    assert "byte for byte" in words and f"{result.gradient_norms.max():.1e}" in words
    assert "Not here: the answer is still" in words and not at.warning
    (headline,) = [one.value for one in at.markdown if "Not here" in one.value]
    assert "The effect vanishes once it is saved as an 8-bit PNG" in headline
    assert {one.key for one in at.get("download_button")} >= {"download_picture", "download_csv"}


def test_a_larger_box_and_more_pictures_from_the_address(server, asked):
    at = visit(box="60", poisons="10", retrain="1")
    ids = poison.shortlist(server, [asked]).ids[:10].tolist()
    result = poison.run(server, [asked], ids, Attack(box=60.0))
    assert metrics(at)["After real retraining"] == percent(float(result.after[0]))
    assert ("Yes: the answer is no longer" in said(at)) == bool(result.turned[0])
    assert "it outlives saving as PNG" in said(at)
    assert "The effect stays when they are saved as an 8-bit PNG" in said(at)
    assert "vanishes" not in said(at)
    assert len(at.selectbox(key="poison_shown").options) == 10


def test_a_new_size_wants_a_new_run():
    at = visit(retrain="1")
    next(one for one in at.get("button_group") if one.key == "poison_box").set_value(4.0)
    settle(at)
    assert address(at)["box"] == "4" and "retrain" not in address(at)
    assert "poison_steps" not in charts(at)


def test_another_part_of_the_page_begins_anew():
    at = visit(out="5,7", retrain="1", box="4")
    next(one for one in at.get("button_group") if one.key == "poison_panel").set_value("together")
    settle(at)
    assert address(at) == {"study": NAME, "test": "41", "panel": "together", "box": "4"}
    next(one for one in at.get("button_group") if one.key == "poison_panel").set_value("one")
    settle(at)
    assert "panel" not in address(at) and "poison_steps" not in charts(at)


def test_pictures_chosen_by_hand(server):
    at = visit(out="5,7")
    assert at.button(key="poison_run").label == "Poison these 2 training images and train again"
    press(at, "poison_run")
    assert at.selectbox(key="poison_shown").options == ["5: red", "7: red"]


def test_many_test_images_at_once(server):
    at = visit(panel="together", retrain="1", box="8")
    questions = poison.similar_tests(server, 41, panels.TOGETHER)
    ids = poison.shortlist(server, questions).ids[:1].tolist()
    result = poison.run(server, questions, ids, Attack(box=8.0))
    assert f"{int(result.turned.sum())} of {len(questions)} test images turned" in said(at)
    assert "16 of 30" in said(at)


@pytest.mark.slow
def test_how_often_it_works(server, monkeypatch):
    monkeypatch.setattr(share, "SIZES", (1, 2))
    at = visit(panel="share", k="5", box="60")
    assert "poison_flips" not in charts(at)
    at = press(at, "poison_share_run")
    ids = poison_many.answered_rightly(server)[:5]
    shares = poison_many.run(server, ids, Attack(box=60.0), share.SIZES)
    here = charts(at)["poison_flips"]["data"][1]
    assert here["text"] == [percent(shares.flipped(size)) for size in (1, 2)] + [""]
    assert f"{len(ids)} test images" in said(at)


def test_the_images_to_guard_lead_to_their_attack(server):
    at = visit(panel="guard")
    ranked = poison.guard(server)
    assert [one["id"] for one in cards(at)["guard"]] == [str(one) for one in ranked.ids[:SHOWN]]
    assert "keep their originals under lock" in said(at)
    assert "poison_run" not in keys(at)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"box": "0"}, "box must be a number above 0"),
        ({"box": "nan"}, "box must be a number above 0"),
        ({"box": "wide"}, "box must be a number above 0"),
        ({"box": "65"}, "box must be a number above 0 and up to 64"),
        ({"poisons": "0"}, "must be 1 to 10"),
        ({"poisons": "11"}, "must be 1 to 10"),
        ({"poisons": "many"}, "must be 1 to 10"),
        ({"panel": "cellar"}, "There is no part"),
        ({"out": ",".join(map(str, range(11)))}, "At most 10 pictures"),
        ({"out": "777"}, "no training image 777"),
    ],
)
def test_a_bad_address_is_answered_with_a_sentence_and_a_way_out(query, words):
    at = visit(**query)
    (error,) = at.error
    assert words in error.value and len(error.value) < 200
    assert "start_over" in keys(at)


def test_a_study_without_photographs_is_answered_with_what_to_choose():
    at = visit_page("poison", "one-or-seven")
    assert "needs a study on photographs" in said(at)
    assert f"use_{NAME}" in keys(at)
    assert title(press(at, f"use_{NAME}")) == "Can one picture poison the answer?"


def test_the_probability_by_step_is_what_the_csv_holds(server, asked):
    result = poison.run(server, [asked], [3], Attack(steps=3))
    columns = poison.table(result)
    np.testing.assert_array_equal(columns["step"], np.arange(4))
    np.testing.assert_array_equal(columns["probability_of_asked_label"], result.probabilities[:, 0])
    assert set(columns["test_id"]) == {41}
