"""What the model says about the test set, and whom people will ask about first."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.predictions import Predictions

SOME = Predictions(
    ids=np.array([50, 51, 52, 53, 54]),
    labels=np.array([0, 1, 2, 0, 1]),
    probabilities=np.array(
        [
            [0.8, 0.1, 0.1],  # right, sure
            [0.6, 0.3, 0.1],  # wrong
            [0.05, 0.9, 0.05],  # wrong, surest of all
            [0.4, 0.35, 0.25],  # right, least sure
            [0.1, 0.3, 0.6],  # wrong, as sure as the second
        ]
    ),
)


def test_answers_and_confidence():
    assert_array_equal(SOME.predicted, [0, 0, 1, 0, 2])
    assert_array_equal(SOME.confidence, [0.8, 0.6, 0.9, 0.4, 0.6])
    assert SOME.accuracy == 0.4


def test_the_most_confident_mistake_comes_first():
    assert_array_equal(SOME.misclassified(), [2, 1, 4])


def test_the_least_confident_answer_comes_first():
    assert_array_equal(SOME.least_confident(), [3, 1, 4, 0, 2])


def test_one_begins_with_a_mistake_that_a_single_example_may_move():
    assert SOME.first() == 2
    sure = Predictions(SOME.ids, SOME.labels, SOME.probabilities.copy())
    sure.probabilities[2] = [0.002, 0.996, 0.002]
    assert sure.misclassified()[0] == 2
    assert sure.first() == 1
    only = Predictions(sure.ids[2:3], sure.labels[2:3], sure.probabilities[2:3])
    assert only.first() == 0, "a sure mistake is better than none"


def test_without_mistakes_one_begins_with_the_least_sure_answer():
    assert Predictions(SOME.ids, SOME.predicted, SOME.probabilities).first() == 3


def test_the_right_answer_that_turns_most_easily():
    assert_array_equal(SOME.wrong, [False, True, True, False, True])
    assert SOME.first_right() == 3
    wrong = Predictions(SOME.ids[1:3], SOME.labels[1:3], SOME.probabilities[1:3])
    assert wrong.first_right() == wrong.first()


def test_without_mistakes_there_are_none():
    right = Predictions(SOME.ids, SOME.predicted, SOME.probabilities)
    assert len(right.misclassified()) == 0
    assert right.accuracy == 1.0


@pytest.fixture(scope="module")
def known(one_or_seven):
    return one_or_seven.predictions


def test_the_whole_test_set_is_asked(one_or_seven, known):
    test, theta = one_or_seven.data.test, one_or_seven.theta.numpy()
    p = 1 / (1 + np.exp(-test.x.numpy() @ theta))
    assert_allclose(known.probabilities, np.stack([1 - p, p], 1), rtol=1e-9)
    assert_array_equal(known.ids, test.ids.numpy())
    assert_array_equal(known.labels, test.y.numpy())


def test_real_mistakes_are_found(known):
    wrong = {int(known.ids[at]) for at in known.misclassified()}
    answers = known.probabilities[:, 1] > 0.5
    assert wrong == set(known.ids[answers != (known.labels == 1)].tolist())
    assert 0 < len(wrong) < 20
    assert known.accuracy == 1 - len(wrong) / len(known.ids)


def test_the_confusion_matrix_counts_every_example_once(known):
    counts = known.confusion()
    for true in (0, 1):
        for said in (0, 1):
            assert counts[true, said] == ((known.labels == true) & (known.predicted == said)).sum()
    assert counts.sum() - np.trace(counts) == len(known.misclassified())
