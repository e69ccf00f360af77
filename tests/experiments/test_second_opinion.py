"""What the model says of a training example without it: against training again."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from influence_core.context import Context
from influence_core.errors import DataError
from influence_core.experiments import corrected, second_opinion
from influence_core.experiments.second_opinion import SecondOpinion
from influence_core.store import Store
from influence_core.studies import find, open_study
from influence_core.training import minimise


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def study(context):
    return open_study(find("diabetes"), context.store)


def test_without_the_example_it_is_nearly_what_training_again_says(study, context):
    corrected.leverages(study, context=context)
    seen = study.probabilities(study.data.train.x)
    for at in study.own_probability().argsort()[:5].tolist():
        found = second_opinion.run(study, int(study.data.train.ids[at]), context=context)
        after = minimise(study.objective.without([at]), study.theta).theta
        truth = study.objective.probabilities(after, study.objective.x[at : at + 1])[0].numpy()
        assert found.unseen
        assert_allclose(found.probabilities, truth, atol=0.1 * np.abs(truth - seen[at]).max())
        assert found.label == int(study.data.train.y[at]) and found.proposals == [1 - found.label]


def test_where_nothing_is_prepared_the_trained_model_is_asked(study):
    found = second_opinion.run(study, int(study.data.train.ids[4]))
    assert not found.unseen
    assert_allclose(found.probabilities, study.probabilities(study.data.train.x[4:5])[0])
    with pytest.raises(DataError):
        second_opinion.run(study, 10**9)


def test_the_other_labels_come_with_the_most_probable_first():
    assert SecondOpinion(np.array([0.2, 0.5, 0.05, 0.25]), True, 1).proposals == [3, 0, 2]
