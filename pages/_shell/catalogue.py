"""The catalogue of pages: everything that is said about a page.

The menu, the guide and the README's table are made from it or checked against it. A new page is a row here, a script in
``pages/``, its part and its test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from influence_core.experiments import (
    domain_mismatch,
    leave_one_out,
    network_leave_one_out,
    poison,
    review,
    smooth_hinge,
    two_models,
    wrong_labels,
)
from influence_core.studies import StudySpec
from pages._shell import own_params
from pages._shell.params import Params

OwnParams = TypeVar("OwnParams", bound=Params)


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
        term: What the field calls it, where the plain words do not say.
    """

    name: str
    title: str
    question: str
    section: str
    group: str
    params: type[OwnParams]
    supports: Callable[[StudySpec], str | None] = lambda _: None
    offered: tuple[str, ...] = ()
    term: str = ""

    @property
    def full_title(self) -> str:
        """The title with the field's term."""
        return f"{self.title} ({self.term})" if self.term else self.title

    @property
    def script(self) -> str:
        """Its file."""
        return f"pages/{self.name}.py"


def _supports_leaving_out(spec: StudySpec) -> str | None:
    """A linear model, or a network: the page has a way for each."""
    return (network_leave_one_out if spec.is_network else leave_one_out).supports(spec)


EXPLAIN = PageRow(
    "explain",
    "Explain",
    "Which training examples made the model say that?",
    "2.1, Figure 1",
    "Understand",
    own_params.ExplainParams,
)
ASK = PageRow(
    "ask",
    "Any question",
    "What made it so, for many test examples, or another quantity than one answer?",
    "",
    "Understand",
    own_params.AskParams,
)
TWO_MODELS = PageRow(
    "two_models",
    "Compare",
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
    own_params.PoisonParams,
    poison.supports,
)
WHAT_IF = PageRow(
    "what_if",
    "What if",
    "What if a group were taken out, relabelled or reweighted?",
    "2.1, 2.2",
    "Repair",
    own_params.WhatIfParams,
)
LEAVE_ONE_OUT = PageRow(
    "leave_one_out",
    "Forecast and truth",
    "Do the forecasts come true?",
    "Figure 2",
    "Check",
    own_params.LeaveOneOutParams,
    _supports_leaving_out,
    ("digits", "one-or-seven", "mnist"),
    term="leave-one-out check",
)
SMOOTH_HINGE = PageRow(
    "smooth_hinge",
    "A loss with a kink",
    "What if the loss has no curvature?",
    "Figure 3",
    "The paper",
    own_params.SmoothHingeParams,
    smooth_hinge.supports,
    ("one-or-seven", "mnist-one-or-seven"),
    term="non-smooth loss",
)
DOMAIN_MISMATCH = PageRow(
    "domain_mismatch",
    "Failing on a group",
    "Why does it fail on this group?",
    "5.3",
    "Repair",
    own_params.DomainMismatchParams,
    domain_mismatch.supports,
    ("diabetes-thinned", "hospital-thinned", "diabetes", "hospital"),
    term="subgroup error",
)
DATA_HEALTH = PageRow(
    "data_health",
    "Data health",
    "Is anything wrong with the data themselves?",
    "",
    "Repair",
    own_params.DataHealthParams,
)
SOLVER_COMPARISON = PageRow(
    "solver_comparison",
    "Solvers",
    "Which solver can I trust here?",
    "section 3",
    "Check",
    own_params.SolverComparisonParams,
)
WRONG_LABELS = PageRow(
    "wrong_labels",
    "Wrong labels",
    "Does influence find wrong labels sooner?",
    "5.4, Figure 6",
    "The paper",
    own_params.WrongLabelsParams,
    wrong_labels.supports,
    ("mails", "one-or-seven", "diabetes"),
    term="label noise",
)
REVIEW = PageRow(
    "review",
    "Review",
    "Which labels are wrong here?",
    "5.4",
    "Repair",
    own_params.ReviewParams,
    review.supports,
    ("mails", "one-or-seven", "diabetes"),
)
PAPER = PageRow(
    "paper",
    "The figures",
    "What did the paper find, and does it come out here?",
    "all figures",
    "The paper",
    own_params.PaperParams,
)
BUILD = PageRow(
    "build",
    "Build",
    "How do I ask this about my own pictures, texts or tables?",
    "",
    "Your data",
    Params,
)
GUIDE = PageRow("guide", "How to read it", "How do I read an influence?", "", "Learn", Params)

PAGES: tuple[PageRow, ...] = (
    EXPLAIN,
    ASK,
    TWO_MODELS,
    LEAVE_ONE_OUT,
    SOLVER_COMPARISON,
    REVIEW,
    WHAT_IF,
    DOMAIN_MISMATCH,
    DATA_HEALTH,
    POISON,
    PAPER,
    SMOOTH_HINGE,
    WRONG_LABELS,
    BUILD,
    GUIDE,
)
"""Every page in the order of the menu, group by group; the first is the default."""
