"""What every reproduced figure of the paper is made of: its checks and what is needed to repeat it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from influence_core.context import Context
from influence_core.experiments.explain import Explanation
from influence_core.studies import Study, StudySpec, open_study


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


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A figure of the paper, computed again.

    Attributes:
        name: The alias on the command line.
        title: What the figure shows.
        setting: Data, model, seed, solver, tolerance and sizes, enough to repeat it.
        checks: Its figures, the required ones first.
        result: What is drawn; a result of another experiment.
    """

    name: str
    title: str
    setting: dict[str, Any]
    checks: tuple[Check, ...]
    result: Any

    @property
    def short(self) -> tuple[Check, ...]:
        """The figures that fall short."""
        return tuple(check for check in self.checks if not check.passed)


def open_(spec: StudySpec, folder: str | None, device: str, context: Context) -> Study:
    """The trained study of a figure."""
    return open_study(spec, context.store, folder, device, context.progress)


def setting(study: Study, answer: Explanation) -> dict[str, Any]:
    """Data, model, question, solver and precision of one answer: a reproduction's ``setting``."""
    facts = answer.provenance
    return {
        "study": study.spec.name,
        "data": study.data.title,
        "stand_in": study.data.stand_in,
        "test_id": answer.test_id,
        "label": answer.label_name,
        "n": facts.n,
        "p": facts.p,
        "l2": study.spec.l2,
        "damping": facts.damping,
        "seed": study.spec.seed,
        "solver": facts.solver,
        "tolerance": f"gradient norm {study.spec.gradient_norm:g}; {facts.settings}",
        "device": facts.device,
        "dtype": facts.dtype,
    }
