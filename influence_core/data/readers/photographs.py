"""A person's photograph, as a square of red, green and blue such as a backbone looks at."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from influence_core.data.readers.picture_files import PictureError, opened, over_white

MAX_BYTES = 50 * 10**6
MAX_PIXELS = 65 * 10**6
"""More than any common camera takes; unpacked, 260 MB."""


def read_photo(content: bytes | Path, side: int) -> np.ndarray:
    """A photograph of any size and kind as a viewer shows it, cut to its middle square.

    Upright as the camera was held, the first frame of an animation, transparency on white, deep greys brought to
    8 bits. The short side is scaled to `side` with antialiasing, and the middle square is kept.

    Args:
        content: the file, or where it lies.
        side: rows and columns of the result.

    Returns:
        (side, side, 3) uint8: red, green and blue.

    Raises:
        PictureError: the file is not a picture that can be used; the message says why in everyday words.
    """
    held = read_file(content) if isinstance(content, Path) else content
    with opened(held, MAX_BYTES, MAX_PIXELS) as image:
        image.draft(None, (2 * side, 2 * side))  # a large JPEG is unpacked no finer than needed
        image.load()
        with suppress(Exception):  # a camera's notes may be garbled while the picture is fine
            ImageOps.exif_transpose(image, in_place=True)
        return np.array(_to_rgb(_middle_square(_to_8_bits(image), side)))


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


def _to_8_bits(image: Image.Image) -> Image.Image:
    """In a mode that scales well; a palette's colours would mix wrongly."""
    if image.mode.startswith(("I", "F")):
        return _deep_grey(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "CMYK") else image.convert("RGB")


def _deep_grey(image: Image.Image) -> Image.Image:
    """Greys of 16 bits and more in 8: white is 65,535, or 1 in floating point (255 where it goes beyond 1)."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    white = 65_535 if image.mode.startswith("I") else 1 if values.max() <= 1 else 255
    return Image.fromarray(np.rint((values / white).clip(0, 1) * 255).astype(np.uint8))


def _middle_square(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    return image.resize((side, side), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)


def _to_rgb(image: Image.Image) -> Image.Image:
    return over_white(image) if image.mode == "RGBA" else image.convert("RGB")
