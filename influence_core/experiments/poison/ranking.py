"""Through which training pictures an answer is moved most easily: what an attacker takes, and what to guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.errors import require
from influence_core.experiments.poison.pictures import Model, TracedPicture, original, supports
from influence_core.experiments.poison.targets import LOSS, Target, inverse_of
from influence_core.experiments.questions import Question
from influence_core.objective import LinearObjective
from influence_core.store.remember import remember
from influence_core.studies import Study

SHORTLIST = 30
BLOCK = 64
"""Test examples whose inverse gradients are solved for side by side."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Training pictures by how much a tiny change of theirs would move the goal, the most dangerous first.

    Attributes:
        ids: ``(k,)`` training ids.
        labels: ``(k,)`` their labels.
        own_probability: ``(k,)`` the model's probability for their own label.
        feature_norms: ``(k,)`` ``||I_pert||`` in feature space, nats (or probability) per unit: it made the shortlist.
        pixel_norms: ``(k,)`` ``sum_j |I_pert,j|`` over the pixels, per step of brightness, without the ``1/n``.
    """

    ids: np.ndarray
    labels: np.ndarray
    own_probability: np.ndarray
    feature_norms: np.ndarray
    pixel_norms: np.ndarray


@dataclass(frozen=True, eq=False)
class Guard:
    """Training pictures by the mean ``||I_pert||`` in feature space over ``tests`` test images: what to watch first.

    Attributes:
        ids: ``(n,)`` training ids, the most dangerous first.
        labels: ``(n,)`` their labels.
        own_probability: ``(n,)`` the model's probability for their own label.
        norms: ``(n,)`` nats per unit of feature, without the ``1/n``.
        tests: Test images over which the mean is taken.
    """

    ids: np.ndarray
    labels: np.ndarray
    own_probability: np.ndarray
    norms: np.ndarray
    tests: int

    def share(self, k: int) -> float:
        """What the first ``k`` hold of the sum of all norms."""
        return float(self.norms[:k].sum() / self.norms.sum())


@remember("poison shortlist")
def shortlist(
    study: Study,
    questions: Sequence[Question],
    k: int = SHORTLIST,
    goal: str = LOSS,
    *,
    context: Context = ALONE,
) -> Candidates:
    """The ``k`` training pictures of largest feature-space gradient, ranked by their pixel gradient.

    Args:
        study: A model on a frozen backbone.
        questions: The test examples that are attacked together.
        k: How many get a pass through the backbone; ``n`` is the full ranking.
        goal: As in ``Attack``.
        context: Its progress is told after every picture.

    Raises:
        UnsupportedError: If the study has no backbone.
        DataError: If no test example is named.
    """
    require(supports(study.spec))
    model, train = Model.of(study), study.data.train
    s = Target.of(study, questions, goal).inverse_gradient(model)[:, None]
    norms = feature_norms(model.objective, model.theta, s)[:, 0]
    at = norms.topk(min(k, len(norms))).indices
    pixels = pixel_norms(study, s, at.tolist(), context=context)[:, 0]
    order = np.argsort(-pixels, kind="stable")
    rows = at.cpu().numpy()[order]
    return Candidates(
        ids=train.ids.numpy()[rows],
        labels=train.y.numpy()[rows],
        own_probability=study.own_probability()[rows],
        feature_norms=norms.cpu().numpy()[rows],
        pixel_norms=pixels[order],
    )


@remember("poison guard")
def guard(study: Study, questions: Sequence[Question] = (), *, context: Context = ALONE) -> Guard:
    """Which training pictures to guard: the mean ``||I_pert||`` of each over many test images, in closed form.

    Args:
        study: A model on a frozen backbone.
        questions: The test examples; every test example with its true label where none are named.
        context: Its progress is told after every block of test examples.

    Raises:
        UnsupportedError: If the study has no backbone.
    """
    require(supports(study.spec))
    train, model = study.data.train, Model.of(study)
    target = Target.of(study, questions) if questions else _every_test(study)
    total = _total_norms(model, target, context)
    order = total.argsort(descending=True, stable=True).cpu().numpy()
    return Guard(
        ids=train.ids.numpy()[order],
        labels=train.y.numpy()[order],
        own_probability=study.own_probability()[order],
        norms=total.cpu().numpy()[order] / len(target.x),
        tests=len(target.x),
    )


def guard_table(study: Study, found: Guard) -> dict[str, np.ndarray]:
    """One row a training picture, the most dangerous first; the CSV download holds exactly these."""
    return {
        "training_id": found.ids,
        "label": np.array(study.data.class_names)[found.labels],
        "mean_norm": found.norms,
        "own_label_probability": found.own_probability,
    }


def feature_norms(objective: LinearObjective, theta: Tensor, s: Tensor) -> Tensor:
    """``||d/dx [s . grad_theta l(x_i, y_i)]||`` of every training example in closed form.

    With ``s = V`` and ``theta = W``, both ``(d, c)``, the gradient is ``V r + W A V'x``, so its squared length is a
    quadratic form of ``(r, A V'x)`` in the products of the columns of ``V`` and ``W``; it is never formed.

    Args:
        objective: What was minimised.
        theta: ``(p,)`` its optimum.
        s: ``(p, t)``.

    Returns:
        ``(n, t)``, not negative.
    """
    o, c = objective, objective.loss.outputs
    f, w = o.outputs(theta, o.x), theta.view(-1, c)
    residuals, curve = o.loss.residuals(f, o.y), o.loss.curvature(f, o.y)
    squares = []
    for one in s.T:
        v = one.reshape(-1, c)
        parts = torch.cat([residuals, curve((o.x @ v)[:, :, None])[:, :, 0]], 1)
        columns = torch.cat([v, w], 1)
        squares.append(((parts @ (columns.T @ columns)) * parts).sum(1))
    return torch.stack(squares, 1).clamp_min(0).sqrt()


def pixel_norms(study: Study, s: Tensor, positions: Sequence[int], *, context: Context = ALONE) -> np.ndarray:
    """``sum_j |I_pert,j|`` over the pixels: one pass forward a picture, and one back for each test example.

    Args:
        study: A model on a frozen backbone.
        s: ``(p, t)`` inverse-curvature gradients of the test examples.
        positions: ``(m,)`` training positions; all ``n`` of them are the full ranking, which takes minutes.
        context: Its progress is told after every picture.

    Returns:
        ``(m, t)`` in nats per step of brightness, without the ``1/n``.
    """
    model, found = Model.of(study), np.empty((len(positions), s.shape[1]))
    for done, at in enumerate(positions):
        context.report(done / len(positions), f"{done} of {len(positions)} pictures asked for their pixels")
        traced = TracedPicture(study, at, original(study, at))
        found[done] = [float(traced.influence(model, one).abs().sum()) for one in s.T]
    return found


def _every_test(study: Study) -> Target:
    test = study.data.test
    return Target(study.inputs(test.x), test.y.to(study.theta.device))


def _total_norms(model: Model, target: Target, context: Context) -> Tensor:
    """``(n,)`` the sum of ``||I_pert||`` over the test examples."""
    o, theta, (x, y) = model.objective, model.theta, (target.x, target.y)
    inverse, total = inverse_of(model), o.x.new_zeros(o.n)
    for start in range(0, len(x), BLOCK):
        context.report(start / len(x), f"{start} of {len(x)} test images asked")
        gradients = o.gradients(theta, x[start : start + BLOCK], y[start : start + BLOCK])
        total += feature_norms(o, theta, inverse.solve(gradients.T.contiguous()).require()).sum(1)
    return total
