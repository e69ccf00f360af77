"""Which pixels of a training image matter: against retraining on the changed image."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.engines import SolverSettings
from influence_core.errors import DataError
from influence_core.experiments import explain, pixels, questions
from tests import references

STEP = 1e-3


@pytest.fixture(scope="module")
def study(one_or_seven):
    return one_or_seven


@pytest.fixture(scope="module")
def answer(study):
    return explain.run(study, questions.ask(study, 5040), SolverSettings())


@pytest.mark.parametrize("label", [0, 1])
def test_a_pixel_map_is_the_slope_of_retraining(study, label):
    """The loss after a cold fit on the image with one pixel a little brighter, minus a little darker."""
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    question = questions.ask(study, 5040, label)
    answer = explain.run(study, question, SolverSettings())
    at = int(answer.helpful(1)[0])
    result = pixels.run(study, answer, int(answer.ids[at]))
    flat = result.loss_change.ravel()
    largest, dull = int(np.abs(flat).argmax()), 0
    middling = int(np.argsort(-np.abs(flat))[40])
    weights = references.uniform(len(x))

    def loss(pixel, change):
        edited = x.copy()
        edited[at, pixel] += change
        theta = references.cold_fit(edited, y, weights, 0.01, "logistic", gradient=1e-12)
        return references.losses(theta, question.x.numpy()[None], [label], "logistic")[0]

    slopes = [(loss(one, STEP) - loss(one, -STEP)) / (2 * STEP) for one in (largest, middling, dull)]
    assert_allclose(flat[[largest, middling, dull]], slopes, rtol=1e-3, atol=1e-6 * abs(result.strongest))


def test_the_map_has_the_shape_of_the_picture(study, answer):
    train_id = int(answer.ids[7])
    result = pixels.run(study, answer, train_id)
    assert result.train_id == train_id
    assert result.picture.shape == result.loss_change.shape == study.data.image_shape
    assert_array_equal(result.picture.ravel(), study.data.train.x[7].numpy())


def test_the_strongest_pixel_keeps_its_sign(study, answer):
    signs = set()
    for at in (*answer.helpful(5), *answer.harmful(5)):
        result = pixels.run(study, answer, int(answer.ids[at]))
        assert abs(result.strongest) == np.abs(result.loss_change).max()
        assert result.strongest in result.loss_change
        signs.add(np.sign(result.strongest))
    assert signs == {-1.0, 1.0}


@pytest.mark.parametrize("train_id", [5040, -1, 10**9])
def test_an_unknown_image_is_refused_in_words(study, answer, train_id):
    with pytest.raises(DataError, match=f"no training image {train_id}"):
        pixels.run(study, answer, train_id)


def test_the_test_pictures_own_map_is_the_slope_of_its_loss(study, answer):
    result = pixels.of_test(study, answer)
    assert result.train_id is None
    assert_array_equal(result.picture.ravel(), answer.x)
    theta, flat = study.theta.numpy(), result.loss_change.ravel()
    for pixel in (int(np.abs(flat).argmax()), 0, 400):
        x = np.stack([answer.x, answer.x])
        x[:, pixel] += STEP, -STEP
        up, down = references.losses(theta, x, [answer.label] * 2, "logistic")
        assert_allclose(flat[pixel], (up - down) / (2 * STEP), rtol=1e-5, atol=1e-9)
