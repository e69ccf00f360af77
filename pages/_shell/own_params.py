"""The fields that each page alone has in the address; they check themselves."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from influence_core import solvers
from influence_core.errors import DataError
from influence_core.experiments import foils, poison, review, smooth_hinge, what_if
from influence_core.reproduce import FIGURES
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


def _retrain(*after: str) -> bool:
    """Whether training again was asked for; any change of the question takes that back."""
    return param(False, flag("retrain"), after=(*ANSWER, "out", *after))


ADDED = ("1", "5", "20")
"""How many of the best candidates are added together."""


def _cause(*after: str) -> str:
    """The group that is taken out, by the training example in its middle; "" for none."""
    return param("", lambda text: str(whole("training example")(text)) if text else "", after=after)


@dataclass(frozen=True)
class ExplainParams(Params):
    """Of *Explain*.

    Attributes:
        cause: The group of examples that is taken out.
        retrain: Whether to train again without the chosen ones.
        unit: Of an effect: percentage points of having the example, or nats of loss when it is taken out.
        map: Whether the maps of what matters lie over the pictures.
        to: The label that the answer is to become, for what flips it.
        word: A word of the open text that is edited.
        panel: "word" to train again without that word.
        pool: Where what is missing is looked for: "" for the test examples, "own", or the name of a study.
        add: How many of the best candidates are added.
        foil: The ranking beside the influence's; "" for the relative one.
    """

    cause: str = _cause(*ANSWER)
    retrain: bool = _retrain()
    unit: str = param(
        "", one_of(("", "nats"), "The address asks for the unit “{}”, but it is nats or not there."), after=()
    )
    map: bool = param(False, flag("map"), after=())
    to: str = param("", lambda text: str(whole("label")(text)) if text else "", after=QUESTION)
    word: str = param("", after=QUESTION)
    panel: str = param("", after=(*QUESTION, "word"))
    pool: str = param("", after=("study",))
    add: str = param(
        "",
        one_of(("", *ADDED), f"The address asks for add=“{{}}”, but it is {', '.join(ADDED)} or not there."),
        after=(*QUESTION, "pool"),
    )
    foil: str = param(
        "", one_of(("", *foils.TITLES), "There is no ranking “{}”; choose one of {known}."), after=()
    )


@dataclass(frozen=True)
class AskParams(Params):
    """Of *Any question*: the test examples and the quantity, as `test_sets` and `targets` name them, the group that is
    taken out, and whether to train again without the chosen ones. What there is the study knows: the page reads them."""

    over: str = param("errors")
    quantity: str = param("loss")
    cause: str = _cause(*ANSWER, "over", "quantity")
    retrain: bool = _retrain("over", "quantity")


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


_FIGURES = ("", *FIGURES)


@dataclass(frozen=True)
class PaperParams(Params):
    """Of *The figures*: the one that is open, whether to compute it, and on whose data."""

    figure: str = param("", one_of(_FIGURES, "There is no figure “{}”; choose one of {known}."), after=())
    data: str = param(
        "", one_of(("", "paper"), "The address asks for data=“{}”, but it is paper or not there."), after=()
    )
    retrain: bool = param(False, flag("retrain"), after=("figure", "data"))


@dataclass(frozen=True)
class WhatIfParams(Params):
    """Of *What if*: the rule that makes the group, its size or label, and what happens to it; the column by which the answers
    of a version are counted."""

    panel: str = param(
        "for", one_of((*what_if.RULES, "rows", "hand"), "There is no group “{}”; choose one of {known}.")
    )
    k: int = param(50, whole("number of examples", least=1), after=())
    group: str = param("", after=("study", "panel"))
    edit: str = param("remove", one_of(what_if.KINDS, "There is no change “{}”; choose one of {known}."))
    to: str = param("")
    weight: float = param(0.0, between("weight", 0, what_if.HEAVIEST))
    column: str = param("", after=())
    retrain: str = param(
        "",
        one_of(
            ("", "1", "groups", "all"),
            "The address asks for retrain=“{}”, but it is 1, groups, all or not there.",
        ),
        after=(*ANSWER, "out", "edit", "to", "weight", "panel", "k", "group"),
    )


@dataclass(frozen=True)
class LeaveOneOutParams(Params):
    """Of *Forecast and truth*: how many are left out (0: as many as is usual for the study), the forecast shown, whether to
    train again without these few ("1") or without each of all ("all")."""

    k: int = param(0, whole("number of examples", least=1), after=())
    panel: str = param("")
    retrain: str = param(
        "",
        one_of(("", "1", "all"), "The address asks for retrain=“{}”, but it is 1, all or not there."),
        after=(*ANSWER, "out"),
    )


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


@dataclass(frozen=True)
class DataHealthParams(Params):
    """Of *Data health*: whether to look for the examples that no answer needs, where that takes long."""

    retrain: bool = param(False, flag("retrain"))


def _solvers(text: str) -> tuple[str, ...]:
    """Reads solvers, comma-separated, in the order of their catalogue."""
    known = ", ".join(solvers.CATALOGUE)
    name = one_of(solvers.CATALOGUE, f"There is no solver “{{}}” to compare; choose from {known}.")
    named = {name(one) for one in text.split(",") if one}
    return tuple(one for one in solvers.CATALOGUE if one in named)


@dataclass(frozen=True)
class SolverComparisonParams(Params):
    """Of *Solvers*: the solvers compared; none for the page's choice."""

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
        "", one_of(("", "deviation"), "There are no error bars “{}”; choose deviation, or leave it away.")
    )
    retrain: bool = _retrain("flip", "repeats")


def _secret(text: str) -> str:
    """Reads what only the link of a shared review holds."""
    if not re.fullmatch("([0-9a-f]{32})?", text):
        raise DataError("The link of this review is not whole. Ask for it again.")
    return text


@dataclass(frozen=True)
class ReviewParams(Params):
    """Of *Review*: the review's name, the secret of one that is shared, the score that ranks (the one that finds most where
    none is named), how many labels to flip to practise, and whether the suspects come as cards, several at a time."""

    RETURNING = ("review", "by", "score", "panel", "flip", "cards")
    METHODS = {"self-influence": "exact", "2017": "published"} | {
        one: one for one in ("proven", "corrected", "loss", "random", "harm", "gain", "copies")
    }

    review: str = param("", review.session_name)
    by: str = param("", _secret, after=("study", "review"))
    score: str = param("", one_of(METHODS, "There is no score “{}”; choose one of {known}."), after=())
    panel: str = param(
        "", one_of(("", "practise"), "The address asks for panel=“{}”, but it is practise or not there.")
    )
    flip: int = param(
        10,
        one_of_numbers(range(1, 51), "The share of flipped labels must be 1 to 50 per cent, but is “{}”."),
        after=(),
    )
    cards: bool = param(False, flag("cards"), after=())
