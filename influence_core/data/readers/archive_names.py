"""The names in a zip, as people wrote them.

A zip says of each name whether it is UTF-8; all others are bytes in whatever the computer used that packed it. They are
decoded together, as one guess an archive, before any separator is looked for: the second byte of a Japanese character
may be that of a backslash.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from influence_core.data.readers import encodings

_UTF8 = 0x800
_UNICODE_PATH = 0x7075
"""The extra field in which Info-ZIP keeps the name as UTF-8."""
_FORBIDDEN = str.maketrans(dict(zip('<>:"|?*', "＜＞：＂｜？＊", strict=True)))
"""What Windows forbids in names, and its look-alike."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_TRAILING = re.compile(r"[ .]+$")


MAX_SHOWN, LONGEST_SHOWN = 3, 60
"""Names that a reading shows, and letters of them."""


@dataclass(frozen=True)
class Names:
    """The names in an archive.

    Attributes:
        names: With slashes, in one form of Unicode.
        encoding: How those were read that do not say it, a name of `encodings.ENCODINGS`; "" where none is in question.
        readings: What some of these are in every encoding, the more plausible first: pairs of a name and a few words.
    """

    names: tuple[str, ...]
    encoding: str = ""
    readings: tuple[tuple[str, str], ...] = ()


def decoded(entries: Sequence[zipfile.ZipInfo], encoding: str = "") -> Names:
    """The names as people wrote them.

    Args:
        entries: Of one archive.
        encoding: Of the names that do not say theirs; "": the most plausible.

    Raises:
        DataError: The encoding is not known.
    """
    if encoding:
        encodings.require_known(encoding)
    said = [_said(entry) for entry in entries]
    silent = [_raw(entry) for entry, name in zip(entries, said, strict=True) if name is None]
    plausible = encodings.plausible(silent, encodings.FOR_NAMES)
    guess = next(iter(plausible), "cp437")
    chosen = encoding or guess
    names = tuple(
        _tidy(_raw(entry).decode(chosen, "replace") if name is None else name)
        for entry, name in zip(entries, said, strict=True)
    )
    if all(one.isascii() for one in silent):
        return Names(names)
    order = dict.fromkeys((guess, *plausible, *encodings.FOR_NAMES))
    return Names(names, chosen, tuple((one, _shown(silent, one)) for one in order))


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _shown(silent: Sequence[bytes], encoding: str) -> str:
    """The first names of folders and files that are not plain, in an encoding."""
    parts = (
        part
        for one in silent
        if not one.isascii()
        for part in _tidy(one.decode(encoding, "replace")).split("/")
    )
    found: dict[str, None] = {}
    for part in parts:
        if not part.isascii():
            found[part] = None
        if len(found) == MAX_SHOWN:
            break
    return ", ".join(found)[:LONGEST_SHOWN]


def usable(part: str) -> str:
    """A folder's or file's name as every computer can have it: forbidden signs become their look-alikes."""
    part = _CONTROL.sub("_", part.translate(_FORBIDDEN))
    part = _TRAILING.sub(lambda found: "_" * len(found.group()), part)
    return f"_{part}" if _RESERVED.match(part) else part


def _said(entry: zipfile.ZipInfo) -> str | None:
    """The name where the archive says that it is UTF-8."""
    if entry.flag_bits & _UTF8:
        return entry.orig_filename
    for kind, content in _extra_fields(entry.extra):
        if kind == _UNICODE_PATH and len(content) > 5:
            (crc,) = struct.unpack_from("<L", content, 1)
            if crc == zlib.crc32(_raw(entry)):  # else the name was changed since
                return content[5:].decode("utf-8", "replace")
    return None


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        yield kind, extra[4 : 4 + size]
        extra = extra[4 + size :]


def _raw(entry: zipfile.ZipInfo) -> bytes:
    """The bytes of the name, of which zipfile made letters of the old IBM computers."""
    return entry.orig_filename.encode("cp437", "replace")
