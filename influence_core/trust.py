"""How far a number may be believed: where it came from, and what speaks against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from influence_core.agreement import Agreement
from influence_core.words import percent

EXACT_RESIDUAL = 1e-3
"""A solver that claims exactness must leave at most this relative residual."""
HALF_TRAINED = (
    "The model is only half trained: finishing its training would move this answer more than the examples do."
)
DRIFT = 0.1
"""Unfinished training may move the test loss by at most this share of the largest single influence."""
CLOSE = 0.1
"""A forecast is close where it misses the truth by at most this share of the largest true change."""
ORDERED = 0.8
"""A rank agreement with the truth from which the order may be read."""
MEASURED = 0.08
"""A green corrected forecast misses the hardest examples by at most this share of the largest change, so that it is close
for all others."""
FINISHED = 0.05
"""What finishing the training could move, at most, as a share of the largest change."""
NOTHING = 1e-12
"""Changes of the loss up to so many nats are rounding."""
USELESS = 0.5
"""A forecast that misses by more than this share of the largest true change is not to be used."""
FEW = 2
"""From so many real retrainings on, they say something about a forecast."""

Level = Literal["proven", "green", "amber", "red"]


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
        if self.half_trained:
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

    @property
    def half_trained(self) -> bool:
        """Whether finishing the training would move this test loss beside what the strongest example does."""
        return not abs(self.drift) <= DRIFT * self.largest

    def failures(self) -> tuple[str, ...]:
        """What makes the numbers worthless, one plain sentence each; empty where nothing does."""
        found = []
        if self.status != "converged":
            found.append(f"The solver did not find an answer: it ended with “{self.status}”.")
        if self.exact and not self.residual <= EXACT_RESIDUAL:
            found.append("The solver claims an exact answer, but the answer does not solve the equation.")
        if self.half_trained:
            found.append(HALF_TRAINED)
        return tuple(found)


@dataclass(frozen=True)
class Verdict:
    """How far an answer may be believed, the same on every page.

    Attributes:
        level: "proven": these are the true changes. "green": within about a tenth of the largest. "amber": read the
            order, check the sizes. "red": do not use the numbers.
        reason: One plain sentence saying why.
        advice: What to do, one plain sentence; empty where nothing is to be done.
    """

    level: Level
    reason: str
    advice: str = ""


@dataclass(frozen=True)
class Evidence:
    """What is known of the number that an answer shows.

    Attributes:
        number: "proven", "corrected" or "influence".
        count: Training examples.
        examples: What they are called, for example "training images".
        largest: Largest size of the number, nats.
        better: A better number at hand, ``None`` where there is none.
        miss: How far the number is from the better one at most, as a share of the better one's largest.
        doubt: Of a corrected forecast: its largest miss on the examples that are hardest to forecast, which were left out and
            trained again, of loss or probability, as a share of the largest change; ``None`` where that was not measured.
        left_open: How far finishing the training could move this loss, nats; ``None`` where only the first order is known.
        retrained: The number beside real retrainings of this very answer, as many as there were ...
        retrainings: ... and how many.
        covered: Whether the strongest examples are among them.
    """

    number: str
    count: int
    examples: str
    largest: float
    better: str | None = None
    miss: float | None = None
    doubt: float | None = None
    left_open: float | None = None
    retrained: Agreement | None = None
    retrainings: int = 0
    covered: bool = False


REMEDY = "Choose an exact solver, add damping, or train the model to its end."
RETRAIN = "Check the examples that matter with real retraining."


def judge(facts: Provenance, seen: Evidence) -> Verdict:
    """Proven, green, amber or red.

    What fails outright is red. Proven numbers are the truth. Any other number is held against the best that is known: a
    better number for all examples, or real retrainings; these can take trust away from a forecast but not give it, because
    they are a few of many. Green needs the truth of all examples, or a corrected forecast that was
    measured both where it is hardest in the study and where it is strongest for the answer.

    Args:
        facts: Where the first-order numbers came from.
        seen: What is known of the number that is shown.
    """
    if seen.number == "influence" and facts.failures():
        return Verdict("red", facts.failures()[0], REMEDY)
    if _half_trained(facts, seen):
        return Verdict("red", HALF_TRAINED, "Train the model to its end first.")
    if seen.number == "proven":
        reason = f"The model was trained again without each of the {seen.count:,} {seen.examples}, every time to the end."
        return Verdict("proven", reason)
    against = _against(seen)
    if against is not None and (against.level != "green" or seen.better == "proven"):
        return against
    doubt = _doubt(facts, seen)
    if doubt is not None:
        return Verdict("amber", f"{against.reason} {doubt}" if against else doubt, RETRAIN)
    by_hardest = _by_miss(seen.doubt or 0.0, math.nan, f"Measured on {_hardest(seen)}", MEASURED)
    if by_hardest.level != "green" or (seen.covered and seen.retrained and seen.retrained.worst <= MEASURED):
        return by_hardest
    return Verdict("amber", f"{by_hardest.reason} Those strongest here are still to be checked.", RETRAIN)


def _half_trained(facts: Provenance, seen: Evidence) -> bool:
    """Whether what training has left is large beside the effects; where nothing has an effect it is not."""
    if seen.left_open is None or seen.number == "influence":
        return facts.half_trained
    return not seen.left_open <= max(FINISHED * seen.largest, NOTHING)


def _hardest(seen: Evidence) -> str:
    return f"the {seen.examples} that are hardest to forecast, by training again without them"


def _against(seen: Evidence) -> Verdict | None:
    """The number beside what is better known: a better number for all examples, or a few real retrainings."""
    if seen.miss is not None:
        return _by_miss(seen.miss, math.nan, f"Held against the {seen.better} numbers of all {seen.examples}")
    if seen.retrained is None or seen.retrainings < FEW:
        return None
    return judge_by_truth(seen.retrained, seen.retrainings)


def _doubt(facts: Provenance, seen: Evidence) -> str | None:
    """What keeps a number from being green though nothing contradicts it."""
    if seen.number == "corrected":
        if seen.largest <= NOTHING:
            return "Nothing moves this answer by more than rounding."
        if seen.doubt is None:
            return "It has not been measured yet how far the corrected forecast is off where it is hardest."
        return None if math.isfinite(seen.doubt) else f"Of {_hardest(seen)}, some did not come to their end."
    if not facts.exact:
        return f"{facts.solver} is an approximation: the order is often right, the sizes are not."
    if not facts.convex:
        return "A network has many optima: only real retraining can tell, example by example."
    if facts.damping > 0:
        return "The damping shrinks these numbers: read the order, not the sizes."
    return "This is the paper's first-order number: it misses examples that weigh much, without showing it."


def judge_by_truth(agreement: Agreement, retrainings: int) -> Verdict:
    """A forecast beside real retrainings of a few examples: green within a tenth of the largest change, red beyond half."""
    if not math.isfinite(agreement.worst):
        return Verdict("red", f"{retrainings} real retrainings bear out nothing of this forecast.", RETRAIN)
    return _by_miss(agreement.worst, agreement.spearman, f"{retrainings} real retrainings")


def _by_miss(worst: float, spearman: float, source: str, close: float = CLOSE) -> Verdict:
    off = f"{source}: the forecast is off by at most {percent(worst)} of the largest change"
    if worst <= close:
        return Verdict("green", f"{off}.")
    if worst <= USELESS and not spearman < ORDERED:
        return Verdict("amber", f"{off}.", "Read the order, not the sizes.")
    return Verdict("red", f"{off}.", "Do not use these sizes.")
