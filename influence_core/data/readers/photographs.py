"""A person's photograph, as a square of red, green and blue such as a backbone looks at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from influence_core.data.readers.greys import Greys, Span, span_of
from influence_core.data.readers.picture_files import PictureError, opened, over_white, require_room

MAX_BYTES = 50 * 10**6
MAX_PIXELS = 65 * 10**6
"""More than any common camera takes; only a JPEG of that size is unpacked, for it can be unpacked coarsely."""
BAND = 2 * 10**6
"""Pixels that are converted at a time."""
LARGE = 8 * 10**6
"""A picture with transparency and more pixels is shrunk band by band before it is shrunk smoothly."""
WHOLE_ALPHA = 8
"""Bytes a pixel that a picture with transparency takes besides where it is shrunk whole."""
GAP = 3.0
"""Pictures are averaged down to so many times the side before they are shrunk smoothly."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By the orientation that a camera notes."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph as it was read.

    Attributes:
        pixels: ``(side, side, 3)`` uint8.
        span: Its values, where it is deeper than 8 bits.
    """

    pixels: np.ndarray
    span: Span | None


def read_photo(content: bytes | Path, side: int, greys: Greys | None = None) -> np.ndarray:
    """A photograph of any size and kind as a viewer shows it, cut to its middle square.

    Upright as the camera was held, the first frame of an animation, transparency on white, deep greys brought to
    8 bits. The short side is scaled to `side` with antialiasing, and the middle square is kept.

    Args:
        content: the file, or where it lies.
        side: rows and columns of the result.
        greys: black and white of greys deeper than 8 bits; where none are given, white is the largest value that the
            file can hold (in floating point 1, or 255 where the picture goes beyond 1).

    Returns:
        (side, side, 3) uint8: red, green and blue.

    Raises:
        PictureError: the file is not a picture that can be used; the message says why in everyday words.
    """
    return look_at(content, side, greys).pixels


def look_at(content: bytes | Path, side: int, greys: Greys | None = None) -> Photo:
    """The same, with what is known of its depth; see `read_photo`.

    Raises:
        PictureError: as there.
    """
    held = read_file(content) if isinstance(content, Path) else content
    with opened(held, MAX_BYTES, MAX_PIXELS) as image:
        image.draft(None, (2 * side, 2 * side))  # a large JPEG is unpacked no finer than needed
        require_room(image)
        image.load()
        span = span_of(image)
        square = _to_rgb(_middle_square(_to_8_bits(image, side, greys or Greys.of_file(span)), side))
        return Photo(np.array(_upright(image, square)), span)


def read_file(path: Path) -> bytes:
    """A file's content, as far as a photograph may be long.

    Raises:
        PictureError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PictureError(
            "files that could not be read",
            f"The picture could not be read: {error.strerror}. Fix or remove it.",
        ) from error


def _upright(image: Image.Image, square: Image.Image) -> Image.Image:
    """The square of a picture, turned as the camera was held."""
    with suppress(Exception):  # a camera's notes may be garbled while the picture is fine
        turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
        return square if turn is None else square.transpose(turn)
    return square


def _to_8_bits(image: Image.Image, side: int, greys: Greys) -> Image.Image:
    """In a mode that scales well; a palette's colours would mix wrongly."""
    if image.mode.startswith(("I", "F")):
        return _in_bands(image, "L", 1, lambda band: Image.fromarray(greys.to_8_bits(np.asarray(band))))
    if image.has_transparency_data:
        return with_alpha(image, side)
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def with_alpha(image: Image.Image, side: int) -> Image.Image:
    """A picture with transparency as RGBA; a large one averaged down on the way to a side, band by band.

    Args:
        image: of any mode with transparency.
        side: to which the short side will be shrunk smoothly; no band is averaged below `GAP` times that.

    Raises:
        PictureError: it is long and thin, and too large to be copied whole.
    """
    factor = int(min(image.size) / side / GAP) or 1
    if image.width * image.height <= LARGE or factor == 1:
        require_room(image, WHOLE_ALPHA)
        return image if image.mode == "RGBA" else image.convert("RGBA")
    return _in_bands(
        image,
        "RGBA",
        factor,
        lambda band: band.convert("RGBA").convert("RGBa").reduce(factor).convert("RGBA"),
    )


def _in_bands(
    image: Image.Image, mode: str, factor: int, convert: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """A picture converted a few rows at a time, each band shrunk by a factor, so that it is never whole twice."""
    made = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    rows = max(1, BAND // (image.width * factor)) * factor
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        made.paste(convert(band), (0, top // factor))
    return made


def _middle_square(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    return image.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=GAP)


def _to_rgb(image: Image.Image) -> Image.Image:
    return over_white(image) if image.mode == "RGBA" else image.convert("RGB")
