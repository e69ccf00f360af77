"""What a preconditioner saves: ``python -m tests.benchmarks.solvers --check``.

Conjugate gradient to a relative residual of 1e-10, plain, with Nyström and with EK-FAC, on three studies: products with the
curvature for one test example (the most among a few), those that Nyström takes to prepare, once a study, and the error
against the dense answer. Counts, not times: they are the same on every machine.

Aims: fewer products than plain, and the exact answer. EK-FAC on the network has no aim: its layers stand apart, but the
network's strongest directions run through all of them, and it takes more products than plain.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import torch
from torch import Tensor

from influence_core.objective import LinearMap, Objective
from influence_core.operators import Curvature, GaussNewton, Hessian
from influence_core.solvers import CATALOGUE, Cholesky
from influence_core.studies import Study, find, open_study
from tests.benchmarks.scores import Figure

STUDIES = ("one-or-seven", "digits", "digits-network")
TESTS = 3
RTOL = 1e-10
ERROR = 1e-8
"""Of the solution; a bad condition may let it exceed the residual."""


class DenseGaussNewton(GaussNewton):
    """Products with the matrix itself, which a network takes hundreds of times faster."""

    def _linearise(self) -> LinearMap:
        matrix = self.objective.dense_gauss_newton(self.theta)
        return lambda v: matrix @ v


def operator_of(objective: Objective, theta: Tensor, damping: float) -> Curvature:
    kind = Hessian if objective.is_convex else DenseGaussNewton
    return kind(objective, theta, damping)


def measure(name: str, operator: Curvature, x: Tensor, y: Tensor) -> list[Figure]:
    """The figures of one study, for test examples ``x (t, d)``, ``y (t,)``."""
    sides = operator.objective.gradients(operator.theta, x, y).T.contiguous()
    exact = Cholesky().prepare(operator).solve(sides).require()
    figures, plain = [], 0
    for row in ("cg", "cg-nystrom", "cg-ekfac"):
        solver, before = replace(CATALOGUE[row], rtol=RTOL), operator.products
        inverse = solver.prepare(operator)
        once = operator.products - before
        solves = [inverse.solve(side) for side in sides.T]
        steps = max(solve.steps for solve in solves)
        plain = plain or steps
        aimed = row == "cg-nystrom" or (row == "cg-ekfac" and operator.objective.is_convex)
        figures.append(Figure(name, f"{solver.name}: products", steps, plain - 1 if aimed else None))
        if once:
            figures.append(Figure(name, f"{solver.name}: products to prepare, once", once))
        pairs = zip(solves, exact.T, strict=True)
        error = max(float((solve.require() - s).norm() / s.norm()) for solve, s in pairs)
        figures.append(Figure(name, f"{solver.name}: error", error, ERROR))
    return figures


def measure_study(study: Study) -> list[Figure]:
    """The figures of a study's first test examples."""
    operator = operator_of(study.objective, study.theta, study.spec.damping)
    test = study.data.test
    return measure(study.spec.name, operator, study.inputs(test.x[:TESTS]), test.y[:TESTS])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--only", choices=STUDIES)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    figures = []
    for name in [options.only] if options.only else STUDIES:
        figures += measure_study(open_study(find(name)))
    for one in figures:
        aim = "" if one.limit is None else f"(at most {one.limit:g}) {'falls short' if one.short else 'ok'}"
        print(f"{one.case:15} {one.name:58} {one.value:10.4g}  {aim}".rstrip())
    return 1 if options.check and any(one.short for one in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
