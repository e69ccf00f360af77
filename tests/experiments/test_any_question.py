"""Any quantity over any test examples: its slope against autograd, its scores against finite differences of retraining."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from influence_core.agreement import Agreement
from influence_core.context import Context
from influence_core.errors import DataError
from influence_core.experiments import (
    all_left_out,
    any_question,
    corrected,
    explain,
    hardest,
    questions,
    target_edits,
    targets,
    test_sets,
    verdict,
)
from influence_core.experiments.groups import Group, named_in_address
from influence_core.experiments.targets import Target
from influence_core.retraining.edits import Edit
from influence_core.store import Store
from influence_core.studies import Study
from tests import references
from tests.problems import linear, linear_study, network_study, ready

ASKED = [
    ("all", "loss"),
    ("errors", "loss"),
    ("class=a", "probability=b"),
    ("all", "margin=b,a"),
    ("all", "recall=a"),
    ("class=a", "gap=class=b"),
    ("class=a", "gap=all"),
    ("ids=901", "margin=a,b"),
]


@pytest.fixture(scope="module", params=["logistic", "softmax"])
def toy(request):
    return linear(request.param, tests=24)


@pytest.fixture(scope="module")
def study(toy):
    return linear_study(toy)


def quantity(target: Target, study: Study, outputs):
    """The same number written down anew, from log probabilities that autograd can follow."""
    if outputs.shape[1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
    logs = outputs.log_softmax(1)
    each = {
        "loss": lambda: -logs[torch.arange(len(logs)), target.y],
        "gap": lambda: -logs[torch.arange(len(logs)), target.y],
        "probability": lambda: logs[:, target.labels[0]].exp(),
        "recall": lambda: logs[:, target.labels[0]].exp(),
        "margin": lambda: logs[:, target.labels[0]] - logs[:, target.labels[1]],
    }[target.kind]()
    return (each * target.weights).sum()


# ----------------------------------------------------------------------------------------------- the slope


@pytest.mark.parametrize(("over", "what"), ASKED)
def test_value_and_gradient_are_those_of_autograd(study, over, what):
    target = targets.ask(study, over, what)
    theta = study.theta.clone().requires_grad_()
    value = quantity(target, study, target.x @ theta.view(target.x.shape[1], -1))
    value.backward()
    assert_allclose(target.value(study, study.theta), value.item(), rtol=1e-12)
    torch.testing.assert_close(target.gradient(study), theta.grad)


@pytest.mark.parametrize(("over", "what"), [("all", "loss"), ("all", "margin=a,c"), ("all", "probability=b")])
def test_the_gradient_of_a_network_is_that_of_autograd(over, what):
    study = network_study("convolution with bias")
    target = targets.ask(study, over, what)
    theta = study.theta.clone().requires_grad_()
    value = quantity(target, study, study.objective.forward(theta, target.x))
    value.backward()
    assert_allclose(target.value(study, study.theta), value.item(), rtol=1e-12)
    torch.testing.assert_close(target.gradient(study), theta.grad)


def test_the_probability_of_one_example_is_the_question_of_explain(study):
    question = questions.ask(study, 902)
    answer = explain.run(study, question)
    found = any_question.run(study, targets.of_question(study, question))
    assert_allclose(found.before, answer.probability)
    assert_allclose(found.influence, -answer.probability * answer.scores, rtol=1e-8)
    assert_allclose(found.helpful(5), answer.helpful(5))


def test_in_nats_it_is_the_log_probability_whose_changes_are_those_of_the_loss(study):
    question = questions.ask(study, 902)
    answer, target = explain.run(study, question), targets.of_question(study, question, "nats")
    found, same = any_question.run(study, target), any_question.of_explanation(answer, "nats")
    assert_allclose([found.before, same.before], np.log(answer.probability))
    assert_allclose(found.influence, -answer.scores, rtol=1e-8)
    assert_allclose(same.influence, found.influence, rtol=1e-8)
    assert_allclose(same.having, answer.shown)
    theta = study.theta.clone().requires_grad_()
    outputs = target.x @ theta.view(target.x.shape[1], -1)
    if outputs.shape[1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
    torch.log_softmax(outputs, 1)[0, question.label].backward()
    torch.testing.assert_close(target.gradient(study), theta.grad)


def test_the_verdict_of_any_question_says_what_is_known_of_it(study, tmp_path):
    context = Context(Store(tmp_path))
    target = targets.ask(study, "all", "margin=a,b")
    first = any_question.run(study, target, context=context)
    assert verdict.of_target(study, first).level == "amber"
    better = any_question.improve(study, target, first, context=context)
    assert "not been measured yet" in verdict.of_target(study, better).reason
    hardest.run(study, context=context)
    measured = any_question.improve(study, target, first, context=context)
    assert measured.doubt is not None and measured.doubt < 1
    assert "Measured on the training" in verdict.of_target(study, measured).reason
    table = all_left_out.run(study, context=context)
    proven = any_question.improve(study, target, first, table, context=context)
    assert verdict.of_target(study, proven).level == "proven"
    failed = replace(first, provenance=replace(first.provenance, status="diverged"))
    assert verdict.of_target(study, failed).level == "red"


def test_a_probability_is_more_or_less_and_a_loss_better_or_worse(study):
    asked = {
        kind: targets.ask(study, "all", kind) for kind in ("loss", "probability=b", "margin=a,b", "recall=b")
    }
    sides = {kind: target.sides[0] for kind, target in asked.items()}
    assert sides == {"loss": "better", "probability=b": "more", "margin=a,b": "more", "recall=b": "better"}
    assert {target.unit for target in asked.values()} == {"nats", "pp"}


# ------------------------------------------------------------------------------------------- forecast and truth


@pytest.mark.parametrize(("over", "what"), ASKED)
def test_scores_are_the_derivative_of_retraining_in_the_weights(study, toy, over, what):
    """The weight of one example goes down by a thousandth of itself; retraining is a cold fit of the references."""
    target, step = targets.ask(study, over, what), 1e-3
    found = any_question.run(study, target)
    at = np.argsort(-np.abs(found.influence))[:6]
    moved = []
    for one in at:
        w = toy.w.copy()
        w[one] *= 1 - step
        moved.append((target.value(study, toy.refit(w=w)) - target.value(study, toy.refit())) / step)
    agreement = Agreement.of(found.influence[at], moved)
    assert 0.95 <= agreement.slope <= 1.05
    assert agreement.worst < 0.01


@pytest.mark.parametrize(("over", "what"), ASKED)
def test_proven_effects_are_those_of_cold_fits_and_corrected_ones_are_nearer_than_influence(
    study, toy, over, what, tmp_path
):
    context = Context(Store(tmp_path))
    target, table = targets.ask(study, over, what), all_left_out.run(study, context=context)
    first = any_question.run(study, target, context=context)
    best = any_question.improve(study, target, first, table, context=context)
    fits = []
    for one in (0, 7, 31):
        w = toy.w.copy()
        w[one] = 0
        fits.append(target.value(study, toy.refit(w=w)) - best.before)
    assert_allclose(best.proven[[0, 7, 31]], fits, rtol=1e-3, atol=1e-6)
    assert (first.number, best.number) == ("influence", "proven")
    better = any_question.corrected(study, target, context=context).change
    miss = [Agreement.of(one, best.proven).worst for one in (better, first.influence)]
    assert miss[0] < 0.75 * miss[1]
    assert 0.9 <= Agreement.of(better, best.proven).slope <= 1.1  # of 60 rows


@pytest.mark.parametrize("over", ["all", "ids=901,902"])
def test_corrected_effects_are_the_quantity_after_a_newton_step(study, toy, over, monkeypatch):
    """By many test outputs or by few; of those that are weak, by the slope."""
    monkeypatch.setattr(any_question, "SOLVES", 10)
    target = targets.ask(study, over, "loss")
    found = any_question.improve(study, target, any_question.run(study, target), context=Context())
    assert found.number == "corrected"
    order, at = np.argsort(-np.abs(found.corrected)), toy.theta.numpy()
    for i in (*order[:3], order[-1]):
        w = toy.w.copy()
        w[i] = 0
        data = toy.x, toy.y, w, toy.l2, toy.kind
        step = -np.linalg.solve(references.hessian(at, *data), references.risk_gradient(at, *data))
        changed = target.value(study, torch.tensor(at + step)) - found.before
        x, y = target.x.numpy(), target.y.numpy()
        by_slope = references.gradients(at, x, y, toy.kind).mean(0) @ step
        weak = over == "all" and i == order[-1]
        assert_allclose(found.corrected[i], by_slope if weak else changed, rtol=1e-5, atol=1e-10)


def test_less_loss_is_better_and_more_odds_are(study):
    loss = any_question.run(study, targets.ask(study, "all", "loss"))
    odds = any_question.run(study, targets.ask(study, "all", "margin=b,a"))
    assert (loss.having[loss.helpful(3)] < 0).all()
    assert (odds.having[odds.helpful(3)] > 0).all()
    assert (odds.having[odds.harmful(3)] < 0).all()


# ------------------------------------------------------------------------------------------ groups taken out


@pytest.mark.parametrize("prepared", [True, False])
def test_the_forecast_of_a_group_is_evaluated_on_the_quantity_and_retraining_is_the_truth(
    study, toy, prepared
):
    context, group = ready(study) if prepared else Context(), [3, 17, 40, 41]
    target, edit = targets.ask(study, "all", "recall=a"), Edit.removal(group)
    effects = any_question.run(study, target, context=context)
    found = target_edits.forecast(study, target, effects, edit, context=context)
    at, w = toy.theta.numpy(), toy.w.copy()
    w[group] = 0
    data = toy.x, toy.y, w, toy.l2, toy.kind
    moved = at - np.linalg.solve(references.hessian(at, *data), references.risk_gradient(at, *data))
    assert_allclose(found.together, target.value(study, torch.tensor(moved)) - effects.before, rtol=1e-6)
    assert_allclose(found.alone, effects.influence[group].sum(), rtol=1e-6)
    truth = target_edits.retrain(study, target, edit, context=context)
    assert truth.converged
    assert_allclose(truth.after, target.value(study, toy.refit(w=w)), rtol=1e-6)
    assert_allclose(truth.change, found.together, atol=0.2 * np.abs(effects.influence[group]).sum())
    assert truth.changed_answers == (truth.answers_before != truth.answers_after).sum()


def test_a_group_of_a_network_has_the_sum_alone():
    study = network_study()
    target = targets.ask(study, "all", "loss")
    effects = any_question.run(study, target)
    found = target_edits.forecast(study, target, effects, Edit.removal([3, 17]))
    assert found.together is None
    assert_allclose(found.best, effects.influence[[3, 17]].sum(), rtol=1e-5)


def test_a_whole_class_is_not_taken_out(study):
    target = targets.ask(study, "all", "loss")
    with pytest.raises(DataError, match="no training row labelled a"):
        target_edits.retrain(study, target, Edit.removal((study.data.train.y == 0).nonzero()[:, 0]))


def test_another_question_has_another_key(study):
    asked = [targets.ask(study, *one) for one in ASKED]
    asked += [targets.ask(study, "class=b", "gap=class=a"), targets.ask(study, "ids=902", "margin=a,b")]
    own = [questions.Question(study.data.test.x[at], 0) for at in (0, 1)]
    asked += [targets.of_question(study, one) for one in own]
    assert len({any_question.run.key(study, one) for one in asked}) == len(asked)


# --------------------------------------------------------------------------------------- sets and their names


def test_sets_by_their_names(study):
    known = study.predictions
    assert len(test_sets.find(study, "all").positions) == 24
    assert set(test_sets.find(study, "errors").positions) == set(np.flatnonzero(known.wrong))
    true, said, count = test_sets.cells(study)[0]
    cell = test_sets.find(study, f"cell=#{true},#{said}")
    assert len(cell.positions) == count
    assert (known.predicted[cell.positions] == said).all()
    assert (known.labels[cell.positions] == true).all()
    assert test_sets.find(study, "ids=903, 901,903").positions.tolist() == [3, 1]
    assert test_sets.find(study, "ids=903").words == "test row 903"
    assert test_sets.find(study, "class=a").words.endswith("test rows of a")


@pytest.mark.parametrize(
    ("over", "what", "words"),
    [
        ("mistakes", "loss", "no set of test examples “mistakes”"),
        ("all=3", "loss", "no set"),
        ("class", "loss", "no set of test examples “class”"),
        ("class=z", "loss", "no label “z”; choose one of a, b"),
        ("class=#9", "loss", "no label “#9”"),
        ("cell=a", "loss", "takes 2 labels with a comma"),
        ("cell=a,a", "loss", "different labels"),
        ("ids=1x", "loss", "whole numbers"),
        ("ids=,", "loss", "No test row is in the set"),
        ("ids=7", "loss", "no example with id 7"),
        ("group=age=3", "loss", "columns of a table"),
        ("all", "accuracy", "no quantity “accuracy”"),
        ("all", "loss=3", "no quantity"),
        ("all", "margin=a", "takes 2 labels"),
        ("all", "margin", "no quantity “margin”"),
        ("all", "recall=z", "no label “z”"),
        ("class=a", "recall=b", "No test row of b is in the set"),
        ("all", "gap=errors=1", "no set"),
    ],
)
def test_what_there_is_not_is_refused_in_words(study, over, what, words):
    with pytest.raises(Exception, match=words) as caught:
        targets.ask(study, over, what)
    assert isinstance(caught.value, corrected.UnsupportedError | DataError)


def test_labels_with_commas_have_numbers():
    names = ("7", "one, or two", "#x", " ", "#1", "a:b=c@d")
    texts = [test_sets.label_text(names, one) for one in range(6)]
    assert texts == ["7", "#1", "#2", "#3", "#4", "a:b=c@d"]
    assert [test_sets.label_number(names, one) for one in texts] == list(range(6))


def test_a_column_with_an_equals_sign_names_groups():
    assert named_in_address("a=b=c=d", ["a", "a=b"]) == Group("a=b", "c=d")
    assert named_in_address("x=y=z", ["a"]) == Group("x", "y=z")


def test_a_group_of_a_table():
    from influence_core.studies import find, open_study

    diabetes = open_study(find("diabetes"))
    target = targets.ask(diabetes, "group=sex=2", "gap=group=sex=1")
    known = diabetes.predictions
    sex = diabetes.data.records.column("sex", diabetes.data.test.ids)
    losses = -np.log(known.probabilities[np.arange(len(known.labels)), known.labels])
    expected = losses[sex == "2"].mean() - losses[sex == "1"].mean()
    assert_allclose(target.value(diabetes, diabetes.theta), expected)
    assert "sex = 2, less the" in target.words
