"""Solvers: frozen settings that apply an inverse curvature. ``choose`` is the automatic choice and its reason."""

from __future__ import annotations

from influence_core.errors import DataError
from influence_core.solvers.base import Inverse, Solution, Solver
from influence_core.solvers.cholesky import Cholesky
from influence_core.solvers.conjugate_gradient import ConjugateGradient
from influence_core.solvers.ekfac import EKFAC
from influence_core.solvers.lissa import LiSSA
from influence_core.solvers.nystrom import Nystrom

__all__ = [
    "CATALOGUE",
    "EKFAC",
    "Cholesky",
    "ConjugateGradient",
    "Inverse",
    "LiSSA",
    "Nystrom",
    "Solution",
    "Solver",
    "choose",
    "title",
]

CATALOGUE: dict[str, Solver] = {
    "cholesky": Cholesky(),
    "cg": ConjugateGradient(),
    "cg-ekfac": ConjugateGradient(preconditioner=EKFAC()),
    "cg-nystrom": ConjugateGradient(preconditioner=Nystrom(rank=50)),
    "lissa": LiSSA(),
    "ekfac": EKFAC(),
    "nystrom": Nystrom(),
}
"""The solvers by the name that the command line and the address bar use; "auto" stands for ``choose``."""


def title(name: str) -> str:
    """A solver's name on screen, with what it claims.

    >>> title("lissa")
    'LiSSA (approximate)'
    """
    solver = CATALOGUE[name]
    return f"{solver.name} ({'exact' if solver.exact else 'approximate'})"


DENSE_LIMIT = 10_000
"""Up to so many parameters the dense factor is kept: 800 MB in float64."""


def choose(name: str, dim: int) -> tuple[Solver, str]:
    """The solver called ``name`` for ``dim`` parameters, and the reason in one sentence.

    Raises:
        DataError: If there is no such solver.

    >>> choose("auto", 784)[0].name, choose("auto", 1_000_000)[0].name, choose("lissa", 784)[0].name
    ('Cholesky', 'conjugate gradient', 'LiSSA')
    """
    if name in CATALOGUE:
        return CATALOGUE[name], "chosen by you"
    if name != "auto":
        raise DataError(f"There is no solver '{name[:40]}'; choose auto, {', '.join(CATALOGUE)}.")
    if dim <= DENSE_LIMIT:
        return (
            Cholesky(),
            f"chosen because {dim:,} parameters fit a dense factor, which answers at once and exactly",
        )
    return ConjugateGradient(), f"chosen because {dim:,} parameters are too many for a dense factor"
