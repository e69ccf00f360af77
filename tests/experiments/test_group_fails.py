"""Whether a model fails on a group more than elsewhere: against counting by hand, a published example, and simulation."""

from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose

from influence_core.experiments import group_fails
from influence_core.experiments.groups import Errors


def by_hand(group: Errors, elsewhere: Errors) -> float:
    """Of all ways to share the errors out, those that are no likelier than this one."""
    wrong, rows = group.wrong + elsewhere.wrong, group.rows + elsewhere.rows
    ways = [comb(group.rows, one) * comb(elsewhere.rows, wrong - one) for one in range(wrong + 1)]
    return sum(one for one in ways if one <= ways[group.wrong]) / comb(rows, wrong)


@pytest.mark.parametrize(
    "counts", [(11, 3, 99, 16), (20, 9, 80, 8), (5, 0, 50, 1), (30, 30, 30, 0), (8, 2, 8, 2)]
)
def test_the_chance_is_counted(counts):
    group, elsewhere = Errors(*counts[:2]), Errors(*counts[2:])
    expected = by_hand(group, elsewhere)
    assert_allclose(group_fails.run(group, elsewhere).chance, expected, rtol=1e-9)
    assert_allclose(group_fails.run(group, elsewhere, 7).chance, min(1, 7 * expected), rtol=1e-9)


def test_the_interval_is_newcombes():
    """The example of Newcombe 1998, table II, method 10: 56/70 and 48/80."""
    found = group_fails.run(Errors(70, 56), Errors(80, 48)).interval
    assert_allclose(found, (0.0524, 0.3339), atol=5e-5)


def test_what_the_counts_can_tell():
    assert group_fails.run(Errors(20, 9), Errors(80, 8)).fails == "more"
    assert group_fails.run(Errors(80, 8), Errors(20, 9)).fails == "less"
    assert group_fails.run(Errors(2000, 200), Errors(2000, 200)).fails == "not more"
    assert group_fails.run(Errors(40, 4), Errors(400, 40)).fails == "too few"
    assert group_fails.run(Errors(1, 1), Errors(500, 50)).fails == "too few"


def test_everything_and_nothing_is_too_few():
    for group, elsewhere in ((Errors(10, 3), Errors(0, 0)), (Errors(0, 0), Errors(10, 3))):
        found = group_fails.run(group, elsewhere)
        assert (found.fails, found.chance) == ("too few", 1)
        low, high = found.interval
        assert -1 <= low < 0 < high <= 1


def test_the_more_groups_are_looked_at_the_more_it_takes():
    group, elsewhere = Errors(20, 6), Errors(100, 8)
    one, many = (group_fails.run(group, elsewhere, looks) for looks in (1, 20))
    assert (one.fails, many.fails) == ("more", "too few")
    assert many.interval[0] < one.interval[0] < one.interval[1] < many.interval[1]


def test_models_that_fail_alike_are_seldom_called_to_differ_and_the_intervals_cover():
    """Of 10 groups the worst is looked at, as a person does; then of one group, whether the truth lies inside."""
    rng, called = np.random.default_rng(0), 0
    for _ in range(300):
        groups = [Errors(30, int(rng.binomial(30, 0.2))) for _ in range(10)]
        worst = max(groups, key=lambda one: one.rate)
        others = Errors(270, sum(one.wrong for one in groups) - worst.wrong)
        called += group_fails.run(worst, others, 10).fails == "more"
    assert called <= 0.08 * 300
    covered = 0
    for _ in range(1_000):
        one, other = Errors(25, int(rng.binomial(25, 0.3))), Errors(200, int(rng.binomial(200, 0.15)))
        low, high = group_fails.run(one, other).interval
        covered += low <= 0.15 <= high
    assert covered >= 930
