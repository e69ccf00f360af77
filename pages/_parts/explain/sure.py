"""How sure the ranking is, in words, where it is not proven; and whether the first of it is excessive."""

from __future__ import annotations

import streamlit as st

from influence_core.agreement import strongest
from influence_core.experiments import sureness
from influence_core.experiments.explain import Explanation
from influence_core.experiments.sureness import COVERED, EXCESSIVE, MANY, SOURCES, Excess, Interval
from influence_core.studies import Study
from influence_core.words import percent, ratio, three_digits
from pages._common.number import SHORT, worth
from pages._shell import results
from pages._shell.own_params import ExplainParams


def show(study: Study, params: ExplainParams, explanation: Explanation) -> None:
    """Two sentences behind the ranking."""
    known = sureness.interval(study, explanation, context=results.context())
    words = [] if explanation.number == "proven" else [_interval(explanation, known, params.unit)]
    found = sureness.excess(explanation.shown)
    if found is not None:
        words.append(_excess(explanation, found))
    if words:
        with st.popover("How sure is this ranking?", type="tertiary"):
            st.markdown(" ".join(words))


def _interval(explanation: Explanation, known: Interval | None, unit: str) -> str:
    if known is None:
        return (
            f"Nothing is proven yet, and too little of this study was retrained to say how far each {SHORT[explanation.number]} "
            "may be off: check it with real retrainings."
        )
    share = percent(COVERED) if known.count >= MANY else "all"
    first = int(explanation.ids[known.positions[0]])
    order = (
        "it stays the strongest whatever both come out as"
        if known.first_sure
        else "it may change places with the next"
        if known.signs_sure
        else "even the side that it is on may change"
    )
    between = f"{ratio(known.lowest)} and {ratio(known.highest)} times it"
    kept = f"{SHORT[explanation.number]}: {share} of the truths lay between {between}"
    low, high = (worth(explanation.probability, float(one[0]), unit) for one in (known.low, known.high))
    truly = f"truly does {low}" + ("" if known.known[0] else f" to {high}")
    return (
        f"Not all is proven. {known.count} of {SOURCES[known.source]} tell of the {kept}. The strongest, {explanation.kind} "
        f"{first}, {truly}; {order}."
    )


def _excess(explanation: Explanation, found: Excess) -> str:
    name = f"{explanation.kind.capitalize()} {explanation.ids[strongest(explanation.shown, 1)[0]]}"
    tail = "light" if found.tail == "gumbel" else "heavy"
    chance = (
        f"it is {three_digits(found.ratio)} times the second, and of as many independent effects with so {tail} a tail the "
        f"largest is as far ahead in {percent(found.p)} of all cases"
    )
    if found.excessive:
        return (
            f"{name} is **more than the largest of {found.n:,}** has to be: {chance}. Look at it closely. (By chance about "
            f"{percent(EXCESSIVE)} of all answers are called so.)"
        )
    return f"{name} is no more than the largest of {found.n:,} has to be: {chance}."
