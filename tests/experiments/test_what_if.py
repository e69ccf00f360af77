"""Any group, any edit: the forecast against a dense computation, the truth against cold fits, groups by their rules."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.context import Context
from influence_core.errors import Cancelled, DataError
from influence_core.experiments import explain, questions, take_out, what_if
from influence_core.experiments.explain import Explanation
from influence_core.experiments.what_if import GROUPS, HEAVIEST, Calibration, Change
from influence_core.store import Store
from influence_core.studies import Study
from tests.problems import Linear, linear, linear_study, ready

GROUP = [3, 17, 40, 41]


@dataclass(frozen=True)
class Asked:
    """A toy problem, its study, and the answer about its second test row."""

    toy: Linear
    study: Study
    answer: Explanation

    @property
    def label(self) -> int:
        return self.answer.label

    def loss(self, theta: torch.Tensor) -> float:
        """Of the row asked about, with the label asked about."""
        return float(self.study.objective.losses(theta, *self._test()))

    def gradients(self, at: list[int], y: np.ndarray) -> np.ndarray:
        return self.toy.gradients(self.toy.x[at], y).numpy()

    def inverse_gradient(self) -> np.ndarray:
        gradient = self.toy.gradients(self.toy.xt[1:2], np.array([self.label])).numpy()[0]
        return np.linalg.solve(self.toy.hessian().numpy(), gradient)

    def _test(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor(self.toy.xt[1:2]), torch.tensor([self.label])


@pytest.fixture(scope="module", params=["softmax", "logistic"])
def asked(request) -> Asked:
    toy = linear(request.param)
    study = linear_study(toy)
    return Asked(toy, study, explain.run(study, questions.ask(study, 901)))


@pytest.fixture(scope="module")
def one() -> Asked:
    """For what is the same for every model."""
    toy = linear("logistic")
    study = linear_study(toy)
    return Asked(toy, study, explain.run(study, questions.ask(study, 901)))


CHANGES = {
    "remove": Change(),
    "relabel": Change("relabel", label=1),
    "halve": Change("reweight", weight=0.5),
    "triple": Change("reweight", weight=3.0),
    "weigh nothing": Change("reweight", weight=0.0),
}


def edited(toy: Linear, change: Change) -> tuple[np.ndarray, np.ndarray]:
    """Weights and labels of the toy problem after the change of the group, by hand."""
    w, y = toy.w.copy(), toy.y.copy()
    if change.kind == "relabel":
        y[GROUP] = change.label
    else:
        w[GROUP] *= change.weight if change.kind == "reweight" else 0
    return w, y


# ------------------------------------------------------------------------------------------------ the forecast


@pytest.mark.parametrize("name", CHANGES)
def test_the_forecast_is_minus_s_times_the_change_of_the_gradient(asked, name):
    change = CHANGES[name]
    w, y = edited(asked.toy, change)
    new = w[GROUP] @ asked.gradients(GROUP, y[GROUP])
    old = asked.toy.w[GROUP] @ asked.gradients(GROUP, asked.toy.y[GROUP])
    expected = -asked.inverse_gradient() @ (new - old)
    assert abs(expected) > 1e-4
    assert_allclose(what_if.forecast(asked.study, asked.answer, GROUP, change).alone, expected, rtol=1e-7)


def test_removing_a_group_adds_up_its_scores_and_weights_scale_them(one):
    study, answer = one.study, one.answer
    total = answer.scores[GROUP].sum()
    assert_allclose(what_if.forecast(study, answer, GROUP, Change()).alone, total)
    for weight, share in ((0.0, 1.0), (1.0, 0.0), (2.0, -1.0), (0.25, 0.75)):
        change = Change("reweight", weight=weight)
        assert_allclose(what_if.forecast(study, answer, GROUP, change).alone, share * total, atol=1e-15)


# --------------------------------------------------------------------------------------------------- the truth


@pytest.mark.parametrize("name", CHANGES)
def test_the_truth_is_the_cold_fit_after_the_change(asked, name):
    change = CHANGES[name]
    result = what_if.run(asked.study, asked.answer, GROUP, change)
    w, y = edited(asked.toy, change)
    truth = asked.loss(asked.toy.refit(w=w, y=y)) - asked.loss(asked.toy.theta)
    assert_allclose(result.actual, truth, rtol=1e-4)
    assert result.forecast == what_if.forecast(asked.study, asked.answer, GROUP, change)
    assert result.forecast.best * result.actual > 0
    assert result.train_ids == tuple(500 + one for one in GROUP)
    assert result.converged


def test_forecast_and_truth_meet_as_the_change_gets_small(one):
    """The forecast is the derivative: a hundredth of the change leaves a hundredth of the relative error."""
    errors = []
    for step in (0.5, 0.005):
        result = what_if.run(one.study, one.answer, GROUP, Change("reweight", weight=1 - step))
        errors.append(abs(result.forecast.alone / result.actual - 1))
    assert 0 < errors[1] < errors[0] / 50


def test_a_stored_truth_belongs_to_its_own_change(one, tmp_path, monkeypatch):
    context = Context(Store(tmp_path))
    first = {
        name: what_if.run(one.study, one.answer, GROUP, CHANGES[name], context=context) for name in CHANGES
    }
    assert (
        len({round(result.actual, 9) for result in first.values()}) == len(CHANGES) - 1
    )  # two ways to weigh nothing
    monkeypatch.setattr(take_out, "retrain", None)
    for name, result in first.items():
        again = what_if.run(one.study, one.answer, GROUP, CHANGES[name], context=context)
        assert (again.actual, again.forecast) == (result.actual, result.forecast)
        assert_array_equal(again.after, result.after)


def test_with_a_prepared_engine_the_truth_is_the_same(one):
    context = ready(one.study)
    for change in CHANGES.values():
        cold = what_if.run(one.study, one.answer, GROUP, change)
        warm = what_if.run(one.study, one.answer, GROUP, change, context=context)
        assert_allclose(warm.actual, cold.actual, rtol=1e-4)


def test_cancelling_stops_the_training(one):
    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        what_if.run(one.study, one.answer, GROUP, Change(), context=Context(progress=stop))


# -------------------------------------------------------------------------------------------------- the change


@pytest.mark.parametrize(
    ("change", "labels", "changes", "words"),
    [
        (Change(), [0, 1], True, "taken out"),
        (Change("relabel", label=1), [0, 1], True, "labelled b"),
        (Change("relabel", label=1), [1, 1], False, "labelled b"),
        (Change("relabel", label=0), [1], True, "labelled a"),
        (Change("relabel"), [1], True, "labelled anew"),
        (Change("reweight", weight=1.0), [0], False, "counted 1 times"),
        (Change("reweight", weight=2.5), [0], True, "counted 2.5 times"),
        (Change("reweight"), [0], True, "counted 0 times"),
    ],
    ids=str,
)
def test_whether_a_change_does_anything_and_its_words(change, labels, changes, words):
    assert change.changes(np.array(labels)) is changes
    assert change.words(("a", "b")) == words


@pytest.mark.parametrize(
    ("change", "positions", "message"),
    [
        (Change(), [], "Choose at least one training row"),
        (Change("relabel"), GROUP, "a number from 0 to 1"),
        (Change("relabel", label=2), GROUP, "a number from 0 to 1"),
        (Change("relabel", label=-1), GROUP, "a number from 0 to 1"),
        (Change("reweight", weight=-0.1), GROUP, "between 0 and 10, but is -0.1"),
        (Change("reweight", weight=1.01 * HEAVIEST), GROUP, "between 0 and 10, but is 10.1"),
        (Change("reweight", weight=math.nan), GROUP, "but is nan"),
        (Change("reweight", weight=math.inf), GROUP, "but is inf"),
        (Change("burn" * 100), GROUP, "no change “burnburn.*choose one of remove, relabel, reweight"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_made_is_refused_in_words(one, change, positions, message):
    for ask in (what_if.forecast, what_if.run):
        with pytest.raises(DataError, match=message) as caught:
            ask(one.study, one.answer, positions, change)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "change",
    [Change(), Change("reweight", weight=0.0), Change("relabel", label=0)],
    ids=["out", "0", "relabel"],
)
def test_no_label_may_be_left_without_examples(one, change):
    everyone = np.flatnonzero(one.answer.labels == 1).tolist()
    with pytest.raises(DataError, match="no training row labelled b; keep at least one"):
        what_if.run(one.study, one.answer, everyone, change)


# -------------------------------------------------------------------------------------------------- the groups


def test_a_group_follows_its_rule(one):
    answer = one.answer
    order = sorted(range(len(answer.scores)), key=lambda i: -answer.scores[i])
    assert list(what_if.group(answer, "for", 7)) == order[:7]
    assert list(what_if.group(answer, "against", 7)) == order[::-1][:7]
    assert list(what_if.group(answer, "class", 7, label=1)) == [i for i, y in enumerate(one.toy.y) if y == 1]
    assert len(what_if.group(answer, "for", 10**6)) == (answer.scores > 0).sum()


def test_a_random_group_is_drawn_by_its_seed_without_repeats(one):
    drawn = [what_if.group(one.answer, "random", 20, seed=seed) for seed in range(30)]
    assert all(len(set(at)) == 20 for at in drawn)
    assert len({tuple(at) for at in drawn}) == 30
    counts = np.bincount(np.concatenate(drawn), minlength=60)
    assert counts.min() > 0 and counts.max() < 25  # 10 expected
    assert_array_equal(what_if.group(one.answer, "random", 20, seed=3), drawn[3])
    assert len(what_if.group(one.answer, "random", 10**6)) == 60


def test_an_unknown_rule_is_refused_in_words(one):
    with pytest.raises(DataError, match="no group “nearest”; choose one of for, against, class, random"):
        what_if.group(one.answer, "nearest", 3)


# --------------------------------------------------------------------------------------------- the calibration


@pytest.mark.parametrize(
    ("predicted", "actual", "slope", "spearman"),
    [
        ([1, 2, -1], [2, 4, -2], 0.5, 1.0),
        ([1, 2, 3], [1, 1, 4], 0.5, math.sqrt(0.75)),  # two ties share the rank 1.5
        ([1, -1], [-3, 3], -1 / 3, -1.0),
        ([1, -1], [1, 1], math.nan, math.nan),
        ([0, 0], [1, 2], math.nan, math.nan),
        ([2], [3], math.nan, math.nan),
        ([], [], math.nan, math.nan),
    ],
    ids=str,
)
def test_slope_and_agreement_by_hand(predicted, actual, slope, spearman):
    predicted, actual, other = np.array(predicted, float), np.array(actual, float), np.arange(len(actual))
    for found in (
        Calibration(5, predicted, other, actual, True).agreement,
        Calibration(5, other, predicted, actual, True).agreement_alone,
    ):
        assert_allclose([found.slope, found.spearman], [slope, spearman], atol=1e-12)


@pytest.mark.parametrize("change", [Change(), Change("reweight", weight=2.0)], ids=["remove", "reweight"])
def test_groups_of_one_size_are_changed_alike(one, change, trained):
    result = what_if.calibrate(one.study, one.answer, 6, change)
    rules = [("for", 0), ("against", 0), *(("random", seed) for seed in range(1, 11))]
    groups = [what_if.group(one.answer, which, 6, seed=seed).tolist() for which, seed in rules]
    assert len(groups) == GROUPS
    assert [at for at, _ in trained] == groups
    assert {how for _, how in trained} == {change}
    alone = [what_if.run(one.study, one.answer, at, change) for at in groups]
    assert_allclose(result.forecast, [each.forecast.together for each in alone])
    assert_allclose(result.alone, [each.forecast.alone for each in alone])
    assert_allclose(result.actual, [each.actual for each in alone])
    assert (result.size, result.converged) == (6, True)
    assert result.agreement.spearman > 0.9
    assert abs(result.agreement.slope - 1) < abs(result.agreement_alone.slope - 1)
    assert result.agreement.worst < result.agreement_alone.worst


@pytest.fixture
def trained(monkeypatch):
    """The groups that were changed, and how."""
    seen, original = [], what_if.run

    def spy(study, explanation, positions, change, **how):
        seen.append((positions, change))
        return original(study, explanation, positions, change, **how)

    monkeypatch.setattr(what_if, "run", spy)
    return seen


def test_groups_that_the_change_leaves_alone_are_left_out(one, trained):
    change = Change("relabel", label=one.label)
    result = what_if.calibrate(one.study, one.answer, 1, change)
    labels = one.answer.labels
    assert 0 < len(trained) == len(result.forecast) < GROUPS
    assert all((labels[at] != one.label).any() for at, _ in trained)
    assert result.converged


def test_a_rule_that_nobody_meets_gives_no_group(one, trained):
    helpful = replace(one.answer, scores=np.abs(one.answer.scores) + 1e-9)
    assert len(what_if.calibrate(one.study, helpful, 3, Change()).forecast) == GROUPS - 1


def test_calibration_tells_how_far_it_is_and_keeps_what_it_has(one, tmp_path, monkeypatch):
    store, seen = Store(tmp_path), []
    context = Context(store, lambda fraction, _: seen.append(fraction))
    first = what_if.calibrate(one.study, one.answer, 6, Change(), context=context)
    assert seen == sorted(seen)
    assert_allclose(seen[-1], 1.0)
    monkeypatch.setattr(take_out, "retrain", None)
    again = what_if.calibrate(one.study, one.answer, 6, Change(), context=Context(store))
    assert_array_equal(again.actual, first.actual)
