"""Words of e-mails: shares that add up, forecasts that are exact in the change, and the truth after cold refits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.engines import SolverSettings
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import explain, questions, word_edit
from tests import references, toy_mails


@pytest.fixture(scope="module")
def study():
    return toy_mails.study()


@pytest.fixture(scope="module")
def answer(study):
    known = study.predictions
    first = int(known.ids[known.least_confident()[0]])
    return explain.run(study, questions.ask(study, first), SolverSettings("cholesky"))


@pytest.fixture(scope="module")
def strongest(answer):
    return int(answer.ids[np.abs(answer.scores).argmax()])


def arrays(study):
    return study.data.train.x.numpy(), study.data.train.y.numpy()


def asked_loss(theta, answer):
    return references.losses(theta, answer.x[None], [answer.label], "logistic")[0]


def test_the_shares_of_the_words_add_up_to_the_score(study, answer):
    x, _ = arrays(study)
    for at in range(0, 160, 13):
        found = word_edit.shares(study, answer, int(answer.ids[at]))
        assert_allclose(found.shares.sum(), answer.scores[at], rtol=1e-9, atol=1e-15)
        assert_allclose(found.total, answer.scores[at], rtol=1e-9, atol=1e-15)
        counts = dict(zip(found.words, found.counts.tolist(), strict=True))
        expected = {study.data.feature_names[j]: int(x[at, j]) for j in np.flatnonzero(x[at])}
        assert counts == expected
        assert (np.diff(np.abs(found.shares)) <= 0).all()
        by_influence = answer.numbers["influence"].probability[at]
        assert_allclose(found.points(answer.probability).sum(), -100 * by_influence, rtol=1e-9, atol=1e-13)
        if found.total:
            assert (np.sign(found.points(answer.probability)) == np.sign(found.shares)).all()


def test_a_share_is_the_count_times_the_residual_times_s(study, answer, strongest):
    x, y = arrays(study)
    at = answer.position(strongest)
    residual = references.gradients(study.theta.numpy(), x[at][None], y[at][None], "logistic")[0]
    s = references.inverse_hessian_gradient(
        x, y, study.theta.numpy(), toy_mails.L2, "logistic", answer.x, answer.label
    )
    found = word_edit.shares(study, answer, strongest)
    for word, share in zip(found.words, found.shares, strict=True):
        j = study.data.feature_names.index(word)
        assert_allclose(share, residual[j] * s[j] / len(x), rtol=1e-7, atol=1e-15)


def test_shares_of_a_model_with_several_outputs(answer, study):
    from influence_core.losses import SoftmaxLoss
    from influence_core.objective import LinearObjective
    from influence_core.training import minimise

    o = LinearObjective.build(*map(torch.tensor, arrays(study)), SoftmaxLoss(2), toy_mails.L2)
    softmax = replace(study, objective=o, theta=minimise(o, None, 1e-11).theta)
    asked = explain.run(softmax, questions.ask(softmax, answer.test_id), SolverSettings("cholesky"))
    for at in (0, 50, 111):
        found = word_edit.shares(softmax, asked, int(asked.ids[at]))
        assert_allclose(found.shares.sum(), asked.scores[at], rtol=1e-8, atol=1e-15)


def refitted(study, at, row):
    x, y = arrays(study)
    x = x.copy()
    x[at] = row
    return references.cold_fit(x, y, references.uniform(len(x)), toy_mails.L2, "logistic", gradient=1e-11)


@pytest.mark.parametrize("replacement", ["", "offer", "one that stands there"])
def test_forecast_and_truth_of_an_edit(study, answer, strongest, replacement):
    x, y = arrays(study)
    theta, at = study.theta.numpy(), answer.position(strongest)
    word, present, *_ = word_edit.shares(study, answer, strongest).words
    assert "offer" not in (word, present)
    replacement = present if " " in replacement else replacement
    j, k = (study.data.feature_names.index(one) for one in (word, replacement or word))
    row = x[at].copy()
    row[k] += row[j]
    row[j] = 0
    edit = word_edit.forecast(study, answer, strongest, word, replacement)
    s = references.inverse_hessian_gradient(x, y, theta, toy_mails.L2, "logistic", answer.x, answer.label)
    new = references.gradients(theta, row[None], [y[at]], "logistic")[0]
    old = references.gradients(theta, x[at][None], [y[at]], "logistic")[0]
    assert_allclose(edit.predicted, -s @ (new - old) / len(x), rtol=1e-6)
    assert (edit.word, edit.replacement, edit.count) == (word, replacement, int(x[at, j]))

    step = 1e-5 * (row - x[at])
    small = references.gradients(theta, (x[at] + step)[None], [y[at]], "logistic")[0]
    assert_allclose(edit.linear, -s @ (small - old) / len(x) / 1e-5, rtol=1e-3)
    assert abs(edit.linear - edit.predicted) > 1e-3 * abs(edit.predicted), "a word is no small change"

    result = word_edit.run(study, answer, strongest, word, replacement)
    actual = asked_loss(refitted(study, at, row), answer) - asked_loss(theta, answer)
    assert_allclose(result.actual, actual, rtol=1e-3)
    assert_allclose(result.forecast.alone, edit.predicted, rtol=1e-9)
    assert result.converged


def test_forecasts_follow_the_truth():
    """Of examples that weigh little on their own; first order in the weight of the example, exact in the words."""
    study = toy_mails.study(n=600, tests=20)
    answer = explain.run(study, questions.ask(study, 600), SolverSettings("cholesky"))
    predicted, actual = [], []
    for at in np.argsort(-np.abs(answer.scores))[:200:10]:
        train_id = int(answer.ids[at])
        word = word_edit.shares(study, answer, train_id).words[0]
        result = word_edit.run(study, answer, train_id, word)
        predicted.append(result.forecast.alone)
        actual.append(result.actual)
    pearson, slope = references.regression(np.array(actual), np.array(predicted))
    assert pearson > 0.97
    assert 0.7 < slope < 1.2


def test_edits_that_cannot_be_made_are_refused(study, answer, strongest):
    known = word_edit.shares(study, answer, strongest).words
    absent = next(one for one in study.data.feature_names if one not in known)
    cases = [
        ((absent,), "does not stand in training example"),
        (("sesquipedalian",), "does not know the word “sesquipedalian”"),
        ((known[0], "sesquipedalian"), "does not know the word"),
        ((known[0], known[0]), "changes nothing"),
    ]
    for words, message in cases:
        for ask in (word_edit.forecast, word_edit.run):
            with pytest.raises(DataError, match=message):
                ask(study, answer, strongest, *words)
    with pytest.raises(DataError, match="no training"):
        word_edit.forecast(study, answer, 10_000, known[0])


def test_words_are_of_texts_and_linear_models(study, answer, one_or_seven):
    assert word_edit.answers(study)
    assert not word_edit.answers(one_or_seven)
    pictures = explain.run(one_or_seven, questions.ask(one_or_seven, 5040))
    with pytest.raises(UnsupportedError, match="Choose a study of texts"):
        word_edit.shares(one_or_seven, pictures, int(pictures.ids[0]))
    with pytest.raises(UnsupportedError):
        word_edit.asked_words(one_or_seven, pictures)


def test_words_of_the_test_example_need_no_training(study, answer):
    found = word_edit.asked_words(study, answer)
    theta, before = study.theta.numpy(), asked_loss(study.theta.numpy(), answer)
    assert len(found.words) == int((answer.x > 0).sum())
    for word, count, change, probability, points in zip(
        found.words, found.counts, found.loss_change, found.probability, found.points, strict=True
    ):
        j = study.data.feature_names.index(word)
        assert count == answer.x[j]
        x = answer.x.copy()
        x[j] = 0
        loss = references.losses(theta, x[None], [answer.label], "logistic")[0]
        assert_allclose(change, loss - before, rtol=1e-8, atol=1e-12)
        assert_allclose(probability, np.exp(-loss), rtol=1e-8)
        assert_allclose(points, 100 * (np.exp(-before) - np.exp(-loss)), rtol=1e-7, atol=1e-10)
    assert (np.diff(np.abs(found.loss_change)) <= 0).all()


def test_a_marked_text_is_the_text(study):
    text = "<b>Free</b> KERNEL patch, the unknown & free!"
    pieces = word_edit.marked(study, text)
    assert "".join(piece for piece, _ in pieces) == text
    assert [(piece, word) for piece, word in pieces if word] == [
        ("Free", "free"),
        ("KERNEL", "kernel"),
        ("patch", "patch"),
        ("free", "free"),
    ]
    assert word_edit.marked(study, "") == []
    assert word_edit.marked(study, "free") == [("free", "free")]
    assert_array_equal([bool(word) for _, word in word_edit.marked(study, " free ")], [False, True, False])
