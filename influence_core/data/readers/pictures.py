"""A person's picture of a digit, turned into pixels such as MNIST has.

Meant for a clean drawing or scan: one digit on an even background, dark on light or light on dark.
"""

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from influence_core.data.readers.photographs import with_alpha
from influence_core.data.readers.picture_files import opened, over_white, require_room
from influence_core.errors import DataError

MAX_BYTES = 10 * 10**6
MAX_PIXELS = 40 * 10**6
WORKING_SIDE = 560  # 20 times MNIST's side: enough for a fine stroke, small enough to be quick
BLANK = 0.06  # of full scale: less contrast than this is paper grain or compression noise, not ink
NOISE = 0.1  # of the darkest ink: fainter than this is background


def read_digit(content: bytes, shape: tuple[int, int] = (28, 28)) -> Tensor:
    """Make an uploaded picture look as if it came from MNIST.

    As MNIST was made: white ink on black, the ink's bounding box scaled to fit 20 of 28 pixels, and its
    centre of mass moved to the centre of the image.

    Args:
        content: the uploaded file.
        shape: (rows, columns) of the result.

    Returns:
        (d,) float64 in 0..1, row by row, d = rows * columns.

    Raises:
        DataError: the file is not a picture that can be used; the message says why in everyday words.
    """
    ink = _crop(_ink(_decode(content)))
    return torch.from_numpy(_centre(_fit(ink, shape), shape)).reshape(-1)


def check_pixels(x: Tensor, d: int) -> None:
    """Refuse pixels no model was trained on.

    Args:
        x: (d,) pixels.
        d: how many the model expects.

    Raises:
        DataError: another number of pixels, NaN, infinity, or a value outside 0..1.
    """
    if x.shape != (d,):
        raise DataError(f"Expected {d} pixels in one row, got shape {tuple(x.shape)}. Resize it first.")
    if not x.isfinite().all():
        raise DataError("Expected every pixel to be a number, got NaN or infinity. Choose another picture.")
    if x.min() < 0 or x.max() > 1:
        raise DataError(
            f"Expected pixels from 0 (black) to 1 (white), got {x.min():.3g} to {x.max():.3g}. "
            "Scale them, for example by dividing by 255."
        )


def _decode(content: bytes) -> np.ndarray:
    """Brightness (h, w) in 0..1 of an uploaded file, at most WORKING_SIDE a side."""
    with opened(content, MAX_BYTES, MAX_PIXELS) as image:
        require_room(image)
        return _brightness(image)


def _brightness(image: Image.Image) -> np.ndarray:
    """(h, w) in 0..1, of the first frame, upright; transparency becomes white paper."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith(("I", "F")):
        return _deep_brightness(image)
    small = with_alpha(image, WORKING_SIDE) if image.has_transparency_data else image.convert("L")
    small.thumbnail((WORKING_SIDE, WORKING_SIDE))
    if small.mode == "RGBA":
        small = over_white(small).convert("L")
    return np.asarray(small, dtype=np.float64) / 255


def _deep_brightness(image: Image.Image) -> np.ndarray:
    """(h, w) up to 1, of greys deeper than 8 bits, by their own maximum: some scanners fill 12 bits of 16."""
    grey = Image.fromarray(np.asarray(image, dtype=np.float32))
    grey.thumbnail((WORKING_SIDE, WORKING_SIDE))
    values = np.asarray(grey, dtype=np.float64)
    return values / (np.abs(values).max() or 1)


def _ink(brightness: np.ndarray) -> np.ndarray:
    """How much ink lies on each pixel, (h, w) in 0..1.

    The median of the border is the paper. The ink is what differs from it on the side with most contrast:
    below it in a dark-on-light picture, above it in a light-on-dark one.
    """
    low, high = brightness.min(), brightness.max()
    if not high - low >= BLANK:  # so written, NaN is blank too
        raise DataError("The picture is blank: nothing stands out from the background. Choose another.")
    edges = brightness[0], brightness[-1], brightness[1:-1, 0], brightness[1:-1, -1]
    paper = np.median(np.concatenate(edges))
    ink = paper - brightness if paper > (low + high) / 2 else brightness - paper
    ink = np.clip(ink / ink.max(), 0, 1)
    return np.where(ink < NOISE, 0, ink)


def _crop(ink: np.ndarray) -> np.ndarray:
    """The ink's bounding box."""
    rows, columns = np.flatnonzero(ink.max(axis=1)), np.flatnonzero(ink.max(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(ink: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scale to fit 20/28 of `shape`, keeping the proportions; thin strokes keep their full strength."""
    box = [side * 20 / 28 for side in shape]
    scale = min(box[0] / ink.shape[0], box[1] / ink.shape[1])
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    picture = Image.fromarray(ink.astype(np.float32))
    small = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64).clip(0)
    return (small / small.max()).clip(0, 1)


def _centre(ink: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Place on black so that the centre of mass is at the centre, as far as the edges allow."""
    weight = ink.sum()
    mass = (ink.sum(1) @ np.arange(ink.shape[0]) / weight, ink.sum(0) @ np.arange(ink.shape[1]) / weight)
    top, left = (
        int(np.clip(round(side / 2 - middle), 0, side - extent))
        for side, middle, extent in zip(shape, mass, ink.shape, strict=True)
    )
    canvas = np.zeros(shape)
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return canvas
