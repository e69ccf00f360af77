"""Intervals against truths that are known, and the extreme-value check against draws of which nothing is excessive."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import f as f_distribution

from influence_core.agreement import strongest
from influence_core.context import Context
from influence_core.experiments import (
    all_left_out,
    at_hand,
    explain,
    hardest,
    questions,
    spot_check,
    sureness,
    truths,
)
from influence_core.store import NO_STORE, Store
from tests.problems import linear, linear_study

TAILS = {
    "half normal": lambda rng, n: np.abs(rng.normal(size=n)),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "log-normal": lambda rng, n: np.exp(rng.normal(size=n)),
    "cube of a normal": lambda rng, n: rng.normal(size=n) ** 3,
    "Student, 3 degrees": lambda rng, n: rng.standard_t(3, size=n),
    "Pareto": lambda rng, n: 1 / rng.random(n),
}


# ------------------------------------------------------------------------------------------------ the largest


@pytest.mark.parametrize("name", TAILS)
def test_of_draws_without_anything_excessive_about_one_in_a_hundred_is_called_so(name):
    """1,000 draws of 1,000: at most 2 per cent, where 1 is meant; 3 standard errors are 1."""
    rng = np.random.default_rng(0)
    found = [sureness.excess(TAILS[name](rng, 1000)) for _ in range(1000)]
    assert np.mean([one.excessive for one in found]) <= 0.02


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("half normal", 3),
        ("exponential", 6),
        ("log-normal", 30),
        ("cube of a normal", 30),
        ("Pareto", 10_000),
    ],
)
def test_a_planted_excess_is_found(name, times):
    """The heavier the tail, the farther ahead the largest may be."""
    rng = np.random.default_rng(1)
    effects = TAILS[name](rng, 1000)
    effects[17] = times * np.abs(effects).max()
    found = sureness.excess(effects)
    assert found.excessive and found.n == 1000
    assert_allclose(found.ratio, times)


def test_the_probability_is_that_of_an_f_distribution():
    rng = np.random.default_rng(2)
    effects = rng.pareto(1.5, size=400)
    sizes = np.sort(effects)[::-1][:42]
    spacings = np.arange(1, 42) * np.log(sizes[:-1] / sizes[1:])
    found = sureness.excess(-effects)
    assert found.tail == "frechet"
    assert_allclose(found.p, f_distribution.sf(spacings[0] / spacings[1:].mean(), 2, 80), rtol=1e-9)


def test_few_effects_or_none_say_nothing():
    assert sureness.excess(np.arange(30.0)) is None
    assert sureness.excess(np.zeros(500)) is None
    assert not sureness.excess(np.ones(500)).excessive


# ------------------------------------------------------------------------------------------------ the interval


@pytest.fixture(scope="module")
def study():
    return linear_study(linear("logistic", n=300, d=8, l2=0.01, tests=12))


@pytest.fixture
def context(tmp_path):
    return Context(Store(tmp_path))


def answers(study, context):
    for test_id in study.data.test.ids.tolist():
        first = explain.run(study, questions.ask(study, test_id))
        yield at_hand.improve(study, first, None, context=context)


def test_what_was_left_out_is_exact_and_nine_in_ten_of_the_others_lie_inside(study, context, monkeypatch):
    monkeypatch.setattr(hardest, "COUNT", 50)
    monkeypatch.setattr(sureness, "SHOWN", 60)
    known, table = hardest.run(study, context=context), all_left_out.run(study, context=context)
    inside = []
    for answer in answers(study, context):
        assert answer.number == "corrected"
        found = sureness.interval(study, answer, context=context)
        truth = all_left_out.effects(study, table, answer.question).loss[found.positions]
        assert found.source == "hardest"
        assert list(found.positions) == strongest(answer.shown, 60).tolist()
        assert found.known.tolist() == np.isin(found.positions, known.positions).tolist()
        assert_allclose(found.low[found.known], truth[found.known], rtol=1e-4)
        inside += ((found.low <= truth) & (truth <= found.high))[~found.known].tolist()
    assert len(inside) > 100 and np.mean(inside) >= 0.9


def test_the_first_is_sure_only_where_the_intervals_are_apart(study, context):
    hardest.run(study, context=context)
    answer = next(answers(study, context))
    found = sureness.interval(study, answer, context=context)
    sizes = np.sort(np.abs([found.low, found.high]), axis=0)
    assert found.first_sure == (sizes[0, 0] > sizes[1, 1])
    crossed = replace(found, low=-np.abs(found.low), high=np.abs(found.high))
    assert not crossed.signs_sure and not crossed.first_sure


def test_without_retrainings_there_is_none_and_a_spot_check_gives_one(study, context):
    answer = next(answers(study, context))
    assert sureness.interval(study, answer, context=Context(NO_STORE)) is None
    spot_check.run(study, answer, context=context)
    found = sureness.interval(study, answer, context=context)
    known = truths.recall(study, answer, context=context)
    at = [answer.position(int(one)) for one in known.train_ids]
    ratios = known.actual / answer.shown[at]
    assert found.source == "spot" and found.count == len(ratios) == 20
    assert_allclose([found.lowest, found.highest], [ratios.min(), ratios.max()])


def test_what_is_proven_needs_no_interval(study, context):
    table = all_left_out.run(study, context=context)
    first = explain.run(study, questions.ask(study, 901))
    proven = at_hand.improve(study, first, table, context=context)
    assert proven.number == "proven"
    assert sureness.interval(study, proven, context=context) is None
