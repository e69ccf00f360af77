"""What every reproduced figure of the paper is made of: its studies, its checks and what is needed to repeat it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from influence_core.context import ALONE, Context
from influence_core.experiments.explain import Explanation
from influence_core.experiments.two_models import RBF_STUDIES
from influence_core.reproduce.checks import Check
from influence_core.studies import CATALOGUE, MACHINES, Study, StudySpec, open_study

Setting = dict[str, Any]
Found = tuple[Setting, Sequence[Check], Any]
"""What a figure computes: setting, checks and result of its ``Reproduction``."""


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
    setting: Setting
    checks: Sequence[Check]
    result: Any

    @property
    def headline(self) -> Check:
        """The first figure that is required and that the paper has too; the first that it has where none is required."""
        of_paper = [check for check in self.checks if check.paper]
        return next((check for check in of_paper if check.requirement), of_paper[0])

    @property
    def short(self) -> tuple[Check, ...]:
        """The figures that fall short."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True, eq=False)
class Figure:
    """How a figure of the paper is computed again.

    Attributes:
        name: The alias on the command line.
        title: What it shows.
        claim: What the paper says of it, with its number where there is one.
        seconds: The work on the stand-in, about, on two cores.
        paper: The studies it needs on the paper's data; ``()`` where it is made of the stand-in in any case.
        stand_in: The same on data that ship with the app.
        opened: How far all the work is once each of them is open.
        compute: Takes these studies and ``context``.
    """

    name: str
    title: str
    claim: str
    seconds: float
    paper: Sequence[str]
    stand_in: Sequence[str]
    opened: Sequence[float]
    compute: Callable[..., Found]

    @property
    def content(self) -> tuple[str, Sequence[str], Sequence[str]]:
        """What makes it another figure."""
        return self.name, self.paper, self.stand_in

    def specs(self, original: bool) -> tuple[StudySpec, ...]:
        """Its studies, on the paper's data or on the stand-in; ``()`` where the paper's cannot be had."""
        known = CATALOGUE | RBF_STUDIES | {one.name: one for one in MACHINES.values()}
        return tuple(known[name] for name in (self.paper if original else self.stand_in))

    def __call__(
        self, folder: str | None = None, device: str = "auto", context: Context = ALONE
    ) -> Reproduction:
        """Compute it.

        Args:
            folder: The folder that holds the paper's data; the stand-in is taken where none is named.
            device: A name of ``devices.NAMES``.
            context: Its store keeps trained parameters and results; a second run goes on where the first was stopped.

        Raises:
            DataError: If the folder does not hold the data.
        """
        if not self.paper:
            folder = None
        parts = [context.part(*ends) for ends in pairwise((0.0, *self.opened))]
        opened = [
            open_study(spec, part.store, folder, device, part.progress)
            for spec, part in zip(self.specs(original=bool(folder)), parts, strict=True)
        ]
        return self.of(*opened, context=context.part(self.opened[-1], 1.0))

    def of(self, *studies: Study, context: Context = ALONE, **sizes: Any) -> Reproduction:
        """The figure of any studies that have what it needs; ``sizes`` are passed on to ``compute``."""
        return Reproduction(self.name, self.title, *self.compute(*studies, context=context, **sizes))


def figure(
    name: str,
    title: str,
    claim: str,
    seconds: float,
    paper: Sequence[str],
    stand_in: Sequence[str],
    opened: Sequence[float],
) -> Callable[[Callable[..., Found]], Figure]:
    """Make a ``Figure`` of the function that computes it."""
    return lambda compute: Figure(name, title, claim, seconds, paper, stand_in, opened, compute)


def setting(study: Study, question: Setting, solver: str, tolerance: str, damping: float = 0.0) -> Setting:
    """Data, model, question, solver and precision of a figure."""
    return {
        "study": study.spec.name,
        "data": study.data.title,
        "stand_in": study.data.stand_in,
        **question,
        "n": study.objective.n,
        "p": study.objective.dim,
        "l2": study.spec.l2,
        "damping": damping,
        "seed": study.spec.seed,
        "solver": solver,
        "tolerance": tolerance,
        "device": study.theta.device.type,
        "dtype": str(study.theta.dtype).removeprefix("torch."),
    }


def setting_of(study: Study, answer: Explanation) -> Setting:
    """The same of one answer."""
    facts, question = answer.provenance, {"test_id": answer.test_id, "label": answer.label_name}
    tolerance = f"gradient norm {study.spec.gradient_norm:g}; {facts.settings}"
    return setting(study, question, facts.solver, tolerance, facts.damping)
