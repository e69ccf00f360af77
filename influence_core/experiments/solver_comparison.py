"""Which solver can be trusted here? The same question put to several, beside the exact answer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from influence_core import solvers
from influence_core.agreement import Agreement, shared_strongest
from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings, curvature_of
from influence_core.errors import DataError, SolveError, UnsupportedError
from influence_core.experiments.questions import Question
from influence_core.influence import InfluenceEngine
from influence_core.operators import Curvature
from influence_core.progress import Progress, part
from influence_core.solvers import Cholesky, Inverse, Solution, Solver
from influence_core.solvers.base import REMEDIES
from influence_core.solvers.lissa import LiSSAInverse
from influence_core.store.remember import remember
from influence_core.studies import Study
from influence_core.trust import CLOSE, EXACT_RESIDUAL, ORDERED

TOP = 10
"""So many of the strongest examples should be found again ..."""
MIN_FOUND = 8
"""... and with so many of them found the strongest may be read, whatever the order of the rest."""
DEPTHS = (1 / 64, 1 / 16, 1 / 4)
"""Shares of LiSSA's depth at which it is run too: its own measure of progress, a norm, does not show an error."""

Trust = Literal["sizes", "order", "strongest", "nothing"]


@dataclass(frozen=True)
class SolverAgreement:
    """A solver's answer beside the exact one.

    Attributes:
        scores: Its ``D`` beside the exact ``D``, over all training examples.
        top: How many of the ``TOP`` exactly strongest examples are among its ``TOP`` strongest.
        error: ``||s - s_exact|| / ||s_exact||``.
    """

    scores: Agreement
    top: int
    error: float

    @property
    def trust(self) -> Trust:
        """What may be read: the sizes (each within a tenth of the largest), the order, the strongest alone, or nothing."""
        if self.scores.worst <= CLOSE:
            return "sizes"
        if self.scores.spearman >= ORDERED:
            return "order"
        return "strongest" if self.top >= MIN_FOUND else "nothing"


@dataclass(frozen=True, eq=False)
class Attempt:
    """What one solver did; the defaults are those of no answer.

    Attributes:
        name: In ``solvers.CATALOGUE``.
        status: As a solution's, or "no answer" where it could not be prepared.
        words: What was used; where it failed, what happened and what to do.
        preparation: Seconds, once a model.
        solving: Seconds, for this question.
        memory: Bytes held at most besides what a product takes; by formula, not measured.
        residual: True relative residual ``||A s - g|| / ||g||``.
        once: Products with the curvature to prepare, once a model.
        products: The same for this question; one with a batch of LiSSA's counts as its share of the examples.
        history: ``(m, 2)`` products so far and relative residual. Conjugate gradient reports its own after each
            product; of LiSSA the true one of a few shorter runs is taken; the others have one point.
        s: ``(p,)`` the inverse curvature's product with the test gradient.
        scores: ``(n,)`` ``D``, nats, positive = helpful.
    """

    name: str
    status: str
    words: str
    preparation: float
    solving: float = 0.0
    memory: int = 0
    residual: float = math.nan
    once: int = 0
    products: float = 0.0
    history: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    s: np.ndarray = field(default_factory=lambda: np.zeros(0))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def title(self) -> str:
        """The solver's name on screen."""
        return solvers.CATALOGUE[self.name].name

    @property
    def exact(self) -> bool:
        """Whether the solver claims the exact answer."""
        return solvers.CATALOGUE[self.name].exact

    @property
    def answered(self) -> bool:
        """Whether there are numbers that may be compared."""
        return self.status == "converged" and bool(np.isfinite(self.scores).all())


@dataclass(frozen=True, eq=False)
class SolverComparison:
    """The attempts in the order of the catalogue, the exact one among them.

    Attributes:
        attempts: One a solver.
        reference: Name of the solver whose answer counts as exact.
        curvature: "hessian" or "gauss-newton".
        damping: Added to the curvature.
        n: Training examples.
        p: Parameters.
    """

    attempts: tuple[Attempt, ...]
    reference: str
    curvature: str
    damping: float
    n: int
    p: int

    def attempt(self, name: str) -> Attempt:
        """That of a solver."""
        return next(one for one in self.attempts if one.name == name)

    @property
    def exact(self) -> Attempt | None:
        """The exact answer; ``None`` where its solver failed too."""
        found = self.attempt(self.reference)
        return found if found.answered and found.residual <= EXACT_RESIDUAL else None

    def agreement(self, attempt: Attempt) -> SolverAgreement | None:
        """An attempt beside the exact answer; ``None`` where one of them is missing, or all examples are alike."""
        exact = self.exact
        if exact is None or not attempt.answered or not np.ptp(exact.scores):
            return None
        return SolverAgreement(
            scores=Agreement.of(attempt.scores, exact.scores),
            top=shared_strongest(attempt.scores, exact.scores, TOP),
            error=float(np.linalg.norm(attempt.s - exact.s) / np.linalg.norm(exact.s)),
        )


@remember("solver comparison", stored=False)
def run(
    study: Study,
    question: Question,
    names: Sequence[str],
    settings: SolverSettings | None = None,
    *,
    context: Context = ALONE,
) -> SolverComparison:
    """Put one question to several solvers; one that fails says why.

    Args:
        study: The trained model.
        question: What is asked.
        names: Of ``solvers.CATALOGUE``; the one whose answer counts as exact is always added: the automatic choice, but
            conjugate gradient for a network's Hessian, whose dense matrix takes a product for each parameter.
        settings: Curvature and damping; the solver they name does not matter.
        context: Its store keeps each attempt on its own; its engines' dense factor is used.

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
    operator = curvature_of(study, decided)
    attempts = []
    for at, name in enumerate(chosen):
        one, step = replace(decided, solver=name), context.step(at, len(chosen))
        solver = solvers.CATALOGUE[name]
        attempts.append(_attempt(study, question, one, solver, operator=operator, context=step))
    o = study.objective
    return SolverComparison(tuple(attempts), reference, decided.curvature, operator.damping, o.n, o.dim)


@remember("solver comparison, attempt")
def _attempt(
    study: Study,
    question: Question,
    settings: SolverSettings,
    solver: Solver,
    *,
    operator: Curvature,
    context: Context,
) -> Attempt:
    context = _speaking_for(solver, context)
    context.report(0.0, "starting")
    operator.matvec(torch.zeros_like(study.theta))  # what a product prepares for itself is no solver's time
    started = time.perf_counter()
    try:
        return _solve(study, question, settings, solver, operator, context)
    except (SolveError, UnsupportedError) as error:
        return Attempt(settings.solver, "no answer", str(error), time.perf_counter() - started)


def _speaking_for(solver: Solver, context: Context) -> Context:
    """Whose every report says whose it is."""
    return replace(context, progress=lambda done, message: context.report(done, f"{solver.name}: {message}"))


def _solve(
    study: Study,
    question: Question,
    settings: SolverSettings,
    solver: Solver,
    operator: Curvature,
    context: Context,
) -> Attempt:
    factor = context.engines.ready(study, settings) if isinstance(solver, Cholesky) else None
    started, before = time.perf_counter(), operator.products
    inverse = factor.engine.inverse if factor else solver.prepare(operator, context.part(0.0, 0.5).progress)
    ready, once = time.perf_counter(), operator.products - before
    engine = InfluenceEngine(study.objective, study.theta, operator, inverse)
    solution = engine.inverse_gradients(
        *study.example(question.x, question.label), context.part(0.5, 0.8).progress
    )
    solved = time.perf_counter()
    s, remedy = solution.value[:, 0], REMEDIES.get(solution.status)
    return Attempt(
        name=settings.solver,
        status=solution.status,
        words=f"{solution.settings}. {remedy}" if remedy else solution.settings,
        preparation=factor.seconds if factor else ready - started,
        solving=solved - ready,
        memory=solver.memory(operator) * study.theta.element_size(),
        residual=solution.residual,
        once=once,
        products=_products(inverse, solution),
        history=_history(inverse, solution, context.part(0.8, 1.0).progress),
        s=s.cpu().numpy(),
        scores=engine.removal(s).cpu().numpy(),
    )


def _products(inverse: Inverse, solution: Solution) -> float:
    if isinstance(inverse, LiSSAInverse):
        return solution.steps * inverse.settings.batch / inverse.operator.n
    return float(solution.steps)


def _history(inverse: Inverse, solution: Solution, progress: Progress | None) -> np.ndarray:
    """``(m, 2)``: products and relative residual."""
    ends = [solution]
    if isinstance(inverse, LiSSAInverse) and solution.status == "converged":
        for at, share in enumerate(DEPTHS):
            shorter = replace(inverse, depth=math.ceil(share * inverse.depth))
            step = part(progress, at / len(DEPTHS), (at + 1) / len(DEPTHS))
            ends.insert(at, shorter.solve(solution.rhs, step))
    elif solution.history and not isinstance(inverse, LiSSAInverse):
        return np.array([(step + 1.0, residual) for step, residual in enumerate(solution.history)])
    return np.array([(_products(inverse, one), one.residual) for one in ends])


def table(result: SolverComparison) -> dict[str, np.ndarray]:
    """The attempts as columns; a comparison that there cannot be is empty or NaN."""
    found = [result.agreement(one) for one in result.attempts]

    def column(value: Callable[[Attempt], Any]) -> np.ndarray:
        return np.array([value(one) for one in result.attempts])

    def compared(value: Callable[[SolverAgreement], float]) -> np.ndarray:
        return np.array([value(one) if one else math.nan for one in found])

    return {
        "solver": column(lambda one: one.title),
        "status": column(lambda one: one.status),
        "may_be_read": np.array([one.trust if one else "" for one in found]),
        "pearson": compared(lambda one: one.scores.pearson),
        "spearman": compared(lambda one: one.scores.spearman),
        "slope": compared(lambda one: one.scores.slope),
        f"of_top_{TOP}": compared(lambda one: one.top),
        "largest_miss": compared(lambda one: one.scores.worst),
        "error_of_s": compared(lambda one: one.error),
        "relative_residual": column(lambda one: one.residual),
        "seconds_to_prepare": column(lambda one: one.preparation),
        "seconds_to_solve": column(lambda one: one.solving),
        "products_to_prepare": column(lambda one: one.once),
        "products": column(lambda one: one.products),
        "memory_bytes": column(lambda one: one.memory),
        "settings": column(lambda one: one.words),
    }
