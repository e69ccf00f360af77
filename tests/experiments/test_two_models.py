"""Two models' reasons: forecasts against dense formulas, the measures by hand, and the paper's Figure 4."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import rankdata

from influence_core import data, studies
from influence_core.__main__ import main
from influence_core.context import Context
from influence_core.data.readers.picture_sets import SheetPictures, data_set
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import explain, questions, smooth_hinge, two_models
from influence_core.experiments.reasons import Reasons
from influence_core.experiments.two_models import RBF_STUDIES, kernel_spec, run, supports, table
from influence_core.models import backbones, rbf
from influence_core.reproduce import fig4
from influence_core.store import Store
from influence_core.studies import StudySpec, find, open_study
from tests import references
from tests.toy_photos import toy_backbone, toy_pictures

TRAIN, TEST = 40, 20
TOY = StudySpec("toy-photos", "Toy photos, deep features", "toy-photos", "logistic", 0.01, backbone="toy")


def toy_data(folder=None, progress=None):
    pictures, labels = toy_pictures(TRAIN + TEST)
    is_train = np.arange(TRAIN + TEST) < TRAIN
    return data_set(
        "toy-photos", "Toy photos", SheetPictures(pictures), labels, is_train, ("blue", "red"), "A toy."
    )


@pytest.fixture(scope="module", autouse=True)
def known():
    """The toy photos in the catalogues, seen by the toy backbone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.CATALOGUE, "toy-photos", data.DataRow("toy-photos", toy_data, "A toy."))
        patch.setitem(studies.CATALOGUE, "toy-photos", TOY)
        patch.setattr(backbones, "build", lambda name, folder=None: toy_backbone())
        yield


@pytest.fixture(scope="module")
def both(known):
    return open_study(TOY), open_study(kernel_spec(TOY))


def asked(both, test_id, label=None, **options):
    deep, kernel = both
    return run(deep, kernel, explain.run(deep, questions.ask(deep, test_id, label)), **options)


def test_a_photo_of_ones_own_is_asked_like_the_test_picture_that_it_is(both, result):
    """Shown again as an upload, a test picture gets the same reasons of both models."""
    deep, kernel = both
    test_id = result.kernel.test_id
    photo = deep.data.pictures.read(test_id, rbf.SIDE)
    mine = run(deep, kernel, explain.run(deep, questions.ask_about_photo(deep, photo, result.deep.label)))
    assert_allclose(mine.kernel.scores, result.kernel.scores, rtol=1e-7)
    assert_allclose(mine.kernel.certainty, result.kernel.certainty)
    assert_allclose(mine.kernel.distance, result.kernel.distance)
    assert mine.kernel.test_id is None and mine.true_label is None


@pytest.fixture(scope="module")
def result(both):
    return asked(both, two_models.default_test(*both))


# ------------------------------------------------------------------------------------------- the two models


def test_the_kernel_machine_is_one_on_the_same_pictures(both):
    deep, kernel = both
    assert kernel.spec == replace(
        TOY,
        name="toy-photos-rbf",
        title="Toy photos, kernel on pixels",
        model="svm",
        l2=0.001,
        backbone="rbf",
    )
    assert_array_equal(kernel.data.train.ids, deep.data.train.ids)
    assert kernel.data.train.x.shape == (TRAIN, TRAIN) and kernel.data.test.x.shape == (TEST, TRAIN)
    assert kernel.gradient_norm < 1e-10 and kernel.backbone is None
    assert studies.sizes(kernel.spec) == (TRAIN, TRAIN)
    assert (deep.objective.n, deep.objective.dim) == (TRAIN, 6)


def test_every_built_in_photo_study_has_its_kernel_machine():
    assert {"dog-or-frog-rbf", "springer-or-tench-rbf"} <= set(RBF_STUDIES)
    assert {spec.l2 for spec in RBF_STUDIES.values()} == {0.001}
    assert supports(TOY) is None
    assert "need a study on photos" in supports(kernel_spec(TOY)) == supports(find("digits"))


def test_a_kernel_without_pictures_is_refused():
    with pytest.raises(UnsupportedError, match="needs photographs"):
        open_study(replace(find("one-or-seven"), model="svm", backbone="rbf"))


def test_the_kernels_forecasts_are_the_dense_formula_at_the_hinges_optimum(both, result):
    _, kernel = both
    train, test = kernel.data.train, kernel.data.test
    at = test.position(result.kernel.test_id)
    dense = references.removal_scores(
        train.x.numpy(),
        train.y.numpy(),
        kernel.theta.numpy(),
        0.001,
        "smooth_hinge",
        test.x[at].numpy(),
        int(test.y[at]),
        0.001,
    )
    assert np.abs(dense).max() > 1e-4
    assert_allclose(result.kernel.scores, dense, rtol=1e-7, atol=1e-12 * np.abs(dense).max())
    assert result.residual < 1e-9 and result.kernel.unit == "hinge units"
    margin = (test.x[at] @ kernel.theta).item() * (2 * int(test.y[at]) - 1)
    assert_allclose(result.kernel.certainty, margin, rtol=1e-12)


def test_deep_features_keep_their_explanation_and_both_the_distance_of_pixels(both, result):
    deep, _ = both
    answer = explain.run(deep, questions.ask(deep, result.deep.test_id))
    assert_array_equal(result.deep.scores, answer.scores)
    assert (result.deep.certainty, result.deep.unit) == (answer.probability, "nats")
    read = deep.data.pictures.read
    one = read(result.deep.test_id, rbf.SIDE) / 127.5
    expected = [
        np.linalg.norm(read(int(i), rbf.SIDE) / 127.5 - one) * 299 / rbf.SIDE for i in deep.data.train.ids
    ]
    assert_allclose(result.deep.distance, expected, rtol=1e-9)
    assert_array_equal(result.kernel.distance, result.deep.distance)


def test_asked_about_the_other_label_the_margin_turns(both, result):
    other = asked(both, result.deep.test_id, 1 - result.deep.label)
    assert_allclose(other.kernel.certainty, -result.kernel.certainty, rtol=1e-12)
    assert (other.kernel.label, other.true_label) == (1 - result.deep.label, result.true_label)
    assert other.kernel.answer == result.kernel.answer
    strong = np.argsort(-np.abs(result.kernel.scores))[:10]
    assert_array_equal(np.sign(other.kernel.scores[strong]), -np.sign(result.kernel.scores[strong]))


def test_accuracies(both, result):
    for study, share in zip(both, result.accuracies, strict=True):
        test = study.data.test
        assert share == np.mean(((test.x @ study.theta) > 0).numpy() == test.y.numpy())


def test_beyond_the_margin_the_loss_is_flat(both, result):
    deep, kernel = both
    certain = replace(kernel, theta=kernel.theta * 1.1 / result.kernel.certainty)
    flat = asked((deep, certain), result.kernel.test_id)
    assert_allclose(flat.kernel.certainty, 1.1, rtol=1e-9)
    assert flat.kernel.flat and not flat.deep.flat and not result.kernel.flat
    assert np.abs(flat.kernel.scores).max() < 1e-12 < np.abs(result.kernel.scores).max()


def test_a_test_picture_such_as_the_papers(both):
    deep, kernel = both[0], replace(both[1], theta=3 * both[1].theta)
    wide = replace_near(0.3, lambda: two_models.like_the_papers(deep, kernel))
    p = deep.probabilities(deep.data.test.x)[:, 1]
    m = (kernel.data.test.x @ kernel.theta).numpy()
    y, ids = deep.data.test.y.numpy(), deep.data.test.ids.numpy()
    fit = [i for i in range(TEST) if y[i] == 1 and p[i] > 0.5 and 0.3 <= m[i] < 1]
    fit.sort(key=lambda i: abs(np.log(p[i] / (1 - p[i])) - np.log(0.9966 / 0.0034)))
    assert len(fit) > 1 and (m[y == 1] > 1).any() and wide.tolist() == [ids[i] for i in fit]
    assert replace_near(0.3, lambda: two_models.default_test(deep, kernel)) == ids[fit[0]]
    none = replace_near(1.0, lambda: two_models.default_test(deep, kernel))
    assert none == smooth_hinge.default_test(kernel)


def replace_near(value, call):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_models, "NEAR_KINK", value)
        return call()


def test_what_cannot_be_compared_is_said(both):
    deep, kernel = both
    answer = explain.run(deep, questions.ask(deep, TRAIN))
    with pytest.raises(UnsupportedError, match="support vector machine on the pixels of the same pictures"):
        run(deep, deep, answer)
    with pytest.raises(DataError, match="takes a picture: choose a test image or upload one"):
        run(deep, kernel, replace(answer, test_id=None, true_label=None))


def test_a_second_run_reads_the_first(both, tmp_path, monkeypatch):
    context = Context(Store(tmp_path))
    first = asked(both, TRAIN + 1, context=context)
    monkeypatch.setattr(smooth_hinge, "forecast", None)
    again = asked(both, TRAIN + 1, context=context)
    assert_array_equal(again.kernel.scores, first.kernel.scores)
    assert (again.residual, again.seconds) == (first.residual, first.seconds)
    with pytest.raises(TypeError):
        asked(both, TRAIN + 2, context=context)


# ------------------------------------------------------------------------------------------- the measures


def reasons(scores, distance=None, labels=None) -> Reasons:
    n = len(scores)
    return Reasons(
        model="Toy",
        class_names=("blue", "red"),
        kind="image",
        test_id=7,
        label=1,
        answer=1,
        certainty=0.5,
        unit="nats",
        ids=np.arange(100, 100 + n),
        labels=np.ones(n, int) if labels is None else np.array(labels),
        distance=np.arange(n) + 1.0 if distance is None else distance,
        scores=np.array(scores, float),
    )


def test_strength_that_falls_with_the_distance_has_rank_correlation_minus_one():
    assert_allclose(reasons([9, -8, 7, -6, 5]).rank_correlation, -1)
    assert_allclose(reasons([1, -2, 3, -4, 5]).rank_correlation, 1)
    generator = np.random.default_rng(0)
    scores, distance = generator.normal(size=50), generator.random(50)
    expected = np.corrcoef(rankdata(np.abs(scores)), rankdata(distance))[0, 1]
    assert_allclose(reasons(scores, distance).rank_correlation, expected, rtol=1e-12)


def test_agreement_is_that_of_the_nearest_twentieth_alone():
    scores, labels = np.ones(80), np.ones(80, int)
    assert reasons(scores, labels=labels).near_agreement == 1
    labels[[0, 1]] = 0
    assert reasons(scores, labels=labels).near_agreement == 0.5, (
        "of the four nearest, two help and should harm"
    )
    scores[0] = -1
    assert reasons(scores, labels=labels).near_agreement == 0.75
    scores[4:] = -1
    assert reasons(scores, labels=labels).near_agreement == 0.75
    scores[3] = 0
    assert reasons(scores, labels=labels).near_agreement == 0.5, "no effect agrees with no label"


def test_the_first_of_the_other_class_among_the_helpful():
    assert reasons([5, 4, 3, 2, -9], labels=[1, 1, 0, 1, 0]).first_other == 3
    assert reasons([5, 4, 3, 2, -9], labels=[1, 1, 1, 1, 0]).first_other == 0
    assert reasons([-5, -4], labels=[0, 0]).first_other == 0


def test_for_and_against():
    one = reasons([0.0, 3, -2, 1, -7])
    assert_array_equal(one.helpful(9), [1, 3])
    assert_array_equal(one.helpful(1), [1])
    assert_array_equal(one.harmful(9), [4, 2])


def test_shared_helpful_pictures(result):
    ranks = [set(np.argsort(-one.scores)[:20]) for one in (result.deep, result.kernel)]
    helpful = [
        {at for at in rank if one.scores[at] > 0}
        for rank, one in zip(ranks, (result.deep, result.kernel), strict=True)
    ]
    assert result.shared == len(helpful[0] & helpful[1]) > 0


def test_the_table_has_every_training_picture_the_nearest_first(result):
    columns = table(result)
    assert list(columns) == [
        "training_id",
        "label",
        "pixel_distance",
        "deep_predicted_loss_change_nats",
        "kernel_predicted_loss_change_hinge_units",
    ]
    assert sorted(columns["training_id"]) == list(range(TRAIN))
    assert (np.diff(columns["pixel_distance"]) >= 0).all()
    by_id = dict(
        zip(columns["training_id"], columns["kernel_predicted_loss_change_hinge_units"], strict=True)
    )
    assert [by_id[one] for one in result.kernel.ids] == result.kernel.scores.tolist()


# ------------------------------------------------------------------------------------------- Figure 4


def reproduced(capsys, *arguments, code=0):
    assert main(["reproduce", "fig4", "--check", "--json", *arguments]) == code
    found = json.loads(capsys.readouterr().out)
    return found, {figure["name"]: figure["value"] for figure in found["figures"]}


@pytest.fixture
def toy_stands_in(monkeypatch):
    monkeypatch.setitem(studies.CATALOGUE, "dog-or-frog", TOY)
    monkeypatch.setitem(RBF_STUDIES, "dog-or-frog-rbf", kernel_spec(TOY))


def test_figure_4_runs_and_proves_the_kernel(capsys, toy_stands_in, tmp_path):
    found, values = reproduced(capsys, "--no-store", "--out", str(tmp_path), code=1)
    assert (found["study"], found["kernel"], found["n"], found["p"]) == (
        "toy-photos",
        "toy-photos-rbf",
        TRAIN,
        6,
    )
    for which in ("train", "test"):
        assert values[f"largest error of the kernel, {which} by train"] < 1e-12
    assert "kernel: sign is label's among the 5 % nearest" not in found["short"], (
        "asked of the paper's classes only"
    )
    assert {one.name for one in tmp_path.iterdir()} == {"fig4.html", "fig4.json"}


@pytest.mark.slow
def test_figure_4_finds_a_kernel_that_is_not_the_pixels(both, monkeypatch):
    _, kernel = both
    assert all(check.passed for check in fig4._identities(kernel))
    monkeypatch.setattr(rbf, "GAMMA", 1.001 * rbf.GAMMA)
    assert not any(check.passed for check in fig4._identities(kernel))


def test_fewest_of_a_class_on_either_side():
    assert fig4.fewest_of_a_class(reasons([4, 3, 2, -1, -2], labels=[1, 0, 1, 0, 1])) == 1
    assert fig4.fewest_of_a_class(reasons([4, 3, 2, -1, -2], labels=[1, 1, 1, 0, 1])) == 0
    assert fig4.fewest_of_a_class(reasons([4, 3, 2, -1, -2], labels=[1, 0, 1, 0, 0])) == 0


@pytest.fixture
def real_backbone(monkeypatch):
    monkeypatch.setattr(backbones, "build", REAL_BUILD)


REAL_BUILD = backbones.build


@pytest.mark.slow
def test_figure_4_on_the_packaged_photos_as_far_as_it_can(capsys, real_backbone):
    found, values = reproduced(capsys)
    assert found["short"] == [] and "stand-in" in found["stand_in"]
    assert (found["study"], found["n"], found["p"]) == ("dog-or-frog", 1_800, 1_280)
    assert (
        values["test accuracy of deep features"] > 0.97 > 0.8 > values["test accuracy of the kernel machine"]
    )


@pytest.mark.slow
@pytest.mark.shared_data
def test_figure_4_holds_on_springers_and_tench(capsys, real_backbone, shared_data):
    """The paper's classes and sizes; the strength of both models' reasons is the paper's too."""
    found, values = reproduced(capsys, "--data", str(shared_data / "imagenette2-320"))
    assert found["short"] == [] and found["study"] == "springer-or-tench"
    assert (values["training images n"], values["test images"], found["label"]) == (1_800, 600, "tench")
    assert values["test accuracy of deep features"] >= 0.98
    assert values["kernel: rank correlation of |D| and pixel distance"] < -0.2
    assert abs(values["deep features: rank correlation of |D| and pixel distance"]) < 0.15
    assert values["kernel: sign is label's among the 5 % nearest"] >= 0.9
    assert values["over them: median agreement of the nearest, kernel"] >= 0.9
    for which in ("train", "test"):
        assert values[f"largest error of the kernel, {which} by train"] < 1e-8
    assert_allclose(values["deep features: largest D, nats"], 4e-4, rtol=0.5)
    assert_allclose(values["kernel: largest D, hinge units"], 0.0224, rtol=0.5)
