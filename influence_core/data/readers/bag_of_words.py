"""A text as counts of its words: what a linear model of texts reads.

A word is a run of two or more letters of any alphabet with their marks, in small letters, and may hold digits (E100,
3D, CVE-2021): a number alone is none. Where a script has no spaces (Japanese, Chinese, Thai), each two neighbouring
characters are a word, and a character between others of another kind is one alone. English stop words ("the", "and")
are no words here.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.sparse import csr_array

from influence_core.errors import DataError

Spans = Callable[[str], Iterator[tuple[int, int, str]]]
"""Where each word of a text begins and ends, and the word."""

MAX_DIFFERENT = 10**6
"""Words that are told apart; a hundred megabytes of a language have fewer, and noise has no end of them."""
_PLAIN = re.compile(r"[A-Za-z]{2,}")
_CODE = r"[A-Z]{1,5}-\d[\w-]*(?<=\w)"
_SPACELESS = (
    "\u3005-\u3007\u303b\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ebd\u0ec0-\u0ecd"
    "\u0edc-\u0edf\u1000-\u103f\u1050-\u109d\u1780-\u17d3"
)
"""Kana, ideographs, Thai, Lao, Burmese and Khmer, as ranges of a character class."""
_JOINERS = "\u200c\u200d\u00ad"
"""They stand inside words: Persian's and India's joiners, the soft hyphen."""
_NO_JOINERS = {ord(one): None for one in _JOINERS}
_VOICED = "\uff9e\uff9f"
"""What makes a narrow kana another."""


@runtime_checkable
class Spelled(Protocol):
    """Texts that know what their words are."""

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """As `Spans`."""
        ...


def plain_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """The words of the packaged e-mails: runs of two or more of the letters A to Z, without stop words."""
    stop = _stop_words()
    for found in _PLAIN.finditer(text):
        word = found.group().lower()
        if word not in stop:
            yield found.start(), found.end(), word


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each word begins and ends in the text, and the word; pairs of characters overlap."""
    stop, pattern = _stop_words(), _pattern()
    for found in pattern.finditer(text):
        if found.lastgroup == "spaceless":
            yield from _pairs(found.group(), found.start())
            continue
        word = _small(found.group())
        if len(word) > 1 and word not in stop and (word.isalpha() or any(map(str.isalpha, word))):
            yield found.start(), found.end(), word


def words(text: str, spans: Spans = spans) -> list[str]:
    """The words of a text in their order, each as often as it stands there."""
    return [word for _, _, word in spans(text)]


def vocabulary(
    texts: Sequence[str], fewest: int, most: int | None = None, spans: Spans = spans
) -> tuple[str, ...]:
    """The words that stand in at least `fewest` of the texts, in alphabetical order.

    Args:
        texts: n texts.
        fewest: in how many of them a word must stand (scikit-learn's min_df).
        most: how many words at most; the most frequent ones.
        spans: what a word is.

    Raises:
        DataError: no word is left, or there are too many different ones to be counted.
    """
    texts_with, times = _tally(texts, spans)
    known = sorted(word for word, count in texts_with.items() if count >= fewest)
    if not known:
        raise DataError(
            f"No word stands in at least {fewest} of the {len(texts):,} texts that are trained on, so there is nothing "
            "to learn from. Give more texts, or longer ones."
        )
    often = np.array([times[word] for word in known])
    return tuple(known[at] for at in sorted((-often).argsort()[:most]))


def _tally(texts: Sequence[str], spans: Spans) -> tuple[Counter[str], Counter[str]]:
    """In how many texts each word stands, and how often in all."""
    texts_with, times = Counter[str](), Counter[str]()
    for text in texts:
        found = Counter(words(text, spans))
        texts_with.update(found.keys())
        times.update(found)
        if len(times) > MAX_DIFFERENT:
            raise DataError(
                f"The texts hold more than {MAX_DIFFERENT:,} different words; at most so many can be counted. Are they texts "
                "at all? Otherwise keep fewer."
            )
    return texts_with, times


def count(text: str, column: Mapping[str, int], spans: Spans = spans) -> dict[int, int]:
    """How often each known word stands in a text.

    Args:
        text: the text.
        column: of each known word.
        spans: what a word is.

    Returns:
        Counts by column; words that do not stand there have none.
    """
    return dict(Counter(column[word] for word in words(text, spans) if word in column))


def table(texts: Sequence[str], known: Sequence[str]) -> csr_array:
    """Texts as counts of known words; most are 0, and those take no memory.

    Args:
        texts: n texts.
        known: d words.

    Returns:
        (n, d) float64.
    """
    column = {word: at for at, word in enumerate(known)}
    columns, values, ends = array("i"), array("d"), array("q", [0])
    for text in texts:
        counts = count(text, column)
        columns.extend(counts)
        values.extend(counts.values())
        ends.append(len(columns))
    held = (np.asarray(values), np.asarray(columns), np.asarray(ends))
    return csr_array(held, shape=(len(texts), len(known)))


@cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def _pairs(run: str, start: int) -> Iterator[tuple[int, int, str]]:
    """Each two neighbouring characters with their marks, or the one that stands alone."""
    starts = [at for at, char in enumerate(run) if at == 0 or not _is_mark(char)]
    ends = [*starts[1:], len(run)]
    if len(starts) == 1:
        yield start, start + len(run), _small(run)
    for first, last in zip(starts[:-1], ends[1:], strict=True):
        yield start + first, start + last, _small(run[first:last])


def _small(word: str) -> str:
    """In small letters and one form of Unicode, whichever keyboard wrote it."""
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", word).lower().replace("i\u0307", "i").translate(_NO_JOINERS)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or char in _VOICED


@cache
def _pattern() -> re.Pattern[str]:
    """A code, a run without spaces, or a run of letters and digits with their marks."""
    marks = "".join(
        f"{chr(first)}-{chr(last)}"
        for first, last in _ranges(code for code in range(0x300, 0x1F000) if _is_mark(chr(code)))
    )
    letter = f"[^\\W_{_SPACELESS}]"
    return re.compile(
        f"(?P<code>(?<!\\w){_CODE})|(?P<spaceless>[{_SPACELESS}]+)|(?P<word>{letter}+(?:[{marks}{_JOINERS}]+{letter}*)*)"
    )


def _ranges(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Rising numbers as first and last of each unbroken run."""
    first = last = -1
    for code in codes:
        if code != last + 1:
            if last >= 0:
                yield first, last
            first = code
        last = code
    if last >= 0:
        yield first, last
