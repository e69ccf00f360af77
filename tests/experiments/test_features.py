"""Which features of a training row matter: against retraining on the changed row, and as bars."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.errors import DataError
from influence_core.experiments import explain, features, questions
from influence_core.experiments.features import FeatureInfluence
from influence_core.figures.features import feature_bars
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.studies import find, open_study
from tests import references

STEP = 1e-4


@pytest.fixture(scope="module")
def study():
    return open_study(find("diabetes-thinned"))


@pytest.fixture(scope="module")
def answer(study):
    return explain.run(study, questions.ask(study, 4, label=0))


@pytest.mark.parametrize("which", ["helpful", "harmful"])
def test_every_feature_is_the_slope_of_retraining(study, answer, which):
    """The loss after a cold fit on the row with one feature a little higher, minus a little lower."""
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    at = int((answer.helpful(1) if which == "helpful" else answer.harmful(1))[0])
    found = features.run(study, answer, int(answer.ids[at]))
    weights = references.uniform(len(x))

    def loss(feature, change):
        edited = x.copy()
        edited[at, feature] += change
        theta = references.cold_fit(edited, y, weights, study.spec.l2, "logistic", gradient=1e-13)
        return references.losses(theta, answer.x[None], [answer.label], "logistic")[0]

    slopes = [(loss(one, STEP) - loss(one, -STEP)) / (2 * STEP) for one in range(x.shape[1])]
    assert_allclose(found.loss_change, slopes, rtol=1e-4, atol=1e-6 * np.abs(slopes).max())
    assert found.names == study.data.feature_names
    assert_array_equal(found.x, x[at])


def test_an_unknown_row_is_refused_in_words(study, answer):
    with pytest.raises(DataError, match="no training row 4"):
        features.run(study, answer, 4)


RESULT = FeatureInfluence(
    7, ("a", "<b>b</b>", "c", "d", "e"), np.array([1.0, 0, 0.5, 0, 2]), np.array([0.2, -0.3, 0, 0.1, -0.05])
)


def test_the_strongest_features_on_each_side():
    assert RESULT.highest(9).tolist() == [0, 3]
    assert RESULT.lowest(9).tolist() == [1, 4]
    assert (RESULT.highest(1).tolist(), RESULT.lowest(1).tolist()) == ([0], [1])


def test_feature_bars_show_the_sign_by_colour_and_names_to_the_letter():
    figure = feature_bars(RESULT, 5, strong=[1])
    (bars,) = figure.data
    assert_allclose(bars.x, [0.2, 0.1, -0.05, -0.3])
    assert list(bars.marker.color) == [HARMFUL.both] * 2 + [HELPFUL.both] * 2
    names = figure.layout.yaxis.ticktext
    assert names == ("a", "d", "e", "<b>&lt;b&gt;b&lt;/b&gt;</b>")
    assert [one == 1 for one in bars.marker.opacity] == [False, False, False, True]
    assert "&lt;b&gt;b" in bars.hovertext[3] and "<b>" not in bars.hovertext[3]
    assert "\u22120.300 nats" in bars.hovertext[3]
