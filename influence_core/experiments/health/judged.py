"""What was found, without what somebody has judged since."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from influence_core.experiments.health.findings import Case, Finding
from influence_core.studies import Study
from influence_core.studies.changes import Change, settled

DOUBTFUL = ("contradicted", "contradicted_tests")
"""Single labels that may be a fault of the data, or one of the model's: a person gives a verdict on each."""
COPIES = {
    "conflicts": lambda cases: len(cases),
    "leaks": lambda cases: sum(len(one.test_ids) for one in cases),
    "repeated": lambda cases: sum(len(one.train_ids) - 1 for one in cases),
}
"""Faults of the data that changes mend, and how often each is found in its cases."""


def unjudged(study: Study, one: Finding, judged: Collection[int], changes: Iterable[Change]) -> Finding:
    """A finding without the doubtful labels on which there is a verdict, or without the copies that changes mend.

    Args:
        study: In which it was found.
        one: The finding; of any other name it stays as it is.
        judged: Ids of the examples on which somebody has given a verdict.
        changes: What was said of examples of the study and has not been made yet.
    """
    if one.name in DOUBTFUL:
        left = tuple(case for case in one.cases if not {*case.train_ids, *case.test_ids} & set(judged))
        count, why = len(left), "On {} of them there is a verdict; {} not shown."
    elif one.name in COPIES:
        made = settled(changes)
        left = tuple(case for case in one.cases if not _is_mended(study, one.name, case, made))
        count, why = COPIES[one.name](left), "Your changes mend {} of them; {} not shown."
    else:
        return one
    done = one.count - count
    if not done:
        return one
    words = why.format(f"{done:,}", "it is" if done == 1 else "they are")
    there = {train_id for case in left for train_id in case.train_ids}
    return replace(
        one,
        count=count,
        judged=done,
        sentence=f"{one.sentence} {words}",
        cases=left,
        leave_out=tuple(train_id for train_id in one.leave_out if train_id in there),
    )


def _is_mended(study: Study, name: str, case: Case, changes: Iterable[Change]) -> bool:
    """Whether changes leave no copy of it, or, where it is a matter of labels, none under another label."""
    removed = {change.example for change in changes if change.kind == "remove"}
    labels = {change.example: change.label for change in changes if change.label is not None}
    members = [(study.data.train, at) for at in case.train_ids if at not in removed]
    if not members:
        return True
    members += [(study.data.test, at) for at in case.test_ids]
    if name != "conflicts":
        return len(members) == 1
    return len({labels.get(at, int(part.y[part.position(at)])) for part, at in members}) == 1
