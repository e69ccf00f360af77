"""Pictures deeper than 8 bits, by one rule a folder; and pictures that would fill the memory."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from influence_core.data.brought import photo_folder
from influence_core.data.brought.photo_folder import survey
from influence_core.data.readers import picture_files
from influence_core.data.readers.greys import Greys, Span
from influence_core.data.readers.photographs import read_photo
from influence_core.data.readers.picture_files import MAX_MEMORY, PictureError
from influence_core.store import Store
from tests.data.test_image_folder import skipped
from tests.data.test_pictures import save


def _scene(seed: int) -> np.ndarray:
    """Brightness ``(40, 40)`` in 0..1, its white reached in the first one only."""
    drawn = np.random.default_rng(seed).random((5, 5))
    grown = np.asarray(Image.fromarray(drawn.astype(np.float32)).resize((40, 40), Image.Resampling.BICUBIC))
    return grown.clip(0, 1) if seed == 0 else 0.6 * grown.clip(0, 1)


def _folder(root: Path, write, n: int = 6) -> Path:
    for at in range(2 * n):
        home = root / ("round", "square")[at % 2]
        home.mkdir(parents=True, exist_ok=True)
        write(home / f"{at:02d}.png", _scene(at))
    return root


def _whole(white: int):
    """A writer of 16-bit files in which `white` is white."""
    return lambda path, scene: Image.fromarray(np.rint(scene * white).astype(np.uint16)).save(path)


def _real(path: Path, scene: np.ndarray) -> None:
    Image.fromarray((300 * scene - 100).astype(np.float32)).save(path.with_suffix(".tif"))


@pytest.mark.parametrize(("white", "bits"), [(1023, 10), (4095, 12), (16383, 14)])
def test_bits_that_do_not_fill_their_file_are_scaled_by_one_rule_and_said(tmp_path, white, bits):
    full = survey(_folder(tmp_path / "full", _whole(65_535)))
    found = survey(_folder(tmp_path / "part", _whole(white)))
    assert np.abs(found.thumbs.astype(int) - full.thumbs).max() <= 2  # rounded before and after it is resized
    assert full.notes == ()
    assert found.notes == (
        f"The deep grey pictures use {bits} of their 16 bits, so {white:,} is white in all of them.",
    )
    for at in (0, 7):
        assert np.abs(found.pictures.read(at, 32).astype(int) - full.pictures.read(at, 32)).max() <= 2
    assert found.pictures.greys == Greys(0, white)


def test_the_rule_is_kept_with_what_was_read(tmp_path, monkeypatch):
    store, root = Store(tmp_path / "store"), _folder(tmp_path / "part", _whole(4095))
    first = survey(root, store=store)
    monkeypatch.setattr(photo_folder, "read_file", None)
    again = survey(root, store=store)
    assert (again.notes, again.pictures.greys, again.pictures.digest) == (
        first.notes,
        first.pictures.greys,
        first.pictures.digest,
    )
    assert_array_equal(again.thumbs, first.thumbs)


def test_values_below_nothing_are_no_black(tmp_path):
    """As of a computer tomograph: -100 is black, 200 white."""
    full = survey(_folder(tmp_path / "full", _whole(65_535)))
    found = survey(_folder(tmp_path / "part", _real))
    low, high = found.pictures.greys.black, found.pictures.greys.white
    assert low == pytest.approx(-100, abs=1) and high == pytest.approx(200, abs=1)
    assert np.abs(found.thumbs.astype(int) - full.thumbs).max() <= 3
    assert found.notes[0].startswith("The values of deep grey pictures go from -")


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], None),
        ([Span("colour", 0, 200)], None),
        ([Span("whole", 0, 255)], Greys(0, 255)),
        ([Span("whole", 0, 256), Span("whole", 5, 300)], Greys(0, 1023)),
        ([Span("whole", 0, 900), Span("whole", 0, 40_000)], Greys(0, 65_535)),
        ([Span("whole", 0, 70_000)], Greys(0, 70_000)),
        ([Span("real", 0, 0.4)], Greys(0, 1)),
        ([Span("real", 0, 0.4), Span("real", 0, 200)], Greys(0, 255)),
        ([Span("whole", -1000, 3000)], Greys(-1000, 3000)),
    ],
)
def test_the_rule_is_the_fewest_bits_that_hold_all(spans, expected):
    assert Greys.of_folder(spans) == expected


def _deep_colour(white: int, scene: np.ndarray) -> bytes:
    """A PNG of 16 bits a colour, which Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    values = np.rint(np.stack([scene, scene**2, 1 - scene], 2) * white).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", scene.shape[1], scene.shape[0], 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_deep_colours_that_do_not_fill_their_file_are_not_read_as_night(tmp_path):
    def write(white):
        return lambda path, scene: path.write_bytes(_deep_colour(white, scene))

    assert survey(_folder(tmp_path / "full", write(65_535))).skipped == ()
    _folder(tmp_path / "part", write(4095))
    for at in range(12):
        (tmp_path / "part" / ("round", "square")[at % 2] / f"plain{at}.jpg").write_bytes(
            save(Image.fromarray((255 * _scene(at)).astype(np.uint8)), "JPEG")
        )
    found = survey(tmp_path / "part")
    assert len(found.files) == 12
    assert skipped(found)[photo_folder.DARK][0] == 12


# -------------------------------------------------------------------------------------------- memory

MEASURE = """
import resource, sys
from influence_core.data.readers.photographs import read_photo
content = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_photo(content, 64)
except Exception as error:
    print(error, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""

LARGE = {
    "opaque": ("RGB", "PNG", 49, {}, True),
    "transparent": ("RGBA", "PNG", 40, {}, True),
    "greys of 16 bits": ("I;16", "PNG", 49, {}, True),
    "JPEG": ("RGB", "JPEG", 64, {}, True),
    "progressive JPEG": ("RGB", "JPEG", 64, {"progressive": True, "subsampling": 0}, False),
    "65 million pixels": ("RGB", "PNG", 64, {}, False),
    "JPEG 2000": ("RGB", "JPEG2000", 9, {}, True),
    "larger JPEG 2000": ("RGB", "JPEG2000", 16, {}, False),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGE)
def test_a_large_picture_is_read_in_bounded_memory_or_refused(kind, tmp_path):
    mode, format, millions, options, is_read = LARGE[kind]
    side = int((millions * 1e6) ** 0.5)
    grey = Image.linear_gradient("L").resize((side, side))
    image = (
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.merge(mode, [grey] * len(mode))
    )
    image.save(tmp_path / "large", format, **options)
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "large")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert int(ran.stdout) * 1024 < 1.1 * MAX_MEMORY
    assert (ran.stderr == "") == is_read
    assert is_read or f"at most {MAX_MEMORY // 10**6} MB are spent. Make it smaller" in ran.stderr


def test_a_picture_that_takes_too_much_memory_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(picture_files, "MAX_MEMORY", 10**6)
    content = save(Image.new("RGB", (600, 500)))
    with pytest.raises(PictureError, match="600 x 500 pixels, which as PNG take 1 MB to unpack") as refusal:
        read_photo(content, 32)
    assert refusal.value.reason == "pictures that take more than 1 MB to unpack"


def test_a_transparent_picture_shrunk_in_bands_is_the_same_picture(monkeypatch):
    across = np.linspace(0, 255, 700)
    image = Image.fromarray(
        np.stack(
            [np.broadcast_to(across, (500, 700))] * 3 + [np.broadcast_to(across[::-1], (500, 700))], 2
        ).astype(np.uint8)
    )
    whole = read_photo(save(image), 32)
    monkeypatch.setattr("influence_core.data.readers.photographs.LARGE", 0)
    monkeypatch.setattr("influence_core.data.readers.photographs.BAND", 9_000)
    assert np.abs(read_photo(save(image), 32).astype(int) - whole).max() <= 2


def test_a_long_thin_transparent_picture_is_refused_before_it_is_copied(monkeypatch):
    monkeypatch.setattr(picture_files, "MAX_MEMORY", 10**7)
    content = save(Image.new("RGBA", (20_000, 60)))
    with pytest.raises(PictureError, match="20000 x 60 pixels, which as PNG take 14 MB"):
        read_photo(content, 32)


def test_a_heic_without_its_plugin_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(picture_files, "_reads_heic", lambda: False)
    with pytest.raises(PictureError, match="HEIC, as iPhones take them. Save it as JPEG, or .* pillow-heif"):
        read_photo(b"\0\0\0\x18ftypheic" + bytes(40), 32)
