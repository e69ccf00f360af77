"""Which training examples made the model say that (the paper's sections 2.1 and 5.1)?"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from influence_core import solvers
from influence_core.context import ALONE, Context
from influence_core.data.readers.picture_sets import pixel_distances
from influence_core.engines import Prepared, SolverSettings, needs_preparation
from influence_core.errors import SolveError
from influence_core.experiments.distances import scaled
from influence_core.experiments.explanation import Explanation, table
from influence_core.experiments.questions import Question
from influence_core.solvers.base import Solution
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.trust import Provenance

__all__ = ["AUTOMATIC", "Explanation", "run", "table"]

QUICK_REASON = "chosen because it needs no preparation, unlike the dense factor"


AUTOMATIC = SolverSettings()


@remember("explanation", stored=False)
def run(
    study: Study, question: Question, settings: SolverSettings = AUTOMATIC, *, context: Context = ALONE
) -> Explanation:
    """Scores of all training examples for one question.

    Where the automatic solver is a dense factor that takes long to prepare, and is not prepared yet, the answer comes
    from conjugate gradient, which is as exact: the first questions need not wait.

    Args:
        study: The trained model.
        question: What is asked.
        settings: How to invert the curvature.
        context: Where answers are kept; its engines are used where they are ready.

    Raises:
        SolveError: If the answer is not finite, or the curvature not positive definite where the solver needs it.
    """
    _, reason = solvers.choose(settings.solver, study.objective.dim)
    ways = {settings.resolved(study): reason}
    if needs_preparation(study, settings):
        ways[settings.quick.resolved(study)] = QUICK_REASON
    for way, why in ways.items():
        found = _solve.recall(study, question.x, question.label, way, context=context)
        if found is not None:
            return _assemble(study, question, settings, found, why)
    way, why = list(ways.items())[0 if context.engines.ready(study, settings) else -1]
    found = _solve(study, question.x, question.label, way, context=context)
    return _assemble(study, question, settings, found, why)


@dataclass(frozen=True, eq=False)
class _Solved:
    """What an explanation computes; the rest of it lies in the study."""

    s: np.ndarray
    scores: np.ndarray
    provenance: Provenance
    from_store: bool = False


@remember("influence")
def _solve(study: Study, x: Tensor, label: int, settings: SolverSettings, *, context: Context) -> _Solved:
    prepared = context.engines.prepare(study, settings, context.part(0.0, 0.8).progress)
    started = time.perf_counter()
    engine = prepared.engine
    solve = engine.inverse_gradients(*study.example(x, label), context.part(0.8, 1.0).progress)
    s = solve.value[:, 0]
    removal = engine.removal(s)
    if not bool(torch.isfinite(removal).all()):
        solve.require()
        raise SolveError("The scores are not finite: check the data and the damping.")
    facts = provenance(study, prepared, solve, removal, time.perf_counter() - started)
    return _Solved(s.cpu().numpy(), removal.cpu().numpy(), facts)


def provenance(
    study: Study, prepared: Prepared, solve: Solution, removal: Tensor, seconds: float, reason: str = ""
) -> Provenance:
    """What is known of a solve for one question.

    Args:
        study: The trained model.
        prepared: The engine that answered.
        solve: Its ``s``, ``(p,)`` or ``(p, 1)``.
        removal: ``(n,)`` the scores that it made.
        seconds: That this took.
        reason: Why this solver.
    """
    o, s = study.objective, solve.value.flatten()
    gradient, l2 = o.risk_gradient(study.theta), o.l2
    return Provenance(
        solver=prepared.solver.name,
        reason=reason,
        settings=solve.settings,
        exact=prepared.solver.exact,
        status=solve.status,
        steps=solve.steps,
        residual=solve.residual,
        curvature=prepared.settings.curvature,
        damping=prepared.settings.damping or 0.0,
        gradient_norm=float(gradient.norm()),
        convergence_check=prepared.engine.convergence_check(s, removal),
        drift=float(gradient @ s),
        largest=float(removal.abs().max()),
        n=o.n,
        p=o.dim,
        l2=f"{study.spec.l2:g}" + (" on weights" if l2.ndim else ""),
        device=s.device.type,
        dtype=str(s.dtype).removeprefix("torch."),
        seconds=seconds,
        convex=o.is_convex,
    )


def _assemble(
    study: Study, question: Question, settings: SolverSettings, found: _Solved, reason: str
) -> Explanation:
    train = study.data.train
    return Explanation(
        label=question.label,
        class_names=study.data.class_names,
        kind=study.data.kind,
        test_id=question.test_id,
        true_label=question.true_label,
        x=question.x.numpy(),
        probabilities=study.probabilities(question.x[None])[0],
        ids=train.ids.numpy(),
        labels=train.y.numpy(),
        own_probability=study.own_probability(),
        own_loss=_own_loss(study, question),
        scores=found.scores,
        distance=_distance(study, question),
        s=found.s,
        provenance=replace(found.provenance, reason=reason),
        settings=settings,
        from_store=found.from_store,
        photo=question.photo,
    )


def _own_loss(study: Study, question: Question) -> float:
    x, label = study.example(question.x, question.label)
    outputs = (
        study.objective.outputs(study.theta, x).cpu().double()
    )  # the loss of a sure answer is lost in float32
    return float(study.objective.loss.values(outputs, label.cpu()))


def _distance(study: Study, question: Question) -> np.ndarray:
    """``(n,)`` of the pixels of photographs, whatever the model makes of them, otherwise of the features.

    Those of a table are scaled, or the column with the largest unit would be the distance.
    """
    train, pictures = study.data.train, study.data.pictures
    if pictures is None:
        return torch.cdist(scaled(study, question.x[None]), scaled(study, train.x))[0].numpy()
    photo = question.photo
    if photo is None:
        assert question.test_id is not None
        photo = pictures.thumbs([question.test_id])[0]
    return pixel_distances(pictures, photo, train.ids.tolist())
