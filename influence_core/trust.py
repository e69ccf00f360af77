"""How far a number may be believed: where it came from, and what speaks against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from influence_core.agreement import rank_agreement, worst_miss
from influence_core.words import three_digits

EXACT_RESIDUAL = 1e-3
"""A solver that claims exactness must leave at most this relative residual."""
DRIFT = 0.1
"""Unfinished training may move the test loss by at most this share of the largest single influence."""
CLOSE = 0.1
"""A forecast is close where it misses the truth by at most this share of the largest true change."""
ORDERED = 0.8
"""A rank agreement with the truth from which the order may be read."""
SECOND_ORDER = 0.05
"""A Newton step may change the strongest forecasts by at most this share before their sizes are doubted."""

Colour = Literal["green", "amber", "red"]


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
        second_order: How far one Newton step changes the strongest forecasts, as a share of the largest; ``None``
            where that was not computed.
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
    second_order: float | None = None

    @property
    def trained_to(self) -> str:
        """The gradient norm in words, and why it is no smaller where that is the type's doing."""
        words = f"gradient norm at the optimum {self.gradient_norm:.1e}"
        return (
            words
            if self.dtype == "float64"
            else f"{words} ({self.dtype}, whose rounding ends training sooner)"
        )

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
            found.append(
                f"{self.solver} is an approximation (relative residual {self.residual:.2g}): read the ranking, not the "
                "sizes, check it with real retraining, or choose an exact solver."
            )
        if self.convex and self.damping > 0:
            found.append(
                f"The damping of {self.damping:g} shrinks these numbers: they are no forecast of taking an example out. "
                "A convex model needs none."
            )
        if not abs(self.drift) <= DRIFT * self.largest:
            found.append(
                "The model is not trained to the end: finishing the training could move this loss by about "
                f"{abs(self.drift):.1e} nats, against {self.largest:.1e} for the most influential example. "
                "These are not leave-one-out forecasts."
            )
        if not self.convex:
            found.append(
                "A network's risk is not convex: the numbers describe a small, damped retraining from the present "
                "weights, not training anew. Check the ones that matter with real retraining."
            )
        return tuple(found)

    def failures(self) -> tuple[str, ...]:
        """What makes the numbers worthless, one plain sentence each; empty where nothing does."""
        found = []
        if self.status != "converged":
            found.append(f"The solver did not find an answer: it ended with “{self.status}”.")
        if self.exact and not self.residual <= EXACT_RESIDUAL:
            found.append("The solver claims an exact answer, but the answer does not solve the equation.")
        if not abs(self.drift) <= DRIFT * self.largest:
            found.append(
                "The model is only half trained: finishing its training would move this loss more than the examples do."
            )
        return tuple(found)


@dataclass(frozen=True)
class SpotCheck:
    """A handful of forecasts held against real retraining, for one test example.

    Attributes:
        train_ids: What was left out, one at a time.
        predicted: ``D`` of each, nats.
        actual: The change after real retraining, nats.
        seconds: Time for retraining.
        converged: Whether every retraining reached its gradient norm.
    """

    train_ids: tuple[int, ...]
    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    seconds: float
    converged: bool = True

    @property
    def error(self) -> float:
        """Largest ``|predicted - actual|`` as a share of the largest ``|actual|``."""
        return worst_miss(np.array(self.predicted), np.array(self.actual))

    @property
    def agreement(self) -> float:
        """Spearman's rank correlation of forecast and truth."""
        return rank_agreement(self.predicted, self.actual)


@dataclass(frozen=True)
class Badge:
    """How far an answer may be believed: a colour, and one plain sentence saying why."""

    colour: Colour
    reason: str


def judge(facts: Provenance, spot: SpotCheck | None = None) -> Badge:
    """Red: do not use the numbers. Amber: read the order, check the sizes. Green: sizes within about a tenth.

    What fails outright is red, whatever a spot check says. Otherwise a spot check whose retrainings came to their end
    decides, because it is the truth for this very test example. Without one, green needs an exact solver, a finished
    training, a convex risk without damping, and no example so heavy that the first order is not enough.

    Args:
        facts: Where the numbers came from.
        spot: Real retrainings for this test example, if there were any.
    """
    if facts.failures():
        return Badge("red", facts.failures()[0])
    if spot is not None and spot.converged:
        return judge_by_truth(spot)
    doubts = (
        (
            not facts.exact,
            f"{facts.solver} is an approximation: the order is often right, the sizes are not.",
        ),
        (
            not facts.convex,
            "A network has many optima: only a check with real retraining can tell for this example.",
        ),
        (facts.damping > 0, "The damping shrinks these numbers: read the order, not the sizes."),
        (
            facts.second_order is None,
            "It was not computed whether a few training examples weigh so much here that their forecasts miss their size.",
        ),
        (
            (facts.second_order or 0.0) > SECOND_ORDER,
            "A few training examples weigh so much here that their forecasts may miss the size.",
        ),
    )
    for doubtful, why in doubts:
        if doubtful:
            return Badge("amber", why)
    return Badge("green", "Exact solver, finished training, and a model whose loss has one optimum.")


def judge_by_truth(spot: SpotCheck) -> Badge:
    """The colour that real retraining gives: green within a tenth of the largest change, amber where the order is right."""
    count = len(spot.train_ids)
    if not math.isfinite(spot.error):
        return Badge("red", f"{count} real retrainings bear out nothing of this forecast.")
    off = f"{count} real retrainings: the forecast is off by at most {three_digits(100 * spot.error)} % of the largest change"
    if spot.error <= CLOSE:
        return Badge("green", f"{off}.")
    if spot.agreement >= ORDERED:
        return Badge("amber", f"{off}, but the order is right.")
    return Badge("red", f"{off}, and the order does not agree with it.")
