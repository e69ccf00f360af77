"""The answer: what was looked for, what was found, how the classes are filled, and how it was found."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from influence_core.experiments import health
from influence_core.experiments.health import Finding
from influence_core.experiments.health.contradicted import MAX_SURE, MIN_SURE
from influence_core.experiments.health.near import ALIKE, CLOSER, CROWD
from influence_core.experiments.health.regions import FAR, FENCE, NEIGHBOURS
from influence_core.experiments.health.twins import MASKED
from influence_core.studies import Study
from influence_core.words import percent
from pages._common import footer
from pages._shell import results
from pages._shell.address import OF_THE_QUESTION, View
from pages._shell.catalogue import REVIEW

SHORT = {
    "conflicts": ("group of copies with different labels", "groups of copies with different labels"),
    "leaks": ("test {} that was learnt from", "test {}s that were learnt from"),
    "small": ("class that is too small", "classes that are too small"),
    "repeated": ("copy among the training {}s", "copies among the training {}s"),
    "thin": ("class with a thin region", "classes with thin regions"),
    "contradicted": (
        "training {} whose label the model contradicts",
        "training {}s whose labels the model contradicts",
    ),
    "contradicted_tests": (
        "test {} whose label the model contradicts",
        "test {}s whose labels the model contradicts",
    ),
    "outliers": ("training {} unlike its own class", "training {}s unlike their own class"),
    "twins": (
        "pair of training {}s that stand in for each other",
        "pairs of training {}s that stand in for each other",
    ),
    "unused": ("training {} that no answer needs", "training {}s that no answer needs"),
}
"""Each finding in a list, one of it and several."""
ANSWERS = {
    "serious": "Yes, something serious",
    "worth a look": "Perhaps, something is worth a look",
    "good to know": "No, there is only what is good to know",
}
"""The page's answer by the worst that was found."""
BADGES = {
    "serious": ":red-badge[Serious]",
    "worth a look": ":yellow-badge[Worth a look]",
    "good to know": ":gray-badge[Good to know]",
}
"""How the words of the one scale look, in the answer and on each finding."""

_CONTRADICTED = (
    "To the model that has not seen the example another label is the most likely, with at least "
    f"{percent(MAX_SURE)}. Wrong labels make a model less sure: where half of the examples to which it gives that label, and "
    f"which bear it, have less, as much as they have is enough, but never less than {percent(MIN_SURE)}. A training example is "
    "put to the model without it: proven where all of these have been trained, else the corrected forecast (one Newton step). "
    f"A model that knows how sure it can be is wrong on {percent(1 - MAX_SURE)} of its answers at {percent(MAX_SURE)}: some of "
    "these labels are right."
)


def load(study: Study) -> tuple[Finding, ...]:
    """What the data alone say."""
    kind = study.data.kind
    copies = results.load(f"Looking for {kind}s that are there twice", health.duplicates.run, study)
    regions = results.load(f"Measuring how far {kind}s lie apart", health.regions.run, study)
    tests = health.of_contradicted(study, health.contradicted.of_tests(study))
    return (*health.of_duplicates(study, copies), *health.of_regions(study, regions), tests)


def show(study: Study, found: Sequence[Finding], looking: bool) -> None:
    """The page's answer in one sentence; ``looking``: whether something is still being looked for."""
    there = [one for one in health.in_order(found) if one.count]
    train, test, kind = len(study.data.train), len(study.data.test), study.data.kind
    looked = f"**{train:,}** training and **{test:,}** test {kind}s were looked at"
    so_far = " so far" if looking else ""
    if not there:
        judged = any(one.judged for one in found)
        words = "All that was found is judged by you" if judged else "Nothing was found"
        st.markdown(f"{words}{so_far}: {looked}, for {len(found)} kinds of trouble.")
        return
    listed = ", ".join(f"**{one.count:,}** {_named(one, kind)}" for one in there)
    levels = {health.level(one.name) for one in there}
    worst = next(level for level in health.LEVELS if level in levels)
    st.markdown(f"{ANSWERS[worst]}{so_far}: {listed}. {looked}; the most serious comes first.")
    st.markdown(" ".join(f"{BADGES[level]}: {meaning}." for level, meaning in health.LEVELS.items()))


def elsewhere(view: View) -> None:
    """Where labels are looked at one by one."""
    label = "Review the training labels one by one"
    st.page_link(
        REVIEW.script, label=label, icon=":material/arrow_forward:", query_params=view.query(*OF_THE_QUESTION)
    )


def _named(one: Finding, kind: str) -> str:
    return SHORT[one.name][one.count > 1].format(kind)


def show_classes(study: Study) -> None:
    """How the classes are filled, and where each is thin."""
    found = results.load("Measuring", health.regions.run, study).classes
    n, kind = sum(one.train for one in found), study.data.kind
    st.header("Balance of the classes")
    st.dataframe(
        {
            "class": [study.data.class_names[one.label] for one in found],
            f"training {kind}s": [one.train for one in found],
            "share": [percent(one.train / n) for one in found],
            f"test {kind}s": [one.test for one in found],
            "wrong": [one.wrong for one in found],
            "far from all that was learnt": [len(one.far_ids) for one in found],
        },
        hide_index=True,
        width="stretch",
        key="classes",
    )
    st.caption(
        f"“Wrong” and “far” count test {kind}s; by the way “far” is measured, {percent(FAR)} of them are far by chance."
    )


def show_origin(study: Study) -> None:
    """How each kind of trouble is known."""
    footer.show_origin(
        study.data.stand_in,
        "A finding is a place to look at, not a verdict.",
        f"**Copies.** {_copies(study)}  \n"
        f"**Outliers.** Distance to the {NEIGHBOURS}th nearest training example of the same class, in what the model sees; more "
        f"than {FENCE:g} times the width of the middle half beyond the upper quartile of its class, by logarithms.  \n"
        f"**Thin regions.** Test examples farther from their {NEIGHBOURS}th nearest training example than {percent(1 - FAR)} of "
        "the training examples are from theirs; a class is thin where it has more of them than chance explains (binomial test, "
        "1 %).  \n"
        f"**Contradicted labels.** {_CONTRADICTED}  \n"
        f"**Pairs.** The odds of the label asked about move at least {MASKED:g} times as far without both as without each, "
        "added up (log-odds; one exact Newton step on the risk without them).  \n"
        "**Needed by no answer.** The largest change of the probability of any test answer without the example alone.",
    )


def _copies(study: Study) -> str:
    if study.data.pictured:
        return (
            f"Equal pixels, or nearly: the {CROWD}th nearest picture is more than {1 / CLOSER:.1f} times as far and the low "
            f"frequencies of lightness and colour correlate by at least {ALIKE:g}, upright or mirrored. Resized and re-encoded "
            "copies are found so; cropped and turned ones are not."
        )
    if study.data.worded:
        return f"At least {percent(ALIKE)} of the words that the model knows in common, each as often as it stands there."
    return "Rows whose every value is equal, as the model sees them."
