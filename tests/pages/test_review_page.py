"""The page on which a person reviews the suspects: verdicts, undo, training behind the page, and what is kept."""

import csv
import io
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from numpy.testing import assert_allclose

from influence_core import studies
from influence_core.errors import StoreError
from influence_core.experiments import review, suspects
from influence_core.experiments.health.duplicates import Copies
from influence_core.experiments.review import Training
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.figures.review import MIN_VERDICTS, accuracy
from influence_core.sessions import Sessions, reviews
from influence_core.sessions.verdicts import say
from influence_core.store.digest import digest
from influence_core.studies.changes import Change
from influence_core.words import nats, percent, points, signed, three_digits
from pages._parts.review import batch, evidence, progress, session, suspect
from pages._shell import results
from pages._shell.jobs import get_jobs
from tests import toy_mails
from tests.visits import (
    address,
    cards,
    charts,
    keys,
    metrics,
    owner,
    press,
    said,
    settle,
    title,
    turn_to,
    visit_page,
)

MINE = {"review": "mine", "panel": "practise"}


pytestmark = pytest.mark.usefixtures("own_server")


@pytest.fixture(scope="module")
def study():
    return studies.open_study(studies.find("diabetes"))


@pytest.fixture(scope="module")
def begun(study):
    """What the page should begin with."""
    return review.start(study, "mine", suspects.first_queue(study), FlipSettings(0.1, repeats=1))


def visit(study="diabetes", **query):
    return visit_page("review", study, **query)


def kept(study, name="mine"):
    return reviews.recall(results.get_store(), study, name, secret_of(study, name))


def secret_of(study, name="mine"):
    return digest("review of", owner(), study.spec.name, name)[:32]


def history(study, of):
    """All that was ever said in an owner's list."""
    (session,) = Sessions(results.get_store()).of(of, study.spec.name)
    return [str(one.said) for one in session.history()]


def finish(at):
    """Run the page until the training behind it has ended."""
    for _ in range(200):
        settle(at)
        if "Trained on" in said(at):
            return at
    raise AssertionError(said(at))


def ids(begun, k):
    return [int(one) for one in begun.ids[begun.queue[:k]]]


def test_a_review_is_begun_by_name():
    at = visit()
    assert title(at) == "Is this label right?"
    assert "one after the other" in said(at)
    at.segmented_control(key="review_panel").set_value("practise")
    settle(at)
    at.text_input(key="review_name").set_value("  Monday \n morning ")
    press(at, "review_start")
    assert address(at) == {"study": "diabetes", "review": "Monday morning", "panel": "practise"}
    assert "Suspect 1 of 332" in said(at)


def test_the_most_suspect_comes_first_with_what_the_model_says(study, begun):
    at = visit(**MINE)
    assert ":yellow-badge" in said(at), "a ranking is no verdict"
    first = review.suspect(study, begun)
    names = study.data.class_names
    assert f"Suspect 1 of 332 is labelled **{names[first.label]}**" in said(at)
    assert f"Training row {first.train_id}, labelled {names[first.label]}" in said(at)
    assert f"Ranked by “What all others would say”: {three_digits(first.score)} nats" in said(at)
    assert {f"keep_{first.train_id}", f"relabel_{first.train_id}_{1 - first.label}"} <= keys(at)
    assert at.button(key="review_undo").disabled
    assert metrics(at) == {
        "Relabelled": "0",
        "Test accuracy": percent(begun.trainings[0].accuracy),
        "Flipped labels found and set right": "0 of 32",
    }
    assert list(at.dataframe[0].value["column"]) == list(study.data.record(first.train_id))


def test_a_suspect_is_shown_with_what_the_model_says_when_it_never_saw_it(study, begun):
    first = review.suspect(study, begun)
    found = review.evidence(study, begun.given, first.train_id, begun.theta)
    at = visit(**MINE)
    for _ in range(100):
        if "when it never did" in said(at):
            break
        settle(at)
    assert (
        f"gives the label {study.data.class_names[first.label]} **{percent(found.seen[first.label])}** having seen this row, and "
        f"**{percent(found.unseen[first.label])}** when it never did (proven: trained again without it)"
    ) in said(at)
    names = study.data.class_names
    assert (
        f"Suspect 1 of 332 is labelled **{names[first.label]}**; trained again without this row, the model says "
        f"**{names[found.proposal]}** ({percent(found.unseen.max())}); having learnt from this label it says "
        f"{names[first.answer]} ({percent(max(first.probabilities))}). You decide."
    ) in said(at)
    told, words = found.without, said(at)
    assert (
        f"Without it: {told.harmed} of 110 test rows get surer of their label, the mean loss of all changes by {nats(told.loss)}"
        in words
    )
    assert (
        f"As {study.data.class_names[found.other]}: {found.relabelled.harmed} of 110 test rows get surer of their label"
        in words
    )
    proposed = at.button(key=f"relabel_{first.train_id}_{found.proposal}")
    assert (proposed.proto.type, proposed.proto.icon) == ("primary", suspect.PROPOSED)
    kept = at.button(key=f"keep_{first.train_id}")
    assert (kept.proto.type, kept.proto.icon) == ("secondary", "")
    for name in study.data.class_names:
        assert f"Nearest labelled {name}" in words
    own = study.data.class_names[first.label]
    assert f"Speak for {own}, to the model without this row" in words
    assert f"Speak against {own}, to the model without this row" in words
    assert (
        f"{percent(begun.unseen_accuracy)} of the 332 training labels are what the model would say had it never seen that one "
        "row (leave-one-out accuracy, proven"
    ) in said(at)


def test_until_then_the_model_that_saw_it_is_named_as_such(study, begun, monkeypatch):
    first, names = review.suspect(study, begun), study.data.class_names
    monkeypatch.setattr(evidence, "find", lambda *_: None)
    at = visit(**MINE)
    says = f"the model says **{names[first.answer]}** ({percent(max(first.probabilities))})"
    assert f"; {says}, but it was trained on this very label. You decide." in said(at)
    press(at, f"remove_{first.train_id}")
    finish(at)
    at.query_params["open"] = str(first.train_id)
    assert "the model with your 1 change, which has not seen it since it was removed, says" in said(
        settle(at)
    )


def test_until_training_has_caught_up_the_sentence_says_what_the_model_knows(study):
    at = finish_evidence(visit(review="plain"))
    assert "trained again without this row, the original model " in said(at)
    assert "Other pages ask another model" not in said(at)
    first, second = ids(kept(study, "plain"), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_train_behind", lambda *_: None)
        press(press(at, f"remove_{first}"), f"remove_{second}")
        assert "the model, which knows 0 of your 2 verdicts so far (it is training again), says" in said(at)
        assert "but it was trained on this very label. You decide." in said(at)
        at.session_state["review_job"] = SimpleNamespace(error=ValueError("a class is gone"))
        assert "the model, which knows 0 of your 2 verdicts so far, says" in said(settle(at))
        del at.session_state["review_job"]
    finish_evidence(finish(at))
    assert "trained again without this row, the model with your 2 changes " in said(at)
    assert "The model with your 2 changes gives the label" in said(at)
    assert "Other pages ask another model, with other numbers for this row" in said(at)


def test_test_labels_that_were_set_right_count(study):
    tests = study.predictions
    at = visit(review="plain", score="loss")
    base = "Of all 110 test rows; *Before and after* leaves out the one that you ask about there."
    assert base in said(at) and "that you set right" not in said(at)
    right = int((~tests.wrong).sum())
    wrong = int(tests.ids[tests.misclassified()[0]])
    (label,) = tests.predicted[tests.ids == wrong].tolist()
    begin = Sessions(results.get_store()).create(owner(), "diabetes", labels=study.data.class_names)
    begin.record(Change("retest", wrong, label=label))
    assert metrics(settle(at))["Test accuracy"] == percent((right + 1) / 110)
    assert "1 of them by the label that you set right: the line below has its ends alone" in said(at)
    assert "the evidence beside a suspect goes by them too" in said(at)
    state = kept(study, "plain")
    first = ids(state, 1)[0]
    tested = tests.labels.copy()
    tested[tests.ids == wrong] = label
    asked = study, state.labels, first, state.theta, state.removed, tested
    assert at.session_state["review_evidence"][0] == review.evidence.key(*asked)
    finish(press(at, f"remove_{first}"))
    found = review.judged(study, kept(study, "plain"), tested)
    version = studies.open_study(studies.find(f"diabetes@r{first},t{wrong}={label}"))
    assert found.after == version.predictions.accuracy and found.before == (right + 1) / 110
    (line,) = (one for one in charts(at)["review_accuracy"]["data"] if "markers" in one["mode"])
    assert_allclose(line["y"], [found.before, found.after])


def test_the_test_labels_set_right_are_looked_for_once_a_run(study, monkeypatch):
    at = finish_evidence(visit(review="plain", score="loss"))
    asked, look = [], review.corrected_tests
    monkeypatch.setattr(review, "corrected_tests", lambda *of: asked.append(of) or look(*of))
    at.run()
    assert len(asked) == 1


def test_any_example_is_looked_at_by_its_number_and_the_queue_goes_on(study, begun):
    first, last = ids(begun, 1)[0], int(begun.ids[begun.queue[-1]])
    at = visit(**MINE)
    at.text_input(key="review_jump").set_value(str(last))
    settle(at)
    assert address(at)["open"] == str(last)
    assert "Suspect 332 of 332" in said(at)
    press(at, f"keep_{last}")
    assert "open" not in address(at)
    assert f"keep_{first}" in keys(at)
    at = visit(**MINE, open=str(last))
    assert "You said of it: keep" in said(at)
    press(at, f"remove_{last}")
    assert kept(study).verdict_on(last).kind == "remove" and len(kept(study).verdicts) == 1, (
        "on second thoughts"
    )
    at = visit(**MINE, open=str(last))
    assert "You said of it: remove" in said(at)
    press(at, "review_back")
    assert f"keep_{first}" in keys(at)
    at.text_input(key="review_jump").set_value("100000")
    settle(at)
    assert "no example with id 100000" in at.error[0].value


def test_the_next_suspects_evidence_is_made_ahead_and_what_is_overtaken_is_given_up(study, begun):
    first, second, third = ids(begun, 3)
    at = visit(**MINE)
    for _ in range(100):
        if "when it never did" in said(at):
            break
        settle(at)
    state = kept(study)
    keys_of = {
        one: review.evidence.key(study, state.labels, one, state.theta, state.removed)
        for one in (first, second, third)
    }
    assert at.session_state["review_evidence"] == (keys_of[first], keys_of[second])
    ahead = get_jobs().start(keys_of[second], "", lambda _: pytest.fail("it is there, or on its way"))
    assert ahead.wait(30) and ahead.result.label == state.given[state.queue[1]]
    press(at, f"keep_{first}")
    assert at.session_state["review_evidence"] == (keys_of[second], keys_of[third])
    assert "when it never did" in said(at)


def test_the_last_verdicts_say_whether_to_stop(study, begun):
    at = visit(**MINE)
    for _ in range(2):
        press(at, f"keep_{int(kept(study).ids[kept(study).current])}")
    assert (
        "**0 of the last 2** looked at got another label or were removed. If none of 20 in a row does"
        in said(at)
    )
    state = kept(study)
    for _ in range(18):
        state = review.keep(state, int(state.ids[state.current]))
    assert (
        "0 of the last 20** looked at got another label or were removed: of suspects like these at most 13.9 %"
        in progress.stopping_rule(state)
    )
    wrong = review.relabel(state, int(state.ids[state.current]), 1 - int(state.given[state.current]))
    assert "1 of the last 20** looked at got another label or were removed. Go on" in progress.stopping_rule(
        wrong
    )


def test_queues_that_ask_the_test_examples_say_who_judges(study):
    at = visit(review="by harm", score="harm")
    state = kept(study, "by harm")
    assert f"Ranked by “Harm to test answers”: {signed(state.scores.max())} nats" in said(at)
    assert "accuracy on the 55 test rows that rank nothing" in said(at)
    assert "Of the 55 test rows that rank nothing; *Before and after* leaves out the one" in said(at)
    at = visit(review="by gain", score="gain")
    assert f"Ranked by “Gain for test answers”: {points(kept(study, 'by gain').scores.max())}" in said(at)


def test_the_leave_one_out_loss_is_offered_by_name(study):
    at = visit()
    shown = at.segmented_control(key="review_score")
    assert "What all others would say" in shown.options and "(leave-one-out loss (proven))" in shown.help
    at = visit(review="by the loss unseen", score="proven")
    state = kept(study, "by the loss unseen")
    assert f"Ranked by “What all others would say”: {three_digits(state.scores.max())} nats" in said(at)
    assert (
        f"{percent(state.unseen_accuracy)} of the 332 training labels are what the model would say had it never seen that one "
        "row (leave-one-out accuracy, proven"
    ) in said(at)


def test_labels_as_they_are_have_no_flips_to_find():
    at = visit(review="plain")
    assert "Flipped labels found and set right" not in metrics(at)
    assert "flipped at the start" not in said(at)


def test_verdicts_move_on_and_are_kept_at_once(study, begun):
    first, second, third = ids(begun, 3)
    at = visit(**MINE)
    press(at, f"keep_{first}")
    assert [one.train_id for one in kept(study).verdicts] == [first]
    label = 1 - int(begun.given[begun.queue[1]])
    press(at, f"relabel_{second}_{label}")
    assert "Suspect 3 of 332" in said(at)
    assert f"keep_{third}" in keys(at)
    finish(at)
    now = kept(study)
    assert [(one.train_id, one.relabels) for one in now.verdicts] == [(first, False), (second, True)]
    assert [done.verdicts for done in now.trainings] == [0, 2]
    assert metrics(at)["Relabelled"] == "1"
    assert metrics(at)["Test accuracy"] == percent(now.trainings[-1].accuracy)
    fixed = int(begun.given[begun.queue[1]] != begun.true[begun.queue[1]])
    assert metrics(at)["Flipped labels found and set right"] == f"{fixed} of 32"
    names = study.data.class_names
    verdicts = list(at.dataframe[1].value["verdict"])
    assert verdicts[0] == f"{names[1 - label]} → {names[label]}"
    assert verdicts[1] == f"keep {names[begun.given[begun.queue[0]]]}"
    assert "review_accuracy" in charts(at)


def test_a_reload_goes_on_where_it_stopped(study, begun):
    first, second = ids(begun, 2)
    press(visit(**MINE), f"keep_{first}")
    st.cache_resource.clear()  # the server was killed
    at = visit(review="mine")  # settings of the beginning no longer matter
    assert "Suspect 2 of 332" in said(at)
    assert f"keep_{second}" in keys(at)
    assert metrics(at)["Flipped labels found and set right"] == "0 of 32"


def test_a_review_outlives_the_store(study, begun, tmp_path):
    first, second = ids(begun, 2)
    at = press(visit(**MINE), f"keep_{first}")
    shutil.rmtree(tmp_path / "cache")
    settle(at)
    assert "Suspect 2 of 332" in said(at)
    press(at, f"keep_{second}")
    assert not at.error
    assert [one.train_id for one in kept(study).verdicts] == [first, second]


def test_undo_shows_the_last_suspect_again(study, begun):
    first, second = ids(begun, 2)
    at = visit(**MINE)
    press(at, f"keep_{first}")
    press(at, f"relabel_{second}_{1 - int(begun.given[begun.queue[1]])}")
    press(at, "review_undo")
    assert f"keep_{second}" in keys(at)
    assert metrics(at)["Relabelled"] == "0"
    press(at, "review_undo")
    assert f"keep_{first}" in keys(at)
    assert kept(study).verdicts == ()


def test_the_same_verdict_after_undo_is_trained_again(study, begun):
    first = ids(begun, 1)[0]
    relabel = f"relabel_{first}_{1 - int(begun.given[begun.queue[0]])}"
    at = visit(**MINE)
    finish(press(at, relabel))
    before = kept(study).trainings
    press(at, "review_undo")
    assert len(kept(study).trainings) == 1
    finish(press(at, relabel))
    after = kept(study).trainings
    assert [(one.verdicts, one.accuracy) for one in after] == [(one.verdicts, one.accuracy) for one in before]
    assert not at.button(key="review_undo").disabled


def test_a_verdict_is_one_of_my_changes_at_once_and_undone_there_too(study):
    at = visit(review="plain", score="loss")
    state = kept(study, "plain")
    first, second, third = (int(one) for one in state.ids[state.queue[:3]])
    press(at, f"remove_{first}")
    press(at, f"unsure_{second}")
    press(at, f"relabel_{third}_{1 - int(state.given[state.queue[2]])}")
    name = study.data.class_names[1 - int(state.given[state.queue[2]])]
    listed = "\n".join(str(one.value) for one in at.sidebar.caption)
    assert all(one in listed for one in (f"{first} removed", f"{second} unsure", f"{third} → {name}"))
    assert "And 1 removed, 1 left open." in said(at) and metrics(at)["Relabelled"] == "1"
    assert history(study, owner()) == [
        f"r{first}",
        "unsure",
        f"l{third}={1 - int(state.given[state.queue[2]])}",
    ]
    press(at, "changes_undo")
    assert f"remove_{third}" in keys(at), "undone in the list, back in the queue"
    press(at, "review_undo")
    assert f"remove_{second}" in keys(at)
    press(at, "review_redo")
    assert f"remove_{third}" in keys(at)
    at.session_state[f"judge_note_box_{third}"] = True
    settle(at)
    at.text_area(key=f"judge_note_{third}").set_value("taken twice")
    press(at, "judge_keep_note")
    assert at.session_state[f"judge_note_box_{third}"] is False, "the box closes"
    assert f"remove_{third}" in keys(at) and "“taken twice”" in said(at), "a note moves nothing on"
    rows = review.table(kept(study, "plain"), study.data.record, {second: "taken twice"})
    assert rows["verdict"].tolist() == ["remove", "unsure"] and rows["note"].tolist() == ["", "taken twice"]


def test_one_map_of_keys_on_both_pages(study):
    from pages._shell.change_list import KEYS

    at = finish_evidence(visit(review="plain", score="loss"))
    first = int(kept(study, "plain").ids[kept(study, "plain").current])
    other = 1 - int(kept(study, "plain").given[kept(study, "plain").current])
    of_review = {
        "relabel": f"relabel_{first}_{other}",
        "remove": f"remove_{first}",
        "keep": f"keep_{first}",
        "unsure": f"unsure_{first}",
        "undo": "review_undo",
        "redo": "review_redo",
    }
    press(at, f"keep_{first}")
    at = visit(review="plain", open=str(first))
    finish_evidence(at)
    assert {name: at.button(key=key).proto.shortcut for name, key in of_review.items()} == shortcuts(KEYS)
    assert not at.button(key="changes_undo").proto.shortcut, "one button a key"
    explained = visit_page("explain", "diabetes", open=str(first))
    of_explain = {name: f"judge_{name}" for name in ("relabel", "remove", "keep", "unsure")}
    of_explain |= {"undo": "changes_undo", "redo": "changes_redo"}
    assert {name: explained.button(key=key).proto.shortcut for name, key in of_explain.items()} == shortcuts(
        KEYS
    )


def shortcuts(known):
    """As Streamlit writes them."""
    return {name: key.lower() for name, key in known.items()}


def finish_evidence(at):
    for _ in range(100):
        if "when it never did" in said(at):
            return at
        settle(at)
    raise AssertionError(said(at))


def test_several_at_a_time_get_one_verdict_in_one_step(study):
    at = visit(review="plain", score="loss", cards="1")
    state = kept(study, "plain")
    shown = [int(one) for one in state.ids[state.queue[: batch.SHOWN]]]
    assert [one["id"] for one in cards(at)["batch"]] == [str(one) for one in shown]
    assert "suspect" not in said(at).split("The next 24")[0] and at.button(key="batch_remove").disabled
    at.session_state["review_ticked"] = shown[:3]
    settle(at)
    assert at.button(key="batch_remove").label == "Remove", "a row whose words change may wrap"
    assert "3 ticked" in said(at)
    press(at, "batch_remove")
    assert history(study, owner()) == [f"r{one}" for one in shown[:3]]
    assert [one["id"] for one in cards(at)["batch"]][0] == str(shown[3]) and at.button(
        key="batch_keep"
    ).disabled
    press(at, "tick_all")
    press(at, "batch_relabel")
    now = kept(study, "plain")
    assert len(now.verdicts) == 27 and now.relabelled == 24
    press(at, "review_undo")
    assert [one.kind for one in kept(study, "plain").verdicts] == ["remove"] * 3, "one step"
    press(press(at, "tick_all"), "tick_none")
    assert at.button(key="batch_keep").disabled
    opened = visit(review="plain", cards="1", open=str(shown[5]))
    assert f"keep_{shown[5]}" in keys(opened) and "batch" not in cards(opened)


def test_several_of_many_labels_are_told_which(monkeypatch):
    few = replace(studies.CATALOGUE["digits"], classes=(0, 1, 2), n_train=60, n_test=30)
    monkeypatch.setitem(studies.CATALOGUE, "digits", few)
    digits = studies.open_study(few)
    at = visit("digits", review="plain", score="loss", cards="1")
    one = review.suspect(digits, kept(digits, "plain"))
    label = batch.proposal(one)
    others = [p for other, p in enumerate(one.probabilities) if other != one.label]
    assert label != one.label and one.probabilities[label] == max(others)
    at.session_state["review_ticked"] = [one.train_id]
    settle(at).selectbox(key="batch_label").set_value(label)
    settle(at)
    (verdict,) = kept(digits, "plain").verdicts
    assert (verdict.train_id, verdict.new) == (one.train_id, label)
    assert at.selectbox(key="batch_label").value is None


def test_a_queue_of_copies_shows_them(study, monkeypatch):
    at = visit(review="copies", score="copies")
    state = kept(study, "copies")
    assert (
        state.method,
        "Ranked by “Copies”: none of this one, nor of any after it" in said(at),
    ) == (
        "copies",
        state.scores.max() == 0,
    )
    first, second = (int(one) for one in state.ids[state.queue[:2]])
    labels = tuple(int(one) for one in state.given[state.queue[:2]])
    group = Copies((first, second), (int(study.data.test.ids[0]),), labels, (0,), "equal")
    monkeypatch.setattr(review.copies, "of", lambda *_: group)
    monkeypatch.setattr(suspect.copies, "counts", lambda _: (2, 1))
    settle(at)
    assert "Its copies (equal), with their labels" in said(at) and "2 copies, 1 under another label" in said(
        at
    )
    assert [one["id"] for one in cards(at)["copies"]] == [str(second)]
    assert "test set, which asks what was learnt from" in said(at)


def test_a_relabelled_suspect_offers_the_label_that_it_has_got(study):
    at = visit(review="again", score="loss")
    first = review.suspect(study, kept(study, "again"))
    at = press(at, f"relabel_{first.train_id}_{1 - first.label}")
    back = visit(review="again", score="loss", open=str(first.train_id))
    for _ in range(100):
        if "when it never did" in said(back):
            break
        settle(back)
    names = study.data.class_names
    labels = {one.label for one in back.button}
    assert {f"Wrong label → {names[1 - first.label]}", f"Keep {names[first.label]}"} <= labels
    assert f"You said of it: {names[first.label]} → {names[1 - first.label]}" in " ".join(
        one.value for one in back.info
    )


def test_two_reviewers_are_compared_and_each_difference_is_settled(study):
    at = visit(review="Ada", score="loss")
    state = kept(study, "Ada")
    first, second = (int(one) for one in state.ids[state.queue[:2]])
    press(press(at, f"keep_{first}"), f"remove_{second}")
    assert "Two reviewers" not in said(at)
    other = visit(review="Bert", score="loss")
    assert f"keep_{first}" in keys(other), "another reviewer is not shown what the first one said"
    press(press(other, f"keep_{first}"), f"keep_{second}")
    words = said(other)
    assert (
        "The reviews “Bert” and “Ada” have both judged **2** rows: **1 alike**. Cohen's kappa is **0.00**"
        in words
    )
    assert "Of so few (under 20) it says little. Settled: 0 of 1 difference." in words
    assert other.button(key=f"settle_{second}_Ada").label == "remove (“Ada”)"
    assert history(study, owner())[-1] == f"k{second}"
    (listed,) = Sessions(results.get_store()).of(owner())
    assert str(listed.state().verdicts[second]) == f"r{second}", (
        "the first verdict stands until it is settled"
    )
    assert "1 judged otherwise in a second review" in " ".join(one.value for one in other.sidebar.caption)
    press(other, f"settle_{second}_Ada")
    assert "Settled: 1 of 1 difference." in said(other) and not has_settling(other)
    assert history(study, owner())[-1] == f"r{second}"
    assert "Settled: 1 of 1 difference." in said(settle(at))


def has_settling(at):
    return any(key.startswith("settle_") for key in keys(at))


def test_a_version_is_reviewed_on_and_its_verdicts_stand_in_the_same_list(study):
    at = visit(review="plain", score="loss")
    state = kept(study, "plain")
    first, second = (int(one) for one in state.ids[state.queue[:2]])
    press(press(at, f"remove_{first}"), f"keep_{second}")
    version = studies.open_study(studies.find(f"diabetes@r{first}"))
    of_version = visit(f"diabetes@r{first}", review="of it", score="loss")
    now = kept(version, "of it")
    assert f"keep_{int(now.ids[now.current])}" in keys(of_version) and "Suspect" in said(of_version)
    assert now.verdicts == (), "another review begins anew"
    press(of_version, f"keep_{int(now.ids[now.current])}")
    assert address(of_version)["study"] == f"diabetes@r{first}", "the labels under review stay what they were"
    assert len(kept(version, "of it").verdicts) == 1 and len(kept(study, "plain").verdicts) == 2
    assert len(history(study, owner())) == 3


def test_the_queue_goes_on_where_the_model_with_changes_is_chosen(study):
    at = visit(review="plain", score="loss", cards="1")
    first, second, third = ids(kept(study, "plain"), 3)
    at = press(visit(review="plain", score="loss"), f"remove_{first}")
    at.sidebar.radio(key="changes_switch").set_value(f"diabetes@r{first}")
    settle(at)
    assert address(at) == {"study": f"diabetes@r{first}", "review": "plain", "score": "loss"}
    assert "Suspect 2 of 332" in said(at) and "The review goes on as it was" in said(at)
    press(at, f"remove_{second}")
    changed = ",".join(sorted(f"r{one}" for one in (first, second)))
    assert address(at)["study"] == str(studies.find(f"diabetes@{changed}").address), "the address goes along"
    assert f"remove_{third}" in keys(at)
    press(at, "review_undo")
    assert address(at)["study"] == f"diabetes@r{first}" and f"remove_{second}" in keys(at)
    press(at, "to_original")
    assert address(at)["review"] == "plain" and "Suspect 2 of 332" in said(at)


def test_a_version_s_own_review_is_not_begun_of_the_original_and_stays_its_own(study):
    first = ids(begin_kept(study), 1)[0]
    version = studies.open_study(studies.find(f"diabetes@r{first}"))
    at = visit(version.spec.address, review="of it", score="loss")
    second = ids(kept(version, "of it"), 1)[0]
    press(at, f"remove_{second}")
    assert address(at)["study"] == version.spec.address, "the labels under review stay what they were"
    press(at, "to_original")
    assert "review" not in address(at) and "review_start" in keys(at), (
        "nobody has asked for one of the original"
    )
    assert kept(study, "of it") is None
    at.text_input(key="review_name").set_value("of it")
    press(at, "review_start")
    assert address(at)["review"] == "of it" and len(kept(study, "of it").given) == 332
    own = visit(version.spec.address, review="of it", score="loss")
    assert "Suspect 2 of 331" in said(own) and "The review goes on as it was" not in said(own)


def begin_kept(study):
    """A list with one row removed, and the review in which that was said."""
    at = visit(review="plain", score="loss")
    state = kept(study, "plain")
    press(at, f"remove_{ids(state, 1)[0]}")
    return state


def test_a_version_that_was_never_opened_is_not_trained_for_a_review_of_the_original(study, monkeypatch):
    first = ids(begin_kept(study), 1)[0]
    opened, load = [], results.load_spec
    monkeypatch.setattr(
        results, "load_spec", lambda spec, device: opened.append(spec.address) or load(spec, device)
    )
    assert "The review goes on as it was" in said(visit(f"diabetes@r{first}", review="plain", score="loss"))
    assert set(opened) == {"diabetes"}


GUEST = "1" * 32
"""The cookie of another browser."""


def in_the_list(at):
    return "\n".join(str(one.value) for one in at.sidebar.caption)


def test_a_guest_s_verdict_goes_into_the_owner_s_list_with_a_name(study):
    at = visit(score="loss")
    assert "Your name" in at.text_input(key="review_who").label
    at.text_input(key="review_name").set_value("shared")
    at.text_input(key="review_who").set_value(" Ada \u202e B. ")
    press(at, "review_start")
    state = kept(study, "shared")
    first, second, third = (int(one) for one in state.ids[state.queue[:3]])
    press(at, f"remove_{first}")
    assert "by Ada" not in in_the_list(at) and "Shared" not in said(at), "there is nobody else yet"
    guest = visit(review="shared", by=secret_of(study, "shared"), browser=GUEST)
    assert "Your verdicts go into the list of **Ada B.**, not into yours" in said(guest)
    press(guest, f"keep_{second}")
    guest.text_input(key="review_who").set_value("*Bert*")
    settle(guest)
    press(guest, f"remove_{third}")
    assert "My changes" not in " ".join(one.value for one in guest.sidebar.markdown), "it is another's list"
    assert Sessions(results.get_store()).of(owner(GUEST)) == []
    settle(at)
    words = in_the_list(at)
    assert f"{first} removed, by Ada B." in words
    assert f"{second} kept, by a guest" in words
    assert f"{third} removed, by \\*Bert\\*" in words
    assert list(at.dataframe[-1].value["who"]) == ["*Bert*", "a guest", "Ada B."]
    press(at, "review_leave")
    again = visit()
    assert again.text_input(key="review_who").value == "Ada B.", "the list knows whose it is"


def test_what_two_reviewers_found_is_both_theirs(study):
    at = visit(review="Ada", score="loss")
    first = int(kept(study, "Ada").ids[kept(study, "Ada").current])
    press(at, f"remove_{first}")
    assert ", by" not in in_the_list(at)
    other = press(visit(review="Bert", score="loss"), f"remove_{first}")
    assert f"{first} removed, by review “Ada” and review “Bert”" in in_the_list(other), "nobody has signed"


def test_whoever_says_a_name_in_a_review_bears_it_on_every_page(study):
    at = visit(review="plain", score="loss")
    press(at, f"keep_{int(kept(study, 'plain').ids[kept(study, 'plain').current])}")
    press(at, "review_leave")
    at.text_input(key="review_who").set_value("Ada")
    press(at, "review_start")
    turn_to(at, "explain")
    at.query_params["open"] = str(int(study.data.train.ids[0]))
    press(settle(at), "judge_remove")
    (listed,) = Sessions(results.get_store()).of(owner())
    assert listed.who == "Ada"
    assert [one.said.who for one in listed.state().entries] == ["", "Ada"]
    assert ", by" not in in_the_list(at), "all of it is Ada's"


def test_practice_stays_out_of_my_changes(study, begun):
    press(visit(**MINE), f"keep_{ids(begun, 1)[0]}")
    assert Sessions(results.get_store()).of(owner()) == []
    assert history(study, secret_of(study)) == [f"k{ids(begun, 1)[0]}"]


def test_a_second_press_never_judges_an_unseen_suspect(study, begun):
    first, _ = ids(begun, 2)
    at = visit(**MINE)
    shown = kept(study)
    press(at, f"keep_{first}")
    session.record(study, shown, say(shown, "relabel", first, 1))
    assert [(one.train_id, one.relabels) for one in kept(study).verdicts] == [(first, False)]


def test_two_visitors_work_through_one_queue(study, begun):
    first, second = ids(begun, 2)
    one, other = visit(**MINE), visit(**MINE)
    press(one, f"keep_{first}")
    press(other, f"keep_{first}")
    assert f"keep_{second}" in keys(other)
    press(other, f"keep_{second}")
    assert [verdict.train_id for verdict in kept(study).verdicts] == [first, second]


def test_the_rest_is_ranked_again_by_what_was_learnt(study, begun):
    at = visit(**MINE)
    assert at.button(key="review_rank").disabled
    for place in begun.queue[:4]:
        train_id, true = int(begun.ids[place]), int(begun.true[place])
        press(at, f"keep_{train_id}" if begun.given[place] == true else f"relabel_{train_id}_{true}")
    finish(at)
    before = kept(study)
    press(at, "review_rank")
    for _ in range(100):
        settle(at)
        if not np.array_equal(kept(study).scores, before.scores):
            break
    settle(at)
    expected = review.rank_again(study, before)
    assert_allclose(kept(study).scores, expected.scores, rtol=1e-5, atol=1e-9)
    assert kept(study).verdicts == before.verdicts
    assert f"keep_{int(expected.ids[expected.current])}" in keys(at)


def test_what_cannot_be_kept_is_said(study, begun, monkeypatch):
    first = ids(begun, 1)[0]
    at = visit(**MINE)

    def full(*_):
        raise StoreError("The verdict could not be kept: the disk is full.")

    monkeypatch.setattr(session.reviews, "judge", full)
    press(at, f"keep_{first}")
    assert "could not be kept: the disk is full" in at.error[0].value
    assert f"keep_{first}" in keys(at), "the suspect is still there"


def test_leaving_keeps_the_review_and_remembers_its_name(study, begun):
    at = visit(**MINE)
    press(at, f"keep_{ids(begun, 1)[0]}")
    press(at, "review_leave")
    assert "review" not in address(at)
    assert at.text_input(key="review_name").value == "mine"
    press(at, "review_start")
    assert "Suspect 2 of 332" in said(at)


def test_a_review_is_as_it_was_left_when_the_menu_leads_back(study, begun):
    first, second = ids(begun, 2)
    at = press(visit(**MINE), f"keep_{first}")
    turn_to(at, "data_health")
    assert address(at) == {"study": "diabetes"}, "its fields are no other page's"
    turn_to(at, "review")
    assert address(at) == {"study": "diabetes", **MINE}
    assert f"keep_{second}" in keys(at) and "Suspect 2 of 332" in said(at)
    turn_to(at, "data_health").query_params["study"] = "diabetes-thinned"
    turn_to(settle(at), "review")
    assert address(at) == {"study": "diabetes-thinned"}, "a review is of one study"
    turn_to(at, "data_health").query_params["study"] = "diabetes"
    turn_to(settle(at), "review")
    assert "Suspect 2 of 332" in said(at)
    press(at, "review_leave")
    turn_to(turn_to(at, "explain"), "review")
    assert "review_start" in keys(at), "who leaves a review has left it"


def test_all_done_is_said(study, begun):
    at = visit(**MINE)
    state = kept(study)
    every = [say(state, "keep", one) for one in state.ids.tolist()]
    reviews.judge(results.get_store(), study, state, every)
    settle(at)
    assert "All 332 labels have a verdict" in said(at)
    assert not [key for key in keys(at) if key.startswith("keep_")]


def test_ten_labels_have_ten_keys_and_more_a_list():
    digits = tuple("0123456789")
    assert [suspect._shortcut(digits, label) for label in range(10)] == list(digits)
    assert [suspect._shortcut(("ham", "spam"), label) for label in range(2)] == ["1", "2"]
    assert [suspect._shortcut(("7", "1"), label) for label in range(2)] == ["7", "1"]


BAD = {
    "a score that is none": ({"score": "age"}, "no score “age”; choose one of self-influence, 2017"),
    "a panel that is none": ({"panel": "nonsense"}, "panel=“nonsense”"),
    "a name too long": ({"review": "x" * 41}, "1 to 40 letters"),
    "spaces around the name": ({"review": " x"}, "1 to 40 letters"),
    "a share that is none": ({"flip": "much", "panel": "practise"}, "1 to 50 per cent, but is “much”"),
    "too large a share": ({"flip": "99", "panel": "practise"}, "1 to 50 per cent"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_address_is_answered_with_a_sentence(name):
    query, message = BAD[name]
    at = visit(**query)
    assert message in at.error[0].value
    assert "start_over" in keys(at)


def test_a_score_that_this_study_has_not_is_said():
    from influence_core.studies import CATALOGUE

    few = replace(CATALOGUE["digits"], name="digits", classes=(0, 1, 2), n_train=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "digits", few)
        at = visit("digits", review="x", score="2017")
        assert (
            "There is no score “published” here; choose one of exact, proven, loss, random, harm, gain"
            in at.error[0].value
        )


def test_a_study_that_cannot_answer_offers_others():
    at = visit("digits-network")
    assert "self-influence of every label is exact" in said(at)
    assert "use_mails" in keys(at)


# ------------------------------------------------------------------------------------------------ the figure


def test_the_line_is_the_accuracy_after_each_training():
    state = review.start(toy_mails.study(), "mine")
    done = (state.trainings[0], Training(4, 3, 0.9, 1e-9, 0.1), Training(30, 9, 0.95, 1e-9, 0.1))
    verdicts = tuple(review.keep(state, 0).verdicts * 37)
    figure = accuracy(replace(state, trainings=done, verdicts=verdicts))
    since, line = figure.data
    assert line.x == (0, 4, 30)
    assert line.y == (done[0].accuracy, 0.9, 0.95)
    assert [one[0] for one in line.customdata] == [0, 3, 9]
    assert (since.x, since.y) == ((30, 37), (0.95, 0.95))
    assert figure.layout.xaxis.range[1] > 37
    assert figure.layout.yaxis.range[0] < min(line.y) and figure.layout.yaxis.range[1] > max(line.y)
    assert accuracy(state).layout.xaxis.range[1] > MIN_VERDICTS


def test_the_csv_is_the_table(study, begun):
    from influence_core.exports import as_csv

    first = ids(begun, 1)[0]
    state = review.relabel(begun, first, 1 - int(begun.given[begun.queue[0]]))
    (row,) = csv.DictReader(io.StringIO(as_csv(review.table(state, study.data.record))))
    assert (row["training_id"], row["verdict"]) == (str(first), "relabel")
    assert {row["old_label"], row["new_label"]} == set(study.data.class_names)
