"""The words that carry an e-mail's influence, as bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from influence_core.experiments.word_edit import AskedWords, WordShares
from influence_core.figures.bars import bars, escape_html
from influence_core.figures.palette import HARMFUL, HELPFUL
from influence_core.words import nats, percent


def word_shares(result: WordShares, k: int = 12, chosen: str = "") -> go.Figure:
    """The ``k`` words with the largest shares of the score: blue helps, orange harms. A chosen word stands out."""
    words, values = result.words[:k], result.shares[:k]
    names = _names(words, result.counts)
    return bars(
        names,
        values,
        [HELPFUL.both if one > 0 else HARMFUL.both for one in values],
        [word == chosen for word in words] if chosen in words else np.ones(len(words), dtype=bool),
        [f"{escape_html(name)}<br>{nats(float(one))}" for name, one in zip(names, values, strict=True)],
        "Share of the forecast, nats",
    )


def asked_words(result: AskedWords, k: int = 12) -> go.Figure:
    """The ``k`` words of the test e-mail without which the loss would change most: blue speaks for the label."""
    words, values = result.words[:k], result.loss_change[:k]
    names = _names(words, result.counts)
    return bars(
        names,
        values,
        [HELPFUL.both if one > 0 else HARMFUL.both for one in values],
        np.ones(len(words), dtype=bool),
        [
            f"{escape_html(name)}<br>without it {nats(float(one))}, probability {percent(float(p))}"
            for name, one, p in zip(names, values, result.probability, strict=False)
        ],
        "Loss change without the word, nats",
    )


def _names(words: Sequence[str], counts: np.ndarray) -> list[str]:
    return [f"{word} × {count}" if count > 1 else word for word, count in zip(words, counts, strict=False)]
