"""Before and after: every flipped answer, intervals that cover, and the forecast of a mixed version."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.errors import DataError
from influence_core.experiments import before_after, corrected, explain, questions, version_forecast
from influence_core.experiments.before_after import BeforeAfter
from influence_core.experiments.tally import paired_interval
from influence_core.exports import as_rows
from influence_core.studies import find, open_study
from influence_core.studies.changes import Change
from tests.core.test_versions import SMALL


@pytest.fixture(scope="module")
def base():
    return open_study(SMALL)


@pytest.fixture(scope="module")
def made(base):
    """Many wrong labels, two removals, a weight and an addition: enough to turn answers."""
    ids, y, test = base.data.train.ids.tolist(), base.data.train.y.tolist(), base.data.test
    made = [Change("relabel", ids[i], label=(y[i] + 1) % 3) for i in range(0, 60, 3)]
    made += [Change("remove", ids[i]) for i in (61, 64)]
    return (
        *made,
        Change("reweight", ids[70], weight=3),
        Change("add", int(test.ids[7]), label=int(test.y[7])),
    )


@pytest.fixture(scope="module")
def version(made):
    return open_study(replace(SMALL, changes=made))


def test_it_agrees_with_a_direct_comparison_of_all_predictions(base, version):
    asked = int(base.data.test.ids[3])
    result = before_after.run(base, version, (asked,))
    better, broke, between, counted = [], [], [], 0
    for at, name in enumerate(base.data.test.ids.tolist()):
        if name == asked or name not in version.data.test.ids.tolist():
            continue
        counted += 1
        x, true = base.data.test.x[[at]], int(base.data.test.y[at])
        was, now = int(base.probabilities(x).argmax()), int(version.probabilities(x).argmax())
        if was != true and now == true:
            better.append(name)
        elif was == true and now != true:
            broke.append(name)
        elif was != now:
            between.append(name)
    assert len(broke) > 0
    for found, wanted in ((result.better, better), (result.broke, broke), (result.between, between)):
        assert sorted(result.ids[found].tolist()) == sorted(wanted)
    of_true = [
        (result.before[i, label], result.after[i, label]) for i, label in enumerate(result.labels.tolist())
    ]
    more, less = sum(now > was for was, now in of_true), sum(now < was for was, now in of_true)
    assert (
        f"surer of the right label than before on {more:,} test images, and less sure on {less:,} ("
        in result.surer
    )
    assert before_after.run(base, base).surer == ""
    total = result.total
    assert (total.total, total.better, total.broke, total.between) == (
        counted,
        len(better),
        len(broke),
        len(between),
    )
    assert total.right_after - total.right_before == len(better) - len(broke)
    assert (result.asked, result.added) == (1, 1)
    assert "all but the 1 that is asked about and the 1 that is added to the training set" in result.part
    assert "Changes are chosen by looking at such an answer" in result.part and result.unmoved == ""
    assert result.base == f"the {counted} test images not asked about or added to the training set"
    assert before_after.run(base, base).base == f"all {len(base.data.test)} test images"


def test_both_models_are_judged_by_a_test_label_that_was_set_right(base):
    known = base.predictions
    at = int(np.flatnonzero(known.probabilities.argmax(1) != known.labels)[0])
    said = int(known.probabilities[at].argmax())
    made = (Change("retest", int(known.ids[at]), label=said),)
    result = before_after.run(base, open_study(replace(base.spec, changes=made)))
    assert result.labels[at] == said and result.corrected == 1
    assert (
        "1 test label was set right by hand, for both models alike; where only wrong answers" in result.part
    )
    total, n = result.total, len(known.ids)
    assert total.before == total.after == ((known.probabilities.argmax(1) == known.labels).sum() + 1) / n
    (row,) = as_rows(before_after.describe(base, made))
    assert (row["change"], row["label_before"], row["label_after"]) == (
        "retest",
        base.data.class_names[known.labels[at]],
        base.data.class_names[said],
    )
    question = questions.ask(base, test_id=int(known.ids[0]))
    foreseen = version_forecast.run(base, explain.run(base, question), made)
    assert foreseen.asked.best == 0
    assert before_after.compare(base, foreseen.predictions).total == total


def test_a_test_label_that_was_set_right_where_it_does_not_count_is_said(base):
    asked, other = (int(one) for one in base.data.test.ids[:2])
    label = (int(base.data.test.y[0]) + 1) % 3
    version = open_study(replace(base.spec, changes=(Change("retest", asked, label=label),)))
    result = before_after.run(base, version, (asked,))
    assert (result.corrected, result.asked_corrected) == (0, 1)
    assert "was set right. That changes no number here, because it is left out" in result.unmoved
    assert result.total == before_after.run(base, base, (asked,)).total
    counted = before_after.run(base, version, (other,))
    assert (counted.corrected, counted.asked_corrected, counted.unmoved) == (1, 0, "")


def test_classes_add_up_to_all(base, version):
    result = before_after.run(base, version)
    total = result.total
    for name in ("total", "right_before", "right_after", "better", "broke", "between"):
        assert sum(getattr(one, name) for one in result.by_class) == getattr(total, name)
    rows = before_after.table(result)
    assert len(rows["test_id"]) == total.better + total.broke + total.between
    assert set(rows["what"]) <= {"got better", "broke", "wrong before and after"}


def test_a_table_s_groups_add_up_too():
    base = open_study(find("diabetes"))
    ids, y = base.data.train.ids.tolist(), base.data.train.y.tolist()
    made = tuple(Change("relabel", ids[i], label=1 - y[i]) for i in range(0, 60, 2))
    result = before_after.run(base, open_study(replace(base.spec, changes=made)))
    column = base.data.records.columns[0]
    rows = before_after.by_group(base, result, column)
    assert sum(one.total for one in rows) == result.total.total
    assert sum(one.broke for one in rows) == result.total.broke
    with pytest.raises(DataError, match="no column"):
        before_after.by_group(base, result, "no such column")


def test_other_classes_and_no_examples_are_refused(base, version):
    with pytest.raises(DataError, match="classes are the same"):
        before_after.run(base, open_study(replace(SMALL, classes=(3, 5))))
    with pytest.raises(DataError, match="No test example is left"):
        before_after.run(base, version, base.data.test.ids.tolist())


@pytest.mark.parametrize(
    ("better", "broke", "total"), [(0.02, 0.0, 200), (0.05, 0.05, 60), (0.1, 0.02, 30), (0.01, 0.004, 800)]
)
def test_intervals_cover(better, broke, total):
    """In simulation the true change is within at least 93 of 100 intervals of 95 %."""
    drawn = np.random.default_rng(5).multinomial(total, [better, broke, 1 - better - broke], size=4_000)
    ends = np.array([paired_interval(int(one), int(other), total) for one, other, _ in drawn])
    covered = (ends[:, 0] <= better - broke) & (better - broke <= ends[:, 1])
    assert covered.mean() >= 0.93
    width = (ends[:, 1] - ends[:, 0]).mean()
    assert width < 2 * 1.96 * np.sqrt((better + broke) / total) + 6 / total  # no wider than it has to be


def test_no_change_is_no_difference():
    rows = np.array([[0.9, 0.1], [0.2, 0.8]])
    same = BeforeAfter(np.arange(2), np.array([0, 0]), rows, rows, ("a", "b"), "image")
    assert (same.total.better, same.total.broke, same.total.between) == (0, 0, 0)
    low, high = same.total.interval
    assert low < 0 < high and not same.total.is_clear


# --------------------------------------------------------------------------------------------- the forecast


def test_the_forecast_of_a_mixed_version_is_near_the_truth(base):
    """Seven changes of ninety examples are many: yet the step is nearer than no step and than each alone, added up."""
    ids, y, test = base.data.train.ids.tolist(), base.data.train.y.tolist(), base.data.test
    made = [Change("relabel", ids[i], label=(y[i] + 1) % 3) for i in (4, 8, 15)]
    made += [Change("remove", ids[i]) for i in (16, 23)]
    made += [Change("reweight", ids[42], weight=2.5), Change("add", int(test.ids[7]), label=int(test.y[7]))]
    answer = explain.run(base, questions.ask(base, int(test.ids[3])))
    found = version_forecast.run(base, answer, made)
    version = open_study(replace(SMALL, changes=tuple(made)))
    assert_array_equal(found.ids, version.data.test.ids.numpy())
    true = version.predictions.probabilities
    still = np.isin(base.data.test.ids.numpy(), found.ids)
    moved = np.linalg.norm(true - base.predictions.probabilities[still])
    assert np.linalg.norm(true - found.probabilities) < 0.7 * moved
    x, label = answer.asked(base)
    losses = [float(one.objective.losses(one.theta, x, label)) for one in (base, version)]
    true_change = losses[1] - losses[0]
    assert abs(found.asked.together - true_change) < abs(found.asked.alone - true_change)
    assert found.predictions.accuracy == pytest.approx(version.predictions.accuracy, abs=0.07)


def test_a_prepared_factor_says_the_same(base, made):
    answer = explain.run(base, questions.ask(base, int(base.data.test.ids[3])))
    context = Context(engines=Engines(1))
    corrected.undamped(base, context)
    few = made[18:]
    with_factor = version_forecast.run(base, answer, few, context=context)
    without = version_forecast.run(base, answer, few)
    assert_allclose(with_factor.probabilities, without.probabilities, atol=1e-6)
    assert_allclose(with_factor.asked.together, without.asked.together, rtol=1e-5)
    judged = (Change("retest", int(base.data.test.ids[5]), label=0),)
    nothing = version_forecast.run(base, answer, judged, context=context)
    assert (nothing.asked.together, nothing.asked.probability) == (0, 0), "with a factor, too"


def test_changes_are_told_with_labels_before_and_after(base, made):
    rows = before_after.describe(base, made)
    assert rows["change"].tolist()[-3:] == ["remove", "reweight", "add"]
    assert rows["label_after"][-3] == "" and rows["weight"].tolist()[-3:] == [0.0, 3.0, 1.0]
    assert rows["label_before"][0] != rows["label_after"][0]
    assert before_after.describe(base, ())["change"].shape == (0,)
    with pytest.raises(DataError, match="no label number"):
        before_after.describe(base, [Change("relabel", int(base.data.train.ids[0]), label=9)])
