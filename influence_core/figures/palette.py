"""The colours of the product: blue helps, orange harms, everything else is grey.

The pair stays apart for colour-blind eyes (it leans on Okabe and Ito's). Text needs a contrast of 4.5 : 1, so
each colour has a shade for each theme; drawn shapes need 3 : 1, which one middle shade gives on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Shades:
    """One colour as hex strings, for text on a light or a dark theme and for shapes on either."""

    light: str
    dark: str
    both: str

    def on(self, theme: Literal["light", "dark"]) -> str:
        """Returns the shade whose text is readable on this theme."""
        return self.light if theme == "light" else self.dark


HELPFUL = Shades(light="#0068a8", dark="#56b4e9", both="#2689c9")
HARMFUL = Shades(light="#b34a00", dark="#f0a03c", both="#d9701a")
GREY = Shades(light="#5f666e", dark="#9aa3ad", both="#808790")


def by_sign(values: ArrayLike) -> dict[str, Any]:
    """What a marker, or its line, takes to be in the colour of each value's sign.

    Args:
        values: ``(k,)``; plus is for.
    """
    return by_number(np.asarray(values) > 0, (HARMFUL.both, HELPFUL.both))


def by_number(numbers: ArrayLike, colours: Sequence[str]) -> dict[str, Any]:
    """What a marker, or its line, takes to be in the numbered colours: positions on a scale of them.

    Of a list of names Plotly looks at each: 800 points take .2 s.

    Args:
        numbers: ``(k,)`` of 0 to ``c - 1``.
        colours: ``c >= 2``.
    """
    last = len(colours) - 1
    scale = [[at / last, colour] for at, colour in enumerate(colours)]
    return {"color": np.asarray(numbers).astype(np.int16), "cmin": 0, "cmax": last, "colorscale": scale}
