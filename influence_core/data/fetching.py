"""Bytes from the internet, piece by piece; only ever called because a person asked for a download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO
from urllib.request import urlopen

from influence_core.progress import Progress, report

PATIENCE_SECONDS = 60
PIECE = 2**16


@dataclass(frozen=True)
class Download:
    """Files of a data set that can be fetched when a person asks for them.

    Attributes:
        name: What they are called in a sentence.
        what: What they hold.
        where: Their place inside the data folder.
        source: How large they are, and where they come from.
        missing: Which of them are not in a data folder, by name.
        fetch: Puts them into a data folder.
    """

    name: str
    what: str
    where: str
    source: str
    missing: Callable[[str], list[str]]
    fetch: Callable[[str, Progress | None], None]


def fetch(
    address: str, into: IO[bytes], expected: float, most: int, progress: Progress | None = None
) -> None:
    """What lies at an address, into a file; a cancelled download stops after a piece.

    Args:
        address: Where it lies.
        into: A file that is open for writing.
        expected: Bytes that should come, for the progress.
        most: Bytes that may come.
        progress: Called after every piece.

    Raises:
        OSError: The network or the disk failed, or more came.
    """
    with urlopen(address, timeout=PATIENCE_SECONDS) as answer:
        size = 0
        while piece := answer.read(PIECE):
            size += len(piece)
            if size > most:
                raise OSError(f"more than {most / 1e6:,.0f} MB came")
            into.write(piece)
            report(progress, min(0.95, size / expected), f"{size / 1e6:,.1f} MB downloaded")
