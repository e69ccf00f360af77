"""Which training examples must go for the answer to become another: found, proven, none needless."""

import numpy as np
import pytest
import torch

from influence_core.context import Context
from influence_core.engines import Engines
from influence_core.errors import Cancelled, DataError, UnsupportedError
from influence_core.experiments import explain, flip, flip_curve, flip_sizes, questions
from influence_core.experiments.flip_set import proof, sentence, table
from influence_core.influence import leverage_blocks
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.retraining.contest import Contest
from influence_core.retraining.flipping import flip as search
from influence_core.retraining.following import Following, telling_labels
from influence_core.retraining.one_ranking import one_shot
from influence_core.solvers import Cholesky
from influence_core.store import Store
from influence_core.studies import StudySpec
from tests import references
from tests.problems import KINDS, TEMPERATURE, linear, linear_study, loss_of, network_study


def following(toy, test=0, wanted=None, relabel=False):
    """The toy's model, asked about one of its test examples."""
    o, theta = toy.objective, toy.theta
    x = torch.tensor(toy.xt[test])
    contest = Contest(x, o.loss.outputs, said(toy, theta, test), wanted)
    inverse = Cholesky().prepare(Hessian(o, theta))
    labels = telling_labels(o, theta, inverse, contest) if relabel else None
    return Following(o, theta, inverse, contest, labels)


def scores(toy, theta, test):
    """Of every label, from the parameters, without the library."""
    f = toy.xt[test] @ np.asarray(theta).reshape(toy.x.shape[1], -1)
    return f if len(f) > 1 else np.array([0.0, f[0]])


def said(toy, theta, test):
    return int(scores(toy, theta, test).argmax())


def refitted(toy, positions, labels=None):
    """The parameters of a cold fit without these examples, or with other labels on them."""
    w, y = toy.w.copy(), toy.y.copy()
    if labels is None:
        w[positions] = 0
    else:
        y[positions] = labels
    return toy.refit(w=w, y=y)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("test", [0, 1, 2])
def test_the_set_flips_the_answer_of_a_cold_fit(kind, test):
    toy = linear(kind, n=90)
    model = following(toy, test)
    found = search(model)
    assert found.flipped
    positions = found.positions.numpy()
    cold = refitted(toy, positions)
    assert said(toy, cold, test) != said(toy, toy.theta, test)
    np.testing.assert_allclose(found.theta, cold, atol=1e-4)
    last = scores(toy, cold, test)
    before = said(toy, toy.theta, test)
    true = last[before] - np.delete(last, before).max()
    assert abs(true - found.margins[1]) <= found.bound < abs(found.margins[1])


@pytest.mark.parametrize("kind", KINDS)
def test_no_single_example_can_be_put_back(kind):
    toy = linear(kind, n=90)
    found = search(following(toy))
    assert found.flipped and found.minimal
    positions = found.positions.numpy()
    assert len(positions) > 1
    for one in positions:
        cold = refitted(toy, positions[positions != one])
        assert said(toy, cold, 0) == said(toy, toy.theta, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("relabel", "share"), [(False, 0.6), (True, 1.0)], ids=["taken out", "relabelled"])
def test_what_putting_one_back_does_is_forecast_where_there_are_few_examples_a_parameter(
    kind, relabel, share
):
    """The pull of an example that was taken out is a step from where its loss is flat, and far off there."""
    toy = linear(kind, n=90, d=40)
    model = following(toy, relabel=relabel)
    model.leverages = leverage_blocks(model.unedited, model.inverse)
    taken = torch.zeros(model.unedited.n, dtype=torch.bool)
    taken[model.pulls().argsort(descending=True)[:41]] = True
    model.edit(taken, 1e-9)
    inside, steep = taken.nonzero()[:, 0], model.contest.gradient(model.outputs).numpy()
    others = [inside[inside != one].numpy() for one in inside]
    cold = [refitted(toy, rest, model.labels.numpy()[rest] if relabel else None) for rest in others]
    truth = np.array([steep @ (np.asarray(one) - model.theta.numpy()) for one in cold])
    miss, pulled = (
        np.abs(forecast.numpy() - truth).max() for forecast in (model.returns(inside), model.pulls(3)[inside])
    )
    assert miss < share * pulled
    assert len(model.returns(inside[:0])) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_relabelling_flips_it_with_fewer(kind):
    toy = linear(kind, n=90)
    model = following(toy, relabel=True)
    found = search(model)
    positions = found.positions.numpy()
    labels = model.labels.numpy()[positions]
    assert found.flipped and found.minimal
    assert (labels != toy.y[positions]).all()
    assert said(toy, refitted(toy, positions, labels), 0) != said(toy, toy.theta, 0)
    assert len(positions) < len(search(following(toy)).positions)


def test_a_chosen_label_wins_against_all_others():
    toy = linear("softmax", n=120)
    before = scores(toy, toy.theta, 0)
    last = int(before.argmin())
    found = search(following(toy, wanted=last))
    assert found.flipped
    assert said(toy, refitted(toy, found.positions.numpy()), 0) == last


def planted():
    """Two clouds, and a test example deep in the first, beside five of its own kind with the wrong label."""
    rng = np.random.default_rng(0)
    clouds = np.concatenate([rng.normal(size=(40, 12)) + 2, rng.normal(size=(40, 12)) - 2])
    odd = np.zeros(12)
    odd[3] = 9.0
    twins = odd + rng.normal(scale=0.05, size=(5, 12))
    x = np.concatenate([clouds, twins])
    y = np.concatenate([np.zeros(40), np.ones(40), np.ones(5)]).astype(int)
    return x, y, odd


def test_five_planted_twins_are_found_exactly():
    x, y, odd = planted()
    o = LinearObjective.build(x, y, loss_of("logistic"), 0.01)
    theta = torch.tensor(references.cold_fit(x, y, references.uniform(85), 0.01, "logistic"))
    inverse = Cholesky().prepare(Hessian(o, theta))
    found = search(Following(o, theta, inverse, Contest(torch.tensor(odd), 1, said=1)))
    assert sorted(found.positions.tolist()) == [80, 81, 82, 83, 84]
    assert found.flipped and found.minimal


def test_one_ranking_never_needs_fewer_than_the_search_finds():
    for test in range(3):
        toy = linear("softmax", n=120)
        size, expected = one_shot(following(toy, test))
        assert size is not None and (expected is None or expected >= 1)
        assert len(search(following(toy, test)).positions) <= size
        order = one_ranking(toy, test)
        assert said(toy, refitted(toy, order[:size]), test) != said(toy, toy.theta, test)
        assert said(toy, refitted(toy, order[: size - 1]), test) == said(toy, toy.theta, test)


def one_ranking(toy, test):
    """Positions by the first-order pull on the margin, densely."""
    before = scores(toy, toy.theta, test)
    losing, winning = np.argsort(-before)[:2]
    steep = np.zeros((toy.x.shape[1], len(before)))
    steep[:, losing], steep[:, winning] = toy.xt[test], -toy.xt[test]
    v = np.linalg.solve(toy.hessian().numpy(), steep.ravel())
    return np.argsort(toy.gradients(toy.x, toy.y).numpy() @ v * toy.w)


def test_an_answer_that_nothing_flips_is_said_to_stand():
    x = np.array([[1.0], [1.0], [-1.0]])
    o = LinearObjective.build(x, np.array([1, 1, 0]), loss_of("logistic"), 0.01)
    theta = torch.tensor(references.cold_fit(x, np.array([1, 1, 0]), references.uniform(3), 0.01, "logistic"))
    inverse = Cholesky().prepare(Hessian(o, theta))
    found = search(Following(o, theta, inverse, Contest(torch.ones(1, dtype=torch.float64), 1, said=1)))
    assert not found.flipped and not found.minimal
    assert set(o.y.tolist()) == set(np.delete(o.y.numpy(), found.positions.numpy()).tolist())


def test_the_experiment_tells_ids_and_what_is_proven(tmp_path):
    toy = linear("softmax", n=90)
    study = linear_study(toy)
    context = Context(Store(tmp_path), engines=Engines(1))
    x = study.data.test.x[0]
    found = flip.run(study, x, context=context)
    assert found.flipped and found.proven and found.minimal and not found.forecast
    assert found.said == said(toy, toy.theta, 0) != found.says
    assert found.before.argmax() == found.said and found.after.argmax() == found.says
    assert found.size <= found.unpruned and found.n == 90
    cold = refitted(toy, found.ids - 500)
    np.testing.assert_allclose(
        scores(toy, cold, 0),
        np.log(found.after) - np.log(found.after[0]) + scores(toy, cold, 0)[0],
        atol=1e-4,
    )
    again = flip.run(study, x, context=context)
    assert again.from_store and again.ids.tolist() == found.ids.tolist()
    curve = flip_curve.run(study, found, context=context)
    assert curve.counts[0] == 0 and curve.counts[-1] == found.size
    assert curve.margins[0] > 0 > curve.margins[-1]
    for count, probabilities in zip(curve.counts, curve.probabilities, strict=True):
        f = scores(toy, refitted(toy, found.ids[:count] - 500), 0)
        np.testing.assert_allclose(probabilities, np.exp(f) / np.exp(f).sum(), atol=2e-3)
    rows = table(found, toy.y[found.ids - 500], study.data.class_names)
    assert rows["training_id"].tolist() == found.ids.tolist() and "new_label" not in rows


def test_answers_are_sorted_by_how_few_they_hang_on(tmp_path):
    study = linear_study(linear("logistic", n=90))
    context = Context(Store(tmp_path), engines=Engines(1))
    ids = study.data.test.ids.tolist()
    found = flip_sizes.run(study, ids, context=context)
    assert sorted(found.test_ids.tolist()) == ids and found.n == 90
    assert (np.diff(found.sizes[found.found]) >= 0).all() and found.found[: found.found.sum()].all()
    for one, size in zip(found.test_ids, found.sizes, strict=True):
        alone = flip.run(study, study.data.test.x[study.data.test.position(int(one))], context=context)
        assert alone.from_store and alone.size == size
    rows = flip_sizes.table(found, study.data.class_names)
    assert rows["test_id"].tolist() == found.test_ids.tolist()
    assert rows["would_say"][0] == study.data.class_names[found.says[0]]


def test_a_network_gets_a_forecast_and_one_retraining():
    study = network_study()
    found = flip.run(study, study.data.test.x[0])
    assert found.forecast and not found.proven and not found.minimal
    assert found.rounds <= 1
    assert found.flipped == (found.margins[1] < 0) == (found.says != found.said)


def test_a_label_that_it_says_already_and_a_hinge_are_refused():
    toy = linear("softmax", n=90)
    study = linear_study(toy)
    x = study.data.test.x[0]
    with pytest.raises(DataError, match="says . already"):
        flip.contest_of(study, x, said(toy, toy.theta, 0))
    with pytest.raises(DataError, match="no label number 7"):
        flip.contest_of(study, x, 7)
    assert "smooth" in flip.supports(StudySpec("m", "M", "digits", "svm", 0.1))
    with pytest.raises(UnsupportedError):
        flip_curve.run(network_study(), flip.run(network_study(), network_study().data.test.x[0]))


def test_it_stops_when_asked_to():
    toy = linear("softmax", n=90)

    def stop(fraction, message):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        search(following(toy), stop)


def test_the_temperature_of_the_references_is_the_librarys():
    assert loss_of("smooth_hinge").temperature == TEMPERATURE


@pytest.mark.parametrize("relabel", [False, True])
@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_what_nothing_moves_is_said_to_be_that(kind, relabel):
    """Of nothing the model knows nothing: a text without a known word, an empty picture."""
    study = linear_study(linear(kind, n=24))
    found = flip.run(study, torch.zeros_like(study.data.test.x[0]), relabel=relabel)
    assert found.unmoved and not found.minimal
    explanation = explain.run(study, questions.ask(study, int(study.data.test.ids[0])))
    said = sentence(found, explanation)
    assert said.startswith("None of the 24 training") and "has any influence on this answer" in said
    assert proof(found) == "Nothing was taken out, so nothing had to be proven."
    some = flip.run(study, study.data.test.x[0], relabel=relabel)
    assert some.flipped and not some.unmoved and "it would say" in sentence(some, explanation)
