"""A kernel on pixels as features: against the kernel taken pair by pair, and against a kernel machine."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.svm import SVC

from influence_core.data.readers.picture_sets import SheetPictures
from influence_core.errors import Cancelled, UnsupportedError
from influence_core.losses import HingeLoss
from influence_core.models import rbf
from influence_core.objective import LinearObjective
from influence_core.store import Store
from influence_core.training import fit_hinge
from tests.toy_photos import SIDE, toy_pictures

N, T = 30, 12
L2 = 0.01


@pytest.fixture(scope="module")
def sheet():
    return SheetPictures(toy_pictures(N + T)[0])


def made(pictures, n=N, t=T, **options):
    return rbf.features(pictures, range(n), range(n, n + t), side=SIDE, **options)


def direct(pixels, others, gamma=rbf.GAMMA):
    """The kernel pair by pair: pixels in -1..1, distances as at 299 x 299."""
    a, b = (one.reshape(len(one), -1) / 127.5 - 1 for one in (pixels, others))
    squared = np.array([[((p - q) ** 2).sum() for q in b] for p in a]) * (299 / SIDE) ** 2
    return np.exp(-gamma * squared), np.sqrt(squared)


def test_products_of_the_features_are_the_kernel(sheet):
    found = made(sheet)
    train, test = found.train.numpy(), found.test.numpy()
    pixels = sheet.pictures
    assert found.jitter == 0
    assert_array_equal(train, np.tril(train))
    assert_allclose(train @ train.T, direct(pixels[:N], pixels[:N])[0], atol=1e-12)
    assert_allclose(test @ train.T, direct(pixels[N:], pixels[:N])[0], atol=1e-12)


def test_they_are_the_papers_cholesky_factor_of_all_stacked_pictures(sheet):
    found = made(sheet)
    stacked = np.linalg.cholesky(direct(sheet.pictures, sheet.pictures)[0])
    assert_allclose(found.train, stacked[:N, :N], atol=1e-12)
    assert_allclose(found.test, stacked[N:, :N], atol=1e-12)


def test_blocks_of_any_size_give_the_same(sheet, monkeypatch):
    whole = made(sheet)
    monkeypatch.setattr(rbf, "COLUMNS", 7)
    monkeypatch.setattr(rbf, "ROWS", 5)
    blocks = made(sheet)
    assert_array_equal(blocks.train, whole.train)
    assert_array_equal(blocks.test, whole.test)


def test_the_side_does_not_change_how_far_the_kernel_sees(sheet):
    large = SheetPictures(sheet.pictures.repeat(3, 1).repeat(3, 2))
    again = rbf.features(large, range(N), range(N, N + T), side=3 * SIDE)
    assert_allclose(again.train, made(sheet).train, atol=1e-12)


def test_distances_are_remembered(sheet):
    found, expected = made(sheet), direct(sheet.pictures[N:], sheet.pictures[:N])[1]
    for one, row in zip(found.test, expected, strict=True):
        assert_allclose(rbf.distances(found.train, one), row, rtol=1e-9)


def test_the_farthest_that_pictures_can_be_is_remembered_and_so_is_no_distance():
    pixels = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    pixels[1] = 255
    found = rbf.features(SheetPictures(pixels), [0, 1], [2], side=SIDE)
    assert_allclose(
        rbf.distances(found.train, found.test[0]), [0, 2 * np.sqrt(3) * 299], rtol=1e-3, atol=1e-6
    )


def test_pictures_that_are_alike_take_a_jitter_and_it_is_told(sheet):
    pixels = sheet.pictures.copy()
    pixels[5] = pixels[2]
    found = made(SheetPictures(pixels))
    assert 0 < found.jitter <= 1e-8
    assert_allclose(rbf.jitter_of(found.train), found.jitter, rtol=1e-4)
    assert rbf.jitter_of(made(sheet).train) == 0
    kernel = direct(pixels, pixels)[0]
    train, test = found.train.numpy(), found.test.numpy()
    assert_allclose(train @ train.T, kernel[:N, :N] + found.jitter * np.eye(N), atol=1e-12)
    assert_allclose(test @ train.T, kernel[N:, :N], atol=1e-9)


def kernel_machine(kernel, y, l2):
    """``(t,) <- (t, n)`` decisions of a kernel machine without intercept: with mirrored examples the intercept is 0."""
    mirrored = np.block([[kernel, -kernel], [-kernel, kernel]])
    svm = SVC(kernel="precomputed", C=1 / (2 * len(y) * l2), tol=1e-12).fit(mirrored, np.r_[y, 1 - y])
    assert_allclose(svm.intercept_, 0, atol=1e-9)
    return lambda rows: svm.decision_function(np.hstack([rows, -rows]))


@pytest.mark.parametrize("l2", [0.1, L2])
def test_the_linear_machine_on_the_features_is_the_kernel_machine(sheet, l2):
    y = toy_pictures(N + T)[1][:N]
    found = made(sheet)
    theta = fit_hinge(LinearObjective.build(found.train, torch.tensor(y), HingeLoss(), l2)).theta
    decide = kernel_machine(direct(sheet.pictures[:N], sheet.pictures[:N])[0], y, l2)
    for x, others in ((found.test, sheet.pictures[N:]), (found.train, sheet.pictures[:N])):
        assert_allclose(x @ theta, decide(direct(others, sheet.pictures[:N])[0]), atol=1e-8)


def test_a_second_time_they_are_read_and_no_picture_is(sheet, tmp_path):
    store = Store(tmp_path)
    first = made(sheet, store=store)
    unread = replace(sheet)
    unread.__dict__.update(digest=sheet.digest, pictures=None)
    again = made(unread, store=store)
    assert_array_equal(again.train, first.train)
    assert_array_equal(again.test, first.test)
    assert again.jitter == first.jitter
    other = made(sheet, store=store, gamma=2 * rbf.GAMMA)
    assert float((other.train - first.train).abs().max()) > 1e-3
    assert_allclose(made(sheet, n=N - 1, store=store).train, first.train[: N - 1, : N - 1], atol=1e-12)


def test_progress_rises_and_cancelling_stops(sheet):
    seen = []
    made(sheet, progress=lambda fraction, words: seen.append((fraction, words)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert {"7 of 42 pictures read", "42 pictures compared"} <= {words for _, words in seen}

    def stop(fraction, words):
        if "compared" in words:
            raise Cancelled

    with pytest.raises(Cancelled):
        made(sheet, progress=stop)


def test_more_pictures_than_fit_are_refused(sheet, monkeypatch):
    monkeypatch.setattr(rbf, "MOST", N + T - 1)
    with pytest.raises(UnsupportedError, match="at most 41, got 42"):
        made(sheet)


def test_one_more_picture_has_the_features_of_a_test_picture(sheet):
    """A test picture given as a photo, at the side at which it was compared."""
    found = made(sheet)
    for one in (N, N + T - 1):
        mine = rbf.features_of(sheet.read(one, SIDE), sheet, list(range(N)), found.train)
        assert_allclose(mine, found.test[one - N], rtol=1e-9, atol=1e-12)
