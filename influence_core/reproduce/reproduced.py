"""A figure of the paper as it is kept: its numbers in words and its drawings, without the result they were made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from influence_core.context import ALONE, Context
from influence_core.reproduce.base import Figure, Reproduction
from influence_core.reproduce.checks import Check
from influence_core.store.remember import remember


@dataclass(frozen=True)
class Line:
    """A number of a figure, in words.

    Attributes:
        name: What was measured.
        here: What came out.
        required: What must come out; empty where nothing is asked.
        paper: What the paper shows; empty where it is silent.
        verdict: "ok", "falls short", or nothing where nothing is asked.
    """

    name: str
    here: str
    required: str
    paper: str
    verdict: str

    @classmethod
    def of(cls, check: Check) -> Line:
        """A check in words."""
        return cls(check.name, check.shown, check.requirement, check.paper, check.verdict)


@dataclass(frozen=True, eq=False)
class Reproduced:
    """A figure of the paper, computed and drawn.

    Attributes:
        setting: Data, model, seed, solver, tolerance and sizes, enough to repeat it.
        headline: The number that stands beside the paper's.
        lines: All numbers, the required ones first.
        drawings: What was drawn, as text by file name.
        seconds: The work took.
    """

    setting: dict[str, Any]
    headline: Line
    lines: tuple[Line, ...]
    drawings: dict[str, str]
    seconds: float

    @property
    def short(self) -> int:
        """How many numbers fall short."""
        return sum(one.verdict == "falls short" for one in self.lines)


@remember("figure of the paper")
def run(
    figure: Figure,
    original: bool,
    *,
    draw: Callable[[Reproduction], dict[str, str]],
    folder: str | None = None,
    device: str = "auto",
    context: Context = ALONE,
) -> Reproduced:
    """Compute a figure and draw it.

    Args:
        figure: One of ``reproduce.FIGURES``.
        original: Whether on the paper's data, instead of those that ship with the app.
        draw: Makes the drawings, as text by file name.
        folder: The folder that holds the paper's data.
        device: A name of ``devices.NAMES``.
        context: Its store keeps the outcome, and what was computed on the way.

    Raises:
        DataError: If the folder does not hold the data.
    """
    start = perf_counter()
    found = figure(folder if original else None, device, context)
    lines = tuple(map(Line.of, found.checks))
    return Reproduced(found.setting, Line.of(found.headline), lines, draw(found), perf_counter() - start)
