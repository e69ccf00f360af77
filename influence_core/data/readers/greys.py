"""Pictures deeper than 8 bits: which values are black and white, by one rule for all pictures of a folder.

Some cameras and scanners fill 10, 12 or 14 bits of a file of 16: read as if all 16 were used, the pictures would be dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

CONTAINER = 65_535
LEAST_BITS = 8
ROWS = 512
"""Of a picture that are looked at together."""


@dataclass(frozen=True)
class Span:
    """The values of one picture deeper than 8 bits.

    Attributes:
        kind: "whole" numbers or "real" ones, of greys; or "colour", of which only the upper 8 of 16 bits are read.
        low: The least.
        high: The greatest.
    """

    kind: str
    low: float
    high: float


@dataclass(frozen=True)
class Greys:
    """What becomes black and white.

    Attributes:
        black: Becomes 0.
        white: Becomes 255.
    """

    black: float
    white: float

    @classmethod
    def of_file(cls, span: Span | None) -> Greys:
        """Of a picture by itself: white is the largest value of 16 bits; of real numbers 1, or 255 where they go beyond 1."""
        if span is not None and span.kind == "real":
            return cls(0.0, 1.0 if span.high <= 1 else 255.0)
        return cls(0.0, float(CONTAINER))

    @classmethod
    def of_folder(cls, spans: Sequence[Span]) -> Greys | None:
        """Of all grey pictures of a folder together: the fewest bits that hold them all; ``None`` where none is deep.

        Values below 0, or beyond 16 bits, leave no such rule: then the least is black and the greatest white.
        """
        deep = [one for one in spans if one.kind != "colour"]
        if not deep:
            return None
        low, high = min(one.low for one in deep), max(one.high for one in deep)
        if low < 0 or high > CONTAINER:
            return cls(min(low, 0.0), max(high, 1.0))
        if high <= 1 and any(one.kind == "real" for one in deep):
            return cls(0.0, 1.0)
        return cls(0.0, float(2 ** bits_of(high) - 1))

    @property
    def note(self) -> str:
        """What is said of pictures that do not fill their files, or ""."""
        if self.black < 0 or self.white > CONTAINER:
            return f"The values of deep grey pictures go from {self.black:,g} (black) to {self.white:,g} (white) in all of them."
        if self.white in (1, CONTAINER):
            return ""
        return f"The deep grey pictures use {bits_of(self.white)} of their 16 bits, so {self.white:,.0f} is white in all of them."

    def to_8_bits(self, values: np.ndarray) -> np.ndarray:
        """``(h, w)`` uint8; what is no number is black."""
        share = (np.nan_to_num(values.astype(np.float32)) - self.black) / (self.white - self.black)
        return np.rint(share.clip(0, 1) * 255).astype(np.uint8)


def bits_of(high: float) -> int:
    """The fewest even number of bits, 8 at least, that hold a value."""
    bits = max(LEAST_BITS, int(np.ceil(high)).bit_length())
    return bits + bits % 2


def span_of(image: Image.Image) -> Span | None:
    """The values of a picture deeper than 8 bits; ``None`` of any other."""
    if image.mode.startswith(("I", "F")):
        lows, highs = zip(*(_ends(image, top) for top in range(0, image.height, ROWS)), strict=True)
        return Span("real" if image.mode.startswith("F") else "whole", min(lows), max(highs))
    if image.info.get("deep colour"):
        ends = [one for one in image.getextrema() if isinstance(one, tuple)]
        return Span("colour", float(min(one[0] for one in ends)), float(max(one[1] for one in ends)))
    return None


def _ends(image: Image.Image, top: int) -> tuple[float, float]:
    band = np.nan_to_num(np.asarray(image.crop((0, top, image.width, min(top + ROWS, image.height)))))
    return float(band.min()), float(band.max())
