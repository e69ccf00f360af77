"""From settings to a prepared engine: costly once a study, cheap for every question after that."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock

from influence_core import solvers
from influence_core.errors import DataError
from influence_core.influence import InfluenceEngine
from influence_core.operators import Curvature, GaussNewton, Hessian
from influence_core.progress import Progress
from influence_core.store.digest import digest
from influence_core.studies import Study

QUICK_LIMIT = 3_000
"""Up to so many parameters a dense factor is prepared within seconds."""
CURVATURES = ("auto", "hessian", "gauss-newton")


@dataclass(frozen=True)
class SolverSettings:
    """How the curvature is inverted.

    Attributes:
        solver: "auto" or a name of ``solvers.CATALOGUE``.
        damping: Added to the curvature; ``None`` takes the study's.
        curvature: "auto" (Gauss-Newton for networks, else the Hessian), "hessian" or "gauss-newton".
    """

    solver: str = "auto"
    damping: float | None = None
    curvature: str = "auto"

    def __post_init__(self) -> None:
        solvers.choose(self.solver, 1)
        if self.curvature not in CURVATURES:
            raise DataError(
                f"There is no curvature '{self.curvature[:40]}'; choose one of {', '.join(CURVATURES)}."
            )
        if self.damping is not None and not (math.isfinite(self.damping) and self.damping >= 0):
            raise DataError(f"The damping must be a number of at least 0, but is {self.damping:g}.")

    @property
    def content(self) -> tuple[object, ...]:
        """What makes its results, in a key: the solver enters with settings of its own, such as its steps and seed."""
        return self.solver, self.damping, self.curvature, solvers.CATALOGUE.get(self.solver)

    def resolved(self, study: Study) -> SolverSettings:
        """The settings with every "auto" decided for this study."""
        chosen, _ = solvers.choose(self.solver, study.objective.dim)
        solver = next(name for name, one in solvers.CATALOGUE.items() if one == chosen)
        curvature = self.curvature
        if curvature == "auto":
            curvature = "hessian" if study.objective.is_convex else "gauss-newton"
        damping = study.spec.damping if self.damping is None else self.damping
        return SolverSettings(solver, damping, curvature)

    @property
    def quick(self) -> SolverSettings:
        """The same question for the exact solver that needs no preparation."""
        return replace(self, solver="cg")


def needs_preparation(study: Study, settings: SolverSettings) -> bool:
    """Whether the automatic solver takes so long to prepare that the first answers should come from another."""
    return (
        settings.solver == "auto"
        and settings.resolved(study).solver == "cholesky"
        and study.objective.dim > QUICK_LIMIT
    )


@dataclass(frozen=True, eq=False)
class Prepared:
    """An engine ready to answer, and how it came about.

    Attributes:
        engine: Ready.
        settings: With every "auto" decided.
        solver: What they name.
        seconds: Time to prepare it.
    """

    engine: InfluenceEngine
    settings: SolverSettings
    solver: solvers.Solver
    seconds: float


def prepare(study: Study, settings: SolverSettings, progress: Progress | None = None) -> Prepared:
    """The costly part, once a study and settings.

    Raises:
        SolveError: If the curvature is not positive definite for a solver that needs it.
    """
    started = time.perf_counter()
    decided = settings.resolved(study)
    solver = solvers.CATALOGUE[decided.solver]
    operator = curvature_of(study, decided)
    engine = InfluenceEngine(study.objective, study.theta, operator, solver.prepare(operator, progress))
    return Prepared(engine, decided, solver, time.perf_counter() - started)


def curvature_of(study: Study, decided: SolverSettings) -> Curvature:
    """The operator that settings name, once every "auto" in them is decided."""
    kind = Hessian if decided.curvature == "hessian" else GaussNewton
    return kind(study.objective, study.theta, decided.damping or 0.0)


def engine_key(study: Study, settings: SolverSettings) -> str:
    """Names a prepared engine; settings that come to the same are the same."""
    decided = settings.resolved(study)
    return digest("prepared", *study.content, decided.solver, decided.damping, decided.curvature)


class Engines:
    """Prepared engines, those used last; safe for many threads.

    Args:
        kept: How many are kept; the digits' dense factor takes 280 MB.
    """

    def __init__(self, kept: int = 0) -> None:
        self._kept, self._lock = kept, Lock()
        self._engines: OrderedDict[str, Prepared] = OrderedDict()

    def ready(self, study: Study, settings: SolverSettings) -> Prepared | None:
        """The engine, if it is there already."""
        key = engine_key(study, settings)
        with self._lock:
            found = self._engines.get(key)
            if found is not None:
                self._engines.move_to_end(key)
        return found

    def prepare(self, study: Study, settings: SolverSettings, progress: Progress | None = None) -> Prepared:
        """The engine, prepared where it is not there yet.

        Raises:
            SolveError: As ``prepare``.
        """
        found = self.ready(study, settings) or prepare(study, settings, progress)
        with self._lock:
            self._engines[engine_key(study, settings)] = found
            while len(self._engines) > self._kept:
                self._engines.popitem(last=False)
        return found
