"""What is missing, on the Explain page: the ranking, the download, and the best added and proven."""

import csv
import io

import pytest

from influence_core.errors import DataError
from influence_core.experiments import additions, pools, questions
from influence_core.exports import as_csv_file
from influence_core.sessions import Sessions
from influence_core.studies.changes import Change
from influence_core.words import nats, points
from pages._parts.explain import missing
from pages._shell import results
from tests.drawings import drawn
from tests.visits import cards, keys, owner, press, said, settle, until, visit


def test_the_best_are_added_and_proven(one_or_seven):
    at = visit("one-or-seven", test="5040", chart="missing", add="5")
    until(at, lambda at: "missing_best" in cards(at))
    question = questions.ask_truth(one_or_seven, 5040)
    pool = pools.held_out(one_or_seven, question)
    found = additions.run(one_or_seven, question, pool)
    order = found.order()
    assert [int(one["id"]) for one in cards(at)["missing_best"]] == found.ids[order[:6]].tolist()
    until(at, lambda at: "after training again" in said(at))
    truth = additions.prove(one_or_seven, question, pool, order[:5].tolist())
    assert (
        f"Adding the best 5 does **{points(float(truth.after[question.label] - truth.before[question.label]))}**"
        in said(at)
    )
    at.toggle(key="unit").set_value(True)
    settle(at)
    assert f"does **{nats(-truth.actual)}** for **7**" in said(at)
    assert all(one["lines"][0].endswith(" nats") for one in cards(at)["missing_best"])
    at = press(at, "add_1")
    until(at, lambda at: "Adding the best 1 does" in said(at))


def test_nothing_is_computed_while_it_is_folded():
    assert not keys(visit("one-or-seven", test="5040")) & {"add_1", "add_5"}


def test_a_thinned_study_is_offered_what_it_lacks():
    at = visit("diabetes-thinned", pool="diabetes", chart="missing", add="1")
    assert "What “Diabetes patients, logistic regression” has besides" in at.radio(key="pool").options
    until(at, lambda at: "training rows of “Diabetes patients, logistic regression”" in said(at))


@pytest.mark.usefixtures("own_server")
def test_candidates_of_another_study_bear_no_mark_of_what_was_said_of_this_one():
    at = visit("diabetes-thinned", pool="diabetes", chart="missing")
    until(at, lambda at: "missing_best" in cards(at))
    shown = [int(one["id"]) for one in cards(at)["missing_best"]]
    Sessions(results.get_store()).create(owner(), "diabetes-thinned").record(Change("keep", shown[0]))
    assert f"{shown[0]} kept" in "\n".join(one.value for one in settle(at).sidebar.caption)
    assert not any(one["mark"] for one in cards(at)["missing_best"])


def test_a_drawing_of_ones_own_is_read_as_an_upload_is(one_or_seven):
    question = questions.ask(one_or_seven, 5040)
    ranked = missing.rank_own(one_or_seven, question, [drawn(7, 20)], lambda fraction, message: None)
    card = ranked.face(0, "", (), "")
    assert card.src.startswith("data:image/png") and card.title == "your picture 1"
    text = as_csv_file(additions.table(one_or_seven, ranked.found)).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert float(row["predicted_size_nats"]) == pytest.approx(ranked.found.influence[0])
    assert ranked.found.influence[0] > 0


def test_more_pictures_than_can_be_read_are_refused_in_a_sentence(one_or_seven):
    with pytest.raises(DataError, match="51 pictures; choose at most 50"):
        missing.check_number(51)
