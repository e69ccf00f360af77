"""A picture file that anybody may have sent: opened only once its size is known to be safe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image

from influence_core.errors import DataError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
MIN_PIXELS_A_SIDE = 8


class PictureError(DataError):
    """A file that is no picture that can be used.

    Args:
        reason: the same for every file with this fault, so that they can be counted.
        message: what was expected, what came and what to do.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@contextmanager
def opened(content: bytes, most_bytes: int, most_pixels: int) -> Iterator[Image.Image]:
    """A picture of which no pixel is unpacked yet; what goes wrong inside means that it is damaged.

    Args:
        content: the file.
        most_bytes: a larger file is refused.
        most_pixels: a picture whose header says more is refused before it is unpacked.

    Raises:
        PictureError: the file is not a picture that can be used; the message says why in everyday words.
    """
    if not content:
        raise PictureError("empty files", "The file is empty. Choose another picture.")
    if len(content) > most_bytes:
        raise PictureError(
            f"files of more than {most_bytes // 10**6} MB",
            f"The file has {len(content) / 10**6:.1f} MB; at most {most_bytes // 10**6} MB can be read. "
            "Save the picture smaller and try again.",
        )
    with _open(content, most_pixels) as image:
        _check_size(*image.size, most_pixels)
        try:
            yield image
        except Exception as error:  # a damaged file makes Pillow raise nearly anything
            raise PictureError(
                "damaged or incomplete pictures",
                "The picture is damaged or incomplete. Save it again and retry.",
            ) from error


def over_white(image: Image.Image) -> Image.Image:
    """A picture with transparency, laid on white paper: RGBA becomes RGB."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _open(content: bytes, most_pixels: int) -> Image.Image:
    """The picture's header; no pixel is unpacked yet."""
    try:
        return Image.open(BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels("far more", most_pixels) from error
    except Exception as error:  # a damaged header makes Pillow raise nearly anything
        raise PictureError(
            "no readable pictures",
            f"The file is not a readable picture. Use one of: {', '.join(FORMATS)}.",
        ) from error


def _check_size(width: int, height: int, most_pixels: int) -> None:
    """Refuse a picture too large to unpack safely or too small to show anything."""
    if width * height > most_pixels:
        raise _too_many_pixels(f"{width} x {height}, more", most_pixels)
    if min(width, height) < MIN_PIXELS_A_SIDE:
        raise PictureError(
            f"pictures of less than {MIN_PIXELS_A_SIDE} pixels a side",
            f"The picture is {width} x {height} pixels, too small to show anything. "
            f"Use at least {MIN_PIXELS_A_SIDE} x {MIN_PIXELS_A_SIDE}.",
        )


def _too_many_pixels(size: str, most_pixels: int) -> PictureError:
    """A picture whose size would fill the memory."""
    most = f"{most_pixels // 10**6} million pixels"
    return PictureError(
        f"pictures of more than {most}", f"The picture has {size} than {most}. Make it smaller."
    )
