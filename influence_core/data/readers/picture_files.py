"""A picture file that anybody may have sent: opened only once its size is known to be safe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from io import BytesIO

from PIL import Image

from influence_core.errors import DataError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""That Pillow reads itself; HEIC comes with its plugin."""
MIN_PIXELS_A_SIDE = 8
MAX_MEMORY = 200 * 10**6
"""Bytes that unpacking one picture may take."""
OF_MODE = {
    "1": 1,
    "L": 1,
    "P": 5,
    "I;16": 4,
    "I;16B": 4,
    "I": 5,
    "F": 5,
    "RGB": 4,
    "RGBA": 4,
    "LA": 4,
    "CMYK": 4,
}
"""Bytes a pixel that a picture takes, with its conversion; other kinds take `OF_OTHERS`."""
OF_OTHERS = 8
OF_FORMAT = {"WEBP": 12, "AVIF": 6, "HEIF": 6, "JPEG2000": 16}
"""Bytes a pixel that these formats take besides while they are unpacked, as was measured."""
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
OF_COEFFICIENT = 2
"""Bytes that a progressive JPEG keeps for each number until it is whole."""


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
        except PictureError:
            raise
        except Exception as error:  # a damaged file makes Pillow raise nearly anything
            raise PictureError(
                "damaged or incomplete pictures",
                "The picture is damaged or incomplete. Save it again and retry.",
            ) from error


def require_room(image: Image.Image, more: int = 0) -> None:
    """Refuse a picture that takes too much memory to unpack, once it is known how finely it will be.

    Args:
        image: of which no pixel is unpacked yet, or which will be copied.
        more: bytes a pixel besides.

    Raises:
        PictureError: it does.
    """
    width, height = image.size
    known = "{} x {}".format(*image.info["whole size"])
    each = OF_MODE.get(image.mode, OF_OTHERS) + OF_FORMAT.get(image.format or "", 0) + more
    whole = width * height * each + _coefficients(image)
    if whole > MAX_MEMORY:
        raise PictureError(
            f"pictures that take more than {MAX_MEMORY // 10**6} MB to unpack",
            f"The picture is {known} pixels, which as {image.format} take {whole / 10**6:,.0f} MB to unpack; at most "
            f"{MAX_MEMORY // 10**6} MB are spent. Make it smaller, or save it as a JPEG that is not progressive.",
        )


def _coefficients(image: Image.Image) -> int:
    """Bytes that a progressive JPEG keeps of the whole picture, however coarsely it is unpacked."""
    if not image.info.get("progressive"):
        return 0
    layers = getattr(image, "layer", ())
    across, down = (max((one[at] for one in layers), default=1) for at in (1, 2))
    share = sum(one[1] * one[2] for one in layers) / (across * down)
    width, height = image.info["whole size"]
    return int(width * height * share * OF_COEFFICIENT)


def over_white(image: Image.Image) -> Image.Image:
    """A picture with transparency, laid on white paper: RGBA becomes RGB."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


@cache
def _reads_heic() -> bool:
    """Whether the plugin for HEIC is at hand; it is registered then."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _open(content: bytes, most_pixels: int) -> Image.Image:
    """The picture's header; no pixel is unpacked yet."""
    known = (*FORMATS, "HEIF") if _reads_heic() else FORMATS
    if known == FORMATS and content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS:
        raise PictureError(
            "HEIC pictures, which need the package pillow-heif",
            "The picture is a HEIC, as iPhones take them. Save it as JPEG, or ask the person who runs this app to install "
            "the package pillow-heif.",
        )
    try:
        image = Image.open(BytesIO(content), formats=known)
        image.info["whole size"] = image.size  # a draft changes the size
        image.info["deep colour"] = not image.mode.startswith("I") and any(
            ";16" in str(one.args) for one in getattr(image, "tile", ())
        )
        return image
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
