"""What is missing, on the Explain page: the ranking, the download, and the best added and proven."""

import csv
import io

import pytest

from influence_core.experiments import additions, pools, questions
from influence_core.words import nats
from pages._parts.explain import missing
from tests.drawings import drawn
from tests.visits import cards, keys, press, said, visit


def test_the_best_are_added_and_proven(one_or_seven):
    at = visit("one-or-seven", test="5040", chart="missing", add="5")
    question = questions.ask_truth(one_or_seven, 5040)
    pool = pools.held_out(one_or_seven, question)
    found = additions.run(one_or_seven, question, pool)
    order = found.order()
    assert [int(one["id"]) for one in cards(at)["missing_best"]] == found.ids[order[:6]].tolist()
    truth = additions.prove(one_or_seven, question, pool, order[:5].tolist())
    assert nats(truth.actual) in said(at)
    at = press(at, "add_1")
    assert "With the best 1 the loss" in said(at)


def test_nothing_is_computed_while_it_is_folded():
    assert not keys(visit("one-or-seven", test="5040")) & {"add_1", "add_5"}


def test_a_thinned_study_is_offered_what_it_lacks():
    at = visit("diabetes-thinned", pool="diabetes", chart="missing", add="1")
    assert "What “Diabetes patients, logistic regression” has besides" in at.radio(key="pool").options
    assert "training rows of “Diabetes patients, logistic regression”" in said(at)


def test_a_drawing_of_ones_own_is_read_as_an_upload_is(one_or_seven):
    x, source = missing._read(one_or_seven, drawn(7, 20))
    found = additions.run(
        one_or_seven, questions.ask(one_or_seven, 5040), pools.unlabelled(one_or_seven, [x])
    )
    assert source.startswith("data:image/png") and found.influence[0] > 0
    (row,) = csv.DictReader(io.StringIO(missing.as_csv(additions.table(one_or_seven, found))))
    assert float(row["predicted_size_nats"]) == pytest.approx(found.influence[0])
