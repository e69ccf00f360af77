"""The review queue: what a verdict does, what the model learns from it, and what is known of a suspect."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import studies
from influence_core.context import Context
from influence_core.errors import Cancelled, DataError, UnsupportedError
from influence_core.experiments import review, suspects, wrong_labels
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.store import Store
from influence_core.studies.changes import Change
from influence_core.training.refit import GRADIENT_TOL, Fitter
from tests import references, toy_mails

FLIPS = FlipSettings(0.1, seed=5)
NOON = datetime(2024, 5, 6, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def study():
    return toy_mails.study()


@pytest.fixture(scope="module")
def begun(study):
    return review.start(study, "mine", flips=FLIPS)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def fitted(study, labels):
    x = study.data.train.x.numpy()
    return references.cold_fit(
        x, labels, references.uniform(len(x)), toy_mails.L2, "logistic", gradient=1e-10
    )


def right(study, theta):
    test = study.data.test
    return ((test.x.numpy() @ theta > 0) == test.y.numpy()).mean()


# ---------------------------------------------------------------------------------------------- the queue


def test_the_queue_is_the_ranking_by_a_model_of_the_given_labels(study, begun):
    wrong, at = wrong_labels.flip(study.data.train.y.numpy(), 2, FLIPS)
    assert_array_equal(begun.given, wrong)
    assert_array_equal(begun.true, study.data.train.y.numpy())
    theta = fitted(study, wrong)
    x, w = study.data.train.x.numpy(), references.uniform(160)
    a = references.hessian(theta, x, wrong, w, toy_mails.L2, "logistic")
    gradients = references.gradients(theta, x, wrong, "logistic")
    expected = w * (gradients * np.linalg.solve(a, gradients.T).T).sum(1)
    assert_allclose(begun.scores, expected, rtol=1e-4, atol=1e-9)
    assert_array_equal(begun.queue, np.argsort(-begun.scores, kind="stable"))
    assert begun.current == int(expected.argmax())
    assert (begun.flipped, begun.fixed, begun.relabelled) == (16, 0, 0)
    (first,) = begun.trainings
    assert (first.verdicts, first.relabelled) == (0, 0)
    assert_allclose(first.accuracy, right(study, theta))
    assert np.isin(begun.queue[:16], at).mean() > 0.4


def test_labels_as_they_are_need_no_new_training(study, monkeypatch):
    monkeypatch.setattr(Fitter, "fit", lambda *_: pytest.fail("trained again"))
    plain = review.start(study, "as they are", method="loss")
    assert plain.flips is None and plain.flipped == 0
    assert_array_equal(plain.given, study.data.train.y.numpy())
    assert_allclose(plain.scores, references.losses(study.theta.numpy(), *arrays(study), "logistic"))
    assert plain.trainings[0].gradient_norm == study.gradient_norm


def arrays(study):
    return study.data.train.x.numpy(), study.data.train.y.numpy()


def test_verdicts_move_the_queue_and_change_labels(begun):
    first, second, third = begun.queue[:3]
    kept = review.keep(begun, int(begun.ids[first]), NOON)
    changed = review.relabel(kept, int(begun.ids[second]), 1 - int(begun.given[second]), NOON)
    assert changed.current == third
    assert len(changed.queue) == len(begun.queue) - 2
    assert (changed.relabelled, len(changed.verdicts)) == (1, 2)
    assert_array_equal(np.flatnonzero(changed.labels != begun.given), [second])
    was_flipped = begun.given[second] != begun.true[second]
    assert changed.fixed == int(was_flipped)
    assert changed.verdicts[1].time == "2024-05-06T12:00:30+00:00"
    assert [one.kind for one in changed.verdicts] == ["keep", "relabel"]
    assert begun.verdicts == () and begun.current == first, "a review never changes"
    assert not changed.up_to_date


def test_any_open_example_can_be_judged_and_the_last_verdict_counts(begun):
    last = int(begun.ids[begun.queue[-1]])
    judged = review.keep(begun, last)
    assert judged.current == begun.current
    assert begun.position(last) not in judged.queue
    other = 1 - int(begun.given[begun.position(last)])
    again = review.relabel(review.keep(judged, int(begun.ids[begun.current])), last, other)
    assert [(one.kind, one.train_id) for one in again.verdicts][1:] == [("relabel", last)]
    assert len(again.verdicts) == 2 and again.relabelled == 1


def test_what_is_removed_is_not_learnt_from_and_what_is_unsure_stays(study, begun):
    first, second = (int(one) for one in begun.queue[:2])
    state = review.unsure(review.remove(begun, int(begun.ids[first])), int(begun.ids[second]))
    assert (state.count("remove"), state.count("unsure"), state.relabelled) == (1, 1, 0)
    assert state.removed.tolist() == [first] and state.current == begun.queue[2]
    assert_array_equal(state.labels, begun.given)
    assert state.recent(20) == (1, 1), "who is unsure has not said that it is right"
    w = references.uniform(160)
    w[first] = 0
    trained = review.train(study, state)
    assert not state.up_to_date and trained.up_to_date
    x = study.data.train.x.numpy()
    assert (
        references.gradient_norm(trained.theta, x, begun.given, w, toy_mails.L2, "logistic") <= GRADIENT_TOL
    )
    again = review.rank_again(study, replace(state, method="exact"))
    assert again.scores[first] == 0, "it cannot pull what has not seen it"
    only = replace(begun, given=np.where(np.arange(160) == first, 1, 0))
    with pytest.raises(DataError, match="No training example of label 1 would be left"):
        review.train(study, review.remove(only, int(begun.ids[first])))


def test_what_there_is_not_is_refused(begun):
    one = int(begun.ids[0])
    for bad in (-1, 2):
        with pytest.raises(DataError, match=f"no label number {bad}"):
            review.relabel(begun, one, bad)
    with pytest.raises(DataError, match="no training example 100000"):
        review.keep(begun, 100_000)


def undo(state):
    return review.with_verdicts(state, state.verdicts[:-1])


def test_without_its_last_verdict_a_review_is_as_before(study, begun):
    first, second = (int(one) for one in begun.ids[begun.queue[:2]])
    one = review.relabel(begun, first, 1 - int(begun.given[begun.queue[0]]))
    two = review.train(study, review.relabel(one, second, 1 - int(begun.given[begun.queue[1]])))
    back = undo(two)
    assert back.verdicts == one.verdicts
    assert_array_equal(back.queue, one.queue)
    assert [done.verdicts for done in back.trainings] == [0], "a training that knew it goes with it"
    other = review.keep(back, second)
    assert [done.verdicts for done in other.trainings] == [0], "nor is it of another verdict in its place"
    assert undo(undo(back)).verdicts == ()


def test_all_done(study):
    tiny = toy_mails.study(n=24, tests=10, seed=2)
    state = review.start(tiny, "all")
    while state.current is not None:
        state = review.keep(state, int(state.ids[state.current]))
    assert len(state.verdicts) == 24 and len(state.queue) == 0
    assert review.suspect(tiny, state) is None
    assert_array_equal(state.labels, state.given)


# ----------------------------------------------------------------------------------------------- training


def test_training_on_the_new_labels_is_proved(study, begun):
    state = begun
    for at in begun.queue[:12]:
        state = review.relabel(state, int(begun.ids[at]), int(begun.true[at]))
    trained = review.train(study, state)
    done = trained.trainings[-1]
    x, _ = arrays(study)
    w = references.uniform(160)
    norm = references.gradient_norm(trained.theta, x, state.labels, w, toy_mails.L2, "logistic")
    assert norm <= GRADIENT_TOL
    assert_allclose(done.gradient_norm, norm, rtol=0.05, atol=1e-12)
    assert_allclose(done.accuracy, right(study, fitted(study, state.labels)))
    assert (done.verdicts, done.relabelled) == (12, state.relabelled)
    assert trained.up_to_date
    assert review.train(study, trained) is trained, "nothing new, nothing to train"
    assert state.relabelled == state.fixed > 0


def test_a_label_that_is_kept_needs_no_training(study, begun):
    first, second = (int(one) for one in begun.ids[begun.queue[:2]])
    kept = review.keep(begun, first)
    assert begun.up_to_date and kept.up_to_date
    changed = review.relabel(kept, second, 1 - int(begun.given[begun.queue[1]]))
    assert not changed.up_to_date
    assert review.keep(review.train(study, changed), int(begun.ids[begun.queue[2]])).up_to_date
    assert undo(changed).up_to_date


def test_the_suspect_is_shown_with_what_the_model_says(study, begun):
    state = review.keep(begun, int(begun.ids[begun.queue[0]]))
    shown = review.suspect(study, state)
    at = begun.queue[1]
    p = 1 / (1 + np.exp(-study.data.train.x[at].numpy() @ begun.theta))
    assert (shown.train_id, shown.position, shown.rank) == (int(begun.ids[at]), at, 2)
    assert shown.label == begun.given[at]
    assert_allclose(shown.probabilities, [1 - p, p])
    assert (shown.answer, shown.score) == (int(p > 0.5), begun.scores[at])


def test_the_leave_one_out_loss_ranks_too_with_its_accuracy(study, begun):
    state = review.start(study, "unseen", "proven", FLIPS)
    x = study.data.train.x.numpy()
    losses = np.empty(160)
    for i in range(160):
        w = references.uniform(160)
        w[i] = 0
        left = references.cold_fit(x, state.given, w, toy_mails.L2, "logistic", gradient=1e-10)
        losses[i] = references.losses(left, x[i : i + 1], state.given[i : i + 1], "logistic")[0]
    assert_allclose(state.scores, losses, rtol=1e-3)
    assert state.unseen_accuracy == (losses < np.log(2)).mean()
    assert begun.unseen_accuracy == pytest.approx(state.unseen_accuracy, abs=0.02), "a forecast of the same"
    for at in state.queue[:10]:
        state = review.relabel(state, int(state.ids[at]), int(state.true[at]))
    again = review.rank_again(study, state)
    assert again.unseen_accuracy > state.unseen_accuracy
    assert again.trainings[0] == state.trainings[0]
    assert undo(again).unseen_accuracy == state.unseen_accuracy


def test_the_evidence_is_that_of_models_trained_again(study, begun):
    at = begun.current
    label, train_id = int(begun.given[at]), int(begun.ids[at])
    found = review.evidence(study, begun.given, train_id, begun.theta)
    x, test, w, changed = (
        study.data.train.x.numpy(),
        study.data.test,
        references.uniform(160),
        begun.given.copy(),
    )
    changed[at] = 1 - label
    w[at] = 0
    left = references.cold_fit(x, begun.given, w, toy_mails.L2, "logistic", gradient=1e-10)
    mended = fitted(study, changed)
    for theta, said in ((begun.theta, found.seen), (left, found.unseen)):
        loss = references.losses(theta, x[at : at + 1], begun.given[at : at + 1], "logistic")[0]
        assert_allclose(said[label], np.exp(-loss), rtol=1e-5)
        assert_allclose(said.sum(), 1)
    assert (found.label, found.other, found.proposal) == (label, 1 - label, int(found.unseen.argmax()))
    assert found.seen[label] > found.unseen[label]
    tx, ty = test.x.numpy(), test.y.numpy()
    for theta, told in ((left, found.without), (mended, found.relabelled)):
        losses = [references.losses(one, tx, ty, "logistic") for one in (begun.theta, theta)]
        answers = [(tx @ one > 0) == ty for one in (begun.theta, theta)]
        assert_allclose(told.loss, (losses[1] - losses[0]).mean(), rtol=1e-3, atol=1e-9)
        assert (told.tests, told.harmed) == (len(ty), (losses[1] < losses[0]).sum())
        assert told.mended == (answers[1] & ~answers[0]).sum()
        assert told.broken == (answers[0] & ~answers[1]).sum()
        assert told.gradient_norm <= GRADIENT_TOL
    right = 1 - ty
    judged = review.evidence(study, begun.given, train_id, begun.theta, None, right)
    losses = [references.losses(one, tx, right, "logistic") for one in (begun.theta, left)]
    assert_allclose(judged.without.loss, (losses[1] - losses[0]).mean(), rtol=1e-3, atol=1e-9)
    assert (judged.relabelled.mended, judged.relabelled.broken) == (
        found.relabelled.broken,
        found.relabelled.mended,
    )
    with pytest.raises(DataError, match="no training example 100000"):
        review.evidence(study, begun.given, 100_000, begun.theta)
    with pytest.raises(UnsupportedError, match="logistic and softmax"):
        review.evidence(replace(study, spec=replace(study.spec, model="svm")), begun.given, 0, begun.theta)


def test_labels_set_right_are_taken_without_the_data_and_what_does_not_fit_is_ignored(study, begun):
    test, plain = study.data.test, replace(begun, flips=None)
    at, old = int(test.ids[3]), int(test.y[3])
    right = Change("retest", at, label=1 - old)
    labels = test.y.numpy().copy()
    labels[3] = 1 - old
    missing = (Change("retest", 10**9, label=0), Change("retest", int(test.ids[4]), label=99))
    assert_array_equal(review.corrected_tests(study, plain, [right, *missing]), labels)
    assert test.y[3] == old, "the study's own labels stay"
    for none in ([], missing, [right, Change("keep", at)], [Change("retest", at, label=old)]):
        assert review.corrected_tests(study, plain, none) is None
    assert review.corrected_tests(study, begun, [right]) is None, "labels were flipped to practise on"


def test_the_voices_are_the_influence_in_the_model_without_the_suspect(study, begun):
    at = begun.current
    found = review.evidence(study, begun.given, int(begun.ids[at]), begun.theta)
    x, w = study.data.train.x.numpy(), references.uniform(160)
    w[at] = 0
    left = references.cold_fit(x, begun.given, w, toy_mails.L2, "logistic", gradient=1e-10)
    gradients = references.gradients(left, x, begun.given, "logistic")
    s = np.linalg.solve(references.hessian(left, x, begun.given, w, toy_mails.L2, "logistic"), gradients[at])
    assert_allclose(found.pulls, w * (gradients @ s), rtol=1e-3, atol=1e-8)
    assert found.pulls[at] == 0
    order = np.argsort(-found.pulls)
    assert_array_equal(found.voices, order[: len(found.voices)])
    assert_array_equal(found.against, order[::-1][: len(found.against)])
    assert (found.pulls[found.voices] > 0).all() and (found.pulls[found.against] < 0).all()


def test_the_last_example_of_a_label_is_not_labelled_otherwise(study, begun):
    labels = np.zeros(160, dtype=np.int64)
    labels[7] = 1
    theta = fitted(study, labels)
    found = review.evidence(study, labels, int(begun.ids[7]), theta)
    assert found.relabelled is None
    assert found.unseen[1] < found.seen[1]


def test_two_queues_ask_half_of_the_test_examples_and_the_others_judge(study):
    tests = study.data.test
    asked, x = slice(0, None, 2), study.data.train.x.numpy()
    states = {one: review.start(study, one, one, FLIPS) for one in ("harm", "gain")}
    given, theta = states["harm"].given, states["harm"].theta
    tx, ty = tests.x.numpy(), tests.y.numpy()
    for one in states.values():
        assert_allclose(one.trainings[0].accuracy, ((tx @ theta > 0) == ty)[1::2].mean())
    w, kind = references.uniform(160), "logistic"
    losses = references.losses(theta, tx, ty, kind)[asked]
    slopes = references.gradients(theta, tx, ty, kind)[asked]
    surer = -(np.exp(-losses)[:, None] * slopes).mean(0)
    own, other = (references.gradients(theta, x, one, kind) for one in (given, 1 - given))
    whole = references.hessian(theta, x, given, w, toy_mails.L2, kind)
    harm, gain = np.empty(160), np.empty(160)
    for at in range(160):
        rest = np.where(np.arange(160) == at, 0, w)
        step = np.linalg.solve(references.hessian(theta, x, given, rest, toy_mails.L2, kind), w[at] * own[at])
        harm[at] = -slopes.mean(0) @ step
        likely = np.exp(-references.losses(theta + step, x[at : at + 1], 1 - given[at : at + 1], kind)[0])
        gain[at] = likely * (surer @ np.linalg.solve(whole, w[at] * (own[at] - other[at])))
    assert_allclose(states["harm"].scores, harm, rtol=1e-4, atol=1e-9)
    assert_allclose(states["gain"].scores, gain, rtol=1e-4, atol=1e-9)
    again = review.rank_again(study, states["gain"])
    assert_allclose(again.scores, states["gain"].scores, rtol=1e-4, atol=1e-9)


def test_a_study_with_few_tests_has_no_queue_that_asks_them():
    few = toy_mails.study(n=24, tests=10, seed=2)
    assert set(suspects.queues_for(few)) == {*suspects.methods_for(few), "copies"}
    with pytest.raises(DataError, match="no score “harm” here"):
        review.start(few, "mine", "harm")


def test_copies_come_first_and_those_under_another_label_before_them(study):
    train, test = study.data.train, study.data.test
    x, y = train.x.clone(), train.y.clone()
    x[10], x[20], x[30] = x[3], x[3], x[5]
    y[10], y[20], y[30] = y[3], 1 - y[3], y[5]
    again = test.x.clone()
    again[0] = x[5]
    data = replace(study.data, train=replace(train, x=x, y=y), test=replace(test, x=again))
    planted = replace(study, data=data, objective=replace(study.objective, x=x, y=y.to(study.objective.y)))
    begun = review.start(planted, "copies", "copies")
    counted = {at: review.copies.counts(float(begun.scores[at])) for at in (3, 10, 20, 30, 5)}
    leak = int(test.y[0] != y[5])
    assert counted == {3: (2, 1), 10: (2, 1), 20: (2, 2), 30: (2, leak), 5: (2, leak)}
    assert begun.queue[0] == 20
    found = review.copies.of(planted, int(train.ids[30]))
    assert found.train_ids == (int(train.ids[5]), int(train.ids[30])) and found.test_ids == (
        int(test.ids[0]),
    )
    lonely = int(np.flatnonzero(begun.scores == 0)[0])
    assert review.copies.of(planted, int(train.ids[lonely])) is None
    mended = review.relabel(begun, int(train.ids[20]), int(y[3]))
    again_ranked = review.rank_again(planted, mended)
    assert review.copies.counts(float(again_ranked.scores[3])) == (2, 0)


def test_a_training_example_is_found_by_number_or_file(study):
    first, second = (int(one) for one in study.data.train.ids[:2])
    assert review.find(study, f" {first} ") == first
    name = study.data.file(second)
    assert review.find(study, name) == review.find(study, name.rpartition("/")[2]) == second
    assert review.find(study, name.upper()) == second
    for text, message in (
        ("100000", "no example with id 100000"),
        ("nowhere.png", "No training .* is called “nowhere.png”"),
        ("letters", "160 files are called so: .* Say more"),
        (" ", "is called “”"),
    ):
        with pytest.raises(DataError, match=message):
            review.find(study, text)


def test_any_example_can_be_looked_at(study, begun):
    last = int(begun.ids[begun.queue[-1]])
    shown = review.suspect(study, begun, last)
    assert (shown.train_id, shown.rank) == (last, 160)
    assert begun.verdict_on(last) is None
    assert review.keep(begun, last).verdict_on(last).train_id == last
    with pytest.raises(DataError, match="no training example 100000"):
        review.suspect(study, begun, 100_000)


def test_the_last_verdicts_say_how_many_were_wrong(begun):
    state = begun
    for place, at in enumerate(begun.queue[:5]):
        label = int(begun.given[at])
        state = review.relabel(state, int(begun.ids[at]), 1 - label if place in (0, 3) else label)
    assert [state.recent(k) for k in (1, 2, 20)] == [(0, 1), (1, 2), (2, 5)]
    assert begun.recent(20) == (0, 0)


def test_who_judges_an_example_again_has_looked_at_no_other(begun):
    first, second, third, fourth = (int(begun.ids[at]) for at in begun.queue[:4])
    state = review.keep(review.keep(review.remove(begun, first), second), third)
    assert state.recent(2) == (0, 2)
    again = review.remove(review.unsure(state, first), first)
    assert [one.train_id for one in again.verdicts] == [second, third, first]
    assert again.looked_at == (first, second, third)
    assert again.recent(2) == (0, 2), "a place to stop stays one"
    assert review.remove(again, third).recent(2) == (1, 2), (
        "what is found at second sight counts where it stood"
    )
    assert review.unsure(again, third).recent(2) == (1, 2)
    assert review.with_verdicts(again, again.verdicts[:-1]).looked_at == (second, third)
    assert review.remove(again, fourth).recent(2) == (1, 2)


def test_ranking_again_knows_the_verdicts(study, begun):
    state = begun
    for at in begun.queue[:10]:
        state = review.relabel(state, int(begun.ids[at]), int(begun.true[at]))
    again = review.rank_again(study, state)
    x, _ = arrays(study)
    theta = fitted(study, state.labels)
    losses = references.losses(theta, x, state.labels, "logistic")
    by_loss = review.rank_again(study, replace(state, method="loss"))
    assert_allclose(by_loss.scores, losses, rtol=1e-4, atol=1e-8)
    assert again.verdicts == state.verdicts
    assert again.queue.tolist() != state.queue.tolist()
    assert sorted(again.queue.tolist()) == sorted(state.queue.tolist())


def test_after_an_undo_the_model_is_that_of_the_labels_again(study, begun):
    """The model that knew the verdict taken back is not asked any more."""
    at = begun.current
    asked = review.relabel(begun, int(begun.ids[at]), 1 - int(begun.given[at]))
    trained = review.train(study, asked)
    assert trained.up_to_date and np.abs(trained.theta - begun.theta).max() > 1e-6
    back = undo(trained)
    assert not back.up_to_date
    again = review.train(study, back)
    assert again.up_to_date
    assert len(again.trainings) == 1
    assert_allclose(again.theta, begun.theta, atol=1e-6)


def test_a_result_that_comes_late_is_adopted_only_where_it_fits(study, begun):
    ids = [int(one) for one in begun.ids[begun.queue[:4]]]
    asked = review.relabel(begun, ids[0], 1 - int(begun.given[begun.queue[0]]))
    done = review.train(study, asked)
    on = review.keep(asked, ids[1])
    adopted = review.adopt(on, done)
    assert adopted.verdicts == on.verdicts
    assert adopted.trainings == done.trainings
    assert_array_equal(adopted.theta, done.theta)
    taken_back = review.keep(undo(asked), ids[2])
    assert review.adopt(taken_back, done) is taken_back
    newer = review.train(study, on)
    assert review.adopt(newer, done) is newer


def test_another_study_is_refused(study, begun):
    with pytest.raises(DataError, match="of the study “toy-mails”"):
        review.train(replace(study, spec=replace(study.spec, name="other")), begun)
    with pytest.raises(UnsupportedError, match="logistic and softmax"):
        review.start(replace(study, spec=replace(study.spec, model="svm")), "mine")
    with pytest.raises(DataError, match="no score “age” here; choose one of exact, published"):
        review.start(study, "mine", method="age")


@pytest.mark.parametrize("name", ["", " ", " mine", "a" * 41, "two\nlines", "nul\0"])
def test_names_that_cannot_be_told_apart_are_refused(study, name):
    with pytest.raises(DataError, match="needs a name of 1 to 40"):
        review.start(study, name)


# ------------------------------------------------------------------------------------------------- export


def test_the_export_holds_every_verdict(study, begun):
    first, second = begun.queue[:2]
    state = review.keep(begun, int(begun.ids[first]), NOON)
    state = review.relabel(state, int(begun.ids[second]), 1 - int(begun.given[second]), NOON)
    columns = review.table(state)
    assert list(columns) == ["training_id", "old_label", "new_label", "verdict", "time", "score"]
    names = ("ham", "spam")
    assert columns["training_id"].tolist() == begun.ids[[first, second]].tolist()
    assert columns["old_label"].tolist() == [names[one] for one in begun.given[[first, second]]]
    assert columns["verdict"].tolist() == ["keep", "relabel"]
    assert columns["old_label"][0] == columns["new_label"][0]
    assert columns["old_label"][1] != columns["new_label"][1]
    assert columns["time"].tolist() == ["2024-05-06T12:00:30+00:00"] * 2
    assert_allclose(columns["score"], begun.scores[[first, second]])
    files = review.table(state, study.data.record)["file"]
    assert files.tolist() == [f"letters/{one:03d}.txt" for one in begun.ids[[first, second]]]
    assert "file" not in review.table(state, lambda id: {"subject": "", "text": ""})
    assert all(len(column) == 0 for column in review.table(begun, study.data.record).values())


# ------------------------------------------------------------------------------------------------ the store


def test_the_ranking_is_kept_for_every_session(study, store, monkeypatch):
    context = Context(store)
    first = review.start(study, "one", flips=FLIPS, context=context)
    monkeypatch.setattr(suspects, "rank", lambda *_, **__: pytest.fail("ranked again"))
    for method in ("exact", "published", "loss"):
        again = review.start(study, "two", method, FLIPS, context=context)
        assert again.trainings == first.trainings
        assert (method == "exact") == np.array_equal(again.scores, first.scores)
    with pytest.raises(pytest.fail.Exception, match="ranked again"):
        review.start(study, "two", flips=FlipSettings(0.1, seed=6), context=context)


def test_ranking_can_be_stopped(study):
    def stop(fraction, words):
        raise Cancelled

    with pytest.raises(Cancelled):
        review.start(study, "mine", context=Context(progress=stop))


@pytest.mark.slow
def test_digits_can_be_reviewed_too(tmp_path):
    digits = studies.open_study(studies.find("digits"))
    state = review.start(digits, "mine", "exact", FlipSettings(0.05), context=Context(Store(tmp_path)))
    for at in state.queue[:20]:
        state = review.relabel(state, int(state.ids[at]), int(state.true[at]))
    assert state.fixed >= 12
    trained = review.train(digits, state)
    assert trained.trainings[-1].gradient_norm <= GRADIENT_TOL
    assert trained.trainings[-1].seconds < 20
