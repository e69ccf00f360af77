"""The colours of the product: blue helps, orange harms, everything else is grey.

The pair stays apart for colour-blind eyes (it leans on Okabe and Ito's). Text needs a contrast of 4.5 : 1, so
each colour has a shade for each theme; drawn shapes need 3 : 1, which one middle shade gives on both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
