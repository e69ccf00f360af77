"""A text as counts of its words: what a linear model of e-mails reads.

A word is a run of two or more plain letters, in small letters; English stop words ("the", "and") are no words here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from influence_core.errors import DataError

_LETTERS = re.compile(r"[A-Za-z]{2,}")


def words(text: str) -> list[str]:
    """The words of a text in their order, each as often as it stands there."""
    return [word for _, _, word in spans(text)]


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each word begins and ends in the text, and the word."""
    stop = _stop_words()
    for found in _LETTERS.finditer(text):
        word = found.group().lower()
        if word not in stop:
            yield found.start(), found.end(), word


def vocabulary(texts: Sequence[str], fewest: int, most: int | None = None) -> tuple[str, ...]:
    """The words that stand in at least `fewest` of the texts, in alphabetical order.

    Args:
        texts: n texts.
        fewest: in how many of them a word must stand (scikit-learn's min_df).
        most: how many words at most; the most frequent ones.

    Raises:
        DataError: no word is left.
    """
    from sklearn.feature_extraction.text import CountVectorizer  # takes a second to import

    counter = CountVectorizer(analyzer=words, min_df=fewest, max_features=most)
    try:
        counter.fit(texts)
    except ValueError as error:
        raise DataError(
            f"No word stands in at least {fewest} of the {len(texts):,} texts that are trained on, so there is nothing "
            "to learn from. Give more texts in plain letters, or longer ones."
        ) from error
    return tuple(str(word) for word in counter.get_feature_names_out())


def count(text: str, column: Mapping[str, int]) -> dict[int, int]:
    """How often each known word stands in a text.

    Args:
        text: the text.
        column: of each known word.

    Returns:
        Counts by column; words that do not stand there have none.
    """
    return dict(Counter(column[word] for word in words(text) if word in column))


def table(texts: Sequence[str], known: Sequence[str]) -> Tensor:
    """Texts as counts of known words.

    Args:
        texts: n texts.
        known: d words.

    Returns:
        (n, d) float64.
    """
    column = {word: at for at, word in enumerate(known)}
    x = torch.zeros(len(texts), len(known), dtype=torch.float64)
    for row, text in zip(x, texts, strict=True):
        counts = count(text, column)
        row[list(counts)] = torch.tensor(list(counts.values()), dtype=torch.float64)
    return x


@cache
def _stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)
