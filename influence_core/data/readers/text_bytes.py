"""The files of a folder of texts, read and decoded: one guess of the encoding for all that are not UTF-8."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from influence_core.data.readers import encodings, mail_text
from influence_core.data.readers.mailboxes import Place
from influence_core.data.readers.skipped import NO_TEXT, SkipReport
from influence_core.errors import DataError
from influence_core.progress import Progress, report

MAX_BYTES_A_FILE = 10**6
MAX_BYTES = 100 * 10**6
MAX_MEMORY = 150 * 10**6
"""Bytes of all texts once they are letters: one wide letter makes a text four times as long."""
_NO_TEXT = (b"%PDF", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf")
"""What documents and archives begin with."""
_ESCAPE = b"\x1b"
"""Japanese mails are written in ASCII with it."""
_SUBJECT = re.compile(rb"subject:", re.IGNORECASE)


@dataclass
class ReadTexts:
    """What the files hold.

    Attributes:
        texts: By the position of the file; those that are no texts lack.
        subjects: Whether each begins with a subject, by the same positions.
        encodings: How many were read in each encoding but UTF-8.
        others: The other encodings in which those could be read, the more plausible first.
        damaged: How many hold characters that are damaged, or in another encoding.
    """

    texts: dict[int, str] = field(default_factory=dict)
    subjects: dict[int, bool] = field(default_factory=dict)
    encodings: Mapping[str, int] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    damaged: int = 0


def read_all(
    root: Path,
    names: Sequence[str],
    skipped: SkipReport,
    progress: Progress | None = None,
    encoding: str = "",
    places: Mapping[str, Place] | None = None,
) -> ReadTexts:
    """Every file as text.

    Args:
        root: the folder.
        names: of the files inside.
        skipped: told which are no texts.
        progress: told for every hundredth.
        encoding: of those that are not UTF-8; "": the most plausible for all of them.
        places: by name, where those lie that are parts of a mailbox.

    Raises:
        DataError: they are too large together, or there is no such encoding.
    """
    if encoding:
        encodings.require_known(encoding)
    contents = _contents(root, names, skipped, progress, places or {})
    ranked = _ranked(contents.values())
    read, written, room = ReadTexts(), Counter[str](), MAX_MEMORY
    for at in list(contents):
        content = contents.pop(at)  # so that it is not held as bytes and as text
        try:
            found, is_mail = _decoded(content, encoding, next(iter(ranked), ""))
        except DataError:
            skipped.add(NO_TEXT, names[at])
            continue
        room -= sys.getsizeof(found.text)
        if room < 0:
            raise DataError(
                f"Once they are read, the texts take more than {MAX_MEMORY // 10**6} MB of memory: one byte a letter, up to "
                "four in a text with a rare sign such as an emoji. Keep fewer."
            )
        read.texts[at] = found.text
        read.subjects[at] = is_mail
        read.damaged += found.replaced > 0
        if found.encoding != "utf-8" and (not content.isascii() or _ESCAPE in content):
            written[found.encoding] += 1
    read.encodings = dict(written.most_common())
    first = next(iter(read.encodings), "")
    read.others = tuple(one for one in ranked if one != first)
    return read


def _ranked(contents: Collection[bytes]) -> tuple[str, ...]:
    """The encodings of the files that do not say theirs, the most plausible first."""
    silent = [one for one in contents if not (mail_text.is_mail(one) or encodings.says_itself(one))]
    narrow = [one for one in silent if b"\0" not in one]  # one file that is no text does not speak for all
    return encodings.plausible(narrow or silent) if silent else ()


def _contents(
    root: Path,
    names: Sequence[str],
    skipped: SkipReport,
    progress: Progress | None,
    places: Mapping[str, Place],
) -> dict[int, bytes]:
    """The files' bytes by position; those that are too large, no texts or may not be read lack."""
    contents, total = {}, 0
    for at, name in enumerate(names):
        if at % 100 == 0:
            report(progress, at / len(names), f"{at:,} of {len(names):,} files are read")
        try:
            content = _content(root, places.get(name) or Place(name, 0, MAX_BYTES_A_FILE + 1))
        except OSError:
            skipped.add("files that could not be read", name)
            continue
        total += len(content)
        if total > MAX_BYTES:
            raise DataError(
                f"The files have more than {MAX_BYTES // 10**6} MB together; at most so many can be read. Keep fewer."
            )
        if len(content) > MAX_BYTES_A_FILE:
            skipped.add(f"files of more than {MAX_BYTES_A_FILE // 10**6} MB", name)
        elif content.startswith(_NO_TEXT):
            skipped.add(NO_TEXT, name)
        else:
            contents[at] = content
    report(progress, 1.0, f"{len(names):,} of {len(names):,} files are read")
    return contents


def _content(root: Path, place: Place) -> bytes:
    """Of a file or a mail; one byte more than one may have, where it has more."""
    with (root / place.name).open("rb") as file:
        file.seek(place.start)
        return file.read(min(place.size, MAX_BYTES_A_FILE + 1))


def _decoded(content: bytes, encoding: str, usual: str) -> tuple[encodings.Decoded, bool]:
    """One file as text, and whether it is a mail; in the encoding that was chosen, or that of the others where it fits."""
    if mail_text.is_mail(content):
        return mail_text.of_mail(content, encoding or usual), True
    chosen = "" if encodings.says_itself(content) else encoding
    found = encodings.decode(content, chosen, usual)
    if "\0" in found.text:
        raise DataError("This is no text.")
    is_mail = _SUBJECT.match(content.lstrip(b"\xef\xbb\xbf")) is not None
    text = mail_text.of_text(found.text)
    return encodings.Decoded(text, found.encoding, found.others, found.replaced), is_mail
