"""Poisoned training pictures, against finite differences and cold scikit-learn fits on a tiny backbone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.testing import assert_close

from influence_core import studies
from influence_core.context import Context
from influence_core.errors import Cancelled, DataError, UnsupportedError
from influence_core.experiments import poison, poison_many
from influence_core.experiments.poison import BOX, GRADIENT_NORM, Attack
from influence_core.experiments.poison.pictures import Model, TracedPicture
from influence_core.experiments.poison_many import Attempt, Outcome, Shares
from influence_core.experiments.questions import ask
from influence_core.figures import poison as drawn
from influence_core.losses import SoftmaxLoss
from influence_core.objective import LinearObjective
from influence_core.reproduce import fig5
from influence_core.store import Store
from influence_core.training import minimise
from tests import references
from tests.benchmarks.poison import as_json
from tests.toy_photos import toy_photo_study

TEST = 41


@pytest.fixture(scope="module")
def study():
    return toy_photo_study()


@pytest.fixture(scope="module")
def question(study):
    return ask(study, TEST)


@pytest.fixture(scope="module")
def known(study, question):
    return poison.shortlist(study, [question], k=40)


@pytest.fixture(scope="module")
def result(study, question, known):
    return poison.run(study, [question], known.ids[:2].tolist(), Attack(box=2.0, steps=4, stop=False))


def features(study, picture) -> np.ndarray:
    with torch.no_grad():
        pixels = torch.as_tensor(np.asarray(picture, float)).permute(2, 0, 1)[None]
        return study.backbone.features(pixels)[0].numpy()


def refit(study, at, pictures) -> np.ndarray:
    """The head trained cold by scikit-learn with other pictures at ``at``."""
    x = study.data.train.x.numpy().copy()
    for i, picture in zip(at, pictures, strict=True):
        x[i] = features(study, picture)
    y = study.data.train.y.numpy()
    return references.cold_fit(x, y, references.uniform(len(y)), study.spec.l2, "logistic", None, 1e-11)


def probability(theta, question) -> float:
    margin = (2 * question.label - 1) * float(question.x.numpy() @ theta)
    return 1 / (1 + np.exp(-margin))


# ------------------------------------------------------------------------------------------- the gradients


def product(study, picture, at, s) -> float:
    """``s . grad_theta l`` of a picture in the place of training example ``at``, by the references."""
    x, y = features(study, picture)[None], study.data.train.y[at : at + 1].numpy()
    return float(references.gradients(study.theta.numpy(), x, y, "logistic")[0] @ s)


def inverse_gradient(study, question, x=None, theta=None) -> np.ndarray:
    train = study.data.train
    return references.inverse_hessian_gradient(
        train.x.numpy() if x is None else x,
        train.y.numpy(),
        study.theta.numpy() if theta is None else theta,
        study.spec.l2,
        "logistic",
        question.x.numpy(),
        question.label,
    )


def test_the_pixel_gradient_is_the_finite_difference_through_the_whole_backbone(study, question):
    at, s = 3, inverse_gradient(study, question)
    picture = study.data.pictures.read(int(study.data.train.ids[at]), 8).astype(float)
    slope = np.zeros_like(picture)
    for pixel in np.ndindex(picture.shape):
        step = np.zeros_like(picture)
        step[pixel] = 1e-3
        rise = product(study, picture + step, at, s) - product(study, picture - step, at, s)
        slope[pixel] = -rise / 2e-3
    found = TracedPicture(study, at, picture).influence(Model.of(study), torch.as_tensor(s))
    assert_allclose(found[0].permute(1, 2, 0).numpy(), slope, rtol=1e-5, atol=1e-9 * np.abs(slope).max())


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_feature_norms_are_those_of_the_objectives_own_input_gradient(study, kind):
    o, theta = study.objective, study.theta
    if kind == "softmax":
        o = LinearObjective.build(o.x, o.y, SoftmaxLoss(2), 0.01)
        theta = minimise(o, None, 1e-10).theta
    s = torch.randn(o.dim, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = poison.feature_norms(o, theta, s)
    slow = [[o.input_gradient(theta, x, y, v).norm() for v in s.T] for x, y in zip(o.x, o.y, strict=True)]
    assert_close(found, torch.tensor(slow))


def test_the_shortlist_ranks_by_the_pixel_norm(study, question, known):
    s = inverse_gradient(study, question)
    norms = []
    for train_id in known.ids:
        at = study.data.train.position(int(train_id))
        pixels = torch.as_tensor(study.data.pictures.read(int(train_id), 8)).double().permute(2, 0, 1)[None]
        pixels.requires_grad_()
        f = study.backbone.features(pixels)[0]
        margin = (2 * study.data.train.y[at] - 1) * (f @ study.theta)
        value = -torch.sigmoid(-margin) * (2 * study.data.train.y[at] - 1) * (f @ torch.as_tensor(s))
        norms.append(float(torch.autograd.grad(value, pixels)[0].abs().sum()))
    assert_allclose(known.pixel_norms, norms, rtol=1e-6)
    assert (np.diff(known.pixel_norms) <= 0).all()
    assert len(known.ids) == 40


def test_a_shortlist_takes_those_of_largest_feature_norm(study, question, known):
    few = poison.shortlist(study, [question], k=5)
    assert set(few.ids) == set(known.ids[np.argsort(-known.feature_norms)][:5])


def test_guard_is_the_mean_over_the_test_images(study):
    questions = [ask(study, test_id) for test_id in (41, 44, 47)]
    found = poison.guard(study, questions)
    each = []
    for one in questions:
        s = torch.as_tensor(inverse_gradient(study, one))
        each.append(poison.feature_norms(study.objective, study.theta, s[:, None])[:, 0].numpy())
    mean = np.mean(each, 0)
    assert_allclose(found.norms, np.sort(mean)[::-1], rtol=1e-6)
    assert_array_equal(found.ids, study.data.train.ids.numpy()[np.argsort(-mean)])
    assert poison.guard(study).tests == len(study.data.test)


# ---------------------------------------------------------------------------------------------- the attack


def test_every_model_on_the_way_is_proved_and_the_last_one_is_scikit_learns(study, question, result):
    assert result.proved and len(result.gradient_norms) == result.steps + 1 == 5
    at = [study.data.train.position(int(one)) for one in result.ids]
    theta = refit(study, at, result.poisoned)
    assert_allclose(result.after[0], probability(theta, question), rtol=1e-6)
    assert_allclose(result.before[0], probability(study.theta.numpy(), question), rtol=1e-9)


def test_the_attack_lowers_the_probability_more_than_any_random_signs(study, question, result):
    assert (np.diff(result.probabilities[:, 0]) < 0).all()
    for seed in range(6):
        attack = replace(result.attack, seed=seed, steps=1)
        control = poison.run(study, [question], result.ids.tolist(), attack).control_change
        assert 0 < 2 * abs(control) < result.loss_change


def test_the_control_has_the_same_size_and_is_really_trained(study, question, result):
    rng = np.random.default_rng(0)
    at = [study.data.train.position(int(one)) for one in result.ids]
    pictures = [(one + 2.0 * rng.choice([-1.0, 1.0], one.shape)).clip(0, 255) for one in result.original]
    assert_allclose(result.control[0], probability(refit(study, at, pictures), question), rtol=1e-6)


def test_the_first_steps_forecast_comes_true(study, question, known):
    small = poison.run(study, [question], known.ids[:2].tolist(), Attack(alpha=0.01, steps=1))
    assert_allclose(small.actual, small.predicted, rtol=0.02)
    assert small.predicted > 0
    before, after = small.probabilities[:, 0]
    assert_allclose(small.actual, np.log(before / after), rtol=1e-6)


def test_the_first_step_goes_along_the_sign_of_the_gradient(study, question, known):
    small = poison.run(study, [question], known.ids[:1].tolist(), Attack(alpha=0.01, steps=1))
    at = study.data.train.position(int(small.ids[0]))
    s = torch.as_tensor(inverse_gradient(study, question))
    traced = TracedPicture(study, at, small.original[0])
    slope = traced.influence(Model.of(study), s)[0].permute(1, 2, 0).numpy()
    moved = (small.poisoned - small.original)[0]
    inside = (small.original[0] > 0.01) & (small.original[0] < 254.99)
    assert_allclose(moved[inside], 0.01 * np.sign(slope[inside]), atol=1e-4)
    assert (slope[inside] > 0).any() and (slope[inside] < 0).any()


def test_the_second_step_asks_the_model_that_was_trained_again(study, question, known):
    """Its gradient is that at the new optimum, with a fresh ``s``; both by the references."""
    ids, wide = known.ids[:1].tolist(), {"box": 60.0, "alpha": 25.0}
    first, second = (poison.run(study, [question], ids, Attack(**wide, steps=k, stop=False)) for k in (1, 2))
    at = study.data.train.position(ids[0])
    x = study.data.train.x.numpy().copy()
    x[at] = features(study, first.poisoned[0])
    theta = refit(study, [at], first.poisoned)
    s = inverse_gradient(study, question, x, theta)
    traced = TracedPicture(study, at, first.poisoned[0])
    slope = traced.influence(Model(study.objective, torch.as_tensor(theta)), torch.as_tensor(s))
    there = first.poisoned[0] + 25 * np.sign(slope[0].permute(1, 2, 0).numpy())
    low, high = (np.clip(first.original[0] + one, 0, 255) for one in (-60, 60))
    assert_allclose(second.poisoned[0], there.clip(low, high), atol=1e-3)


def test_the_box_and_the_scale_are_kept(study, question, known):
    wide = poison.run(study, [question], known.ids[:3].tolist(), Attack(box=40.0, alpha=30.0, steps=3))
    assert wide.largest_change == 40.0
    assert wide.poisoned.min() >= 0 and wide.poisoned.max() <= 255
    assert wide.original.min() < 40, "the lower end of the scale has to matter"


def test_half_a_step_rounds_away_and_vanishes_as_png(study, question, known):
    hidden = poison.run(study, [question], known.ids[:3].tolist(), Attack(steps=12))
    assert hidden.invisible and 0.4 < hidden.largest_change <= BOX + 1e-4
    assert_array_equal(np.rint(hidden.poisoned), hidden.original)
    assert hidden.loss_change > 0
    saved = poison.after_saving(study, [question], hidden)
    assert saved.same_pictures and saved.gone
    assert_allclose(saved.probabilities, hidden.before, rtol=1e-9)


def test_a_larger_change_outlives_png(study, question, result):
    saved = poison.after_saving(study, [question], result)
    assert not saved.same_pictures and not saved.gone and not result.invisible
    at = [study.data.train.position(int(one)) for one in result.ids]
    theta = refit(study, at, np.rint(result.poisoned))
    assert_allclose(saved.probabilities[0], probability(theta, question), rtol=1e-6)


def least_sure(study):
    """The right answer that turns most easily."""
    asked = [ask(study, one) for one in poison_many.answered_rightly(study)]
    return min(asked, key=lambda one: float(study.probabilities(one.x[None])[0, one.label]))


def test_it_stops_once_the_answer_turns(study):
    least = least_sure(study)
    ids = poison.shortlist(study, [least]).ids[:10].tolist()
    turned = poison.run(study, [least], ids, Attack(box=60.0, steps=40))
    assert turned.turned[0] and turned.steps < 40
    assert turned.after[0] < 0.5 <= turned.probabilities[-2, 0]
    on = poison.run(study, [least], ids, Attack(box=60.0, steps=turned.steps + 1, stop=False))
    assert on.steps == turned.steps + 1
    assert_allclose(on.probabilities[:-1], turned.probabilities)


def test_many_test_images_share_one_attack_on_their_mean_loss(study):
    together = poison.similar_tests(study, TEST, 4)
    asked = {one.label for one in together}
    assert len(together) == 4 and asked == {int(study.data.test.y[1])}
    best = poison.shortlist(study, together).ids[:1].tolist()
    found = poison.run(study, together, best, Attack(box=4.0, alpha=0.02, steps=1))
    assert found.probabilities.shape == (2, 4)
    assert_allclose(found.actual, found.predicted, rtol=0.05)
    assert_allclose(found.actual, np.log(found.before / found.after).mean(), rtol=1e-6)


def test_for_one_test_image_both_goals_are_the_same_attack(study, question, known, result):
    again = poison.run(study, [question], result.ids.tolist(), replace(result.attack, goal=poison.ANSWERS))
    assert_allclose(again.probabilities, result.probabilities, rtol=1e-9)
    assert_array_equal(poison.shortlist(study, [question], 40, goal=poison.ANSWERS).ids, known.ids)
    assert_allclose(again.actual, again.before[0] - again.probabilities[1, 0], rtol=1e-9)


def test_the_mean_probability_is_lowered_as_forecast(study):
    together = poison.similar_tests(study, TEST, 4)
    best = poison.shortlist(study, together, goal=poison.ANSWERS).ids[:1].tolist()
    small = Attack(box=4.0, alpha=0.02, steps=1, goal=poison.ANSWERS)
    found = poison.run(study, together, best, small)
    assert found.actual > 0
    assert_allclose(found.actual, found.predicted, rtol=0.05)
    assert_allclose(found.actual, (found.before - found.after).mean(), rtol=1e-9)
    by_loss = poison.run(study, together, best, replace(small, goal=poison.LOSS))
    assert found.actual >= (by_loss.before - by_loss.after).mean()


def test_the_least_sure_come_first(study):
    asked = poison.least_sure_tests(study, 1, 5)
    sure = [float(study.probabilities(one.x[None])[0, 1]) for one in asked]
    assert sure == sorted(sure) and sure[0] > 0.5
    assert {one.label for one in asked} == {1} == {one.true_label for one in asked}
    right = [ask(study, one) for one in poison_many.answered_rightly(study)]
    ones = [float(study.probabilities(one.x[None])[0, 1]) for one in right if one.label == 1]
    assert sure == sorted(ones)[:5]
    with pytest.raises(DataError, match="nothing to turn"):
        poison.least_sure_tests(study, 7)


def test_the_float_file_keeps_what_eight_bits_lose(tmp_path, result):
    path = tmp_path / "picture.npy"
    path.write_bytes(poison.as_float_file(result.poisoned[0]))
    read = np.load(path, allow_pickle=False)
    assert read.dtype == np.float32
    assert_array_equal(read, result.poisoned[0])


def test_results_come_back_from_the_store(tmp_path, study, question, monkeypatch):
    context, attack = Context(Store(tmp_path)), Attack(steps=2)
    first = poison.run(study, [question], [0, 5], attack, context=context)
    listed = poison.shortlist(study, [question], 3, context=context)
    guarded = poison.guard(study, context=context)
    for room in ("attack", "ranking"):
        monkeypatch.setattr(f"influence_core.experiments.poison.{room}.TracedPicture", None)
        monkeypatch.setattr(f"influence_core.experiments.poison.{room}.Model", None)
    again = poison.run(study, [question], [0, 5], attack, context=context)
    for name in ("poisoned", "probabilities", "turned", "control", "gradient_norms", "original"):
        assert_array_equal(getattr(again, name), getattr(first, name))
    assert (again.predicted, again.attack) == (first.predicted, attack)
    assert_array_equal(
        poison.shortlist(study, [question], 3, context=context).pixel_norms, listed.pixel_norms
    )
    assert_array_equal(poison.guard(study, context=context).norms, guarded.norms)


def test_cancelling_stops_within_a_picture(study, question):
    heard = []

    def hear(fraction, message):
        heard.append((fraction, message))
        if len(heard) == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        poison.run(study, [question], [0, 1], Attack(steps=50), context=Context(progress=hear))
    assert "step 1 of 50: " in heard[-1][1] and "% for the asked label" in heard[-1][1]


def test_what_cannot_be_attacked(study, question):
    with pytest.raises(DataError, match="1 to 10 training pictures to change, not 11"):
        poison.run(study, [question], list(range(11)))
    with pytest.raises(DataError, match="not 0"):
        poison.run(study, [question], [])
    with pytest.raises(DataError, match="at least one test image"):
        poison.shortlist(study, [])
    with pytest.raises(DataError, match="no example with id 77"):
        poison.run(study, [question], [77])
    for bad in ({"box": 0}, {"box": 300}, {"alpha": 0.0}, {"steps": 0}):
        with pytest.raises(DataError, match="between 0 and 255"):
            Attack(**bad)
    with pytest.raises(DataError, match="no goal 'fame'; choose one of loss, answers"):
        Attack(goal="fame")
    plain = replace(study, spec=replace(study.spec, backbone=""))
    for question_of in (poison.guard, poison.shortlist):
        with pytest.raises(UnsupportedError, match="needs a study on photographs"):
            question_of(plain, [question])
    with pytest.raises(UnsupportedError, match="needs a study on photographs"):
        poison.run(plain, [question], [0])


# ------------------------------------------------------------------------------------------- how often


def test_the_papers_sets_in_their_order():
    five = [(0,), (1,), (0, 1), (0, 1, 2), tuple(range(5)), tuple(range(10))]
    assert poison_many.sets(poison_many.SIZES) == five
    with pytest.raises(DataError, match="1 to 10"):
        poison_many.sets([11])


def test_the_first_success_is_the_last_try(study):
    wide = Attack(box=60.0, steps=40)
    outcome = poison_many.attack_one(study, least_sure(study).test_id, wide, (9, 10))
    assert [(one.size, one.turned) for one in outcome.tries] == [(9, True)]
    assert outcome.turned_with(9) and not outcome.turned_with(8)


def attempt(size: int, turned: bool, first: int = 0) -> Attempt:
    ids = tuple(range(first, first + size))
    return Attempt(ids, ids, turned, 0.4 if turned else 0.9, 0.95, 1.0, 1.1, 2.0, 0.01, 3, 1e-10, True, 1.0)


def test_shares_count_the_first_or_the_second_alone_as_one_picture():
    outcomes = (
        Outcome(1, 0.9, (attempt(1, True),)),
        Outcome(2, 0.9, (attempt(1, False), attempt(1, True, 1))),
        Outcome(3, 0.9, (attempt(1, False), attempt(1, False, 1), attempt(2, True))),
        Outcome(4, 0.9, (attempt(1, False), attempt(1, False, 1), attempt(2, False), attempt(10, False))),
    )
    shares = Shares(outcomes, Attack(), (1, 2, 10))
    assert [shares.flipped(size) for size in (1, 2, 10)] == [0.5, 0.75, 0.75]
    assert shares.flipped_by_first == 0.25
    columns = poison_many.table(shares)
    assert {len(one) for one in columns.values()} == {10}
    bars = drawn.flips({"here": shares}).data
    assert_array_equal(bars[0].y, [0.57, 0.77, 0.998])
    assert_array_equal(bars[1].y, [0.5, 0.75, 0.75])


def test_a_stopped_run_goes_on_where_it_was(tmp_path, study, monkeypatch):
    store = Store(tmp_path / "store")
    ids, attack = poison_many.answered_rightly(study)[:4], Attack(box=8.0, steps=3)

    def stop(fraction, message):
        if fraction > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        poison_many.run(study, ids, attack, (1, 2), context=Context(store, stop))
    context, one = Context(store), poison_many.attack_one
    known = [test_id for test_id in ids if one.recall(study, test_id, attack, (1, 2), context=context)]
    assert known == ids[:2]
    calls, true = [], poison.run
    monkeypatch.setattr(poison, "run", lambda *a, **k: calls.append(a[1][0].test_id) or true(*a, **k))
    shares = poison_many.run(study, ids, attack, (1, 2), context=context)
    assert set(calls) == set(ids[2:])
    kept = as_json(study, shares)
    assert [one["test_id"] for one in kept["outcomes"]] == ids
    assert kept["flipped"] == {str(size): shares.flipped(size) for size in (1, 2)}
    assert kept["protocol"]["box"] == 8.0 and kept["largest_gradient_norm"] <= GRADIENT_NORM
    assert shares.outcomes == poison_many.run(study, ids, attack, (1, 2), context=context).outcomes
    for outcome in shares.outcomes:
        assert not any(one.turned for one in outcome.tries[:-1]), "the first success is the last try"


@pytest.mark.slow
def test_figure_5_on_a_toy(study, tmp_path):
    wide = Attack(box=60.0, steps=6)
    found = fig5.run.of(study, context=Context(Store(tmp_path)), tests=2, wide=wide)
    names = [one.name for one in found.checks]
    assert len(set(names)) == len(names)
    passed = {one.name: one.passed for one in found.checks}
    assert passed["attacks whose pictures round to the originals"]
    assert passed["probability change left after PNG"]
    assert passed["largest gradient norm of a retrained model"]
    assert passed["first steps of 0.02 whose truth is within 20% of the forecast"]
    from influence_core.figures.paper import DRAWINGS

    assert set(DRAWINGS["fig5"](found)) == {
        "fig5-picture",
        "fig5-steps",
        "fig5-shares",
        "fig5-together-blue",
        "fig5-together-red",
    }
    turned = int(found.result.together["red"].turned.sum())
    for fewest, passed in ((turned, True), (turned + 1, False)):
        assert fig5._many(found.result.together["red"], "", fewest)[0].passed is passed


# ---------------------------------------------------------------------------------------------- the figures


def test_the_amplified_difference_fills_the_scale(result):
    shown = drawn.amplified(result, 0)
    change = (result.poisoned - result.original)[0]
    assert_array_equal(shown[change >= 1.999], 255)
    assert_array_equal(shown[change <= -1.999], 0)
    assert ((shown > 127.5) == (change > 0))[change != 0].all()


def test_the_steps_are_drawn_with_control_and_border(result):
    figure = drawn.steps(result, ("blue", "red"))
    assert_array_equal(figure.data[-1].y, result.probabilities[:, 0])
    heights = [line.y0 for line in figure.layout.shapes]
    assert_allclose(heights, [result.control[0], 0.5])
    assert len(drawn.triptych(result, 1).data) == 3


# ------------------------------------------------------------------------------------------ real photographs


@pytest.mark.slow
@pytest.mark.shared_data
def test_springers_and_tench(shared_data):
    """Ten pictures, each changed by less than half a step, turn an answer; random signs do nothing."""
    study = studies.open_study(
        studies.CATALOGUE["springer-or-tench"], Store(), str(shared_data / "imagenette2-320")
    )
    questions = [ask(study, poison_many.answered_rightly(study)[0])]
    known = poison.shortlist(study, questions)
    turned = poison.run(study, questions, known.ids[:10].tolist())
    assert turned.turned[0] and turned.invisible and turned.proved
    assert turned.loss_change > 100 * abs(turned.control_change)
    assert poison.after_saving(study, questions, turned).gone
    small = poison.run(study, questions, known.ids[:1].tolist(), Attack(alpha=0.02, steps=1))
    assert_allclose(small.actual, small.predicted, rtol=0.2)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.timeout(3_600)
def test_the_shortlist_misses_none_of_the_best(shared_data):
    """The pixels of all 1,800 training pictures, asked for one test image, against its shortlist of 30."""
    study = studies.open_study(
        studies.CATALOGUE["springer-or-tench"], Store(), str(shared_data / "imagenette2-320")
    )
    questions = [ask(study, one) for one in poison_many.answered_rightly(study)[:1]]
    s = np.stack([inverse_gradient(study, one) for one in questions], 1)
    norms = poison.pixel_norms(study, torch.as_tensor(s), range(study.objective.n))
    for at, one in enumerate(questions):
        best = study.data.train.ids.numpy()[np.argsort(-norms[:, at])]
        few = poison.shortlist(study, [one]).ids
        assert set(best[:2]) <= set(few)
        assert len(set(best[:10]) & set(few)) >= 8
