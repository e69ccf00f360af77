"""How good is an estimate from a few examples at a time? LiSSA beside the exact forecast and the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from influence_core.errors import UnsupportedError
from influence_core.experiments.explain import Explanation
from influence_core.experiments.leave_one_out import Fit, LeaveOneOut
from influence_core.influence import InfluenceEngine
from influence_core.operators import Hessian
from influence_core.progress import Progress
from influence_core.solvers import LiSSA
from influence_core.solvers.lissa import PROBE_STEPS, PROBES
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study

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
class Estimate:
    """``D`` of left-out examples from LiSSA.

    Attributes:
        predicted: ``(k,)`` of the examples of the leave-one-out result, in its order, nats.
        fit: Beside the truth.
        error: ``||s - s_exact|| / ||s_exact||``.
        residual: ``||H s - g|| / ||g||``.
        truncation: The share of the weakest direction that the series cuts off, ``(1 - l2 / scale)^t``.
        top: How many of the ten examples with the largest exact ``|D|`` are among the ten with the largest here.
        products: Examples' curvatures that were multiplied, those that found the scale included.
        settings: What was used, in words.
        seconds: Time.
    """

    predicted: np.ndarray
    fit: Fit
    error: float
    residual: float
    truncation: float
    top: int
    products: int
    settings: str
    seconds: float


def run(
    study: Study,
    explanation: Explanation,
    left_out: LeaveOneOut,
    solver: LiSSA = PAPER,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Estimate ``s`` by LiSSA, without damping, and hold the ``D`` of the left-out examples against the truth.

    Args:
        study: The trained model.
        explanation: The question and its exact forecasts.
        left_out: The truth for some examples.
        solver: ``PAPER``, ``OURS`` or other settings.
        store: Where estimates are kept.
        progress: Called while solving.

    Raises:
        UnsupportedError: If the explanation's solver is itself an approximation.
        SolveError: If the series diverged.
    """
    if not explanation.provenance.exact:
        raise UnsupportedError("An estimate is held against an exact answer: choose an exact solver.")
    key = digest(
        "lissa", FORMAT, study.key, study.theta.device.type, explanation.x, explanation.label, repr(solver)
    )
    kept = store.get(key) if store else None
    if kept is None:
        arrays, facts = _solve(study, explanation, solver, progress)
        if store:
            store.put(key, arrays, facts)
    else:
        arrays, facts = kept.arrays, kept.meta
    predicted = arrays["scores"][[explanation.position(int(one)) for one in left_out.train_ids]]
    strongest = [
        set(np.argsort(-np.abs(d), kind="stable")[:TOP]) for d in (arrays["scores"], explanation.scores)
    ]
    return Estimate(
        predicted=predicted,
        fit=Fit.of(predicted, left_out.actual),
        error=float(np.linalg.norm(arrays["s"] - explanation.s) / np.linalg.norm(explanation.s)),
        top=len(strongest[0] & strongest[1]),
        **facts,
    )


def _solve(
    study: Study, explanation: Explanation, solver: LiSSA, progress: Progress | None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    started = time.perf_counter()
    o, theta = study.objective, study.theta
    inverse = solver.prepare(Hessian(o, theta))
    engine = InfluenceEngine(o, theta, inverse.operator, inverse)
    x = study.inputs(torch.as_tensor(explanation.x))[None]
    solve = engine.inverse_gradients(x, torch.tensor([explanation.label], device=theta.device), progress)
    s = solve.require()[:, 0]
    probes = 0 if solver.scale else PROBES * PROBE_STEPS
    facts = {
        "residual": solve.residual,
        "truncation": inverse.truncation,
        "products": solver.batch * (solve.steps + probes),
        "settings": solve.settings,
        "seconds": time.perf_counter() - started,
    }
    return {"s": s.cpu().numpy(), "scores": engine.removal(s).cpu().numpy()}, facts
