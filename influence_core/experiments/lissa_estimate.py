"""How good is an estimate from a few examples at a time? LiSSA beside the exact forecast and the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from influence_core.agreement import Agreement, shared_strongest
from influence_core.context import ALONE, Context
from influence_core.errors import UnsupportedError
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import LeaveOneOut
from influence_core.influence import InfluenceEngine
from influence_core.operators import Hessian
from influence_core.solvers import LiSSA
from influence_core.solvers.lissa import PROBE_STEPS, PROBES
from influence_core.store.remember import remember
from influence_core.studies import Study

TOP = 10
"""So many of the most influential examples should be found again."""
BUDGET = 50_000
"""Products of a single example's curvature with a vector: the paper's cost of one estimate."""
PAPER = LiSSA(batch=1, depth=5_000, repeats=10, scale=25.0, seed=17)
"""The paper's settings."""
BATCH = 10
OURS = LiSSA(batch=BATCH, depth=BUDGET // BATCH - PROBES * PROBE_STEPS, repeats=1, seed=17, average=0.5)
"""At the same cost, that of finding the scale included: batches allow a smaller scale, so one run reaches the weak
directions, and the mean of its second half loses the noise that the paper's ten runs leave."""


@dataclass(frozen=True, eq=False)
class Series:
    """The answer of LiSSA's series to a question; it holds for every set of left-out examples.

    Attributes:
        s: ``(p,)``.
        scores: ``(n,)`` ``D`` of all training examples, nats.
        residual: ``||H s - g|| / ||g||``.
        truncation: The share of the weakest direction that the series cuts off, ``(1 - l2 / scale)^t``.
        products: Examples' curvatures that were multiplied, those that found the scale included.
        settings: What was used, in words.
        seconds: Time.
    """

    s: np.ndarray
    scores: np.ndarray
    residual: float
    truncation: float
    products: int
    settings: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Estimate(Series):
    """``D`` of left-out examples from LiSSA.

    Attributes:
        predicted: ``(k,)`` of the examples of the leave-one-out result, in its order, nats.
        agreement: With the truth.
        error: ``||s - s_exact|| / ||s_exact||``.
        top: How many of the ten examples with the largest exact ``|D|`` are among the ten with the largest here.
    """

    predicted: np.ndarray
    agreement: Agreement
    error: float
    top: int


@remember("lissa estimate", stored=False)
def run(
    study: Study,
    explanation: Explanation,
    left_out: LeaveOneOut,
    solver: LiSSA = PAPER,
    *,
    context: Context = ALONE,
) -> Estimate:
    """Estimate ``s`` by LiSSA, without damping, and hold the ``D`` of the left-out examples against the truth.

    Args:
        study: The trained model.
        explanation: The question and its exact forecasts.
        left_out: The truth for some examples.
        solver: ``PAPER``, ``OURS`` or other settings.
        context: Its store keeps the estimate of ``s``.

    Raises:
        UnsupportedError: If the explanation's solver is itself an approximation.
        SolveError: If the series diverged.
    """
    if not explanation.provenance.exact:
        raise UnsupportedError("An estimate is held against an exact answer: choose an exact solver.")
    found = _solve(study, *explanation.asked(study), solver, context=context)
    predicted = found.scores[[explanation.position(int(one)) for one in left_out.train_ids]]
    return Estimate(
        predicted=predicted,
        agreement=Agreement.of(predicted, left_out.actual),
        error=float(np.linalg.norm(found.s - explanation.s) / np.linalg.norm(explanation.s)),
        top=shared_strongest(found.scores, explanation.scores, TOP),
        **vars(found),
    )


@remember("lissa")
def _solve(study: Study, x: Tensor, label: Tensor, solver: LiSSA, *, context: Context) -> Series:
    started = time.perf_counter()
    o, theta = study.objective, study.theta
    inverse = solver.prepare(Hessian(o, theta))
    engine = InfluenceEngine(o, theta, inverse.operator, inverse)
    solve = engine.inverse_gradients(x, label, context.progress)
    s = solve.require()[:, 0]
    probes = 0 if solver.scale else PROBES * PROBE_STEPS
    return Series(
        s=s.cpu().numpy(),
        scores=engine.removal(s).cpu().numpy(),
        residual=solve.residual,
        truncation=inverse.truncation,
        products=solver.batch * (solve.steps + probes),
        settings=solve.settings,
        seconds=time.perf_counter() - started,
    )
