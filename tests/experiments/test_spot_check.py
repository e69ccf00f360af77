"""A handful of real retrainings: which ones, against cold fits of another library, and whether a green badge is right."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import data
from influence_core.context import ALONE, Context
from influence_core.errors import Cancelled, DataError
from influence_core.experiments import explain, questions, spot_check, take_out
from influence_core.experiments.explain import Explanation
from influence_core.experiments.spot_check import AMONG, OTHERS, STRONGEST, chosen
from influence_core.store import Store
from influence_core.studies import CATALOGUE, Study, find, open_study
from influence_core.trust import CLOSE, SpotCheck, judge
from tests import references
from tests.problems import ready

L2 = 0.01


@pytest.fixture(scope="module")
def study(one_or_seven):
    return one_or_seven


@pytest.fixture(scope="module")
def context(study):
    return ready(study)


@pytest.fixture(scope="module")
def answer(study, context):
    """Why the least confident mistake."""
    known = study.predictions
    wrong = int(known.ids[known.misclassified()[-1]])
    return explain.run(study, questions.ask(study, wrong), context=context)


# ------------------------------------------------------------------------------------------- which are left out


def test_the_three_strongest_of_either_sign_come_first():
    scores = np.array([0.1, -5.0, 0.2, 4.0, -0.3, 4.5, 0.0])
    at = chosen(scores)
    assert_array_equal(at[:STRONGEST], [1, 5, 3])
    assert set(at[STRONGEST:]) <= {0, 2, 4, 6}
    assert len(set(at)) == len(at) == STRONGEST + OTHERS


def test_the_others_are_drawn_among_the_next_and_differ_with_the_seed():
    scores = np.random.default_rng(1).normal(size=2_000)
    order = sorted(range(len(scores)), key=lambda i: -abs(scores[i]))
    drawn = [chosen(scores, seed) for seed in range(50)]
    for at in drawn:
        assert list(at[:STRONGEST]) == order[:STRONGEST]
        assert set(at[STRONGEST:]) <= set(order[STRONGEST:AMONG])
        assert len(set(at)) == STRONGEST + OTHERS
    assert len({int(one) for at in drawn for one in at[STRONGEST:]}) > 30
    assert_array_equal(chosen(scores), chosen(scores, 0))


@pytest.mark.parametrize(("n", "count"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5), (101, 5)])
def test_of_few_examples_as_many_as_there_are(n, count):
    at = chosen(np.ones(n))
    assert len(set(at)) == len(at) == count
    assert set(at) <= set(range(n))


# ------------------------------------------------------------------------------------------------- the truth


@pytest.mark.parametrize("with_engine", [True, False], ids=["prepared", "unprepared"])
def test_each_is_left_out_alone_and_trained_again(study, answer, context, truth, with_engine):
    result = spot_check.run(study, answer, context=context if with_engine else ALONE)
    at = chosen(answer.scores)
    assert result.train_ids == tuple(answer.ids[at])
    assert_allclose(result.predicted, answer.scores[at])
    assert_allclose(result.actual, truth, rtol=0, atol=1e-4 * np.abs(truth).max())
    assert result.converged
    assert result.seconds > 0
    assert_allclose(result.error, np.abs(answer.scores[at] - truth).max() / np.abs(truth).max(), rtol=1e-3)


@pytest.fixture(scope="module")
def truth(study, answer):
    """The changes of the test loss according to cold fits, one example left out at a time."""
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    everything = references.uniform(len(x))
    fits = [everything]
    for one in chosen(answer.scores):
        weights = everything.copy()
        weights[one] = 0
        fits.append(weights)
    thetas = [references.cold_fit(x, y, weights, L2, "logistic") for weights in fits]
    losses = [references.losses(theta, answer.x[None], [answer.label], "logistic")[0] for theta in thetas]
    return np.array(losses[1:]) - losses[0]


def test_a_stored_check_is_read_and_not_trained_again(study, answer, context, tmp_path, monkeypatch):
    context = replace(context, store=Store(tmp_path))
    first = spot_check.run(study, answer, context=context)
    monkeypatch.setattr(take_out, "retrain", None)
    assert spot_check.run(study, answer, context=context) == first


def test_progress_rises_to_the_end_and_cancelling_keeps_what_is_done(study, answer, context, tmp_path):
    kept, seen = replace(context, store=Store(tmp_path)), []

    def stop(fraction, message):
        seen.append(fraction)
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        spot_check.run(study, answer, context=replace(kept, progress=stop))
    begun = len(seen)
    heard = replace(kept, progress=lambda fraction, _: seen.append(fraction))
    spot_check.run(study, answer, context=heard)
    assert seen[:begun] == sorted(seen[:begun]) and seen[begun:] == sorted(seen[begun:])
    assert seen[begun] > 0.2  # the first ones were read from the store
    assert_allclose(seen[-1], 1.0)


# -------------------------------------------------------------------------- is a green badge right? (slow)

USUAL = (10, 4, 4)
"""Test examples a study; of each, so many of the next strongest examples are left out, and so many drawn ones."""
FEW = {"digits-network": (1, 1, 1)}
"""Where training again takes a minute."""


@dataclass(frozen=True)
class Checked:
    """One forecast held against real retraining."""

    study: str
    before: str
    """The badge's colour without any retraining."""
    after: str
    """Its colour after a spot check of other examples, "" for the examples of the spot check itself."""
    miss: float
    """As a share of the largest true change of this test example."""


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_green_badge_is_right(tmp_path, capsys):
    found = [one for name in _packaged(tmp_path) for one in _checks(open_study(find(name)), name)]
    with capsys.disabled():
        sys.stdout.write(_table(found))
    for when in ("before", "after"):
        green = [one.miss <= CLOSE for one in found if getattr(one, when) == "green"]
        assert len(green) >= 20
        assert np.mean(green) >= 0.95, when
    assert sum(one.after != "" for one in found) >= 200


def _packaged(folder) -> Iterator[str]:
    """Names of the studies that need no data folder."""
    for name, spec in CATALOGUE.items():
        try:
            data.load(spec.data, str(folder))
        except DataError:
            continue
        yield name


def _checks(study: Study, name: str) -> Iterator[Checked]:
    context = ready(study)
    tests, strong, drawn = FEW.get(name, USUAL)
    for test_id in _tests(study, tests):
        answer = explain.run(study, questions.ask(study, test_id), context=context)
        spot = spot_check.run(study, answer, context=context)
        others = _others(study, answer, context, strong, drawn)
        misses = np.abs(np.subtract(spot.predicted + others.predicted, spot.actual + others.actual))
        largest = np.abs(spot.actual + others.actual).max()
        # an answer so sure that its loss is 0 has no changes, and nothing to miss
        shares = misses / largest if misses.any() else misses
        before, after = judge(answer.provenance).colour, judge(answer.provenance, spot).colour
        for at, miss in enumerate(shares):
            yield Checked(name, before, after if at >= len(spot.train_ids) else "", float(miss))


def _tests(study: Study, count: int) -> np.ndarray:
    """Ids of mistakes, doubtful answers and others, in turn."""
    known = study.predictions
    drawn = np.random.default_rng(0).permutation(len(known.ids))
    turns = zip(known.misclassified(), known.least_confident(), drawn, strict=False)
    return known.ids[list(dict.fromkeys(one for turn in turns for one in turn))[:count]]


def _others(study: Study, answer: Explanation, context: Context, strong: int, drawn: int) -> SpotCheck:
    """The strongest of those that the spot check leaves alone, and some drawn among all."""
    order = np.argsort(-np.abs(answer.scores), kind="stable")
    rest = order[~np.isin(order, chosen(answer.scores))]
    rng = np.random.default_rng(answer.test_id)
    at = [*rest[:strong], *rng.choice(rest[strong:], drawn, replace=False)]
    found = [take_out.run(study, answer, [int(answer.ids[one])], context=context) for one in at]
    columns = (
        [one.train_ids[0] for one in found],
        [one.forecast.alone for one in found],
        [one.actual for one in found],
    )
    return SpotCheck(*map(tuple, columns), 0.0, all(one.converged for one in found))


def _table(found: list[Checked]) -> str:
    """Study by colour: how many checks, how many of them within a tenth, and the largest miss."""
    rows = defaultdict(list)
    for one in found:
        for when in ("before", "after"):
            if getattr(one, when):
                for name in (one.study, "all"):
                    rows[when, name, getattr(one, when)].append(one.miss)
    lines = [f"{'spot check':12}{'study':20}{'badge':8}{'checks':>8}{'right':>9}{'largest miss':>14}"]
    for (when, name, colour), misses in sorted(rows.items()):
        right = np.mean(np.array(misses) <= CLOSE)
        words = {"before": "none", "after": "of others"}[when]
        lines.append(f"{words:12}{name:20}{colour:8}{len(misses):8}{right:9.1%}{max(misses):14.1%}")
    return "\n" + "\n".join(lines) + "\n"
