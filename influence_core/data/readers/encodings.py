"""Bytes as text: which encoding they are in, by what reads most like a language.

A byte-order mark decides, and bytes that are valid UTF-8 are UTF-8. All others are read in every encoding, and each
reading is held against the alphabets of the languages written in that encoding: the mean of what its characters beyond
ASCII speak for one of them. The most plausible reading is chosen, and the others are named, so that a person can see
the choice and change it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from influence_core.data.readers.plausibility import REPLACED, is_known, plausibility
from influence_core.errors import DataError

SAMPLE = 10_000
"""Bytes of lines with characters beyond ASCII by which the encoding is told."""
WIDE = 0.3
"""How plausible a reading as UTF-16 must be: nearly any bytes can be read so, most as rare ideographs."""
FITS = 0.6
"""So plausible are right readings, and hardly any wrong ones."""
SURE = 2.0
"""More than any plausibility."""
MOST_CONTROLS = 0.05
"""Of a text's characters may be control characters; none may be NUL."""
_DIGITS = re.compile(rb"[0-9.]+")
_BETWEEN_WORDS = re.compile(rb"[\s,;\"]+")
"""Bytes that are no part of a character, but in these:"""
_OF_TWO = ("utf-16", "iso2022")
_ESCAPES = (b"\x1b$", b"\x1b(")
"""With which ISO-2022-JP leaves ASCII."""
_NO_TEXT = "This is no text in an encoding that is known. Save it as text in UTF-8."
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_WESTERN = ("French", "German", "Spanish", "Italian", "Portuguese", "Scandinavian", "Icelandic")
_CENTRAL = ("Polish", "Czech", "Hungarian", "Romanian", "Croatian", "German")


@dataclass(frozen=True)
class Encoding:
    """One way to write text as bytes.

    Attributes:
        title: For the screen.
        languages: Written in it; none: all.
        rare: How much less it is expected than the others, in units of `plausibility`.
    """

    title: str
    languages: tuple[str, ...] = ()
    rare: float = 0.0


ENCODINGS: dict[str, Encoding] = {
    "utf-8": Encoding("UTF-8"),
    "utf-16-le": Encoding("UTF-16 (little-endian)", rare=0.1),
    "utf-16-be": Encoding("UTF-16 (big-endian)", rare=0.1),
    "iso2022_jp": Encoding("Japanese (ISO-2022-JP)", ("Japanese",)),
    "cp1252": Encoding("Western Europe (Windows-1252, Latin-1)", _WESTERN),
    "cp932": Encoding("Japanese (Shift-JIS)", ("Japanese", "Japanese, half-width of one byte")),
    "gb18030": Encoding("Chinese (GB18030, GBK)", ("Chinese",)),
    "cp1251": Encoding("Cyrillic (Windows-1251)", ("Russian", "Ukrainian")),
    "iso8859_15": Encoding("Western Europe (Latin-9)", _WESTERN, 1.0),
    "mac_roman": Encoding("Western Europe (Mac)", _WESTERN),
    "euc_jp": Encoding("Japanese (EUC-JP)", ("Japanese", "Japanese, half-width"), 0.1),
    "cp949": Encoding("Korean (EUC-KR)", ("Korean",), 0.1),
    "big5": Encoding("Chinese, traditional (Big5)", ("Chinese, traditional",), 0.1),
    "cp1250": Encoding("Central Europe (Windows-1250)", _CENTRAL, 0.1),
    "iso8859_2": Encoding("Central Europe (Latin-2)", _CENTRAL, 0.1),
    "cp1253": Encoding("Greek (Windows-1253)", ("Greek",), 0.2),
    "cp1254": Encoding("Turkish (Windows-1254)", ("Turkish",), 0.1),
    "cp1255": Encoding("Hebrew (Windows-1255)", ("Hebrew",), 0.1),
    "cp1256": Encoding("Arabic (Windows-1256)", ("Arabic",), 0.1),
    "cp874": Encoding("Thai (Windows-874)", ("Thai",), 0.25),
    "koi8_r": Encoding("Cyrillic (KOI8-R)", ("Russian",), 0.1),
    "cp866": Encoding("Cyrillic (DOS 866)", ("Russian",), 0.1),
    "cp437": Encoding("Western Europe (DOS 437)", _WESTERN),
    "cp850": Encoding("Western Europe (DOS 850)", _WESTERN),
    "cp852": Encoding("Central Europe (DOS 852)", _CENTRAL, 0.1),
}
"""All that are read, by Python's name, those of equal plausibility in this order."""
_HELD_BY = {
    **{"ascii": "utf-8", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-7": "cp1253", "iso8859-8": "cp1255"},
    **{"shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "tis-620": "cp874"},
}  # fmt: skip
"""Python's names of other encodings, and the one of these that reads them, nearly to the letter."""
_OF_DOS = ("cp437", "cp850", "cp852")
FOR_TEXTS = tuple(name for name in ENCODINGS if name not in _OF_DOS)
FOR_NAMES = (
    "utf-8",
    *_OF_DOS,
    *(name for name in FOR_TEXTS if not name.startswith(("utf", "iso2022"))),
)
"""Of the names in an archive: what the computers that pack them use."""


@dataclass(frozen=True)
class Decoded:
    """Bytes as text.

    Attributes:
        text: What they say, without a byte-order mark.
        encoding: How they were read, a name of `ENCODINGS`.
        others: The other encodings that read them as some text without damage, the more plausible first.
        replaced: How many characters were damaged, or are not in this encoding, and stand as U+FFFD.
    """

    text: str
    encoding: str
    others: tuple[str, ...] = ()
    replaced: int = 0

    @property
    def title(self) -> str:
        """The encoding for the screen."""
        return ENCODINGS[self.encoding].title


def decode(data: bytes, encoding: str = "", usual: str = "") -> Decoded:
    """Bytes as text, in the encoding that somebody chose or in the most plausible one.

    Args:
        data: The bytes.
        encoding: A name of `ENCODINGS`, or "": the most plausible.
        usual: The encoding of what lies beside; where it reads like a language, no other is tried.

    Raises:
        DataError: they are no text in any encoding; or the one chosen is not known.
    """
    if encoding:
        return _read(data, encoding)
    if usual and not says_itself(data):
        found = _read(data, usual)
        if not found.replaced and "\0" not in found.text and _fits(found):
            return found
    if says_itself(data) and not data.startswith(tuple(_MARKS)):
        return Decoded(data.decode(), "utf-8")
    ranked = plausible([data])
    if not ranked:
        raise DataError(_NO_TEXT)
    found = _read(data, ranked[0])
    if "\0" in found.text:
        raise DataError(_NO_TEXT)
    return Decoded(found.text, found.encoding, ranked[1:], found.replaced)


def named(charset: str) -> str:
    """The name in `ENCODINGS` of what a mail says that it is in, or of what holds all of it; of any other, Python's own.

    >>> named("ISO-8859-1"), named("UTF8"), named("gb2312"), named("hz")
    ('cp1252', 'utf-8', 'gb18030', 'hz')
    """
    name = codecs.lookup(charset).name
    ours = {codecs.lookup(one).name: one for one in ENCODINGS}
    return ours.get(name) or _HELD_BY.get(name, name)


def plausible(pieces: Sequence[bytes], among: Iterable[str] = FOR_TEXTS) -> tuple[str, ...]:
    """The encodings in which pieces of one origin read as some text, the most plausible first; none: they are no text.

    Readings with damaged characters are named only where there is no other.

    Args:
        pieces: Contents of files, or names; all are in one encoding.
        among: The encodings that are tried.
    """
    marked = {name for mark, name in _MARKS.items() if pieces and all(one.startswith(mark) for one in pieces)}
    if marked:
        return tuple(marked)
    wide = any(b"\0" in one for one in pieces)
    if not wide and _is_plain(pieces):
        return ("utf-8",)
    sample, scores, damaged = _sample(pieces), {}, set()
    words = _words(sample)
    for name in among:
        if wide and not name.startswith("utf-16"):
            continue  # a NUL byte stands in no text of single bytes
        of_bytes = not name.startswith(_OF_TWO)
        text = "\n".join(one.decode(name, "replace") for one in (words if of_bytes else sample))
        score = plausibility(text, ENCODINGS[name].languages) - ENCODINGS[name].rare
        if name == "utf-8" and _is_utf8(pieces):
            score = 1.0 if _may_be_two_bytes(text) else SURE
        if _is_no_text(text) or (name.startswith("utf-16") and score < WIDE):
            continue
        scores[name] = score
        if REPLACED in text:
            damaged.add(name)
    order = sorted(scores, key=lambda name: -scores[name])
    return tuple(order[:1] + [name for name in order[1:] if name not in damaged])


def _fits(found: Decoded) -> bool:
    """Whether a reading is so plausible that no other need be tried."""
    return plausibility(found.text[:SAMPLE], ENCODINGS[found.encoding].languages) >= FITS


def require_known(encoding: str) -> None:
    """That an encoding is one of `ENCODINGS`.

    Raises:
        DataError: It is not.
    """
    if encoding not in ENCODINGS:
        raise DataError(f"There is no encoding {encoding[:40]!r}. Choose one of {', '.join(ENCODINGS)}.")


def says_itself(data: bytes) -> bool:
    """Whether bytes leave nothing to guess: they have a byte-order mark, or are valid UTF-8 without NUL."""
    if data.startswith(tuple(_MARKS)):
        return True
    return b"\0" not in data and (
        _is_plain([data]) or (_is_utf8([data]) and not _may_be_two_bytes(data.decode()))
    )


def _read(data: bytes, encoding: str) -> Decoded:
    """In one encoding; what is damaged is replaced and counted."""
    require_known(encoding)
    mark = next((mark for mark, name in _MARKS.items() if name == encoding and data.startswith(mark)), b"")
    text = data[len(mark) :].decode(encoding, "replace")
    own = 0 if REPLACED.encode() not in data or encoding != "utf-8" else data.count(REPLACED.encode())
    return Decoded(text, encoding, (), text.count(REPLACED) - own)


def _sample(pieces: Sequence[bytes]) -> list[bytes]:
    """The pieces where they are short, or else their first lines with bytes beyond ASCII, and some without."""
    if sum(map(len, pieces)) <= SAMPLE or any(b"\0" in one for one in pieces):
        return _first(pieces)
    lines = [line for one in pieces for line in one.splitlines() if not line.isascii() or b"\x1b" in line]
    return _first(lines or pieces)


def _words(pieces: Sequence[bytes]) -> list[bytes]:
    """Each word once, whatever its digits: a label or a unit that stands in every row says no more than one."""
    words = (word for one in pieces for word in _BETWEEN_WORDS.split(one))
    return list({_DIGITS.sub(b"0", word): word for word in words}.values())


def _first(pieces: Iterable[bytes]) -> list[bytes]:
    """As many as fit into a sample, the last perhaps cut."""
    kept, room = [], SAMPLE
    for one in pieces:
        kept.append(one[:room])
        room -= len(one)
        if room <= 0:
            break
    return kept


def _is_plain(pieces: Sequence[bytes]) -> bool:
    """Whether every encoding reads them alike."""
    return all(one.isascii() and not any(escape in one for escape in _ESCAPES) for one in pieces)


def _is_utf8(pieces: Sequence[bytes]) -> bool:
    """Whether they can hardly be anything else: bytes of another encoding are seldom valid UTF-8."""
    try:
        return all("\x1b" not in one.decode() for one in pieces)
    except UnicodeDecodeError:
        return False


def _may_be_two_bytes(text: str) -> bool:
    """Whether what stands in UTF-8 may be a character of two bytes: it is one letter, of no alphabet that is known.

    >>> _may_be_two_bytes("5 Ԫ, 12 Ԫ"), _may_be_two_bytes("5 é")
    (True, False)
    """
    beyond = set(filter(lambda char: char > "\x7f", text))
    return len(beyond) == 1 and all("\u0250" <= char < "\u0800" and not is_known(char) for char in beyond)


def _is_no_text(text: str) -> bool:
    controls = sum(unicodedata.category(char) == "Cc" for char in text if char not in "\t\n\r\f")
    return "\0" in text or controls > max(1, MOST_CONTROLS * len(text))
