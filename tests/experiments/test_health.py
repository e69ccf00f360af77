"""What is wrong with data: each kind of trouble is planted, and found where it is and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from influence_core.data import DataSet, Examples, load
from influence_core.data.brought import recipes
from influence_core.errors import UnsupportedError
from influence_core.experiments import all_left_out, explain, health, questions
from influence_core.experiments.health import contradicted, duplicates, regions, twins, unused
from influence_core.experiments.health.contradicted import MAX_SURE, MIN_SURE
from influence_core.experiments.health.signatures import of_pictures
from influence_core.experiments.health.twins import Twins
from influence_core.experiments.health.unused import MOVES, Unused
from influence_core.objective import LinearObjective
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import retrain
from influence_core.studies import find
from influence_core.studies.changes import parse
from influence_core.training import minimise
from tests.benchmarks.duplicates import measure
from tests.problems import linear, linear_study, loss_of, ready


def data_of(x, y, n, kind="row", names=("a", "b")):
    """The first ``n`` rows to train on; ids count from 100."""
    x, y = torch.as_tensor(x, dtype=torch.float64), torch.as_tensor(y)
    parts = [Examples(x[at], y[at], 100 + torch.arange(len(x))[at]) for at in (slice(n), slice(n, None))]
    return DataSet("made", "Made", *parts, names, None, kind=kind)


def study_of(x, y, n, l2=0.05):
    """A logistic regression on made-up rows, trained."""
    data = data_of(x, y, n)
    objective = LinearObjective.build(data.train.x, data.train.y, loss_of("logistic"), l2)
    theta = minimise(objective).theta
    return replace(linear_study(linear("logistic")), data=data, objective=objective, theta=theta)


# ------------------------------------------------------------------------------------------------ copies


def test_planted_copies_of_photos_are_found_and_nothing_else():
    figures = list(measure("photos", load("photos").first(400, 200), 30, seed=1))
    assert [one.name for one in figures if one.short] == []
    assert figures[-1].value == 0, "a false alarm"


def test_digits_of_one_kind_are_alike_and_yet_no_copies():
    ones = load("digits").keep_classes((1, 7)).first(500, 100)
    assert duplicates.of_data(ones).groups == ()


def test_a_picture_of_one_tone_is_near_nothing():
    pictures = np.random.default_rng(0).integers(0, 255, (8, 6, 6)).astype(np.uint8)
    pictures[3] = 9
    signatures = of_pictures(pictures)
    assert not signatures.upright[3].any()
    assert_allclose(np.delete(signatures.upright.norm(dim=1).numpy(), 3), 1, rtol=1e-5)


def test_equal_rows_are_found_across_train_and_test_and_under_two_labels():
    x = np.arange(24.0).reshape(8, 3)
    x[3], x[6], x[7] = x[0], x[1], x[1]
    found = duplicates.of_data(data_of(x, [0, 1, 0, 1, 0, 1, 1, 1], 6))
    leak, conflict = found.groups
    assert (leak.train_ids, leak.test_ids, leak.how) == ((101,), (106, 107), "equal")
    assert (conflict.train_ids, conflict.train_labels) == ((100, 103), (0, 1))
    assert (found.leaks, found.conflicts, found.repeated) == ((leak,), (conflict,), (conflict,))


def test_texts_with_nine_words_of_ten_in_common_are_copies():
    counts = np.zeros((5, 40))
    counts[0, :20] = counts[1, :20] = counts[2, 20:] = 1
    counts[1, 20] = 1  # one word more
    counts[3, 10:30] = 1  # half in common
    found = duplicates.of_data(data_of(counts, [0, 1, 1, 0, 1], 4, "text"))
    (copies,) = found.groups
    assert (copies.train_ids, copies.how) == ((100, 101), "nearly equal")


def test_texts_without_known_words_are_no_copies():
    counts = np.zeros((4, 6))
    counts[:2] = 1
    assert [one.train_ids for one in duplicates.of_data(data_of(counts, [0, 1, 0, 1], 3, "text")).groups] == [
        (100, 101)
    ]


# ------------------------------------------------------------------------------------------------ regions


@pytest.fixture(scope="module")
def clouds():
    """Two clouds; one training example far out, and a fifth of the tests of class b where nothing was learnt."""
    rng, n, t = np.random.default_rng(0), 200, 100
    y = np.arange(n + t) % 2
    x = rng.normal(size=(n + t, 3)) + 4 * y[:, None]
    x[10] += 30
    x[n + 1 : n + t : 10] -= 25
    return study_of(x, y, n)


def test_an_outlier_and_a_thin_region_are_found(clouds):
    found = regions.run(clouds)
    assert found.outlier_ids[0] == 110
    assert found.times[0] > 3
    assert [one.label for one in found.thin] == [1]
    (thin,) = found.thin
    assert set(range(301, 400, 10)) <= set(thin.far_ids.tolist())
    assert (thin.train, thin.test) == (100, 50)
    assert not found.small


def test_clouds_without_trouble_have_none():
    rng = np.random.default_rng(1)
    y = np.arange(300) % 2
    found = regions.run(study_of(rng.normal(size=(300, 3)) + 2 * y[:, None], y, 200))
    assert found.thin == ()
    assert len(found.outlier_ids) <= 4, "a fence that one in fifty lies beyond is none"


def test_a_small_class_is_named(clouds):
    y = clouds.data.train.y.clone()
    y[y == 1] = torch.where(torch.arange(100) < 3, 1, 0)
    few = replace(clouds, data=replace(clouds.data, train=replace(clouds.data.train, y=y)))
    found = health.of_regions(few, regions.run(few))
    assert found[0].count == 1
    assert "b (3)" in found[0].sentence


# ------------------------------------------------------------------------------------------------ twins


@pytest.fixture(scope="module")
def doubled():
    """A problem whose strongest example is there twice, and the answer to a test example."""
    toy = linear_study(linear("logistic", n=40, d=3))
    answer = explain.run(toy, questions.ask(toy, 901))
    best, train = int(np.abs(answer.scores).argmax()), toy.data.train
    x = torch.cat([train.x, 4 * train.x[best][None].expand(2, -1)])
    y = torch.cat([train.y, train.y[best][None].expand(2)])
    study = study_of(torch.cat([x, toy.data.test.x]), torch.cat([y, toy.data.test.y]), 42, l2=1e-3)
    return study, explain.run(study, questions.ask(study, 142))


def test_the_twins_that_hide_each_other_are_found_and_no_others(doubled):
    study, answer = doubled
    found = twins.run(study, answer, context=ready(study))
    (at,) = np.flatnonzero(found.masked)
    assert set(found.pairs[at].tolist()) == {140, 141}
    x, odds = study.data.test.x[:1], []
    for ids in ((), (140,), (140, 141)):
        positions = [study.data.train.position(one) for one in ids]
        edits = [Edit.removal(positions)] if ids else []
        theta = retrain(study.objective, study.theta, edits).theta[0] if ids else study.theta
        odds.append(float(study.objective.outputs(theta, x)[0, 0]) * (2 * answer.label - 1))
    assert (odds[2] - odds[0]) / (odds[1] - odds[0]) > 4, "the truth, after training again"


def test_pairs_that_add_up_hide_nothing():
    toy = linear_study(linear("softmax", n=60))
    found = twins.run(toy, explain.run(toy, questions.ask(toy, 900)), context=ready(toy))
    assert not found.masked.any()
    assert_allclose(found.together, found.each.sum(1), rtol=0.5)
    assert (np.sign(found.each[:, 0]) == np.sign(found.each[:, 1])).all()


def test_twins_are_told_with_their_odds():
    toy = linear_study(linear("logistic"))
    found = Twins(np.array([[501, 502]]), np.array([-np.log(2)]), np.array([[-0.1, -0.1]]), 0.5)
    told = health.of_twins(toy, found, "the answer to test row 900")
    assert (told.count, told.title) == (1, "Pairs of training rows that stand in for each other")
    assert "with one gone the other still teaches the same" in told.sentence
    assert "501 the odds of the label asked about change by −9.52 %" in told.sentence
    assert told.sentence.endswith("without both by −50.0 %.")


class InFiles:
    """Records of examples that lie in files, in a folder a label."""

    digest = "files"

    def read(self, id):
        return {"file": f"cats/{id}.png"}


@pytest.mark.parametrize(("name", "called"), [(recipes.PREFIX + "0", "501.png"), ("shipped", "501")])
def test_twins_are_told_by_their_files_where_somebody_brought_them(name, called):
    toy = linear_study(linear("logistic"))
    there = replace(toy, data=replace(toy.data, records=InFiles()), spec=replace(toy.spec, name=name))
    found = Twins(np.array([[501, 502]]), np.array([-np.log(2)]), np.array([[-0.1, -0.1]]), 0.5)
    assert f"Without {called} the odds" in health.of_twins(there, found, "an answer").sentence


# ------------------------------------------------------------------------------------------------ contradicted labels

WRONG_TRAIN, WRONG_TEST = (103, 120, 141), (165, 190)


def two_clouds(wrong):
    """Two clouds far apart, 60 rows to learn from and 40 to test on, some of which bear the other's label."""
    rng = np.random.default_rng(3)
    y = np.arange(100) % 2
    x = np.column_stack([rng.normal(size=(100, 3)) + 6 * y[:, None] - 3, np.ones(100)])
    y[[one - 100 for one in wrong]] ^= 1
    return study_of(x, y, 60, l2=0.02)


def left_out_one_by_one(study):
    """``(n, 2)`` what each training row's own left-out model says of it, by training each of them."""
    edits = [Edit.removal([at]) for at in range(study.objective.n)]
    models = retrain(study.objective, study.theta, edits).theta
    x = study.data.train.x
    return np.stack([study.objective.probabilities(one, x[[at]])[0].numpy() for at, one in enumerate(models)])


@pytest.mark.parametrize("proven", [True, False])
def test_planted_wrong_labels_are_contradicted_and_no_others(proven):
    study = two_clouds((*WRONG_TRAIN, *WRONG_TEST))
    found = contradicted.of_training(study, proven, context=ready(study))
    assert set(found.ids.tolist()) == set(WRONG_TRAIN)
    assert set(contradicted.of_tests(study).ids.tolist()) == set(WRONG_TEST)
    truth = left_out_one_by_one(study)[[study.data.train.position(one) for one in found.ids.tolist()]]
    assert_allclose(found.probabilities, truth.max(1), rtol=1e-6 if proven else 0.02)
    assert found.said.tolist() == truth.argmax(1).tolist()
    assert (np.diff(found.probabilities) <= 0).all(), "the surest first"
    told = health.of_contradicted(study, found)
    assert (told.name, told.count, told.leave_out) == ("contradicted", 3, ())
    how = "trained again without each of them" if proven else "(corrected forecast)"
    assert (
        how in told.sentence
        and "the labels of 3 of the 60 training rows with at least 90.0 %" in told.sentence
    )
    assert "a suspicion, not an error: the model may be wrong" in told.sentence


def test_what_was_judged_is_not_shown_again():
    study = two_clouds((*WRONG_TRAIN, *WRONG_TEST))
    told = health.of_contradicted(study, contradicted.of_training(study, False, context=ready(study)))
    left = health.unjudged(study, told, {WRONG_TRAIN[0], 165}, ())
    assert (left.count, left.judged) == (2, 1)
    assert {one.train_ids[0] for one in left.cases} == set(WRONG_TRAIN[1:])
    assert left.sentence == f"{told.sentence} On 1 of them there is a verdict; it is not shown."
    assert health.unjudged(study, told, {165}, ()) is told
    other = replace(told, name="outliers")
    assert health.unjudged(study, other, set(WRONG_TRAIN), ()) is other, "it is no question of labels"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("", (2, 1, 2)),
        ("k100,k101", (2, 1, 2)),
        ("r101", (1, 1, 1)),
        ("l101=0", (1, 1, 2)),
        ("l101=1", (2, 1, 2)),
        ("r102", (1, 1, 1)),
        ("r102,r103", (1, 0, 1)),
        ("t104=0", (2, 1, 2)),
        ("l103=0,t104=0", (1, 1, 2)),
        ("r101,r102,r103", (0, 0, 0)),
    ],
)
def test_copies_that_changes_mend_are_judged(said, left):
    x = np.array([[0, 1], [0, 1], [1, 0], [1, 0], [1, 0], [2, 2], [3, 5]])
    study = study_of(x, np.array([0, 1, 0, 1, 1, 0, 1]), 4)
    found, changes = health.of_duplicates(study, duplicates.run(study)), parse(said)
    conflicts, leaks, repeated = (
        health.unjudged(study, one, {change.example for change in changes}, changes) for one in found
    )
    assert tuple(one.count for one in found) == (2, 1, 2)
    assert (conflicts.count, leaks.count, repeated.count) == left
    assert tuple(one.judged for one in (conflicts, leaks, repeated)) == tuple(np.subtract((2, 1, 2), left))
    assert (conflicts.leave_out == found[0].leave_out) == (conflicts.judged == 0)
    words = "Your changes mend 1 of them; it is not shown."
    assert leaks.sentence.endswith(words) == (leaks.judged == 1)


def test_labels_that_fit_are_not_contradicted():
    study = two_clouds(())
    for found in (contradicted.of_training(study, True, context=ready(study)), contradicted.of_tests(study)):
        told = health.of_contradicted(study, found)
        assert (told.count, told.cases) == (0, ())
        assert "contradicts the labels of none of the" in told.sentence and "suspicion" not in told.sentence


def judged(contradictions, agreed=()):
    """Probabilities of label 1, given to examples that bear label 0, and to some that bear it."""
    says = np.array([*contradictions, *agreed])
    labels = np.array([0] * len(contradictions) + [1] * len(agreed))
    return contradicted.contradicted(np.arange(len(says)), labels, np.column_stack([1 - says, says]))


def test_the_threshold_of_a_label_follows_the_model_where_it_is_less_sure_of_it():
    assert judged([0.95, 0.89], [0.97, 0.99, 0.6]).ids.tolist() == [0]
    assert judged([0.95, 0.89], [0.97, 0.99, 0.6]).least.tolist() == [MAX_SURE, MAX_SURE]
    assert judged([0.89, 0.87], [0.86, 0.88, 0.95]).ids.tolist() == [0]
    assert_allclose(judged([0.89, 0.87], [0.86, 0.88, 0.95]).least, [MAX_SURE, 0.88])
    assert judged([0.74, 0.76], [0.6, 0.55]).least.tolist() == [MAX_SURE, MIN_SURE]
    assert judged([0.74, 0.76], [0.6, 0.55]).ids.tolist() == [1]
    words = health.of_contradicted(two_clouds(()), judged([0.74, 0.76], [0.6, 0.55])).sentence
    assert "of 1 of the 4 test rows with at least 75.0 % to 90.0 %, by the label that it gives." in words


def test_who_is_less_sure_is_counted_apart():
    found = judged([0.8, 0.9, 0.05, 0.97])
    assert (found.ids.tolist(), found.less_sure, found.looked) == ([3, 1], 1, 4)
    told = health.of_contradicted(two_clouds(()), found)
    assert told.cases[0] == health.Case((), (3,), "model: b, 97.0 %")
    assert told.sentence.endswith("It contradicts 1 more, but is less sure.")


# ------------------------------------------------------------------------------------------------ unused


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_the_largest_change_is_that_of_real_retraining(kind):
    toy = linear_study(linear(kind, n=30))
    context = ready(toy)
    found, table = unused.run(toy, True, context=context), all_left_out.run(toy, context=context)
    asked = [
        questions.ask(toy, one) for one in toy.data.test.ids.tolist()
    ]  # each about the model's own answer
    changes = [all_left_out.effects(toy, table, one).probability for one in asked]
    largest = np.abs(np.stack(changes)).max(0)
    assert_allclose(found.largest, np.sort(largest), rtol=1e-5)
    assert found.ids.tolist() == (500 + largest.argsort()).tolist()


def test_without_the_models_it_is_the_influence():
    toy = linear_study(linear("logistic", n=30))
    found = unused.run(toy, False, context=ready(toy))
    test, engine = toy.data.test, ready(toy).engines
    said = torch.as_tensor(toy.predictions.predicted)
    scores = engine.prepare(toy, explain.AUTOMATIC).engine.score(test.x, said).values.numpy()
    changes = np.abs(toy.predictions.confidence[:, None] * np.expm1(-scores)).max(0)
    assert_allclose(found.largest, np.sort(changes), rtol=1e-10)
    assert found.number == "influence"


def test_what_no_answer_needs_is_left_out_together():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.normal(size=(60, 2)) + 2 * (2 * y[:, None] - 1)
    x[[4, 5]] = 1e-4  # a row of nearly zeros pulls at no parameter
    study = study_of(x, y, 40)
    found = unused.run(study, True, context=ready(study))
    assert set(found.unused.tolist()) == {104, 105}
    assert found.changed == 0
    assert found.accuracy == study.predictions.accuracy
    told = health.of_unused(study, found)
    assert set(told.leave_out) == {104, 105}
    assert "no answer changes" in told.sentence


def test_where_every_example_matters_that_is_said():
    toy = linear_study(linear("logistic"))
    told = health.of_unused(toy, Unused(np.array([500]), np.array([2 * MOVES]), "proven", 4, None, None))
    assert told.count == 0
    assert "depends on every training row" in told.sentence


def test_networks_are_refused():
    with pytest.raises(UnsupportedError, match="linear model"):
        unused.run(replace(linear_study(linear()), spec=find("digits-network")), True)


# ------------------------------------------------------------------------------------------------ findings


def test_leaks_are_told_with_the_accuracy_to_believe():
    x = np.array([[2.0, 1], [-2, 1], [3, 0], [-3, 1], [2, 1], [-1, 0]])
    study = study_of(x, [1, 0, 1, 0, 1, 1], 4)
    conflicts, leaks, repeated = health.of_duplicates(study, duplicates.run(study))
    assert (conflicts.count, repeated.count) == (0, 0)
    assert "1 of 2 test rows (50.0 %) is a copy" in leaks.sentence
    assert "right on 100.0 % of them and on 0.0 % of the others" in leaks.sentence
    assert health.in_order((conflicts, repeated, leaks))[0] is leaks
    assert health.without(study.spec, leaks.leave_out).address == "toy@r100"
