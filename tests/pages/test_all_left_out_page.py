"""Forecast and truth of every training example: the offer, the proof, what is open, the disagreements, the download."""

import csv
import io
import time

import numpy as np
import pytest

from influence_core.experiments import explain, forecasts, questions
from influence_core.exports import as_csv
from influence_core.words import nats, percent, signed
from pages._parts.leave_one_out import all_or_few, every
from pages._parts.leave_one_out.every import CARDS
from pages._shell import proving
from tests.problems import ready
from tests.visits import address, cards, charts, keys, press, said, settle, title, until, visit_page

pytestmark = pytest.mark.usefixtures("own_server")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Nobody looks before the estimate is there."""
    monkeypatch.setattr(all_or_few, "PATIENCE", 60.0)


@pytest.fixture(scope="module")
def answer(one_or_seven):
    known = one_or_seven.predictions
    wrong = int(known.ids[known.misclassified()[-1]])
    return explain.run(one_or_seven, questions.ask(one_or_seven, wrong), context=ready(one_or_seven))


@pytest.fixture(scope="module")
def found(one_or_seven, answer):
    return forecasts.run(one_or_seven, answer, context=ready(one_or_seven))


def at_mistake(answer, **query):
    return visit_page("leave_one_out", test=str(answer.test_id), **query)


def test_from_the_offer_to_all_examples_and_back_to_a_few(answer, found):
    at = at_mistake(answer)
    assert title(at) == "Do the forecasts come true?"
    assert "With all 1,092 models, each trained without one image" in said(at)
    prove = at.button(key="prove_every")
    assert prove.label.startswith("Prove all 1,092 retrainings (about ")
    assert prove.label.endswith(" s, 3 MB on disk)")
    assert not charts(at)

    at = press(at, "prove_every")
    assert address(at)["retrain"] == "all"
    influence, corrected = found.influence_agreement, found.corrected_agreement
    words = said(at)
    assert (
        "**Influence gets the order right, but not all sizes; the corrected forecast comes true.**" in words
    )
    assert f"misses by up to **{percent(influence.worst)}**" in words
    assert f"corrected forecast by up to **{percent(corrected.worst)}**" in words
    for agreement in (influence, corrected):
        for number in (f"{agreement.pearson:.5f}", f"{agreement.spearman:.5f}", f"{agreement.slope:.4f}"):
            assert f"**{number}**" in words
    assert set(charts(at)) == {"influence_truth", "corrected_truth"}
    assert "NOT reach" not in words

    at.segmented_control(key="which").set_value("1")
    at = settle(at)
    assert address(at)["retrain"] == "1"
    assert set(charts(at)) == {"left_out"}
    at.segmented_control(key="which").set_value("")
    at = settle(at)
    assert "retrain" not in address(at)
    assert set(charts(at)) == {"influence_truth", "corrected_truth"}, "the table is at hand"


def test_the_strongest_disagreements_are_pictures_with_their_leverage(answer, found):
    at = at_mistake(answer, retrain="all")
    shown = cards(at)["disagreements"]
    worst = found.disagreements(CARDS)
    assert [int(one["id"]) for one in shown] == found.ids[worst].tolist()
    for place, (card, i) in enumerate(zip(shown, worst, strict=True), 1):
        proven, corrected, influence, leverage = card["lines"]
        assert card["title"].startswith(f"{place} · {found.ids[i]}: ")
        assert proven == f"proven {signed(float(found.proven.loss[i]))}"
        assert corrected == f"corrected {signed(float(found.corrected.loss[i]))}"
        assert influence == f"influence {signed(float(found.influence.loss[i]))}"
        times = 1 / (1 - found.leverage[i])
        assert leverage == f"leverage {percent(float(found.leverage[i]))}: gives way {times:.1f} × as far"
        assert card["tone"] == ("helpful" if found.proven.loss[i] > 0 else "harmful")
    assert "Where first order fails" in said(at)


def test_an_opened_example_shows_the_three_numbers_and_why_they_differ(answer, found):
    i = int(found.disagreements(1)[0])
    at = at_mistake(answer, retrain="all", open=str(found.ids[i]))
    words = said(at)
    assert f"Training image {found.ids[i]}, labelled" in words
    for effects in (found.proven, found.corrected, found.influence):
        assert f"| {nats(float(effects.loss[i]))} |" in words
    assert f"**Leverage {percent(float(found.leverage[i]))}.**" in words
    assert f"**{found.farther[i]:.1f} times as far**" in words
    rings = [trace for trace in charts(at)["corrected_truth"]["data"] if trace.get("name") == "opened"]
    assert len(rings) == 1
    assert "**Leverage" not in said(press(at, "close_example"))


def test_the_download_holds_all_examples(answer, found):
    at = at_mistake(answer, retrain="all")
    assert "Table of the 200 training images with the largest true effect, and download" in [
        one.label for one in at.expander
    ]
    rows = list(csv.DictReader(io.StringIO(as_csv(forecasts.table(found)))))
    assert len(rows) == 1_092
    strongest = np.abs(found.proven.loss).argmax()
    assert float(rows[0]["proven_loss_change_nats"]) == found.proven.loss[strongest]


def test_where_both_forecasts_come_true_they_are_told_together(answer):
    at = visit_page("leave_one_out", study="diabetes", test="288", retrain="all")
    assert "**Both forecasts come true.** All 332 training rows were truly left out" in said(at)
    assert "Where first order misses most" in said(at)


def test_what_is_made_beside_the_page_is_shown_by_itself(answer, monkeypatch):
    monkeypatch.setenv(proving.SECONDS_VARIABLE, "600")
    at = at_mistake(answer)
    for _ in range(600):
        if charts(at):
            break
        assert "prove_every" not in keys(at)
        time.sleep(0.1)
        at = settle(at)
    assert set(charts(at)) == {"influence_truth", "corrected_truth"}
    until(at, lambda at: ":green-badge[:material/verified: Proven]" in said(at))


def test_where_all_are_too_dear_a_few_are_suggested(answer, monkeypatch):
    monkeypatch.setenv(proving.SECONDS_VARIABLE, "600")
    monkeypatch.setenv(proving.MEGABYTES_VARIABLE, "1")
    at = at_mistake(answer)
    assert "offered where it is not" in said(at)
    assert at.button(key="leave_out").proto.type == "primary"
    assert not charts(at)


@pytest.mark.slow
def test_a_network_offers_no_table():
    at = visit_page("leave_one_out", study="digits-network", k="5", retrain="all")
    assert "leave_out" in keys(at)
    assert "prove_every" not in keys(at)
    assert not charts(at)


def test_of_very_many_examples_some_are_drawn_and_it_is_said(answer, found, monkeypatch):
    monkeypatch.setattr(every, "MAX_POINTS", 200)
    hidden = int(np.setdiff1d(found.ids, found.ids[found.drawn(200)])[0])
    at = press(at_mistake(answer, open=str(hidden)), "prove_every")
    assert "**200 of 1,092 training images are drawn**: the 100 of largest effect or miss" in said(at)
    for chart in charts(at).values():
        ids = [row[0] for trace in chart["data"] for row in trace.get("customdata") or [] if len(row) == 2]
        assert len(ids) == 201 and hidden in ids
