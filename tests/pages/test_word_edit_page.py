"""The words of an opened e-mail on the start page, and their pictures."""

import html
import re

import numpy as np
import pytest
import streamlit as st
from numpy.testing import assert_allclose

from influence_core import studies
from influence_core.engines import SolverSettings
from influence_core.experiments import explain, questions, word_edit
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.figures.word_edit import asked_words, word_shares
from influence_core.words import nats, points
from pages._parts.explain import word_edit as parts
from tests import toy_mails
from tests.data.test_text_folder import write
from tests.visits import address, charts, press, said, settle, visit


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Texts of the user's own, among them some that would like to be markup."""
    root = write(tmp_path_factory.mktemp("data"), 160)
    for number in range(5):
        evil = root / "texts" / "spam" / f"evil{number}.txt"
        evil.write_text(
            "Subject: <script>alert(1)</script> free <b>money</b>\n<img src=x onerror=alert(2)> offer & click"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFLUENCE_EXPLORER_DATA", str(root))
        st.cache_resource.clear()
        yield root
        st.cache_resource.clear()


@pytest.fixture(scope="module")
def study(folder):
    return studies.open_study(studies.find("text-folder"), folder=str(folder))


@pytest.fixture(scope="module")
def answer(study):
    known = study.predictions
    first = int(known.ids[known.least_confident()[0]])
    return explain.run(study, questions.ask(study, first), SolverSettings("cholesky"))


@pytest.fixture(scope="module")
def strongest(answer):
    return int(answer.ids[np.abs(answer.scores).argmax()])


def at_question(answer, **query):
    return visit("text-folder", test=str(answer.test_id), **query)


def made(answer, loss_change: float) -> str:
    """What a change of the loss is for the probability."""
    return points(min(1.0, float(np.exp(-(answer.own_loss + loss_change)))) - answer.probability)


def pages_html(at):
    return [one.proto.body for one in at.get("html")]


def test_the_opened_text_is_marked_where_its_words_matter(study, answer, strongest):
    at = at_question(answer, open=str(strongest))
    own, marked = (body for body in pages_html(at) if "<mark" in body)
    assert study.data.record(answer.test_id)["text"] in html.unescape(re.sub(r"<[^>]*>", "", own))
    record = study.data.record(strongest)
    plain = html.unescape(re.sub(r"<[^>]*>", "", marked))
    assert record["subject"] in plain and record["text"] in plain
    shares = word_edit.shares(study, answer, strongest)
    first, colour = shares.words[0], (HELPFUL if shares.shares[0] > 0 else HARMFUL).both
    opaque = f"{round(255 * parts.STRONGEST):02x}"
    assert (
        f'background:{colour}{opaque};color:inherit;border-radius:3px;padding:0 2px" title="{first}: '
        in marked
    )
    assert "word_shares" in charts(at)
    assert "Together the latter are its influence" in said(at)


def test_a_text_that_would_like_to_be_markup_stays_text(study, answer, folder):
    where = next(id for id in study.data.train.ids.tolist() if "evil" in study.data.record(id)["file"])
    at = at_question(answer, open=str(where))
    marked = next(body for body in pages_html(at) if "onerror" in body)
    tags = set(re.findall(r"<(\w+)", marked))
    assert tags <= {"div", "mark"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in re.sub(r"</?mark[^>]*>", "", marked)


@pytest.mark.parametrize("unit", ["", "nats"])
def test_a_word_is_taken_out_in_forecast_and_in_truth(study, answer, strongest, unit):
    at = at_question(answer, open=str(strongest), **({"unit": unit} if unit else {}))
    word = word_edit.shares(study, answer, strongest).words[0]
    told = word_edit.forecast(study, answer, strongest, word)
    assert f"“{word}” taken out" in said(at).replace(" (2 times)", "")
    assert (nats(told.predicted) if unit else made(answer, told.predicted)) in said(at)
    press(at, "word_run")
    assert address(at)["panel"] == "word"
    result = word_edit.run(study, answer, strongest, word)
    changed = float(result.after[answer.label] - result.before[answer.label])
    assert f"changes by **{nats(result.actual) if unit else points(changed)}**" in said(at)
    assert "reached" in said(at) and "NOT reached" not in said(at)


def test_another_word_can_be_chosen_and_replaced(study, answer, strongest):
    shares = word_edit.shares(study, answer, strongest)
    at = at_question(answer, open=str(strongest), panel="word")
    at.selectbox(key="word_goes").set_value(shares.words[1])
    settle(at)
    assert address(at)["word"] == f"{shares.words[1]}="
    assert "panel" not in address(at)
    other = next(one for one in study.data.feature_names if one not in shares.words)
    at.selectbox(key="word_comes").set_value(other)
    settle(at)
    assert address(at)["word"] == f"{shares.words[1]}={other}"
    told = word_edit.forecast(study, answer, strongest, shares.words[1], other)
    assert made(answer, told.predicted) in said(at)


@pytest.mark.parametrize("word", ["sesquipedalian", "=", "free=free", "<b>", "a" * 2_000])
def test_a_word_in_the_address_that_does_not_stand_there_is_overlooked(answer, strongest, word):
    at = at_question(answer, open=str(strongest), word=word)
    assert len(at.error) == 0
    assert "taken out" in said(at) or "replaced by" in said(at)


def test_the_test_texts_own_words_are_one_click_away(study, answer):
    at = at_question(answer)
    assert "asked_words" not in charts(at)
    at.session_state["own_words"] = True
    settle(at)
    assert "asked_words" in charts(at)
    assert "No training is needed" in said(at)


def test_pictures_have_no_words():
    at = visit("one-or-seven")
    assert not [one for one in at.get("expander") if "own words" in one.label]


# ----------------------------------------------------------------------------------------------- the figures


def test_the_bars_are_the_shares():
    study = toy_mails.study()
    answer = explain.run(study, questions.ask(study, 160), SolverSettings("cholesky"))
    train_id = int(answer.ids[np.abs(answer.scores).argmax()])
    result = word_edit.shares(study, answer, train_id)
    (bar,) = word_shares(result, result.shares, "nats", 5).data
    assert_allclose(bar.x, result.shares[:5])
    assert list(bar.marker.color) == [(HELPFUL if one > 0 else HARMFUL).both for one in result.shares[:5]]
    chosen = word_shares(result, result.shares, "nats", 5, chosen=result.words[2]).data[0].marker.opacity
    assert chosen[2] == 1 and max(chosen[:2] + chosen[3:]) < 1
    own = word_edit.asked_words(study, answer)
    (bar,) = asked_words(own, own.points, "pp", 4).data
    assert_allclose(bar.x, own.points[:4])
    assert all(name.split(" × ")[0] in text for name, text in zip(own.words[:4], bar.hovertext, strict=True))
