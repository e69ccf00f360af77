"""More like one training example: against the plainest search."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from influence_core.errors import DataError
from influence_core.experiments import neighbours


def test_the_nearest_by_pixels_and_itself_is_not_among_them(one_or_seven):
    train = one_or_seven.data.train
    x, ids = train.x.numpy(), train.ids.numpy()
    for at in (0, 17, 500):
        found = neighbours.run(one_or_seven, int(ids[at]), 5)
        distances = np.sqrt(((x - x[at]) ** 2).sum(1))
        distances[at] = np.inf
        assert_array_equal(found.by_features, ids[np.argsort(distances, kind="stable")[:5]])
        assert found.by_pixels is None


def test_the_nearest_of_each_label(one_or_seven):
    train = one_or_seven.data.train
    x, at = train.x.numpy(), 17
    labels = 1 - train.y.numpy()  # as a review may have them
    distances = np.sqrt(((x - x[at]) ** 2).sum(1))
    distances[at] = np.inf
    order = np.argsort(distances, kind="stable")
    found = neighbours.with_labels(one_or_seven, int(train.ids[at]), labels, (1, 0), 4)
    for label, positions in zip((1, 0), found, strict=True):
        assert_array_equal(positions, [one for one in order if labels[one] == label and one != at][:4])


def test_an_example_that_is_not_there_has_no_neighbours(one_or_seven):
    with pytest.raises(DataError):
        neighbours.run(one_or_seven, 10**6, 3)
