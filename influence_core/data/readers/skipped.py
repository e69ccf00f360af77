"""What is not used of somebody's files: counted by reason, the first few named."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_NAMED = 3
"""Skipped files that are named for each reason; all are counted."""
BESIDE = "files outside the classes' folders"
"""A reason of every folder of classes."""
NO_TEXT, WORDLESS = "files that are no text (save them as plain text)", "texts without a word"
"""Reasons that may come of the wrong encoding."""


@dataclass(frozen=True)
class Skipped:
    """Files that were not used, for one reason.

    Attributes:
        reason: In words.
        count: How many.
        examples: The first few names.
    """

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass
class SkipReport:
    """Counts what is skipped."""

    names: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """One more file.

        Args:
            reason: why it is not used.
            name: what it is called.
        """
        self.counts[reason] = self.counts.get(reason, 0) + 1
        named = self.names.setdefault(reason, [])
        if len(named) < MAX_NAMED:
            named.append(shown(name))

    def rows(self) -> tuple[Skipped, ...]:
        """Reason by reason, the most frequent first."""
        order = sorted(self.counts, key=lambda reason: (-self.counts[reason], reason))
        return tuple(Skipped(one, self.counts[one], tuple(self.names[one])) for one in order)


def shown(name: str) -> str:
    """A name for people: bytes of it that are no letters become question marks."""
    return name.encode("utf-8", "replace").decode()
