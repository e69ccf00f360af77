"""Two pictures to compare: side by side, laid over each other or in turn, with zoom and a map of what matters over either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from influence_core.data_urls import data_url
from influence_core.figures.palette import HARMFUL, HELPFUL

_FILE = Path(__file__)
FULL_COLOUR = 0.98
"""Share of the cells that stay within the colour scale: a few strong ones do not make the rest pale."""

_component = st.components.v2.component(
    "comparison",
    html='<div class="comparison"></div>',
    css=_FILE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILE.with_suffix(".js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Compared:
    """One of the two pictures.

    Args:
        src: As a data URL.
        alt: What a screen reader says instead of it.
        title: Bold, below it.
        words: After the title.
        map: What lies over it, a data URL; "" for nothing.
    """

    src: str
    alt: str
    title: str
    words: str = ""
    map: str = ""


def comparison(pictures: Sequence[Compared], *, key: str, crisp: bool) -> None:
    """One or two pictures with their tools.

    Args:
        pictures: The first stays where it is when another second one is shown.
        key: Unique on the page.
        crisp: Whether to enlarge pixel by pixel (digits) instead of smoothly (photographs).
    """
    _component(key=key, data={"pictures": [vars(one) for one in pictures], "crisp": crisp})


def map_url(loss_change: np.ndarray, cell: int = 1) -> str:
    """A map ``(h, w)`` of loss changes as a picture to lie over another: blue where the loss would fall, orange where it
    would rise, clear where it would not change.

    Args:
        loss_change: Nats per unit of brightness.
        cell: So many rows and columns of pixels are one, their changes added up.
    """
    h, w = (cell * (side // cell) for side in loss_change.shape)
    cells = loss_change[:h, :w].reshape(h // cell, cell, w // cell, cell).sum((1, 3))
    limit = float(np.quantile(np.abs(cells), FULL_COLOUR)) or float(np.abs(cells).max()) or 1.0
    strength = np.clip(np.abs(cells) / limit, 0, 1)
    colours = np.where((cells < 0)[..., None], _rgb(HELPFUL.both), _rgb(HARMFUL.both))
    return data_url(np.dstack([colours, np.rint(255 * strength)]).astype(np.uint8))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
