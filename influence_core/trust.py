"""How far a number may be believed: where it came from, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

EXACT_RESIDUAL = 1e-3
"""A solver that claims exactness must leave at most this relative residual."""
ROUGH = 0.5
"""Above this residual an approximate solver's ranking is not to be trusted either."""
DRIFT = 0.1
"""Unfinished training may move the test loss by at most this share of the largest single influence."""


@dataclass(frozen=True)
class Provenance:
    """Everything that a reader needs to repeat a result.

    Attributes:
        solver: Its name.
        reason: Why this solver.
        settings: Its settings and what they came to, in words.
        exact: Whether the solver claims the exact answer.
        status: How the solve ended.
        steps: Products with the curvature.
        residual: True relative residual ``||A s - g|| / ||g||``.
        curvature: "hessian" or "gauss-newton".
        damping: Added to the curvature.
        gradient_norm: ``||grad R||`` at the trained parameters.
        convergence_check: ``|sum D + l2 theta.s| / sum |D|``; 0 at an optimum.
        drift: ``s . grad R`` in nats: the change of this test loss that finishing the training would bring.
        largest: Largest ``|D|`` in nats.
        n: Training examples.
        p: Parameters.
        l2: The trained penalty, in words.
        device: Where it was computed.
        dtype: How precisely.
        seconds: Time for this result, preparation aside.
        convex: Whether the trained risk is convex.
    """

    solver: str
    reason: str
    settings: str
    exact: bool
    status: str
    steps: int
    residual: float
    curvature: str
    damping: float
    gradient_norm: float
    convergence_check: float
    drift: float
    largest: float
    n: int
    p: int
    l2: str
    device: str
    dtype: str
    seconds: float
    convex: bool

    def concerns(self) -> tuple[str, ...]:
        """One sentence for each reason not to take the numbers at face value; empty where there is none."""
        found = []
        if self.status != "converged":
            found.append(
                f"The solver ended with '{self.status}': these numbers are not the answer to the question."
            )
        if self.exact and not self.residual <= EXACT_RESIDUAL:
            found.append(
                f"The solver claims an exact answer but left a relative residual of {self.residual:.1e}."
            )
        if not self.exact:
            readable = (
                "read the ranking, not the sizes"
                if self.residual <= ROUGH
                else "trust neither sizes nor ranking"
            )
            found.append(
                f"{self.solver} is an approximation (relative residual {self.residual:.2g}): {readable}, or choose an "
                "exact solver."
            )
        if self.convex and self.damping > 0:
            found.append(
                f"The damping of {self.damping:g} shrinks these numbers: they are no forecast of taking an image out. "
                "A convex model needs none."
            )
        if not abs(self.drift) <= DRIFT * self.largest:
            found.append(
                "The model is not trained to the end: finishing the training could move this loss by about "
                f"{abs(self.drift):.1e} nats, against {self.largest:.1e} for the most influential image. "
                "These are not leave-one-out forecasts."
            )
        if not self.convex:
            found.append(
                "A network's risk is not convex: the numbers describe a small, damped retraining from the present "
                "weights, not training anew. Check the ones that matter with real retraining."
            )
        return tuple(found)
