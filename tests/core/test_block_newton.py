"""Some examples edited together: the Newton step against a dense computation of the references, and against cold fits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.errors import SolveError
from influence_core.influence import block_newton, edited_step, moves_without
from influence_core.operators import Hessian
from influence_core.retraining.edits import Edit
from influence_core.solvers import Cholesky, ConjugateGradient
from influence_core.training import minimise
from tests import references
from tests.problems import KINDS, Linear, linear, normal

GROUP = [3, 17, 40, 41, 9]
LABELS = [1, 0, 1, 1, 0]
FEATURES = 12
NEW = normal(5, FEATURES, seed=3)

EDITS = {
    "taken out": Edit.removal(GROUP),
    "weigh half": Edit(torch.tensor(GROUP), weight=0.5),
    "weigh three times": Edit(torch.tensor(GROUP), weight=3.0),
    "labelled anew": Edit.relabel(GROUP, LABELS),
    "labelled anew and heavier": Edit(torch.tensor(GROUP), y=torch.tensor(LABELS), weight=2.0),
    "other inputs": Edit(torch.tensor(GROUP), x=NEW),
    "other inputs and labels": Edit(torch.tensor(GROUP), x=NEW, y=torch.tensor(LABELS), weight=1.5),
}


def edited(toy: Linear, edit: Edit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, labels and weights after an edit, by hand."""
    x, y, w = toy.x.copy(), toy.y.copy(), toy.w.copy()
    if edit.x is not None:
        x[edit.positions] = edit.x.numpy()
    if edit.y is not None:
        y[edit.positions] = edit.y.numpy()
    if edit.weight is not None:
        w[edit.positions] = edit.weight / len(w)
    return x, y, w


def dense_step(toy: Linear, edit: Edit) -> torch.Tensor:
    """Minus the inverse Hessian of the edited risk times the edited gradient, all of it from the references."""
    at, data = toy.theta.numpy(), (*edited(toy, edit), toy.l2, toy.kind, toy.temperature)
    gradient = references.risk_gradient(at, *data)  # at an optimum, that of the edit alone
    return torch.tensor(-np.linalg.solve(references.hessian(at, *data), gradient))


def prepared(toy: Linear):
    return Cholesky().prepare(Hessian(toy.objective, toy.theta))


@pytest.fixture(params=["rows", "factor", "conjugate gradient"])
def step(request, monkeypatch):
    """Each of the three ways to the same step; the first must solve with the inverse, the others without."""
    way = request.param
    monkeypatch.setattr(block_newton, "PASSES", 1_000)
    monkeypatch.setattr(block_newton, "DENSE_LIMIT", 0 if way == "conjugate gradient" else 256)
    if way == "rows":
        monkeypatch.setattr(Edit, "apply", None)
    return lambda toy, edit: edited_step(
        toy.objective, toy.theta, edit, prepared(toy) if way == "rows" else None
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EDITS)
def test_it_is_the_dense_newton_step_on_the_edited_risk(kind, name, step):
    toy, edit = linear(kind, d=FEATURES), EDITS[name]
    assert_close(step(toy, edit), dense_step(toy, edit), rtol=1e-6, atol=1e-9)


def test_a_penalty_of_each_parameters_own_stays_in_place(step):
    toy = linear("softmax", d=FEATURES)
    o = replace(toy.objective, l2=torch.linspace(0.02, 0.5, toy.objective.dim, dtype=torch.float64))
    toy = replace(toy, objective=o, theta=minimise(o).theta, l2=o.l2.numpy())
    edit, at = EDITS["taken out"], toy.theta.numpy()
    x, y, w = edited(toy, edit)
    curvature = references.hessian(at, x, y, w, 0.0, "softmax") + np.diag(toy.l2)
    expected = np.linalg.solve(curvature, references.risk_gradient(at, x, y, w, toy.l2, "softmax"))
    assert_close(step(toy, edit), -torch.tensor(expected), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["taken out", "weigh half", "weigh three times"])
def test_of_weights_it_is_closer_to_the_retrained_model_than_the_first_order(kind, name):
    newton, first, truth = three_ways(kind, EDITS[name])
    assert (newton - truth).norm() < 0.7 * (first - truth).norm()


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_of_new_labels_these_curvatures_know_nothing(kind):
    newton, first, _ = three_ways(kind, EDITS["labelled anew"])
    assert_close(newton, first, rtol=1e-6, atol=1e-9)


def three_ways(kind: str, edit: Edit) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """How an edit moves the parameters: by a Newton step, by the first order, and in truth, from a cold fit."""
    toy = linear(kind, d=FEATURES)
    x, y, w = edited(toy, edit)
    first = -torch.linalg.solve(toy.hessian(), edit.gradient_change(toy.objective, toy.theta))
    newton = edited_step(toy.objective, toy.theta, edit, prepared(toy))
    return newton, first, toy.refit(w, x, y) - toy.theta


def test_many_rows_or_much_work_go_the_way_of_the_edited_curvature():
    toy = linear("logistic", d=FEATURES)
    many = Edit.removal(list(range(FEATURES + 1)))
    few = Edit.removal([0])
    asked = []

    class Asked:
        def solve(self, rhs, progress=None):
            asked.append(rhs.shape[1])
            return prepared(toy).solve(rhs)

    for edit in (few, many):
        found = edited_step(toy.objective, toy.theta, edit, Asked())
        assert_close(found, dense_step(toy, edit), rtol=1e-6, atol=1e-9)
    assert asked == [1]


def test_a_solve_that_fails_is_said(monkeypatch):
    monkeypatch.setattr(block_newton, "DENSE_LIMIT", 0)
    monkeypatch.setattr(block_newton, "ConjugateGradient", lambda: ConjugateGradient(max_steps=1))
    toy = linear("softmax", d=FEATURES)
    with pytest.raises(SolveError, match="too few steps"):
        edited_step(toy.objective, toy.theta, EDITS["taken out"])


@pytest.mark.parametrize("kind", KINDS)
def test_many_small_sets_move_the_outputs_as_each_alone_does(kind):
    toy = linear(kind, d=FEATURES)
    x, sets = toy.tests[0][0], [torch.tensor([[0], [3]]), torch.tensor([[0, 1], [2, 4], [1, 3]])]
    found = moves_without(toy.objective, toy.theta, torch.tensor(GROUP), sets, x, prepared(toy))
    for places, moves in zip(sets, found, strict=True):
        for one, move in zip(places.tolist(), moves, strict=True):
            step = dense_step(toy, Edit.removal([GROUP[place] for place in one]))
            assert_close(move, toy.objective.outputs(step, x[None])[0], rtol=1e-6, atol=1e-9)
