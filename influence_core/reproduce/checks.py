"""The checks of a figure: what was measured, what must come out, and what the paper shows."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.studies import Study
from influence_core.trust import Provenance
from influence_core.words import signed, three_digits


@dataclass(frozen=True)
class Check:
    """One figure of a reproduction.

    Attributes:
        name: What was measured, in words.
        value: What came out; two numbers are a range.
        requirement: What must come out, in words; empty where nothing is asked.
        passed: Whether it did.
        paper: What the paper shows, in words; empty where it is silent.
    """

    name: str
    value: float | tuple[float, float]
    requirement: str = ""
    passed: bool = True
    paper: str = ""

    @property
    def shown(self) -> str:
        """The value in words; of what is nearly 1, how far from it is what matters."""
        if isinstance(self.value, tuple):
            return " to ".join(map(signed, self.value))
        if isinstance(self.value, int):
            return f"{self.value:,}"
        return f"{self.value:.5f}" if 0.99 < self.value < 1 else three_digits(self.value)

    @property
    def verdict(self) -> str:
        """Whether it is as required; nothing where nothing is."""
        if not self.passed:
            return "falls short"
        return "ok" if self.requirement else ""


def required(name: str, value: float, words: str, passed: bool, asked: bool = True, paper: str = "") -> Check:
    """A value that must fit ``words``, where that is ``asked``: of a stand-in often it is not."""
    return Check(name, value, words if asked else "", bool(passed) or not asked, paper)


def at_most(name: str, value: float, most: float, asked: bool = True, paper: str = "") -> Check:
    """A value up to ``most``."""
    return required(name, value, f"at most {most:g}", value <= most, asked, paper)


def at_least(name: str, value: float, least: float, asked: bool = True, paper: str = "") -> Check:
    """A value from ``least`` on."""
    return required(name, value, f"at least {least:g}", value >= least, asked, paper)


def above(name: str, value: float, least: float, asked: bool = True, paper: str = "") -> Check:
    """A value greater than ``least``."""
    return required(name, value, f"above {least:g}", value > least, asked, paper)


def within(name: str, value: float, low: float, high: float, paper: str = "") -> Check:
    """A value from ``low`` to ``high``."""
    return required(name, value, f"{low:g} to {high:g}", low <= value <= high, paper=paper)


def near(name: str, value: float, wanted: float, error: float, paper: str = "") -> Check:
    """A value that is ``wanted`` up to an ``error``."""
    return required(name, value, f"{wanted:g} within {error:g}", abs(value - wanted) <= error, paper=paper)


def same(name: str, value: int, wanted: int, asked: bool = True, paper: str | None = None) -> Check:
    """A whole number that is ``wanted``; it is the paper's unless that has another."""
    return required(
        name, value, f"{wanted:,}", value == wanted, asked, f"{wanted:,}" if paper is None else paper
    )


def sizes(study: Study, n: int, tests: int) -> list[Check]:
    """The paper's numbers of images; there is nothing to ask of a stand-in."""
    asked = not study.data.stand_in
    return [
        same("training images n", study.objective.n, n, asked),
        same("test images", len(study.data.test), tests, asked),
    ]


def exactness(facts: Provenance) -> list[Check]:
    """How exact the solve and the training were."""
    return [
        Check("relative residual of the solve", facts.residual),
        Check("gradient norm at the optimum", facts.gradient_norm),
        Check("convergence check", facts.convergence_check),
    ]
