"""What is said in a session: a change of the training set, or a remark about an example."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from influence_core.errors import DataError
from influence_core.studies.changes import Change, parse

LONGEST_NOTE = 2_000


@dataclass(frozen=True)
class Remark:
    """What is said of an example without changing it.

    Attributes:
        kind: "unsure" takes an earlier change back until somebody knows; a "note" leaves it.
        example: Its id.
        who: Whose it is.
        when: When it was made, ISO 8601.
        why: The note.

    Raises:
        DataError: If there is no such kind, or a note is empty or too long.
    """

    kind: Literal["unsure", "note"]
    example: int
    who: str = field(default="", compare=False)
    when: str = field(default="", compare=False)
    why: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("unsure", "note"):
            raise DataError(f"There is no remark “{str(self.kind)[:40]}”; choose unsure or note.")
        if self.kind == "note" and not 0 < len(self.why.strip()) <= LONGEST_NOTE:
            raise DataError(
                f"A note has 1 to {LONGEST_NOTE:,} letters; this one has {len(self.why.strip()):,}."
            )

    def __str__(self) -> str:
        return self.kind


Said = Change | Remark
_REVIEW = re.compile("review “(.+)”")


def named_in(said: Said) -> str:
    """The name of the review in which something was said; "" outside of all."""
    found = _REVIEW.fullmatch(said.why)
    return found[1] if found and str(said) != "note" else ""


@dataclass(frozen=True)
class Entry:
    """One line of a session.

    Attributes:
        number: Of the session, from 1, in the order of time.
        step: What was said at once has one step, and is undone at once.
        said: The change or remark.
    """

    number: int
    step: int
    said: Said


@dataclass(frozen=True)
class State:
    """A session as it stands.

    What a review says of an example of which another review has said something is a second opinion: it changes nothing
    until somebody settles it, outside of both.

    Attributes:
        entries: Those that count, in the order of time.
        can_undo: Whether there is a step to take back.
        can_redo: Whether there is one to bring again.
    """

    entries: tuple[Entry, ...]
    can_undo: bool = False
    can_redo: bool = False

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes in the order they were made: what a version's ``StudySpec.changes`` takes."""
        found = []
        for said in self._standing():
            if isinstance(said, Change):
                found.append(said)
            elif said.kind == "unsure":
                found.append(Change("keep", said.example, who=said.who, when=said.when, why=str(said)))
        return tuple(found)

    @property
    def verdicts(self) -> dict[int, Said]:
        """The last verdict on each example, in the order in which they were first judged."""
        return _last(said for said in self._standing() if str(said) != "note")

    @property
    def second_opinions(self) -> int:
        """On how many examples a second review says something else than what stands."""
        verdicts, last = self.verdicts, _last(one.said for one in self.entries if str(one.said) != "note")
        return sum(str(said) != str(verdicts[example]) for example, said in last.items())

    @property
    def people(self) -> dict[int, tuple[str, ...]]:
        """Who said what stands of each example, the first first, "" for who has not signed; of a mere note, who wrote it.

        What is not signed is told apart by its review, as ``review “NAME”``, where there is more than one: a review is nobody.
        """
        reviews = {named_in(one.said) for one in self.entries} - {""}
        verdicts, found = self.verdicts, dict[int, dict[str, None]]()
        for said in (one.said for one in self.entries):
            if str(said) == str(verdicts.get(said.example, "note")):
                name = said.who or (said.why if len(reviews) > 1 and named_in(said) else "")
                found.setdefault(said.example, {})[name] = None
        return {example: tuple(names) for example, names in found.items()}

    def _standing(self) -> Iterator[Said]:
        """What was said, without second opinions."""
        by: dict[int, str] = {}
        for said in (one.said for one in self.entries):
            if str(said) != "note":
                name = named_in(said)
                if name and by.get(said.example, name) not in ("", name):
                    continue
                by[said.example] = name
            yield said

    @property
    def notes(self) -> dict[int, str]:
        """The last note on each example."""
        return {example: said.why for example, said in _last(self._notes()).items()}

    def _notes(self) -> Iterable[Said]:
        return (one.said for one in self.entries if str(one.said) == "note")


def _last(all_said: Iterable[Said]) -> dict[int, Said]:
    return {said.example: said for said in all_said}


def read(text: str, example: int, who: str, when: str, why: str) -> Said:
    """What was kept, as it was said.

    Raises:
        DataError: If the text is neither a change nor a remark.
    """
    if text in ("unsure", "note"):
        return Remark("note" if text == "note" else "unsure", example, who, when, why)
    (change,) = parse(text)
    return replace(change, who=who, when=when, why=why)
