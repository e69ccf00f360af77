"""Somebody's rows withdrawn: whose they are, the forecast of all answers, and the truth by a cold fit without them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import before_after, explain, questions, version_forecast, withdrawal
from influence_core.studies import changed, find, open_study
from tests import references


@pytest.fixture(scope="module")
def study():
    return open_study(find("diabetes"))


def test_everybody_with_rows_is_counted(study):
    train, test = study.data.train, study.data.test
    known = withdrawal.columns(study)
    assert {"sex", "age", "age group"} <= set(known)
    for column in known:
        found = withdrawal.holders(study, column)
        assert sum(one.train for one in found) == len(train)
        assert len({one.value for one in found}) == len(found) > 1
        assert max(one.train for one in found) > 1, "nobody has a single row alone"
    for one in withdrawal.holders(study, "sex"):
        rows = withdrawal.positions(study, "sex", one.value)
        by_hand = [
            at for at, name in enumerate(train.ids.tolist()) if study.data.record(name)["sex"] == one.value
        ]
        assert_array_equal(rows, by_hand)
        assert one.train == len(by_hand)
        assert one.test == sum(study.data.record(name)["sex"] == one.value for name in test.ids.tolist())


def test_numbers_are_not_cut_into_ranges(study):
    values = [one.value for one in withdrawal.holders(study, "age")]
    assert len(values) > 30 and all(one.isdigit() for one in values)
    assert values == sorted(values, key=int)


def test_a_name_is_read(study):
    column, holder = withdrawal.named(study, "sex=2")
    assert (column, holder.value) == ("sex", "2")
    most = max(withdrawal.holders(study, "age group"), key=lambda one: one.train)
    assert withdrawal.named(study, "age group") == ("age group", most)
    assert withdrawal.named(study)[0] == study.data.group[0]
    for text, message in (
        ("sex=3", "No training row has “3” in the column “sex”"),
        ("height=2", "no column “height” whose values several rows share; choose one of"),
    ):
        with pytest.raises(DataError, match=message):
            withdrawal.named(study, text)


def test_other_data_have_no_holders(one_or_seven):
    for asked in (withdrawal.columns, withdrawal.named):
        with pytest.raises(UnsupportedError, match="a column of a table"):
            asked(one_or_seven)


def test_the_forecast_names_the_answers_that_turn_without_them(study):
    at = withdrawal.positions(study, "sex", "2")
    made = withdrawal.changes(study, at)
    data, _ = changed(study, made)
    assert set(study.data.train.ids.tolist()) - set(data.train.ids.tolist()) == {one.example for one in made}
    x, y, w = (
        study.data.train.x.numpy(),
        study.data.train.y.numpy(),
        references.uniform(len(study.data.train)),
    )
    w[at] = 0
    theta = references.cold_fit(x, y, w, study.spec.l2, "logistic", gradient=1e-10)
    answers = study.data.test.x.numpy() @ theta > 0
    explanation = explain.run(study, questions.ask(study, int(study.data.test.ids[0])))
    foreseen = version_forecast.run(study, explanation, made).predictions
    before = study.predictions.probabilities.argmax(1)
    turned = before != answers
    assert turned.sum() > 10
    assert (foreseen.probabilities.argmax(1) != answers).sum() <= 0.1 * turned.sum()
    result = before_after.compare(study, foreseen)
    lost = withdrawal.losses(result)
    assert_allclose(
        lost, study.predictions.probabilities.max(1) - foreseen.probabilities[np.arange(110), before]
    )
    leaning = withdrawal.leaning(result, 12)
    assert_array_equal(leaning, np.argsort(-lost, kind="stable")[:12])
    assert (lost[leaning] > 0).all()
