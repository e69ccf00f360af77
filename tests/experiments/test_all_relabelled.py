"""Every training example relabelled to its runner-up: effects against cold fits, and what is kept."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.context import Context
from influence_core.errors import Cancelled, UnsupportedError
from influence_core.experiments import all_left_out, all_relabelled, questions
from influence_core.store import Store
from tests import references
from tests.problems import linear, linear_study


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_effects_are_those_of_cold_fits(kind):
    toy = linear(kind, n=24)
    study = linear_study(toy)
    table = all_relabelled.run(study)
    assert table.proven
    assert (table.labels != toy.y).all()
    question = questions.ask(study, 900)
    losses, probabilities = [], []
    for i in range(24):
        y = toy.y.copy()
        y[i] = table.labels[i]
        loss = references.losses(toy.refit(y=y).numpy(), toy.xt[:1], [question.label], kind)[0]
        losses.append(loss)
        probabilities.append(np.exp(-loss))
    before = references.losses(toy.theta.numpy(), toy.xt[:1], [question.label], kind)[0]
    found = all_relabelled.effects(study, table, question)
    for values, truth in (
        (found.loss, losses - before),
        (found.probability, probabilities - np.exp(-before)),
    ):
        assert_allclose(values, truth, rtol=0, atol=1e-3 * np.abs(truth).max())


def test_the_table_is_kept_beside_the_left_out_one_and_a_stopped_run_goes_on(tmp_path):
    study, store, told = linear_study(linear("softmax", n=24)), Store(tmp_path), []

    def stop(fraction, message):
        told.append(fraction)
        if message.endswith(" done"):
            raise Cancelled

    with pytest.raises(Cancelled):
        all_relabelled.run(study, context=Context(store, stop))
    assert told == sorted(told)
    assert all_relabelled.recall(study, context=Context(store)) is None
    left_out = all_left_out.run(study, context=Context(store))
    assert all_relabelled.recall(study, context=Context(store)) is None
    table = all_relabelled.run(study, context=Context(store))
    assert table.kept
    again = all_relabelled.recall(study, context=Context(Store(tmp_path)))
    assert_array_equal(again.changes, table.changes)
    assert_array_equal(all_left_out.recall(study, context=Context(store)).changes, left_out.changes)
    assert np.abs(table.changes - left_out.changes).max() > 0.1 * np.abs(left_out.changes).max()


def test_a_network_is_refused(one_or_seven):
    layered = replace(one_or_seven, spec=replace(one_or_seven.spec, model="all-convolutional"))
    with pytest.raises(UnsupportedError, match="linear model with a smooth loss"):
        all_relabelled.run(layered)
