"""Mailboxes: files of many mails, one behind the other, each behind a line that begins with “From ” (mbox).

Each mail in one counts as a file of its own, so that one that cannot be read is skipped and counted like any other file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from influence_core.data.readers.classed import ClassedFile

_BEGINS = b"From "
_ENVELOPE = re.compile(rb"From .{0,200}\d{1,2}:\d\d.{0,40}\b\d{4}\b")
"""The line before a mail: who sent it, and when."""
LONGEST_LINE = 10**6
MAX_BYTES = 100 * 10**6
"""Of a mailbox that are looked through; so many texts are refused anyway."""
SUFFIX = ".mbox"


@dataclass(frozen=True)
class Place:
    """Where a mail lies.

    Attributes:
        name: Of the mailbox.
        start: Its first byte.
        size: Its bytes.
    """

    name: str
    start: int
    size: int


def taken_apart(
    root: Path, files: Sequence[ClassedFile], most: int
) -> tuple[list[ClassedFile], dict[str, Place]]:
    """The files with each mail of a mailbox in the place of the mailbox, and where these lie by their names.

    Args:
        root: The folder.
        files: Names inside it.
        most: Of more mails in a mailbox, one more is seen.
    """
    found, places = list[ClassedFile](), dict[str, Place]()
    for one in files:
        mails = _mails(root, one.name, most)
        if len(mails) < 2:
            found.append(one)
            continue
        named = {f"{one.name}, mail {number}": mail for number, mail in enumerate(mails, 1)}
        found += [replace(one, name=name) for name in named]
        places |= named
    return found, places


def _mails(root: Path, name: str, most: int) -> list[Place]:
    """The mails in a file; none where it is no mailbox or cannot be read, which is told elsewhere."""
    starts, at, after_blank = list[int](), 0, True
    try:
        with (root / name).open("rb") as file:
            if file.read(len(_BEGINS)) != _BEGINS:
                return []
            file.seek(0)
            while at <= MAX_BYTES and len(starts) <= most and (line := file.readline(LONGEST_LINE)):
                if after_blank and line.startswith(_BEGINS) and _ENVELOPE.match(line):
                    starts.append(at)
                at, after_blank = at + len(line), not line.strip()
    except OSError:
        return []
    ends = [*starts[1:], at]
    return (
        [Place(name, start, end - start) for start, end in zip(starts, ends, strict=True)] if starts else []
    )
