"""Verdicts of a review and lines of a list of changes: one said as the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from influence_core.experiments.review import Kind, Review, Verdict
from influence_core.sessions.entries import Remark, Said, State, named_in
from influence_core.studies.changes import Change


def say(shown: Review, kind: Kind, train_id: int, label: int | None = None) -> Said:
    """A verdict, as the list takes it: with the name of the review.

    Args:
        shown: The review.
        kind: Of the verdict.
        train_id: The training example.
        label: The new one, if it is relabelled.
    """
    why = f"review “{shown.session}”"
    if kind == "unsure":
        return Remark(kind, train_id, why=why)
    return Change(kind, train_id, label=label, why=why)


def changes_of(reviewed: Review) -> tuple[Said, ...]:
    """The verdicts of a review in their order, as a list takes them."""
    return tuple(
        replace(
            say(reviewed, one.kind, one.train_id, one.new if one.kind == "relabel" else None),
            who=one.who,
            when=one.time,
        )
        for one in reviewed.verdicts
    )


def verdicts(queue: Review, now: State) -> Iterable[Verdict]:
    """What a list says of the examples of a queue, in this review or outside of all, in the order of time."""
    return verdicts_in(queue, now, ("", queue.session))


def verdicts_in(queue: Review, now: State, names: Collection[str]) -> Iterable[Verdict]:
    """What was said of the examples of a queue in reviews of some names, "" for outside of all, in the order of time."""
    known = set(queue.ids.tolist())
    for said in (one.said for one in now.entries):
        if said.kind == "note" or said.kind == "reweight" or said.kind == "add" or said.kind == "retest":
            continue
        if said.example in known and named_in(said) in names:
            old = int(queue.given[queue.position(said.example)])
            new = said.label if isinstance(said, Change) and said.label is not None else old
            when = datetime.fromisoformat(said.when).isoformat(timespec="seconds")
            yield Verdict(said.kind, said.example, old, new, when, said.who)


def before_lists(kept: dict[str, Any]) -> Verdict:
    """A verdict as an earlier version kept it."""
    kind: Kind = "keep" if kept["old"] == kept["new"] else "relabel"
    return Verdict(kind, kept["train_id"], kept["old"], kept["new"], kept["time"])
