"""The catalogue of pages: everything that is said about a page, and the fields that it alone has in the address.

The menu, the guide and the README's table are made from it or checked against it. A new page is a row here, a script in
``pages/``, its part and its test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from influence_core import solvers
from influence_core.errors import DataError
from influence_core.experiments import (
    domain_mismatch,
    leave_one_out,
    network_leave_one_out,
    poison,
    review,
    smooth_hinge,
    two_models,
    what_if,
    wrong_labels,
)
from influence_core.studies import StudySpec
from pages._shell.params import (
    ANSWER,
    QUESTION,
    SHOWN,
    Params,
    between,
    count,
    flag,
    one_of,
    one_of_numbers,
    param,
    up_to,
    whole,
)

OwnParams = TypeVar("OwnParams", bound=Params)


def _retrain(*after: str) -> bool:
    """Whether training again was asked for; any change of the question takes that back."""
    return param(False, flag("retrain"), after=(*ANSWER, "out", *after))


@dataclass(frozen=True)
class ExplainParams(Params):
    """Of *Explain a prediction*: whether to train again; a word of the open text that is edited, and whether to
    train again without it (the panel "word")."""

    retrain: bool = _retrain()
    word: str = param("", after=QUESTION)
    panel: str = param("", after=(*QUESTION, "word"))


_POISON_PARTS = ("one", "together", "share", "guard")


@dataclass(frozen=True)
class PoisonParams(Params):
    """Of *Poisoned pictures*: the part, the box in steps of an 8-bit picture, how many pictures are changed, how many
    test images are attacked one by one, whether to begin."""

    panel: str = param(
        "one", one_of(_POISON_PARTS, f"There is no part “{{}}”; choose one of {', '.join(_POISON_PARTS)}.")
    )
    box: float = param(poison.BOX, up_to("box", 64))
    poisons: int = param(1, count("number of poisoned pictures", poison.MAX_POISONED))
    k: int = param(50, whole("number of examples", least=1), after=())
    retrain: bool = _retrain("panel", "box", "poisons", "k")


_RULES = (*what_if.RULES, "hand")


@dataclass(frozen=True)
class WhatIfParams(Params):
    """Of *What if*: the rule that makes the group, its size or label, and what happens to it."""

    panel: str = param("for", one_of(_RULES, f"There is no group “{{}}”; choose one of {', '.join(_RULES)}."))
    k: int = param(50, whole("number of examples", least=1), after=())
    group: str = param("")
    edit: str = param(
        "remove",
        one_of(what_if.KINDS, f"There is no change “{{}}”; choose one of {', '.join(what_if.KINDS)}."),
    )
    to: str = param("")
    weight: float = param(0.0, between("weight", 0, what_if.HEAVIEST))
    retrain: str = param(
        "",
        one_of(("", "1", "groups"), "The address asks for retrain=“{}”, but it is 1, groups or not there."),
        after=(*ANSWER, "out", "edit", "to", "weight", "panel", "k", "group"),
    )


@dataclass(frozen=True)
class LeaveOneOutParams(Params):
    """Of *Forecast and truth*: how many are left out, the forecast shown, whether to train again."""

    k: int = param(50, whole("number of examples", least=1), after=())
    panel: str = param("")
    retrain: bool = _retrain()


def _temperature(text: str) -> float:
    """Reads a temperature: the nearest to it at which there is a forecast."""
    try:
        named = float(text)
    except ValueError:
        named = math.nan
    if not 0 < named < math.inf:
        raise DataError(f"The temperature t must be a number above 0, but is “{text[:SHOWN]}”.")
    return min(smooth_hinge.TEMPERATURES[1:], key=lambda t: abs(math.log(t / named)))


@dataclass(frozen=True)
class SmoothHingeParams(Params):
    """Of *A loss with a kink*: the temperature."""

    t: float = param(0.001, _temperature, after=())


@dataclass(frozen=True)
class DomainMismatchParams(Params):
    """Of *Failing on a group*: the group, "column=value" or a column alone, and whether its rows are taken out.

    Which columns there are the study knows, and a column's name may hold any sign: the page reads the group.
    """

    group: str = param("")
    retrain: bool = _retrain()


def _solvers(text: str) -> tuple[str, ...]:
    """Reads solvers, comma-separated, in the order of their catalogue."""
    known = ", ".join(solvers.CATALOGUE)
    name = one_of(solvers.CATALOGUE, f"There is no solver “{{}}” to compare; choose from {known}.")
    named = {name(one) for one in text.split(",") if one}
    return tuple(one for one in solvers.CATALOGUE if one in named)


@dataclass(frozen=True)
class SolverComparisonParams(Params):
    """Of *Solvers side by side*: the solvers compared; none for the page's choice."""

    with_: tuple[str, ...] = param((), _solvers)


@dataclass(frozen=True)
class WrongLabelsParams(Params):
    """Of *Wrong labels*: per cent of labels flipped, how often, the error bars, whether to begin."""

    SHARES, REPEATS = (5, 10, 20, 30), (5, 10, 40)

    flip: int = param(
        10,
        one_of_numbers(
            SHARES, "There is no share of “{}” per cent of flipped labels; choose one of {known}."
        ),
        after=(),
    )
    repeats: int = param(
        5, one_of_numbers(REPEATS, "There are no “{}” repeats; choose one of {known}."), after=()
    )
    panel: str = param(
        "",
        one_of(("", "deviation"), "There are no error bars “{}”; choose deviation, or leave it away."),
    )
    retrain: bool = _retrain("flip", "repeats")


@dataclass(frozen=True)
class ReviewParams(Params):
    """Of *Review the suspects*: the review's name, the score that ranks, and how many labels to flip to practise."""

    METHODS = {"self-influence": "exact", "2017": "published", "loss": "loss", "random": "random"}

    review: str = param("", review.session_name)
    score: str = param(
        "self-influence", one_of(METHODS, "There is no score “{}”; choose one of {known}."), after=()
    )
    panel: str = param(
        "",
        one_of(("", "practise"), "The address asks for panel=“{}”, but it is practise or not there."),
    )
    flip: int = param(
        10,
        one_of_numbers(range(1, 51), "The share of flipped labels must be 1 to 50 per cent, but is “{}”."),
        after=(),
    )


@dataclass(frozen=True)
class PageRow(Generic[OwnParams]):
    """A page.

    Attributes:
        name: Of its script in ``pages/`` and in the address.
        title: In the menu.
        question: What it answers, in a sentence.
        section: Of the paper.
        group: In the menu.
        params: The fields that it alone has in the address.
        supports: Why it cannot answer for a study; ``None`` where it can.
        offered: Studies to choose where it cannot; the fitting ones of the catalogue where none are named.
    """

    name: str
    title: str
    question: str
    section: str
    group: str
    params: type[OwnParams]
    supports: Callable[[StudySpec], str | None] = lambda _: None
    offered: tuple[str, ...] = ()

    @property
    def script(self) -> str:
        """Its file."""
        return f"pages/{self.name}.py"


def _supports_leaving_out(spec: StudySpec) -> str | None:
    """A linear model, or a network: the page has a way for each."""
    return (network_leave_one_out if spec.is_network else leave_one_out).supports(spec)


EXPLAIN = PageRow(
    "explain",
    "Explain a prediction",
    "Which training examples made the model say that?",
    "2.1, Figure 1",
    "Understand",
    ExplainParams,
)
TWO_MODELS = PageRow(
    "two_models",
    "Two models, two reasons",
    "Do two models say the same for the same reason?",
    "5.1, Figure 4",
    "Understand",
    Params,
    two_models.supports,
)
POISON = PageRow(
    "poison",
    "Poisoned pictures",
    "Can an invisible change of one training picture turn the answer?",
    "5.2, Figure 5",
    "Risks",
    PoisonParams,
    poison.supports,
)
WHAT_IF = PageRow(
    "what_if",
    "What if",
    "What if a group were taken out, relabelled or reweighted?",
    "2.1, 2.2",
    "Repair",
    WhatIfParams,
)
LEAVE_ONE_OUT = PageRow(
    "leave_one_out",
    "Forecast and truth (leave-one-out)",
    "Do the forecasts come true?",
    "Figure 2",
    "Check",
    LeaveOneOutParams,
    _supports_leaving_out,
    ("digits", "one-or-seven", "mnist"),
)
SMOOTH_HINGE = PageRow(
    "smooth_hinge",
    "A loss with a kink (non-smooth loss)",
    "What if the loss has no curvature?",
    "Figure 3",
    "Check",
    SmoothHingeParams,
    smooth_hinge.supports,
    ("one-or-seven", "mnist-one-or-seven"),
)
DOMAIN_MISMATCH = PageRow(
    "domain_mismatch",
    "Failing on a group (subgroup error)",
    "Why does it fail on this group?",
    "5.3",
    "Repair",
    DomainMismatchParams,
    domain_mismatch.supports,
    ("diabetes-thinned", "hospital-thinned", "diabetes", "hospital"),
)
SOLVER_COMPARISON = PageRow(
    "solver_comparison",
    "Solvers side by side",
    "Which solver can I trust here?",
    "section 3",
    "Check",
    SolverComparisonParams,
)
WRONG_LABELS = PageRow(
    "wrong_labels",
    "Wrong labels (label noise)",
    "Does influence find wrong labels sooner?",
    "5.4, Figure 6",
    "Repair",
    WrongLabelsParams,
    wrong_labels.supports,
    ("mails", "one-or-seven", "diabetes"),
)
REVIEW = PageRow(
    "review",
    "Review the suspects",
    "Which labels are wrong here?",
    "5.4",
    "Repair",
    ReviewParams,
    review.supports,
    ("mails", "one-or-seven", "diabetes"),
)
BUILD = PageRow(
    "build",
    "Build your own study",
    "How do I ask this about my own pictures, texts or tables?",
    "",
    "Your data",
    Params,
)
GUIDE = PageRow("guide", "How to read it", "How do I read an influence?", "", "Learn", Params)

PAGES: tuple[PageRow, ...] = (
    EXPLAIN,
    TWO_MODELS,
    LEAVE_ONE_OUT,
    SMOOTH_HINGE,
    SOLVER_COMPARISON,
    WHAT_IF,
    DOMAIN_MISMATCH,
    WRONG_LABELS,
    REVIEW,
    POISON,
    BUILD,
    GUIDE,
)
"""Every page in the order of the menu, group by group; the first is the default."""
