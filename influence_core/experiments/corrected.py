"""The corrected forecast of leaving out each training example: one Newton step without it, and the loss where that leads.

The influence is a first-order number twice over: the parameters move by the first order, and so does the test loss. Here
they move by a Newton step on the risk without the example, whose own curvature is gone too, and the test loss and the
probability are evaluated at the outputs that this gives. What it needs of each training example depends on the model alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.errors import UnsupportedError, require
from influence_core.experiments.effects import Effects, effects_of
from influence_core.experiments.questions import Question
from influence_core.influence import InfluenceEngine, left_out_pulls, leverage_blocks
from influence_core.objective import LinearObjective
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec
from influence_core.training import minimise

UNDAMPED = SolverSettings(damping=0.0)
"""Leaving an example out changes the risk itself, which no damping belongs to."""


@dataclass(frozen=True, eq=False)
class Leverages:
    """How much of its own fit each training example carries.

    Attributes:
        blocks: ``(n, c, c)`` ``K_i = J_i H^-1 J_i'``.
        unfinished: ``(p,)`` ``theta`` less the optimum: what training has left. The optimum is where training ends when it
            goes on from ``theta``, and one Newton step ``H^-1 grad R`` beyond, which alone would lead astray far from it.
    """

    blocks: np.ndarray
    unfinished: np.ndarray


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_smooth_linear:
        return None
    return "Without each single example only a linear model with a smooth loss is known. Choose such a study."


@remember("corrected forecast")
def run(study: Study, question: Question, *, context: Context = ALONE) -> Effects:
    """The corrected forecast of every training example, for one question.

    Args:
        study: A linear model with a smooth loss.
        question: What is asked.
        context: Its store keeps the leverages, its engines the factor; without a factor, conjugate gradient is as exact.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    way = UNDAMPED if context.engines.ready(study, UNDAMPED) else UNDAMPED.quick
    return next(forecaster(study, way, context=context)([question]))


def forecaster(
    study: Study, way: SolverSettings = UNDAMPED, *, context: Context = ALONE
) -> Callable[[Sequence[Question]], Iterator[Effects]]:
    """``run`` for many questions, once what they share is prepared; nothing of the answers is kept.

    The questions of a call are solved for together.

    Args:
        study: A linear model with a smooth loss.
        way: How the curvature is inverted, undamped.
        context: As for ``run``.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o = linear_objective(study)
    pulled = pulls(study, context=context.part(0.0, 0.7)).values
    rest = context.part(0.7, 1.0)
    inverse = rest.engines.prepare(study, way, rest.progress).engine.inverse

    def forecasts(questions: Sequence[Question]) -> Iterator[Effects]:
        x, c = study.inputs(torch.stack([one.x for one in questions])), o.loss.outputs
        solved = context.ranks.columns(
            len(x), c, lambda own: inverse.solve(o.output_jacobian(x[own]), rest.progress).require()
        )
        for question, columns in zip(questions, solved.split(c, 1), strict=True):
            yield effects_of(study, question, o.weighted_products(o.x, pulled, columns).cpu().numpy())

    return forecasts


@remember("leverages and optimum")
def leverages(study: Study, *, engine: InfluenceEngine | None = None, context: Context = ALONE) -> Leverages:
    """The leverage blocks of all training examples, computed once a study.

    Args:
        study: A linear model with a smooth loss.
        engine: Undamped, where one is prepared.
        context: Its store keeps them.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o = linear_objective(study)
    inverse = (engine or undamped(study, context.part(0.0, 0.3))).inverse
    blocks = leverage_blocks(o, inverse, None, context.part(0.3, 0.95).progress)
    ended = minimise(o, study.theta, progress=context.part(0.95, 1.0).progress).theta
    unfinished = study.theta - ended + inverse.solve(o.risk_gradient(ended)).require()
    return Leverages(blocks.cpu().numpy(), unfinished.cpu().numpy())


@dataclass(frozen=True, eq=False)
class Pulls:
    """All that a question needs of the training examples.

    Attributes:
        values: ``(n, c)`` what each example pulls with once its own curvature is gone too.
        unfinished: ``(p,)`` as in ``Leverages``.
    """

    values: Tensor
    unfinished: np.ndarray


_PULLS: WeakKeyDictionary[Study, Pulls] = WeakKeyDictionary()
"""Of the studies that were asked about, as long as they are open: they would take longer than the rest of a question does."""


def pulls(study: Study, *, context: Context = ALONE) -> Pulls:
    """What a question needs of the training examples, made or read once an open study.

    Args:
        study: A linear model with a smooth loss.
        context: As for ``leverages``.
    """
    held = _PULLS.get(study)
    if held is None:
        known = leverages(study, context=context)
        blocks = torch.as_tensor(known.blocks).to(study.theta)
        held = Pulls(left_out_pulls(linear_objective(study), study.theta, blocks), known.unfinished)
        _PULLS[study] = held
    return held


def is_prepared(study: Study, *, context: Context) -> bool:
    """Whether the pulls are there, or made of what the store has; nothing is read or computed."""
    return study in _PULLS or leverages.is_stored(study, context=context)


def left_open(study: Study, question: Question, unfinished: np.ndarray) -> float:
    """How far finishing the training could move the loss of a question, nats, whatever way its outputs go.

    ``|J (theta - optimum)| |dl/df|`` with the larger ``dl/df`` of the two ends, which bounds what a convex loss can change
    between them; unlike that change itself it does not vanish by chance.
    """
    o, x = linear_objective(study), study.inputs(question.x)[None]
    moved = o.outputs(torch.as_tensor(unfinished).to(study.theta), x)
    outputs = o.outputs(study.theta, x)
    labels = torch.full((2,), question.label, device=x.device)
    pulls = o.loss.residuals(torch.cat([outputs, outputs - moved]), labels)
    return float(moved.norm() * pulls.norm(dim=1).max())


def linear_objective(study: Study) -> LinearObjective:
    """The study's objective.

    Raises:
        UnsupportedError: If its model is not linear with a smooth loss.
    """
    require(supports(study.spec))
    if not isinstance(study.objective, LinearObjective):
        raise UnsupportedError("This needs a linear model.")
    return study.objective


def undamped(study: Study, context: Context) -> InfluenceEngine:
    """The engine with the risk's own curvature, prepared where it is not there yet."""
    return context.engines.prepare(study, UNDAMPED, context.progress).engine
