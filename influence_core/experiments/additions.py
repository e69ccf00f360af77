"""What is missing? Which examples, were they added to the training set, would lower the loss of an answer most.

The mirror image of leaving an example out: an added example comes with the weight ``1/n`` that all others have and keep, and
so is an example that has the weight ``-1/n`` taken out. Every forecast of a removal is one of an addition with that sign.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.errors import DataError
from influence_core.experiments import group_forecast
from influence_core.experiments.corrected import UNDAMPED, linear_objective
from influence_core.experiments.effects import effects_of
from influence_core.experiments.pools import Pool
from influence_core.experiments.questions import Question
from influence_core.experiments.take_out import GRADIENT_TOL
from influence_core.influence import edited_step, left_out_pulls, leverage_blocks
from influence_core.objective import LinearObjective
from influence_core.retraining.edits import Edit
from influence_core.retraining.linear import retrain
from influence_core.solvers.base import Inverse
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec

SHARPENED = 50
"""So many candidates, those that lower the loss most to first order, have their Newton step taken."""
MAX_ADDED = 50
"""So many are added together at most."""


@dataclass(frozen=True, eq=False)
class Additions:
    """What each candidate would do to one answer, alone.

    Attributes:
        ids: ``(m,)`` of the candidates, in the pool's order.
        labels: ``(m,)``; -1 where they have none.
        influence: ``(m,)`` first order, nats: the change of the test loss if the candidate is added; negative = it helps. Of
            a candidate without a label the root of the mean square over the labels, by the model's own probabilities.
        loss: ``(m,)`` the same by one Newton step; NaN where none was taken.
        probability: ``(m,)`` change of the probability of the label asked about, there.
        sure: ``(m,)`` the model's probability for its own answer to each candidate.
    """

    ids: np.ndarray
    labels: np.ndarray
    influence: np.ndarray
    loss: np.ndarray
    probability: np.ndarray
    sure: np.ndarray

    @property
    def labelled(self) -> bool:
        """Whether the candidates have labels."""
        return bool((self.labels >= 0).all())

    @property
    def best(self) -> np.ndarray:
        """``(m,)`` the Newton step's number where there is one, else first order."""
        return np.where(np.isnan(self.loss), self.influence, self.loss)

    def order(self) -> np.ndarray:
        """Positions ``(m,)``: those that lower the loss most first; without labels, those that could move it most."""
        if not self.labelled:
            return np.argsort(-self.influence, kind="stable")
        return np.lexsort((self.best, np.isnan(self.loss)))


@dataclass(frozen=True, eq=False)
class Added:
    """Forecast and truth of some candidates added together.

    Attributes:
        ids: ``(k,)`` of the candidates.
        alone: First order, nats: each alone, added up.
        forecast: One Newton step with all of them, nats.
        actual: The change of the test loss after training again with them, nats.
        before: ``(classes,)`` probabilities of the trained model.
        after: ``(classes,)`` with them.
        gradient_norm: Of the model with them.
        target: The gradient norm that was asked for.
        converged: Whether it was reached.
        seconds: Time for retraining.
    """

    ids: np.ndarray
    alone: float
    forecast: float
    actual: float
    before: np.ndarray
    after: np.ndarray
    gradient_norm: float
    target: float
    converged: bool
    seconds: float


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_smooth_linear:
        return None
    return (
        "What is missing is asked of linear models with a smooth loss, which can be trained again with it. "
        "Choose such a study."
    )


@remember("additions", stored=False)
def run(study: Study, question: Question, pool: Pool, *, context: Context = ALONE) -> Additions:
    """What each candidate would do to the loss of the label asked about if it were added alone.

    First order ``-s . grad l(candidate) / n``; then, of the best, the Newton step on the risk with the candidate, by
    Woodbury's identity ``-H^-1 J' (I + B K / n)^-1 r / n`` with its leverage block ``K = J H^-1 J'``. A candidate without a
    label is ranked by how much it could move the answer: its *expected* effect by the model's own probabilities is 0 to first
    order whatever it is, since ``sum_y p(y) r_y = 0``.

    Args:
        study: A linear model with a smooth loss.
        question: Whose loss is to fall.
        pool: What could be added.
        context: Its engines' undamped factor where one is ready; else conjugate gradient, which is as exact.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o, x = linear_objective(study), study.inputs(pool.x)
    inverse = _inverse(study, context.part(0.0, 0.3))
    solved = inverse.solve(
        o.output_jacobian(study.inputs(question.x)[None]), context.part(0.3, 0.6).progress
    ).require()
    pull = o.loss.residuals(o.outputs(study.theta, study.inputs(question.x)[None]), _label(study, question))[
        0
    ]
    s, sure = solved @ pull, study.probabilities(pool.x)
    blank = np.full(len(x), np.nan)
    if pool.y is None:
        every = torch.stack([_first_order(o, study.theta, x, s, label) for label in range(sure.shape[1])], 1)
        size = np.sqrt((sure * every.square().cpu().numpy()).sum(1))
        return Additions(pool.ids.numpy(), np.full(len(x), -1), size, blank, blank.copy(), sure.max(1))
    y = pool.y.to(o.y)
    first = -o.gradient_products(study.theta, x, y, s) * o.unit
    at = first.argsort(stable=True)[:SHARPENED]
    added = LinearObjective(x[at], y[at], o.loss, o.l2, o.weights.new_full((len(at),), -o.unit))
    blocks = leverage_blocks(added, inverse, None, context.part(0.6, 1.0).progress)
    moves = o.weighted_products(x[at], left_out_pulls(added, study.theta, blocks), solved)
    effects, loss, probability = effects_of(study, question, moves.cpu().numpy()), blank, blank.copy()
    loss[at.cpu()], probability[at.cpu()] = effects.loss, effects.probability
    return Additions(pool.ids.numpy(), pool.y.numpy(), first.cpu().numpy(), loss, probability, sure.max(1))


@remember("added", stored=False)
def prove(
    study: Study, question: Question, pool: Pool, positions: Sequence[int], *, context: Context = ALONE
) -> Added:
    """Train again with some candidates added together, to a gradient norm that is small beside the one they bring in.

    Args:
        study: A linear model with a smooth loss.
        question: Whose loss is looked at.
        pool: Where the candidates come from, with their labels.
        positions: ``(k,)`` of them in the pool.
        context: Its engines' undamped factor makes it faster.

    Raises:
        DataError: If none is named, too many are, or the pool has no labels.
    """
    if not 0 < len(positions) <= MAX_ADDED:
        raise DataError(f"Choose 1 to {MAX_ADDED} to add, not {len(positions)}.")
    started = time.perf_counter()
    grown, edit = grow(study, pool, positions)
    x, label = study.inputs(question.x)[None], _label(study, question)
    inverse = group_forecast.ready_factor(study, UNDAMPED, context)
    first = -float(_s(study, question, context.part(0.0, 0.2)) @ edit.gradient_change(grown, study.theta))
    step = edited_step(grown, study.theta, edit, inverse, context.part(0.2, 0.4).progress)
    target = GRADIENT_TOL * float(edit.gradient_change(grown, study.theta).norm())
    models = retrain(grown, study.theta, [edit], inverse, target, context.part(0.4, 1.0).progress)
    losses = [float(grown.losses(one, x, label)) for one in (study.theta, models.theta[0])]
    return Added(
        ids=pool.ids.numpy()[list(positions)],
        alone=first,
        forecast=float(effects_of(study, question, grown.outputs(step, x).cpu().numpy()).loss[0]),
        actual=losses[1] - losses[0],
        before=grown.probabilities(study.theta, x)[0].cpu().numpy(),
        after=grown.probabilities(models.theta[0], x)[0].cpu().numpy(),
        gradient_norm=float(models.gradient_norms[0]),
        target=target,
        converged=bool(models.converged.all()),
        seconds=time.perf_counter() - started,
    )


def grow(study: Study, pool: Pool, positions: Sequence[int]) -> tuple[LinearObjective, Edit]:
    """The objective with candidates that weigh nothing yet, and the edit that gives each of them the weight ``1/n``.

    Raises:
        DataError: If the pool has no labels.
    """
    o, at = linear_objective(study), list(positions)
    if pool.y is None:
        raise DataError("These have no labels yet: label them before they are added.")
    x, y = study.inputs(pool.x[at]), pool.y[at].to(o.y)
    grown = replace(
        o,
        x=torch.cat([o.x, x]),
        y=torch.cat([o.y, y]),
        weights=torch.cat([o.weights, o.weights.new_zeros(len(at))]),
        whole=o.unit,
    )
    return grown, Edit(torch.arange(o.n, grown.n), weight=1.0)


def table(study: Study, found: Additions) -> dict[str, Any]:
    """The ranking as columns, the best first; the download and ``--json`` hold exactly these.

    Args:
        study: Whose class names the labels have.
        found: The ranking.
    """
    at = found.order()
    columns = {"rank": np.arange(1, len(at) + 1), "id": found.ids[at]}
    if not found.labelled:
        return columns | {"predicted_size_nats": found.influence[at], "models_certainty": found.sure[at]}
    return columns | {
        "label": np.array(study.data.class_names)[found.labels[at]],
        "predicted_loss_change_nats": found.influence[at],
        "corrected_loss_change_nats": found.loss[at],
        "corrected_probability_change": found.probability[at],
        "models_certainty": found.sure[at],
    }


def _first_order(o: LinearObjective, theta: Tensor, x: Tensor, s: Tensor, label: int) -> Tensor:
    """``-s . grad l / n (m,)`` if every candidate bore one label."""
    y = torch.full((len(x),), label, dtype=o.y.dtype, device=o.y.device)
    return -o.gradient_products(theta, x, y, s) * o.unit


def _label(study: Study, question: Question) -> Tensor:
    return torch.tensor([question.label], device=study.theta.device)


def _s(study: Study, question: Question, context: Context) -> Tensor:
    """``s = H^-1 grad l_test (p,)``, undamped."""
    o, example = linear_objective(study), study.example(question.x, question.label)
    solve = _inverse(study, context).solve(
        o.gradients(study.theta, *example).T.contiguous(), context.progress
    )
    return solve.require()[:, 0]


def _inverse(study: Study, context: Context) -> Inverse:
    """The undamped inverse, without waiting for a factor."""
    way = UNDAMPED if context.engines.ready(study, UNDAMPED) else UNDAMPED.quick
    return context.engines.prepare(study, way, context.progress).engine.inverse
