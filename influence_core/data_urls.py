"""Pictures as data URLs, which a page holds in itself."""

from __future__ import annotations

import base64
import io
from functools import lru_cache

import numpy as np
from PIL import Image

from influence_core.errors import ShapeError


def ink(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels ``(d,)`` in 0..1 as a uint8 picture of this shape, dark ink on white."""
    return np.rint(255 * (1 - x.reshape(shape))).astype(np.uint8)


def data_url(pixels: np.ndarray, scale: int = 1) -> str:
    """The picture as a PNG data URL.

    Args:
        pixels: (h, w) grey, (h, w, 3) colour or (h, w, 4) colour with opacity, uint8.
        scale: How many screen pixels each pixel becomes along each side.

    Raises:
        ShapeError: When the array is not a uint8 picture.
    """
    grey_or_colour = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not grey_or_colour or pixels.size == 0:
        raise ShapeError(
            f"a picture must be uint8 with shape (h, w), (h, w, 3) or (h, w, 4); got {pixels.dtype} {pixels.shape}"
        )
    return _png(pixels.tobytes(), pixels.shape, scale)


def photo_url(pixels: np.ndarray) -> str:
    """A photograph ``(h, w, 3)`` uint8 as a JPEG data URL: a tenth of what a PNG takes."""
    return _jpeg(pixels.tobytes(), pixels.shape)


@lru_cache(maxsize=512)
def _jpeg(content: bytes, shape: tuple[int, ...]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.frombuffer(content, np.uint8).reshape(shape)).save(buffer, format="JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@lru_cache(maxsize=512)
def _png(content: bytes, shape: tuple[int, ...], scale: int) -> str:
    image = Image.fromarray(np.frombuffer(content, np.uint8).reshape(shape))
    enlarged = image.resize((shape[1] * scale, shape[0] * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    enlarged.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
