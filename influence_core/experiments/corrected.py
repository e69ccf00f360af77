"""The corrected forecast of leaving out each training example: one Newton step without it, and the loss where that leads.

The influence is a first-order number twice over: the parameters move by the first order, and so does the test loss. Here
they move by a Newton step on the risk without the example, whose own curvature is gone too, and the test loss and the
probability are evaluated at the outputs that this gives. What it needs of each training example depends on the model alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings
from influence_core.errors import UnsupportedError, require
from influence_core.experiments.questions import Question
from influence_core.influence import InfluenceEngine, left_out_pulls, leverage_blocks
from influence_core.objective import LinearObjective
from influence_core.store.remember import remember
from influence_core.studies import Study, StudySpec

UNDAMPED = SolverSettings(damping=0.0)
"""Leaving an example out changes the risk itself, which no damping belongs to."""


@dataclass(frozen=True, eq=False)
class Effects:
    """What leaving out each training example does to one answer, alone.

    Attributes:
        loss: ``(n,)`` change of the test loss, nats; positive = the example helps.
        probability: ``(n,)`` change of the probability of the label that is asked about.
    """

    loss: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, eq=False)
class Leverages:
    """How much of its own fit each training example carries.

    Attributes:
        blocks: ``(n, c, c)`` ``K_i = J_i H^-1 J_i'``.
    """

    blocks: np.ndarray


def supports(spec: StudySpec) -> str | None:
    """Why a study cannot be asked this; ``None`` where it can."""
    if spec.is_smooth_linear:
        return None
    return "Without each single example only a linear model with a smooth loss is known. Choose such a study."


@remember("corrected forecast", stored=False)
def run(study: Study, question: Question, *, context: Context = ALONE) -> Effects:
    """The corrected forecast of every training example, for one question.

    Args:
        study: A linear model with a smooth loss.
        question: What is asked.
        context: Its store keeps the leverages, its engines the factor.

    Raises:
        UnsupportedError: If the model is not linear.
    """
    o = linear_objective(study)
    engine = undamped(study, context.part(0.0, 0.3))
    known = leverages(study, engine=engine, context=context.part(0.3, 1.0))
    pulls = left_out_pulls(o, study.theta, torch.as_tensor(known.blocks).to(study.theta))
    c, x = o.loss.outputs, study.inputs(question.x)
    jacobian = x.new_zeros(len(x), c, c)
    jacobian.diagonal(dim1=1, dim2=2).copy_(x[:, None])
    solved = engine.inverse.solve(jacobian.view(o.dim, c)).require()
    return effects_of(study, question, o.weighted_products(o.x, pulls, solved))


@remember("leverages")
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
    return Leverages(leverage_blocks(o, inverse, None, context.part(0.3, 1.0).progress).cpu().numpy())


def effects_of(study: Study, question: Question, moves: Tensor) -> Effects:
    """Loss and probability where the test example's outputs have moved by ``moves (n, c)``, each on its own."""
    o, x = linear_objective(study), study.inputs(question.x)[None]
    before = o.outputs(study.theta, x)
    outputs = torch.cat([before, before + moves.to(before)])
    labels = torch.full((len(outputs),), question.label, device=outputs.device)
    losses, probabilities = o.loss.values(outputs, labels), o.loss.probabilities(outputs)[:, question.label]
    loss, probability = (
        (values[1:] - values[0]).cpu().double().numpy() for values in (losses, probabilities)
    )
    return Effects(loss, probability)


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
