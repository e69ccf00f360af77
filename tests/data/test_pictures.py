"""An uploaded picture becomes a digit as MNIST has them, or a message its owner understands."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.testing import assert_close

from influence_core.data import load
from influence_core.data.readers import pictures
from influence_core.data.readers.pictures import check_pixels, read_digit
from influence_core.errors import DataError


def save(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def drawing(
    mode: str = "L", ink: object = 0, paper: object = 255, size: tuple[int, int] = (120, 160)
) -> Image.Image:
    """A seven, off centre."""
    image = Image.new(mode, size, paper)
    width, height = size
    corners = [(0.2, 0.2), (0.7, 0.2), (0.4, 0.8)]
    points = [(round(x * width), round(y * height)) for x, y in corners]
    ImageDraw.Draw(image).line(points, fill=ink, width=max(2, width // 12), joint="curve")
    return image


def noise(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64), dtype=np.uint8))


def huge_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims any size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "file is empty"),
    "too many bytes": (lambda: bytes(pictures.MAX_BYTES + 1), "10.0 MB; at most 10 MB"),
    "text": (lambda: b"this is not a picture", "not a readable picture"),
    "html": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a readable picture"),
    "another format": (lambda: save(drawing(), "PCX"), "Use one of: PNG, JPEG"),
    "an icon": (lambda: save(drawing(), "ICO"), "not a readable picture"),
    "half a PNG": (lambda: half(save(noise())), "damaged or incomplete"),
    "half a JPEG": (lambda: half(save(noise(), "JPEG")), "damaged or incomplete"),
    "half a GIF": (lambda: half(save(noise(), "GIF")), "damaged or incomplete"),
    "half a BMP": (lambda: half(save(noise(), "BMP")), "damaged or incomplete"),
    "half a TIFF": (lambda: half(save(noise(), "TIFF")), "not a readable|damaged or incomplete"),
    "a PNG signature": (lambda: save(drawing())[:8], "not a readable picture"),
    "41 million pixels": (lambda: huge_header(41_000, 1000), "41000 x 1000, more than 40 million"),
    "100 million pixels": (lambda: huge_header(10_000, 10_000), "more than 40 million pixels"),
    "4 billion pixels": (lambda: huge_header(65_000, 65_000), "more than 40 million pixels"),
    "too narrow": (lambda: save(drawing(size=(7, 100))), "7 x 100 pixels, too small"),
    "one pixel": (lambda: save(Image.new("L", (1, 1))), "too small"),
    "white": (lambda: save(Image.new("L", (50, 50), 255)), "blank"),
    "black": (lambda: save(Image.new("RGB", (50, 50))), "blank"),
    "nearly even": (lambda: save(drawing(ink=250)), "blank"),
    "transparent": (lambda: save(Image.new("RGBA", (50, 50), (0, 0, 0, 0))), "blank"),
    "NaN": (lambda: save(Image.fromarray(np.full((20, 20), np.nan, np.float32)), "TIFF"), "blank"),
}


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_pictures_are_refused(name: str) -> None:
    make, message = BAD[name]
    with pytest.raises(DataError, match=message):
        read_digit(make())


@pytest.mark.filterwarnings("error")
def test_a_huge_picture_is_refused_with_warnings_as_errors() -> None:
    with pytest.raises(DataError, match="more than 40 million pixels"):
        read_digit(huge_header(10_000, 10_000))


def test_flipped_bytes_give_a_picture_or_a_message() -> None:
    content = save(drawing(), "JPEG")
    for position in range(0, len(content), 13):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        try:
            check_pixels(read_digit(bytes(damaged)), 784)
        except DataError:
            continue


def deep(dtype: type, scale: float) -> Image.Image:
    return Image.fromarray((np.asarray(drawing(), np.float64) * scale).astype(dtype))


def with_alpha() -> Image.Image:
    return drawing("RGBA", ink=(0, 0, 0, 255), paper=(0, 0, 0, 0))


def animated() -> bytes:
    frames = [drawing(), Image.new("L", (120, 160), 255)]
    return save(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate a quarter clockwise to see it upright
    return save(drawing().transpose(Image.Transpose.ROTATE_90), exif=exif)


def transparent_palette() -> bytes:
    image = drawing("P", ink=1, paper=0)
    image.putpalette([0, 0, 0, 20, 20, 20])
    return save(image, transparency=0)


GOOD: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: save(drawing("RGB", (0, 0, 0), (255, 255, 255)), "JPEG", quality=95),
    "BMP": lambda: save(drawing(), "BMP"),
    "GIF": lambda: save(drawing(), "GIF"),
    "TIFF": lambda: save(drawing(), "TIFF"),
    "white on black": lambda: save(drawing(ink=255, paper=0)),
    "low contrast": lambda: save(drawing(ink=100, paper=200)),
    "one bit": lambda: save(drawing("1", 0, 1)),
    "palette": lambda: save(drawing().convert("P")),
    "palette with transparency": transparent_palette,
    "colour": lambda: save(drawing("RGB", (0, 0, 120), (255, 250, 240))),
    "CMYK": lambda: save(drawing("CMYK", (0, 0, 0, 255), (0, 0, 0, 0)), "TIFF"),
    "CMYK JPEG": lambda: save(drawing("CMYK", (0, 0, 0, 255), (0, 0, 0, 0)), "JPEG", quality=95),
    "transparent paper": lambda: save(with_alpha()),
    "grey with alpha": lambda: save(drawing("LA", (0, 255), (0, 0))),
    "16 bits": lambda: save(deep(np.uint16, 257)),
    "12 of 16 bits": lambda: save(deep(np.uint16, 16), "TIFF"),
    "32 bits": lambda: save(deep(np.int32, 1000), "TIFF"),
    "floating point": lambda: save(deep(np.float32, 1 / 255), "TIFF"),
    "animated": animated,
    "turned": turned,
    "large": lambda: save(drawing(size=(1200, 1600))),
    "wide margin": lambda: save(on_paper(drawing(), 400)),
}


def on_paper(image: Image.Image, margin: int) -> Image.Image:
    paper = Image.new("L", (image.width + margin, image.height + margin), 255)
    paper.paste(image, (margin // 4, margin // 2))
    return paper


@pytest.mark.parametrize("name", GOOD)
def test_the_same_seven_in_any_form_gives_the_same_pixels(name: str) -> None:
    plain, other = read_digit(save(drawing())), read_digit(GOOD[name]())
    check_pixels(other, 784)
    assert alike(plain, other) > 0.97


def test_webp() -> None:
    assert alike(read_digit(save(drawing())), read_digit(save(drawing(), "WEBP", lossless=True))) > 0.999


def alike(first: Tensor, second: Tensor) -> float:
    """Correlation of two pictures."""
    return float(torch.corrcoef(torch.stack((first, second)))[0, 1])


def test_it_looks_as_mnist_was_made() -> None:
    picture = read_digit(save(drawing())).reshape(28, 28)
    assert picture.dtype == torch.float64
    assert (picture.min(), picture.max()) == (0, 1)
    rows, columns = (picture.sum(axis).nonzero().squeeze() for axis in (1, 0))
    assert max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == 20
    middle = [(picture.sum(axis) @ torch.arange(28.0).double()) / picture.sum() for axis in (1, 0)]
    assert_close(torch.stack(middle), torch.full((2,), 14.0).double(), atol=0.5, rtol=0)


def test_mnist_digits_come_back_nearly_unchanged() -> None:
    x = load("digits").test.x[:100]
    likeness = []
    for row in x:
        image = Image.fromarray((255 - row * 255).round().byte().reshape(28, 28).numpy())
        likeness.append(alike(row, read_digit(save(image))))
    assert np.median(likeness) > 0.99
    assert min(likeness) > 0.7  # a digit may move by one pixel


def test_a_thin_line_and_another_shape() -> None:
    image = Image.new("L", (9, 2000), 255)
    ImageDraw.Draw(image).line([(4, 100), (4, 1900)], fill=0)
    assert float(read_digit(save(image)).max()) == 1
    assert read_digit(save(drawing()), (14, 20)).shape == (280,)


PIXELS = torch.full((4,), 0.5)

BAD_PIXELS = {
    "too few": (PIXELS[:3], r"Expected 4 pixels.*\(3,\)"),
    "a table": (PIXELS.reshape(2, 2), r"\(2, 2\)"),
    "NaN": (PIXELS / 0 * 0, "NaN or infinity"),
    "infinity": (PIXELS / 0, "NaN or infinity"),
    "below": (PIXELS - 1, "from 0"),
    "bytes": (PIXELS * 255, "dividing by 255"),
}


@pytest.mark.parametrize("name", BAD_PIXELS)
def test_bad_pixels_are_refused(name: str) -> None:
    x, message = BAD_PIXELS[name]
    with pytest.raises(DataError, match=message):
        check_pixels(x, 4)


def test_good_pixels_pass() -> None:
    check_pixels(torch.tensor([0.0, 1.0, 0.5, 0.5]), 4)
