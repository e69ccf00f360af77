"""The words that carry an e-mail's influence, as bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.word_edit import AskedWords, WordShares
from influence_core.figures.bars import bars, escape_html
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.words import UNIT, percent, signed


def word_shares(
    result: WordShares, values: np.ndarray, unit: str, k: int = 12, chosen: str = ""
) -> go.Figure:
    """The ``k`` words with the largest shares of the score: blue helps, orange harms. A chosen word stands out.

    Args:
        result: The words.
        values: ``(m,)`` their shares in the ``unit``.
        unit: "nats" or "pp".
        k: So many at most.
        chosen: A word.
    """
    words, values = result.words[:k], values[:k]
    names = _names(words, result.counts)
    return bars(
        names,
        values,
        [HELPFUL.both if one > 0 else HARMFUL.both for one in values],
        [word == chosen for word in words] if chosen in words else np.ones(len(words), dtype=bool),
        [
            f"{escape_html(name)}<br>{signed(float(one))} {unit}"
            for name, one in zip(names, values, strict=True)
        ],
        f"Share of the influence, {unit}",
    )


def asked_words(result: AskedWords, values: np.ndarray, unit: str, k: int = 12) -> go.Figure:
    """The ``k`` words of the test e-mail without which the loss would change most: blue speaks for the label.

    Args:
        result: The words.
        values: ``(m,)`` what each does, in the ``unit``.
        unit: "nats" or "pp".
        k: So many at most.
    """
    words, values = result.words[:k], values[:k]
    names = _names(words, result.counts)
    return bars(
        names,
        values,
        [HELPFUL.both if one > 0 else HARMFUL.both for one in values],
        np.ones(len(words), dtype=bool),
        [
            f"{escape_html(name)}<br>{signed(float(one))} {unit}; without it the probability is {percent(float(p))}"
            for name, one, p in zip(names, values, result.probability, strict=False)
        ],
        "Loss change without the word, nats"
        if unit == UNIT
        else f"What the word does to the probability, {unit}",
    )


def _names(words: Sequence[str], counts: np.ndarray) -> list[str]:
    return [f"{word} × {count}" if count > 1 else word for word, count in zip(words, counts, strict=False)]
