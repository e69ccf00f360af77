"""Digits drawn with anti-aliased strokes of three widths, leanings and places, as a visitor might draw them."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from influence_core.data.readers.pictures import read_digit

SIDE, FINER = 280, 4
Point = tuple[float, float]


def _arc(x: float, y: float, width: float, height: float, start: float, stop: float) -> list[Point]:
    angles = np.radians(np.linspace(start, stop, 40))
    return [(x + width * np.cos(one), y + height * np.sin(one)) for one in angles]


STROKES: tuple[list[list[Point]], ...] = (
    [_arc(140, 140, 55, 85, 0, 360)],
    [[(145, 55), (135, 225)]],
    [[*_arc(140, 100, 50, 45, 180, 380), (90, 220), (200, 215)]],
    [_arc(135, 95, 48, 42, 200, 450) + _arc(135, 182, 55, 46, -90, 160)],
    [[(120, 60), (85, 150), (195, 145)], [(170, 60), (160, 230)]],
    [[(190, 60), (110, 62), (105, 130), *_arc(135, 175, 55, 50, -110, 150)]],
    [[(170, 55), (120, 100), (98, 160), *_arc(140, 180, 43, 45, 180, -180)]],
    [[(85, 65), (195, 65), (130, 225)]],
    [_arc(140, 98, 38, 40, 90, 450) + _arc(140, 185, 48, 46, -90, 270)],
    [_arc(140, 105, 42, 44, 0, 360), [(180, 120), (160, 230)]],
)
"""The strokes of each digit, on paper of ``SIDE`` pixels a side."""
HANDS = ((12, (0, 0), 0), (20, (15, -10), 8), (30, (-20, 12), -8))
"""Width of the pen, offset on the paper, degrees of turning."""


def drawn(digit: int, width: int, offset: tuple[int, int] = (0, 0), turn: float = 0) -> bytes:
    """A PNG of one digit in black on white."""
    paper = Image.new("L", (SIDE * FINER, SIDE * FINER), 255)
    pen, reach = ImageDraw.Draw(paper), width * FINER / 2
    for stroke in STROKES[digit]:
        points = [((x + offset[0]) * FINER, (y + offset[1]) * FINER) for x, y in stroke]
        pen.line(points, fill=0, width=width * FINER, joint="curve")
        for x, y in points:
            pen.ellipse([x - reach, y - reach, x + reach, y + reach], fill=0)
    fine = paper.resize((SIDE, SIDE), Image.Resampling.LANCZOS).rotate(turn, fillcolor=255)
    file = io.BytesIO()
    fine.save(file, "PNG")
    return file.getvalue()


def drawn_digits(hands: Sequence[tuple[int, tuple[int, int], float]] = HANDS) -> list[Tensor]:
    """All ten digits by every hand, ``(784,)`` each, as the upload reads them."""
    return [read_digit(drawn(digit, *hand)) for digit in range(10) for hand in hands]
