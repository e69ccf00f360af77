"""How much damping, and which scale for LiSSA? Both ends of the curvature's spectrum."""

from __future__ import annotations

from dataclasses import dataclass, replace

from influence_core.context import ALONE, Context
from influence_core.engines import SolverSettings, curvature_of
from influence_core.solvers import LiSSA
from influence_core.spectrum import ExtremeEigenvalues, extreme_eigenvalues
from influence_core.store.remember import remember
from influence_core.studies import Study


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


@remember("eigenvalues")
def run(study: Study, settings: SolverSettings | None = None, *, context: Context = ALONE) -> Eigenvalues:
    """Extreme eigenvalues by Lanczos' method, and the damping and the LiSSA scale that they suggest.

    Args:
        study: The trained model.
        settings: Curvature and damping; the solver they name does not matter.
        context: Its progress is told of each product.
    """
    operator = curvature_of(study, replace(settings or SolverSettings(), solver="auto").resolved(study))
    ends = extreme_eigenvalues(operator, progress=context.part(0.0, 0.8).progress)
    lissa = LiSSA().prepare(operator, context.part(0.8, 1.0).progress)
    enough = operator.damping + ends.missing_damping
    return Eigenvalues(ends, operator.damping, enough, lissa.scale, lissa.depth)
