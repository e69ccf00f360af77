"""Bytes from the internet, piece by piece; only ever called because a person asked for a download."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedRandom

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
    address: str,
    into: BufferedRandom,
    expected: float,
    most: int,
    progress: Progress | None = None,
    sha256: str = "",
) -> None:
    """What lies at an address, into a file; a cancelled download stops after a piece.

    Args:
        address: Where it lies.
        into: A file that is open for writing and reading.
        expected: Bytes that should come, for the progress.
        most: Bytes that may come.
        progress: Called after every piece.
        sha256: What its sha256 in hex begins with, where that is known.

    Raises:
        OSError: The network or the disk failed, more came, or something else.
    """
    from pooch import HTTPDownloader  # takes a tenth of a second to import, and is rarely needed

    watch = _Watch(into, expected, most, progress)
    try:
        HTTPDownloader(progressbar=watch, chunk_size=PIECE, timeout=PATIENCE_SECONDS)(address, into, None)
    except OSError as error:
        raise OSError(_innermost(error)) from error
    into.seek(0)
    found = hashlib.file_digest(into, "sha256").hexdigest()
    if not found.startswith(sha256):
        raise OSError(f"the file that came begins with {found[:10]} as its sha256, expected {sha256}")


@dataclass
class _Watch:
    """What pooch takes for a progress bar: it tells how much is there, and stops what is too much.

    Attributes:
        file: What is written.
        expected: Bytes that should come.
        most: Bytes that may come.
        progress: Called after every piece.
        total: What the server announces; pooch says so, and servers may be wrong.
    """

    file: BufferedRandom
    expected: float
    most: int
    progress: Progress | None
    total: int = 0

    def update(self, _: int) -> None:
        """A piece was written; pooch counts whole pieces, the file knows better.

        Raises:
            OSError: It was one too many.
        """
        size = self.file.tell()
        if size > self.most:
            raise OSError(f"more than {self.most / 1e6:,.0f} MB came")
        report(self.progress, min(0.95, size / self.expected), f"{size / 1e6:,.1f} MB downloaded")

    def reset(self) -> None:
        """Nothing to start over with."""

    def close(self) -> None:
        """Nothing to put away."""


def _innermost(error: BaseException) -> str:
    """What failed in the first place; what is wrapped around it names objects of the program."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error)
