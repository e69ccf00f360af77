"""Changes of a training set, or of a test label: a spec with changes is a study of its own, a version of the unchanged one.

A change is of one example. Of several changes of one example the last one counts, so that going back is one more change
and the record stays whole; what counts is `settled`, sorted, and that alone names the version.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from influence_core.data import DataSet, Examples
from influence_core.errors import DataError

Kind = Literal["remove", "relabel", "reweight", "add", "retest", "keep"]
HEAVIEST = 10.0
"""The largest weight, in multiples of an example's own."""
_LETTERS: dict[str, Kind] = {
    "r": "remove",
    "l": "relabel",
    "w": "reweight",
    "a": "add",
    "t": "retest",
    "k": "keep",
}
OF_TEST: tuple[Kind, ...] = ("add", "retest")
"""Whose example is one of the test set."""
LABELLED: tuple[Kind, ...] = ("relabel", *OF_TEST)
"""Which have a label."""
_TEXT = re.compile(r"([rk])(\d{1,18})|([lawt])(\d{1,18})=(\d{1,9}(?:\.\d{1,9})?)")


@dataclass(frozen=True)
class Change:
    """What happens to one example.

    Attributes:
        kind: "remove", "relabel", "reweight" a training example; "add" a test example to the training set, which leaves the
            test set; "retest" gives a test example another label, by which answers are judged and nothing is learnt; "keep"
            takes an earlier change back.
        example: Its id.
        label: The new label of "relabel" and "retest"; that under which "add" adds it.
        weight: Of "reweight", in multiples of its own.
        who: Whose change it is.
        when: When it was made, ISO 8601.
        why: A note.

    Raises:
        DataError: If there is no such kind, or a label or weight is missing, or is none.

    >>> str(Change("relabel", 12, label=3)), str(Change("remove", 7, why="not a digit"))
    ('l12=3', 'r7')
    >>> Change("remove", 7, who="Ada") == Change("remove", 7)
    True
    """

    kind: Kind
    example: int
    label: int | None = None
    weight: float | None = None
    who: str = field(default="", compare=False)
    when: str = field(default="", compare=False)
    why: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.kind not in _LETTERS.values():
            known = ", ".join(_LETTERS.values())
            raise DataError(f"There is no change “{str(self.kind)[:40]}”; choose one of {known}.")
        if (self.label is not None) != (self.kind in LABELLED) or (self.label or 0) < 0:
            raise DataError(
                f"A label belongs to {', '.join(LABELLED)} alone, and is a number from 0: {self.kind}."
            )
        if (self.weight is not None) != (self.kind == "reweight"):
            raise DataError(f"A weight belongs to “reweight” alone, and to that always: {self.kind}.")
        if self.example < 0:
            raise DataError(f"There is no example {self.example}: they are counted from 0.")
        if self.weight is not None and not (math.isfinite(self.weight) and 0 <= self.weight <= HEAVIEST):
            raise DataError(f"A weight must be between 0 and {HEAVIEST:g}, but is {self.weight:g}.")
        if self.weight is not None:
            object.__setattr__(self, "weight", round(self.weight, 9))  # as many digits as its address has

    def __str__(self) -> str:
        """As it stands in an address and on the command line; ``parse`` reads it."""
        letter = next(one for one, kind in _LETTERS.items() if kind == self.kind)
        value = self.label if self.weight is None else f"{self.weight:.9f}".rstrip("0").rstrip(".")
        return f"{letter}{self.example}" + ("" if value is None else f"={value}")


def parse(text: str) -> tuple[Change, ...]:
    """Changes as they stand in an address: ``str`` of each, comma-separated.

    Raises:
        DataError: If one of them is no change.

    >>> parse("r7,l12=3,w5=0.5,a8612=6")[2]
    Change(kind='reweight', example=5, label=None, weight=0.5, who='', when='', why='')
    """
    return tuple(_parse_one(one.strip()) for one in text.split(",") if one.strip())


def _parse_one(text: str) -> Change:
    found = _TEXT.fullmatch(text)
    if found is None or (found[3] in ("l", "a", "t") and "." in found[5]):
        raise DataError(
            f"“{text[:40]}” is no change: r7 removes example 7, l7=3 labels it 3, w7=0.5 halves its weight, a7=3 adds test "
            "example 7 labelled 3, t7=3 labels it 3 where it is, k7 takes a change back."
        )
    kind, example = _LETTERS[found[1] or found[3]], int(found[2] or found[4])
    if kind == "reweight":
        return Change(kind, example, weight=float(found[5]))
    return Change(kind, example, label=int(found[5]) if found[5] else None)


def settled(changes: Iterable[Change]) -> tuple[Change, ...]:
    """What counts of a list of changes: the last of each example, by id; those taken back are not there.

    >>> list(map(str, settled(parse("r7,l3=1,k7,l3=2"))))
    ['l3=2']
    """
    last = {one.example: one for one in changes}
    return tuple(last[at] for at in sorted(last) if last[at].kind != "keep")


def apply(examples: DataSet, changes: Iterable[Change]) -> tuple[DataSet, Tensor]:
    """The changed data, and what each training example weighs.

    Removed examples are gone, added ones come last, in the order of their ids; the ids of all others stay.

    Args:
        examples: The unchanged data, ``n`` training examples.
        changes: Of any order; those that are `settled` count.

    Returns:
        Data with ``m`` training examples, and ``(m,)`` weights in multiples of the ``1/n`` that each had or would have had:
        the weights of the others do not change, as in every removal (the paper's ``epsilon = -1/n``).

    Raises:
        DataError: If there is no such example or label, or a class would be left without examples.
    """
    changes = settled(changes)
    train, test, classes = examples.train, examples.test, len(examples.class_names)
    tested = test.y.clone()
    y, multiples = train.y.clone(), torch.ones(len(train), dtype=torch.float64)
    kept, added = torch.ones(len(train), dtype=torch.bool), []
    for one in changes:
        if one.label is not None and one.label >= classes:
            raise DataError(f"There is no label number {one.label}; they are 0 to {classes - 1}.")
        if one.kind == "add":
            added.append((test.position(one.example), int(one.label or 0)))
            continue
        if one.kind == "retest":
            tested[test.position(one.example)] = int(one.label or 0)
            continue
        at = train.position(one.example)
        if one.kind == "remove":
            kept[at] = False
        elif one.label is not None:
            y[at] = one.label
        elif one.weight is not None:
            multiples[at] = one.weight
    given = {one.example: int(of.y[of.position(one.example)]) for one, of in _relabelled(examples, changes)}
    rows = torch.tensor([at for at, _ in added], dtype=torch.long)
    grown = (
        Examples(
            torch.cat([train.x[kept], test.x[rows]]),
            torch.cat([y[kept], torch.tensor([label for _, label in added], dtype=y.dtype)]),
            torch.cat([train.ids[kept], test.ids[rows]]),
        )
        if kept.any() or added
        else None
    )
    weights = torch.cat([multiples[kept], torch.ones(len(rows), dtype=torch.float64)])
    if grown is None or not set(train.y.tolist()) <= set(grown.y[weights > 0].tolist()):
        raise DataError("A class would be left without training examples; keep at least one of each.")
    left = torch.ones(len(test), dtype=torch.bool)
    left[rows] = False
    if not left.any():
        raise DataError("No test example would be left; add fewer of them.")
    if not torch.equal(tested, test.y):
        test = replace(test, y=tested)
    kept_test = test if not added else test.take(left.nonzero()[:, 0])
    return replace(examples, train=grown, test=kept_test, given=given), weights


def _relabelled(examples: DataSet, changes: Iterable[Change]) -> list[tuple[Change, Examples]]:
    """Those that give an example another label where it is, and the part that it is in."""
    parts = {"relabel": examples.train, "retest": examples.test}
    return [(one, parts[one.kind]) for one in changes if one.kind in parts]
