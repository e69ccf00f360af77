"""A photograph of any kind becomes the square a viewer would show, or a message its owner understands."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from influence_core.data.readers import photographs
from influence_core.data.readers.photographs import read_photo
from influence_core.data.readers.picture_files import PictureError
from tests.data.test_pictures import half, huge_header, save

SIDE = 32


def scene(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A smooth picture: red grows to the right, green downwards; its left upper corner is dark."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack((across, down, np.full_like(across, 60)), 2).round().astype(np.uint8))


def expected(image: Image.Image) -> np.ndarray:
    """The short side scaled, then the middle cut: two steps, unlike the one of the reader."""
    scale = SIDE / min(image.size)
    width, height = (round(one * scale) for one in image.size)
    small = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return small[top : top + SIDE, left : left + SIDE]


def close(found: np.ndarray, wanted: np.ndarray, most: int = 2) -> None:
    assert (found.shape, found.dtype) == ((SIDE, SIDE, 3), np.uint8)
    assert np.abs(found.astype(int) - wanted).max() <= most


def turned(orientation: int, how: Image.Transpose, format: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if format == "JPEG" else {}
    return save(scene().transpose(how), format, exif=exif, **options)


def animated(format: str) -> bytes:
    other = Image.new("RGB", scene().size, "white")
    return save(scene(), format, save_all=True, append_images=[other], duration=100)


def see_through() -> Image.Image:
    image = scene().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    return image


def _pgm(most: int) -> bytes:
    """A portable greymap that says what its white is."""
    values = np.rint(np.asarray(GREY, np.float64) * most / 255).astype(">u2")
    return f"P5 {GREY.width} {GREY.height} {most}\n".encode() + values.tobytes()


GREY = scene().convert("L")
WHITE = Image.new("RGB", (96, 64), "white")
KINDS: dict[str, tuple[Callable[[], bytes], Image.Image, int]] = {
    "PNG": (lambda: save(scene()), scene(), 2),
    "JPEG": (lambda: save(scene(), "JPEG", quality=95), scene(), 8),
    "progressive JPEG": (lambda: save(scene(), "JPEG", quality=95, progressive=True), scene(), 8),
    "BMP": (lambda: save(scene(), "BMP"), scene(), 2),
    "TIFF": (lambda: save(scene(), "TIFF"), scene(), 2),
    "WEBP": (lambda: save(scene(), "WEBP", lossless=True), scene(), 2),
    "AVIF": (lambda: save(scene(), "AVIF", quality=95, subsampling="4:4:4"), scene(), 8),
    "JPEG 2000": (lambda: save(scene(), "JPEG2000"), scene(), 2),
    "PPM": (lambda: save(scene(), "PPM"), scene(), 2),
    "grey PGM": (lambda: save(GREY, "PPM"), GREY, 2),
    "PGM of 12 bits": (lambda: _pgm(4095), GREY, 2),
    "grey": (lambda: save(GREY), GREY, 2),
    "grey JPEG": (lambda: save(GREY, "JPEG", quality=95), GREY, 5),
    "one bit": (lambda: save(WHITE.convert("1")), WHITE, 0),
    "16 bits": (lambda: save(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257)), GREY, 2),
    "16 bits TIFF": (
        lambda: save(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), "TIFF"),
        GREY,
        2,
    ),
    "floating point": (lambda: save(Image.fromarray(np.asarray(GREY, np.float32) / 255), "TIFF"), GREY, 2),
    "floating point to 255": (lambda: save(Image.fromarray(np.asarray(GREY, np.float32)), "TIFF"), GREY, 2),
    "opaque RGBA": (lambda: save(scene().convert("RGBA")), scene(), 2),
    "transparent": (lambda: save(see_through()), WHITE, 0),
    "grey with alpha": (lambda: save(Image.new("LA", (96, 64), (0, 0))), WHITE, 0),
    "CMYK": (lambda: save(scene().convert("CMYK"), "TIFF"), scene(), 3),
    "CMYK JPEG": (lambda: save(scene().convert("CMYK"), "JPEG", quality=95), scene(), 12),
    "palette": (lambda: save(scene().quantize(256)), scene(), 40),
    "GIF": (lambda: save(scene().quantize(256), "GIF"), scene(), 40),
    "animated PNG": (lambda: animated("PNG"), scene(), 2),
    "animated GIF": (lambda: animated("GIF"), scene(), 40),
    "animated WEBP": (lambda: animated("WEBP"), scene(), 40),
    "rotated by the camera": (lambda: turned(6, Image.Transpose.ROTATE_90), scene(), 8),
    "upside down": (lambda: turned(3, Image.Transpose.ROTATE_180), scene(), 8),
    "mirrored": (lambda: turned(2, Image.Transpose.FLIP_LEFT_RIGHT), scene(), 8),
    "rotated PNG": (lambda: turned(8, Image.Transpose.ROTATE_270, "PNG"), scene(), 2),
    "upright": (lambda: save(scene((64, 96))), scene((64, 96)), 2),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_seen_as_a_viewer_shows_it(name):
    make, image, most = KINDS[name]
    close(read_photo(make(), SIDE), expected(image), most)


def test_half_transparent_pixels_lie_on_white():
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 128))
    assert_array_equal(read_photo(save(image), 8), np.full((8, 8, 3), 127, np.uint8))


def test_a_small_picture_is_enlarged_and_a_long_one_cut():
    assert read_photo(save(scene((9, 8))), 64).shape == (64, 64, 3)
    strip = Image.new("RGB", (3000, 10), "red")
    strip.paste("blue", (1480, 0, 1520, 10))
    close(read_photo(save(strip), SIDE), np.broadcast_to([0, 0, 255], (SIDE, SIDE, 3)), 1)


def test_shrinking_averages_fine_patterns():
    board = Image.fromarray(np.indices((1024, 1024)).sum(0).astype(np.uint8) % 2 * 255)
    for content in (save(board), save(board, "JPEG", quality=95)):
        found = read_photo(content, SIDE)
        assert np.abs(found.astype(int) - 127).max() < 8


def test_large_jpegs_are_unpacked_no_finer_than_needed(monkeypatch):
    content, sizes = save(scene((1600, 1200)), "JPEG", quality=90), []
    monkeypatch.setattr(photographs, "_to_8_bits", lambda image, *_: sizes.append(image.size) or image)
    close(read_photo(content, SIDE), expected(scene((1600, 1200))), 8)
    assert sizes == [(200, 150)]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_garbled_camera_notes_do_not_spoil_a_picture():
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0\xff\xff" + bytes(range(60))
    close(read_photo(save(scene(), "JPEG", quality=95, exif=exif), SIDE), expected(scene()), 8)


def test_a_file_is_read_by_its_place(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(save(scene()))
    assert_array_equal(read_photo(path, SIDE), read_photo(save(scene()), SIDE))
    with pytest.raises(PictureError, match="could not be read: No such file"):
        read_photo(tmp_path / "none.png", SIDE)


def noise(format: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return save(Image.fromarray(pixels), format)


BAD: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "empty": (lambda: b"", "file is empty", "empty files"),
    "HTML": (lambda: b"<!doctype html><img src=x>", "not a readable picture", "no readable pictures"),
    "SVG": (
        lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "not a readable picture",
        "no readable pictures",
    ),
    "PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a readable picture", "no readable pictures"),
    "half a PNG": (lambda: half(noise("PNG")), "damaged or incomplete", "damaged or incomplete pictures"),
    "half a JPEG": (lambda: half(noise("JPEG")), "damaged or incomplete", "damaged or incomplete pictures"),
    "half a WEBP": (lambda: half(noise("WEBP")), "damaged|not a readable", ""),
    "4 billion pixels": (lambda: huge_header(65_000, 65_000), "more than 65 million pixels", ""),
    "66 million pixels": (
        lambda: huge_header(66_000, 1_000),
        "66000 x 1000, more than 65 million pixels",
        "pictures of more than 65 million pixels",
    ),
    "one pixel": (lambda: save(Image.new("L", (1, 1))), "too small", "pictures of less than 8 pixels a side"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_pictures_are_refused_in_words(name):
    make, message, reason = BAD[name]
    with pytest.raises(PictureError, match=message) as refused:
        read_photo(make(), SIDE)
    assert reason in refused.value.reason


def test_too_many_bytes_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole: takes no room on the disk
    with pytest.raises(PictureError, match="at most 50 MB") as refused:
        read_photo(path, SIDE)
    assert refused.value.reason == "files of more than 50 MB"


def test_flipped_bytes_give_a_picture_or_a_message():
    for format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP"):
        content = save(scene(), format)
        for position in range(0, len(content), max(7, len(content) // 60)):
            damaged = bytearray(content)
            damaged[position] ^= 0xFF
            try:
                assert read_photo(bytes(damaged), SIDE).shape == (SIDE, SIDE, 3)
            except PictureError:
                continue


def test_nothing_is_written_when_a_picture_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read_photo(io.BytesIO(save(scene())).getvalue(), SIDE)
    assert list(tmp_path.iterdir()) == []
