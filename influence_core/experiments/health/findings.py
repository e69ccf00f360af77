"""What was found, in words: how many, one sentence with the numbers, the examples to look at, and those to leave out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from influence_core.experiments.explanation import Number
from influence_core.experiments.health.contradicted import Contradicted
from influence_core.experiments.health.duplicates import Copies, Duplicates
from influence_core.experiments.health.levels import SERIOUSNESS
from influence_core.experiments.health.regions import NEIGHBOURS, SMALL, Region, Regions
from influence_core.experiments.health.twins import STRONGEST, Twins
from influence_core.experiments.health.unused import Unused
from influence_core.studies import Study, StudySpec
from influence_core.studies.changes import Change
from influence_core.words import percent, signed

_WITHOUT: dict[Number | None, str] = {
    None: "The model, which has never seen them,",
    "proven": "The model, trained again without each of them,",
    "corrected": "The model without each of them (corrected forecast)",
}


@dataclass(frozen=True)
class Case:
    """Examples that belong together.

    Attributes:
        train_ids: Of those in the training set.
        test_ids: Of those in the test set.
        words: What is said of them.
    """

    train_ids: tuple[int, ...]
    test_ids: tuple[int, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: Its short name.
        title: What it is called where it was found.
        count: How often it was found; 0 where all is well, or judged.
        sentence: What was found, or that nothing was.
        cases: The examples, the most serious first.
        leave_out: Training ids without which it is gone.
        judged: How often it was found besides, and somebody has judged it since.
    """

    name: str
    title: str
    count: int
    sentence: str
    cases: tuple[Case, ...] = ()
    leave_out: tuple[int, ...] = ()
    judged: int = 0


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """What was found before what was not, each in the order of its seriousness.

    >>> in_order([Finding("outliers", "", 2, ""), Finding("leaks", "", 0, ""), Finding("conflicts", "", 1, "")])[0].name
    'conflicts'
    """
    return tuple(sorted(found, key=lambda one: (one.count == 0, SERIOUSNESS.index(one.name))))


def without(spec: StudySpec, train_ids: Sequence[int]) -> StudySpec:
    """The version of a study without some training examples."""
    return replace(spec, changes=(*spec.changes, *(Change("remove", one) for one in train_ids)))


def of_duplicates(study: Study, found: Duplicates) -> tuple[Finding, ...]:
    """Copies under different labels, copies that leak, copies in the training set."""
    return _conflicts(study, found), _leaks(study, found), _repeated(study, found)


def _conflicts(study: Study, found: Duplicates) -> Finding:
    kind, groups = study.data.kind, found.conflicts
    count = len(groups)
    sentence = f"No {kind} is there under two labels."
    if count:
        there = f"{kind} is" if count == 1 else f"{kind}s are"
        sentence = f"{count:,} {there} there more than once under different labels: of each, at least one label is wrong."
    gone = [one for group in groups for one in group.train_ids]
    return Finding("conflicts", "Copies with different labels", count, sentence, _cases(groups), tuple(gone))


def _leaks(study: Study, found: Duplicates) -> Finding:
    kind, groups = study.data.kind, found.leaks
    copied = [one for group in groups for one in group.test_ids]
    count, t = len(copied), len(study.data.test)
    sentence = f"No test {kind} is a copy of a training {kind}."
    if count:
        is_copy = np.isin(study.predictions.ids, copied)
        sentence = (
            f"{count:,} of {t:,} test {kind}s ({percent(count / t)}) {'is a copy' if count == 1 else 'are copies'} of "
            f"training {kind}s{_right(study, is_copy)}"
        )
    gone = [one for group in groups for one in group.train_ids]
    title = f"Test {kind}s that were learnt from"
    return Finding("leaks", title, count, sentence, _cases(groups), tuple(gone))


def _right(study: Study, is_copy: np.ndarray) -> str:
    """How often the model is right on copies, and on what it has truly never seen."""
    right = ~study.predictions.wrong
    if is_copy.all():
        return ": nothing is left to test on."
    return (
        f". The model is right on {percent(float(right[is_copy].mean()))} of them and on "
        f"{percent(float(right[~is_copy].mean()))} of the others: believe the second number."
    )


def _repeated(study: Study, found: Duplicates) -> Finding:
    kind, groups, n = study.data.kind, found.repeated, len(study.data.train)
    gone = [one for group in groups for one in group.train_ids[1:]]
    count = len(gone)
    sentence = f"No training {kind} is there twice."
    if count:
        sentence = (
            f"{count:,} of {n:,} training {kind}s ({percent(count / n)}) "
            f"{'is a copy' if count == 1 else 'are copies'} of another one: what is there twice weighs twice."
        )
    title = f"Copies among the training {kind}s"
    cases = tuple(Case(one.train_ids, words=one.how) for one in groups)
    return Finding("repeated", title, count, sentence, cases, tuple(gone))


def _cases(groups: Iterable[Copies]) -> tuple[Case, ...]:
    return tuple(Case(one.train_ids, one.test_ids, one.how) for one in groups)


def of_regions(study: Study, found: Regions) -> tuple[Finding, ...]:
    """Small classes, thin regions, outliers."""
    return _small(study, found), _thin(study, found), _outliers(study, found)


def _small(study: Study, found: Regions) -> Finding:
    kind, names, y = study.data.kind, study.data.class_names, study.data.train.y.numpy()
    sentence = f"Every class has at least {SMALL} training {kind}s."
    if found.small:
        told = ", ".join(f"{names[one.label]} ({one.train:,})" for one in found.small)
        sentence = f"Fewer than {SMALL} training {kind}s: {told}. So few can neither be learnt nor checked."
    ids = study.data.train.ids.numpy()
    cases = tuple(
        Case(tuple(ids[y == one.label].tolist()), words=names[one.label]) for one in found.small if one.train
    )
    return Finding("small", "Classes that are too small", len(found.small), sentence, cases)


def _thin(study: Study, found: Regions) -> Finding:
    kind, names = study.data.kind, study.data.class_names
    sentence = f"In no class do more test {kind}s lie far from all training {kind}s than chance explains."
    if found.thin:
        told = "; ".join(_thin_words(names, kind, one) for one in found.thin)
        sentence = (
            f"Far from all that was learnt lie {told}. More training examples like them would fill the gap."
        )
    cases = tuple(Case((), (far,)) for one in found.thin for far in one.far_ids.tolist())
    return Finding("thin", "Where the training set is thin", len(found.thin), sentence, cases)


def _thin_words(names: Sequence[str], kind: str, one: Region) -> str:
    k = len(one.far_ids)
    return (
        f"{k:,} of {one.test:,} test {kind}s of class {names[one.label]} ({percent(k / one.test)}; the model is wrong on "
        f"{one.wrong_far:,} of them, on {one.wrong:,} of all)"
    )


def _outliers(study: Study, found: Regions) -> Finding:
    kind, count = study.data.kind, len(found.outlier_ids)
    sentence = f"No training {kind} lies out of line with its own class."
    if count:
        sentence = (
            f"{count:,} training {kind}{' lies' if count == 1 else 's lie'} far out of line with "
            f"{'its' if count == 1 else 'their'} own class; the farthest {found.times[0]:.1f} times as far from the "
            f"{NEIGHBOURS} nearest of its label as is usual there. Look whether they belong."
        )
    told = zip(found.outlier_ids.tolist(), found.times.tolist(), strict=True)
    cases = tuple(Case((one,), words=f"{times:.1f} times as far as usual") for one, times in told)
    return Finding("outliers", f"Training {kind}s unlike their own class", count, sentence, cases)


def of_contradicted(study: Study, found: Contradicted) -> Finding:
    """Labels of training or of test examples that the model contradicts."""
    kind, count, tested = study.data.kind, len(found.ids), found.number is None
    several = f"{'test' if tested else 'training'} {kind}s"
    of = f"of {count:,}" if count else "of none"
    sentence = (
        f"{_WITHOUT[found.number]} contradicts the label{'s' * (count != 1)} {of} of the {found.looked:,} {several} with "
        f"{_at_least(found)}."
    )
    if count:
        sentence += " That is a suspicion, not an error: the model may be wrong, and only somebody who looks can tell."
    if found.less_sure:
        sentence += f" It contradicts {found.less_sure:,} more, but is less sure."
    told = zip(found.ids.tolist(), found.said.tolist(), found.probabilities.tolist(), strict=True)
    cases = tuple(
        Case(
            () if tested else (one,),
            (one,) if tested else (),
            f"model: {study.data.class_names[said]}, {percent(sure)}",
        )
        for one, said, sure in told
    )
    name = "contradicted_tests" if tested else "contradicted"
    return Finding(name, f"{several.capitalize()} whose labels the model contradicts", count, sentence, cases)


def _at_least(found: Contradicted) -> str:
    low, high = (percent(float(one)) for one in (found.least.min(), found.least.max()))
    return f"at least {high}" if low == high else f"at least {low} to {high}, by the label that it gives"


def of_twins(study: Study, found: Twins, asked: str) -> Finding:
    """Pairs that mask each other, for one answer; ``asked`` names it."""
    kind, at = study.data.kind, np.flatnonzero(found.masked).tolist()
    strongest = f"Of the {STRONGEST} training {kind}s strongest for {asked}, "
    sentence = f"{strongest}no two stand in for each other."
    if len(at):
        pairs = "1 pair stands" if len(at) == 1 else f"{len(at):,} pairs stand"
        sentence = (
            f"{strongest}{pairs} in for each other: with one gone the other still teaches the same, so that each alone seems to "
            f"matter little, and only without both does the answer move. {_hidden(study, found, at[0])}"
        )
    cases = tuple(Case(tuple(found.pairs[one].tolist()), words=_twin_words(found, one)) for one in at)
    return Finding(
        "twins", f"Pairs of training {kind}s that stand in for each other", len(at), sentence, cases
    )


def _hidden(study: Study, found: Twins, one: int) -> str:
    first, second = (study.file_name(at) or at for at in found.pairs[one].tolist())
    alone, other = found.each[one]
    return (
        f"Without {first} the odds of the label asked about change by {_odds(alone)}, without {second} by {_odds(other)}, "
        f"without both by {_odds(found.together[one])}."
    )


def _twin_words(found: Twins, one: int) -> str:
    alone = " and ".join(_odds(each) for each in found.each[one])
    return f"odds without each {alone}, without both {_odds(found.together[one])}"


def _odds(change: float) -> str:
    """A change of log-odds as one of the odds, in per cent."""
    return f"{signed(100 * math.expm1(change))} %"


def of_unused(study: Study, found: Unused) -> Finding:
    """Training examples on which no test answer depends."""
    kind, ids, n = study.data.kind, found.unused, len(found.ids)
    sentence = f"Some answer to the {found.answers:,} test {kind}s depends on every training {kind}."
    if len(ids):
        sentence = (
            f"On {len(ids):,} of {n:,} training {kind}s ({percent(len(ids) / n)}) no answer to the {found.answers:,} test "
            f"{kind}s depends: without any one of them no probability moves by a thousandth of a point ({found.number})."
            f"{_all_gone(found)}"
        )
    cases = tuple(Case((one,)) for one in ids.tolist())
    title = f"Training {kind}s that no answer needs"
    return Finding("unused", title, len(ids), sentence, cases, tuple(ids.tolist()))


def _all_gone(found: Unused) -> str:
    if found.changed is None or found.accuracy is None:
        return ""
    changed = "no answer changes" if not found.changed else f"{found.changed:,} answers change"
    return f" Without all of them together, after training again, {changed} and {percent(found.accuracy)} are right."
