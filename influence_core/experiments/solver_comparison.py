"""Which solver can be trusted here? The same question put to several, beside the exact answer."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from influence_core import solvers
from influence_core.agreement import rank_agreement
from influence_core.engines import Prepared, SolverSettings
from influence_core.errors import DataError, SolveError, UnsupportedError
from influence_core.experiments.questions import Question
from influence_core.influence import InfluenceEngine
from influence_core.operators import Curvature, ExtremeEigenvalues, GaussNewton, Hessian, extreme_eigenvalues
from influence_core.progress import Progress, part, report
from influence_core.solvers import Inverse, LiSSA, Solution, Solver
from influence_core.solvers.base import REMEDIES
from influence_core.solvers.lissa import LiSSAInverse
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import FORMAT, Study
from influence_core.trust import CLOSE, EXACT_RESIDUAL, ORDERED

TOP = 10
"""So many of the strongest examples should be found again."""
DEPTHS = (1 / 64, 1 / 16, 1 / 4)
"""Shares of LiSSA's depth at which it is run too: its own measure of progress, a norm, does not show an error."""

MOST = 8
"""With so many of them found the strongest may be read, whatever the order of the rest."""

Trust = Literal["sizes", "order", "strongest", "nothing"]


@dataclass(frozen=True)
class Agreement:
    """A solver's answer beside the exact one.

    Attributes:
        pearson: Correlation of its ``D`` with the exact ``D``, over all training examples.
        spearman: The same of their ranks.
        slope: Of its ``D`` on the exact ``D``: 1 where the sizes are right on average.
        top: How many of the ``TOP`` exactly strongest examples are among its ``TOP`` strongest.
        error: ``||s - s_exact|| / ||s_exact||``.
        miss: Largest ``|D - D_exact|`` as a share of the largest ``|D_exact|``.
    """

    pearson: float
    spearman: float
    slope: float
    top: int
    error: float
    miss: float

    @property
    def trust(self) -> Trust:
        """What may be read: the sizes (each within a tenth of the largest), the order, the strongest alone, or nothing."""
        if self.miss <= CLOSE:
            return "sizes"
        if self.spearman >= ORDERED:
            return "order"
        return "strongest" if self.top >= MOST else "nothing"


@dataclass(frozen=True, eq=False)
class Row:
    """What one solver did.

    Attributes:
        name: In ``solvers.CATALOGUE``.
        title: Its name on screen.
        exact: Whether it claims the exact answer.
        status: As a solution's, or "no answer" where it could not be prepared.
        words: What was used; where it failed, what happened and what to do.
        preparation: Seconds, once a model.
        solving: Seconds, for this question.
        memory: Bytes held at most besides what a product takes; by formula, not measured.
        residual: True relative residual ``||A s - g|| / ||g||``; NaN where there is no answer.
        once: Products with the curvature to prepare, once a model.
        products: The same for this question; one with a batch of LiSSA's counts as its share of the examples.
        history: ``(m, 2)`` products so far and relative residual. Conjugate gradient reports its own after each
            product; of LiSSA the true one of a few shorter runs is taken; the others have one point.
        s: ``(p,)``; empty where there is no answer.
        scores: ``(n,)`` ``D``, nats, positive = helpful; empty where there is no answer.
    """

    name: str
    title: str
    exact: bool
    status: str
    words: str
    preparation: float
    solving: float
    memory: int
    residual: float
    once: int
    products: float
    history: np.ndarray
    s: np.ndarray
    scores: np.ndarray

    @property
    def answered(self) -> bool:
        """Whether there are numbers that may be compared."""
        return self.status == "converged" and bool(np.isfinite(self.scores).all())


@dataclass(frozen=True, eq=False)
class SolverComparison:
    """The rows in the order of the catalogue, the exact one among them.

    Attributes:
        rows: One a solver.
        reference: Name of the solver whose answer counts as exact.
        curvature: "hessian" or "gauss-newton".
        damping: Added to the curvature.
        n: Training examples.
        p: Parameters.
    """

    rows: tuple[Row, ...]
    reference: str
    curvature: str
    damping: float
    n: int
    p: int

    def row(self, name: str) -> Row:
        """The row of a solver."""
        return next(one for one in self.rows if one.name == name)

    @property
    def exact(self) -> Row | None:
        """The exact answer; ``None`` where its solver failed too."""
        row = self.row(self.reference)
        return row if row.answered and row.residual <= EXACT_RESIDUAL else None

    def agreement(self, row: Row) -> Agreement | None:
        """A row beside the exact answer; ``None`` where one of them is missing."""
        exact = self.exact
        if exact is None or not row.answered:
            return None
        ours, truth = row.scores, exact.scores
        largest, spread = float(np.abs(truth).max()), float(truth.var())
        if not largest or not spread:
            return None
        strongest = [set(np.argsort(-np.abs(one), kind="stable")[:TOP].tolist()) for one in (ours, truth)]
        covariance = float(((ours - ours.mean()) * (truth - truth.mean())).mean())
        return Agreement(
            pearson=covariance / math.sqrt(spread * float(ours.var())) if ours.var() else math.nan,
            spearman=rank_agreement(ours, truth),
            slope=covariance / spread,
            top=len(strongest[0] & strongest[1]),
            error=float(np.linalg.norm(row.s - exact.s) / np.linalg.norm(exact.s)),
            miss=float(np.abs(ours - truth).max()) / largest,
        )


def run(
    study: Study,
    question: Question,
    names: Sequence[str],
    settings: SolverSettings | None = None,
    prepared: Prepared | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> SolverComparison:
    """Put one question to several solvers; one that fails is a row that says why.

    Args:
        study: The trained model.
        question: What is asked.
        names: Of ``solvers.CATALOGUE``; the one whose answer counts as exact is always added: the automatic choice, but
            conjugate gradient for a network's Hessian, whose dense matrix takes a product for each parameter.
        settings: Curvature and damping; the solver they name does not matter.
        prepared: A prepared engine, whose dense factor is used where curvature and damping are the same.
        store: Where rows are kept, each on its own.
        progress: Called while preparing and solving.

    Raises:
        DataError: If there is no such solver.
    """
    unknown = [name for name in names if name not in solvers.CATALOGUE]
    if unknown:
        raise DataError(
            f"There is no solver '{unknown[0][:40]}'; choose from {', '.join(solvers.CATALOGUE)}."
        )
    decided = replace(settings or SolverSettings(), solver="auto").resolved(study)
    reference = decided.solver if study.objective.is_convex or decided.curvature != "hessian" else "cg"
    chosen = [name for name in solvers.CATALOGUE if name in {*names, reference}]
    operator = _operator(study, decided)
    rows = []
    for at, name in enumerate(chosen):
        told = part(progress, at / len(chosen), (at + 1) / len(chosen))
        one = replace(decided, solver=name)
        ready = prepared if prepared and prepared.settings == one and name == "cholesky" else None
        rows.append(_row(study, question, one, operator, ready, store, told))
    o = study.objective
    return SolverComparison(tuple(rows), reference, decided.curvature, operator.damping, o.n, o.dim)


def _operator(study: Study, decided: SolverSettings) -> Curvature:
    kind = Hessian if decided.curvature == "hessian" else GaussNewton
    return kind(study.objective, study.theta, decided.damping or 0.0)


def _row(
    study: Study,
    question: Question,
    settings: SolverSettings,
    operator: Curvature,
    prepared: Prepared | None,
    store: Store | None,
    progress: Progress | None,
) -> Row:
    """From the store, or computed."""
    solver, place = solvers.CATALOGUE[settings.solver], study.theta.device.type
    about = (study.key, place, question.x, question.label, asdict(settings), repr(solver))
    key = digest("solver comparison", FORMAT, *about)
    kept = store.get(key) if store else None
    if kept is not None:
        found: dict[str, Any] = {**kept.meta, **kept.arrays}
        return Row(name=settings.solver, title=solver.name, exact=solver.exact, **found)
    told = _naming(solver.name, progress)
    report(told, 0.0, "starting")
    operator.matvec(torch.zeros_like(study.theta))  # what a product prepares for itself is no solver's time
    started = time.perf_counter()
    try:
        arrays, facts = _solve(study, question, solver, operator, prepared, told)
    except (SolveError, UnsupportedError) as error:
        arrays, facts = _failed(str(error), time.perf_counter() - started)
    if store:
        store.put(key, arrays, facts)
    found = {**facts, **arrays}
    return Row(name=settings.solver, title=solver.name, exact=solver.exact, **found)


def _naming(name: str, progress: Progress | None) -> Progress | None:
    """Progress that says whose it is."""
    return progress and (lambda fraction, message: report(progress, fraction, f"{name}: {message}"))


def _solve(
    study: Study,
    question: Question,
    solver: Solver,
    operator: Curvature,
    prepared: Prepared | None,
    progress: Progress | None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of a row."""
    x, y = study.inputs(question.x)[None], torch.tensor([question.label], device=study.theta.device)
    started, before = time.perf_counter(), operator.products
    inverse = prepared.engine.inverse if prepared else solver.prepare(operator, part(progress, 0.0, 0.5))
    ready, once = time.perf_counter(), operator.products - before
    engine = InfluenceEngine(study.objective, study.theta, operator, inverse)
    solution = engine.inverse_gradients(x, y, part(progress, 0.5, 0.8))
    ended = time.perf_counter()
    remedy = REMEDIES.get(solution.status)
    facts = {
        "status": solution.status,
        "words": f"{solution.settings}. {remedy}" if remedy else solution.settings,
        "preparation": prepared.seconds if prepared else ready - started,
        "solving": ended - ready,
        "memory": solver.memory(operator) * study.theta.element_size(),
        "residual": solution.residual,
        "once": once,
        "products": _products(inverse, solution),
    }
    history = _history(inverse, solution, part(progress, 0.8, 1.0))
    s = solution.value[:, 0]
    scores = engine.removal(s)
    return {"s": s.cpu().numpy(), "scores": scores.cpu().numpy(), "history": history}, facts


def _failed(why: str, seconds: float) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    empty = np.zeros(0)
    facts = {
        "status": "no answer",
        "words": why,
        "preparation": seconds,
        "solving": 0.0,
        "memory": 0,
        "residual": math.nan,
        "once": 0,
        "products": 0.0,
    }
    return {"s": empty, "scores": empty, "history": np.zeros((0, 2))}, facts


def _products(inverse: Inverse, solution: Solution) -> float:
    if isinstance(inverse, LiSSAInverse):
        return solution.steps * inverse.settings.batch / inverse.operator.n
    return float(solution.steps)


def _history(inverse: Inverse, solution: Solution, progress: Progress | None) -> np.ndarray:
    """``(m, 2)``: products and relative residual."""
    ends = [solution]
    if isinstance(inverse, LiSSAInverse) and solution.status == "converged":
        for at, share in enumerate(DEPTHS):
            told = part(progress, at / len(DEPTHS), (at + 1) / len(DEPTHS))
            shorter = replace(inverse, depth=math.ceil(share * inverse.depth))
            ends.insert(at, shorter.solve(solution.rhs, told))
    elif solution.history and not isinstance(inverse, LiSSAInverse):
        return np.array([(step + 1.0, residual) for step, residual in enumerate(solution.history)])
    return np.array([(_products(inverse, one), one.residual) for one in ends])


def table(result: SolverComparison) -> dict[str, np.ndarray]:
    """The rows as columns; a comparison that there cannot be is empty or NaN."""
    rows, found = result.rows, [result.agreement(row) for row in result.rows]
    measures = {"pearson": "pearson", "spearman": "spearman", "slope": "slope", f"of_top_{TOP}": "top"}
    measures |= {"largest_miss": "miss", "error_of_s": "error"}
    return {
        "solver": np.array([row.title for row in rows]),
        "status": np.array([row.status for row in rows]),
        "may_be_read": np.array([one.trust if one else "" for one in found]),
        **{
            name: np.array([getattr(one, field) if one else math.nan for one in found])
            for name, field in measures.items()
        },
        "relative_residual": np.array([row.residual for row in rows]),
        "seconds_to_prepare": np.array([row.preparation for row in rows]),
        "seconds_to_solve": np.array([row.solving for row in rows]),
        "products_to_prepare": np.array([row.once for row in rows]),
        "products": np.array([row.products for row in rows]),
        "memory_bytes": np.array([row.memory for row in rows]),
        "settings": np.array([row.words for row in rows]),
    }


@dataclass(frozen=True)
class Eigenvalues:
    """Both ends of the curvature's spectrum, and what they suggest.

    Attributes:
        ends: Smallest and largest, the present damping included.
        damping: The present damping.
        suggested_damping: Enough to make the curvature positive definite; the present one where that is enough.
        lissa_scale: What LiSSA divides by: twice the largest eigenvalue of a few batches.
        lissa_depth: The steps it then takes for the weakest direction.
    """

    ends: ExtremeEigenvalues
    damping: float
    suggested_damping: float
    lissa_scale: float
    lissa_depth: int


def eigenvalues(
    study: Study,
    settings: SolverSettings | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Eigenvalues:
    """Extreme eigenvalues by Lanczos' method, and the damping and the LiSSA scale that they suggest.

    Args:
        study: The trained model.
        settings: Curvature and damping; the solver they name does not matter.
        store: Where the result is kept.
        progress: Called after each product.
    """
    decided = replace(settings or SolverSettings(), solver="auto").resolved(study)
    operator, place = _operator(study, decided), study.theta.device.type
    key = digest("eigenvalues", FORMAT, study.key, place, decided.curvature, operator.damping)
    kept = store.get(key) if store else None
    if kept is not None:
        found: dict[str, Any] = {**kept.meta}
        return Eigenvalues(ExtremeEigenvalues(**found.pop("ends")), **found)
    ends = extreme_eigenvalues(operator, progress=part(progress, 0.0, 0.8))
    lissa = LiSSA().prepare(operator, part(progress, 0.8, 1.0))
    enough = operator.damping + ends.missing_damping
    result = Eigenvalues(ends, operator.damping, enough, lissa.scale, lissa.depth)
    if store:
        store.put(key, {}, asdict(result))
    return result
