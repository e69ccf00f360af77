"""What flips an answer, on the page: looked for beside it, said in a sentence, shown as pictures."""

import pytest

from influence_core.experiments import flip
from pages._parts.explain.flip import PICTURES
from tests.visits import PATIENCE, address, cards, charts, keys, press, said, settle, until, visit

STUDY, TEST, FEW = "one-or-seven", "5040", "8526"


@pytest.fixture
def unasked(monkeypatch):
    monkeypatch.setenv("INFLUENCE_EXPLORER_PROVE_SECONDS", "5")


def test_it_is_looked_for_when_asked_and_shown_with_its_proof(one_or_seven):
    at = visit(STUDY, test=TEST, chart="flip")
    assert "Without **" not in said(at)
    press(at, "flip_begin_out")
    until(at, lambda at: "flip_cards_out" in cards(at) and "flip_curve" in charts(at))
    x = one_or_seven.data.test.x[one_or_seven.data.test.position(int(TEST))]
    found = flip.run(one_or_seven, x)
    names = one_or_seven.data.class_names
    assert (
        f"Without **{found.size:,} of 1,092 training images** it would say **{names[found.says]}**."
        in said(at)
    )
    assert "No smaller set was found; none of them can be put back" in said(at)
    shown = [one["id"] for one in cards(at)["flip_cards_out"]]
    assert shown == [str(one) for one in found.ids[:PICTURES]]
    press(at, "flip_choose")
    assert address(at)["out"].split(",") == [str(one) for one in found.ids[:50]]


def test_a_set_that_flips_the_answer_is_not_said_to_be_unproven(one_or_seven):
    x = one_or_seven.data.test.x[one_or_seven.data.test.position(int(FEW))]
    found = flip.run(one_or_seven, x)
    at = press(visit(STUDY, test=FEW, chart="flip"), "flip_begin_out")
    until(at, lambda at: "flip_choose" in keys(at))
    press(at, "flip_choose")
    assert address(at)["out"].split(",") == [str(one) for one in found.ids]
    assert "That the answer is another without them is proven" in said(at)
    assert "Only training again proves it" not in said(at)
    at.query_params["out"] = ",".join(str(one) for one in found.ids[1:])
    assert "Only training again proves it" in said(settle(at)), "fewer are another set"


def test_relabelling_stands_beside_it():
    at = visit(STUDY, test=TEST, chart="flip")
    press(at, "flip_begin_relabel")
    until(at, lambda at: "flip_cards_relabel" in cards(at))
    assert "With another label on **" in said(at)
    assert cards(at)["flip_cards_relabel"][0]["lines"][0].startswith("as ")


def test_the_search_begins_by_itself_and_nobody_waits(unasked):
    at = visit(STUDY, test=TEST, chart="flip")
    assert "flip_begin_out" not in keys(at)
    until(at, lambda at: "Without **" in said(at))


def test_a_question_that_another_overtakes_is_left(unasked, one_or_seven):
    at = visit(STUDY, test=TEST, chart="flip")
    begun = set(at.session_state["flip_searches"][1])
    at.query_params["test"] = str(
        next(one for one in one_or_seven.data.test.ids.tolist() if str(one) != TEST)
    )
    settle(at)
    later = set(at.session_state["flip_searches"][1])
    assert begun and later and not begun & later
    assert not begun & set(at.session_state["_watched_jobs"])
    until(at, lambda at: "Without **" in said(at))
    for job in at.session_state["_watched_jobs"].values():  # none may still be at work when the tests end
        job.wait(PATIENCE)
