"""Where two reviews of one list have judged the same examples: how often alike, and where not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from influence_core.experiments.review import Review, Verdict
from influence_core.sessions.entries import State, named_in
from influence_core.sessions.verdicts import verdicts_in
from influence_core.studies.changes import Change


@dataclass(frozen=True)
class TwoReviewers:
    """The sure verdicts of two reviews on the same examples, ``k`` of them.

    Attributes:
        names: Of the reviews.
        first: ``(k,)`` verdicts of the one.
        second: ``(k,)`` verdicts of the other, on the same examples.
        kappa: Cohen's: how much of the agreement that chance would not bring is there, where chance gives each of them its
            own shares of "keep", of "remove" and of every other label; NaN where chance alone would always agree.
        settled: Examples on which a verdict outside of both was given since.
        unsure: On how many examples more one of the two, or both, were unsure.
    """

    names: tuple[str, str]
    first: tuple[Verdict, ...]
    second: tuple[Verdict, ...]
    kappa: float
    settled: frozenset[int]
    unsure: int

    @property
    def alike(self) -> int:
        """How many verdicts are the same."""
        return sum(map(_same, self.first, self.second))

    @property
    def open(self) -> tuple[tuple[Verdict, Verdict], ...]:
        """The two verdicts on each example on which they differ, and which is not settled."""
        pairs = zip(self.first, self.second, strict=True)
        return tuple(
            (one, other) for one, other in pairs if not _same(one, other) and one.train_id not in self.settled
        )


def others(queue: Review, now: State) -> tuple[str, ...]:
    """Names of the reviews in a list that have judged an example which this one has judged, too.

    Args:
        queue: The review.
        now: The list that holds its verdicts.
    """
    named = dict.fromkeys(named_in(one.said) for one in now.entries)
    mine = _sure(queue, now, queue.session)
    return tuple(
        name for name in named if name not in ("", queue.session) and mine.keys() & _sure(queue, now, name)
    )


def compare(queue: Review, now: State, other: str) -> TwoReviewers:
    """The verdicts of a review beside those of another one in its list; who was unsure is left out.

    Args:
        queue: The review.
        now: The list that holds the verdicts of both.
        other: The other's name.
    """
    seen = [{one.train_id for one in verdicts_in(queue, now, (name,))} for name in (queue.session, other)]
    one, two = (_sure(queue, now, name) for name in (queue.session, other))
    both = [example for example in one if example in two]
    first, second = (tuple(said[example] for example in both) for said in (one, two))
    last = {
        said.example: named_in(said) for said in (line.said for line in now.entries) if said.kind != "note"
    }
    settled = frozenset(example for example in both if last[example] == "")
    unsure = len(seen[0] & seen[1]) - len(both)
    return TwoReviewers((queue.session, other), first, second, _kappa(first, second), settled, unsure)


def settle(verdict: Verdict, names: Sequence[str]) -> Change:
    """One of two verdicts, as the last word: it belongs to neither review, and counts in both."""
    assert verdict.kind != "unsure", "who is unsure has no verdict to compare"
    label = verdict.new if verdict.kind == "relabel" else None
    why = f"settled between “{names[0]}” and “{names[1]}”"
    return Change(verdict.kind, verdict.train_id, label=label, why=why)


def _sure(queue: Review, now: State, name: str) -> dict[int, Verdict]:
    """The last verdict of a review on each example, unless it is unsure."""
    last = {one.train_id: one for one in verdicts_in(queue, now, (name,))}
    return {example: one for example, one in last.items() if one.kind != "unsure"}


def _what(one: Verdict) -> str:
    return "remove" if one.kind == "remove" else f"label {one.new}" if one.relabels else "keep"


def _same(one: Verdict, other: Verdict) -> bool:
    return _what(one) == _what(other)


def _kappa(first: Sequence[Verdict], second: Sequence[Verdict]) -> float:
    from sklearn.metrics import cohen_kappa_score  # takes a second to import

    one, two = (list(map(_what, said)) for said in (first, second))
    if len({*one, *two}) < 2:
        return math.nan
    return float(cohen_kappa_score(one, two))
