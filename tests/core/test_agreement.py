"""The one comparison of forecast and truth, by hand and against other libraries."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from influence_core.agreement import (
    Agreement,
    accuracy,
    rank_agreement,
    shared_strongest,
    strongest,
    worst_miss,
)


def test_against_other_libraries():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=50)
    forecast = 0.7 * truth + 0.2 * rng.normal(size=50) + 3
    found, line = Agreement.of(forecast, truth), stats.linregress(truth, forecast)
    assert_allclose([found.slope, found.pearson], [line.slope, line.rvalue], rtol=1e-12)
    assert_allclose(found.spearman, stats.spearmanr(forecast, truth).statistic, rtol=1e-12)
    assert_allclose(found.worst, np.abs(forecast - truth).max() / np.abs(truth).max(), rtol=1e-12)


@pytest.mark.parametrize("size", [0.5, 1.0, 3.0, -2.0])
def test_the_slope_is_forecast_over_truth(size):
    truth = np.array([1.0, -2.0, 4.0])
    assert_allclose(Agreement.of(size * truth, truth).slope, size)


@pytest.mark.parametrize(
    ("forecast", "truth", "worst"),
    [
        ([], [], 0.0),
        ([2], [3], 1 / 3),
        ([0.1, 0.1, 0.1], [1, 2, 3], 2.9 / 3),  # 0.1 is not the mean of three times 0.1
        ([1, 2], [5, 5], 0.8),
        ([1, 2], [0, 0], math.inf),
        ([0, 0], [0, 0], 0.0),
    ],
    ids=str,
)
def test_what_does_not_vary_has_no_correlation(forecast, truth, worst):
    found = Agreement.of(forecast, truth)
    assert np.isnan([found.pearson, found.spearman, found.slope]).all()
    assert_allclose(found.worst, worst)
    assert worst_miss(np.array(forecast, float), np.array(truth, float)) == found.worst


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e200])
def test_sizes_whose_squares_are_no_numbers_agree_as_others_do(size):
    forecast, truth = np.array([1.0, 2.0, 4.0]), np.array([2.0, 3.5, 9.0])
    plain, found = Agreement.of(forecast, truth), Agreement.of(size * forecast, size * truth)
    assert_allclose(astuple(found), astuple(plain), rtol=1e-12)
    assert_allclose(Agreement.of(size * forecast, truth).slope, size * plain.slope, rtol=1e-12)


def test_a_few_ranks_reach_the_limit_exactly():
    assert rank_agreement([1, 2, 3], [10, 20, 31]) == 1.0
    assert rank_agreement(np.array([1, 2, 3]), [3, 2, 1]) == -1.0
    assert math.isnan(rank_agreement([1, 1], [1, 2]))


def test_the_strongest_are_the_largest_in_size_the_first_of_equals_first():
    values = np.array([0.5, -3.0, 3.0, 0.0, -1.0])
    assert_array_equal(strongest(values, 3), [1, 2, 4])
    assert_array_equal(strongest(values, 99), [1, 2, 4, 0, 3])
    assert shared_strongest(values, np.array([9.0, 8.0, 0.0, 0.0, 7.0]), 3) == 2


def test_accuracy_is_the_share_of_right_answers():
    assert accuracy(np.array([1, 0, 1, 1]), np.array([1, 1, 1, 0])) == 0.5
