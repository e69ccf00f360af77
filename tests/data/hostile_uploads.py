"""Uploads that mean harm, or that break in transit: what each is, and how its bytes are made.

Every maker returns a whole file. Nothing here is downloaded, and no file is larger than the form takes.
"""

import gzip
import io
import json
import pickle
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from tests.data.test_archives import packed, packed_entries, pets, plain
from tests.data.test_image_folder import picture

MARK = "evil-7f3a"
"""In the name of every file that must not be made."""
Maker = Callable[[], bytes]


def zipped(entries: list[tuple[zipfile.ZipInfo, bytes]], good: bool = True) -> bytes:
    """A zip of such entries, beside pictures that can be used."""
    more = [(zipfile.ZipInfo(name), content) for name, content in pets().items()] if good else []
    return packed_entries([*entries, *more]).getvalue()


def of_names(*names: str) -> Maker:
    return lambda: zipped(plain(*names))


def of_kind(name: str, kind: int, target: bytes = b"") -> tuple[zipfile.ZipInfo, bytes]:
    """A link or a special file."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info, target


def changed(
    content: bytes, at_local: dict[int, bytes], at_central: dict[int, bytes], entry: int = 0
) -> bytes:
    """A zip with bytes changed in one entry's local header, and in what the list of files says of it."""
    held, start, central = bytearray(content), -1, -1
    for _ in range(entry + 1):
        start, central = held.find(b"PK\3\4", start + 1), held.find(b"PK\1\2", central + 1)
    for offset, value in at_local.items():
        held[start + offset : start + offset + len(value)] = value
    for offset, value in at_central.items():
        held[central + offset : central + offset + len(value)] = value
    return bytes(held)


def good() -> bytes:
    return packed(pets()).getvalue()


def zeros(sizes: list[int], name: str = "cats/{}.png") -> bytes:
    """Files of zeros, packed to a thousandth."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for at, size in enumerate(sizes):
            with archive.open(name.format(at), "w", force_zip64=True) as file:
                for done in range(0, size, 10**7):
                    file.write(bytes(min(10**7, size - done)))
    return out.getvalue()


def overlapping(entries: int, size: int) -> bytes:
    """Many entries that are all the same packed bytes, so that a few kilobytes are gigabytes."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(bytes(size)) + squeeze.flush()
    crc, name = zlib.crc32(bytes(size)), "cats/{:05d}.png"
    head = struct.pack("<5H3I2H", 20, 0, 8, 0, 0, crc, len(data), size, len(name.format(0)), 0)
    body = b"PK\3\4" + head + name.format(0).encode() + data
    listed = b"".join(
        b"PK\1\2"
        + struct.pack("<H", 20)
        + head
        + struct.pack("<3H2I", 0, 0, 0, 0, 0)
        + name.format(at).encode()
        for at in range(entries)
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, entries, entries, len(listed), len(body), 0)
    return body + listed + end


def quine() -> bytes:
    """A zip in a zip in a zip, forty deep."""
    content = good()
    for at in range(40):
        content = packed({f"cats/{at}.zip": content, f"dogs/{at}.png": picture(at)}).getvalue()
    return content


def zip64(count: int, size: int, offset: int) -> bytes:
    """A zip whose last records say such a length and place of its list of files."""
    content = good()
    last = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    where = struct.pack("<4sIQI", b"PK\6\7", 0, len(content), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content + last + where + end


ZIPS: dict[str, Maker] = {
    "slip": of_names(f"../{MARK}", f"cats/../../{MARK}", f"../../../../../../tmp/{MARK}"),
    "slip of Windows": of_names(f"..\\{MARK}", f"cats\\..\\..\\{MARK}", f"cats/..\\..\\{MARK}"),
    "slip in other signs": of_names(f"．．/{MARK}", f"..%2f{MARK}", f"..∕{MARK}", f"cats/. ./{MARK}", f"\u202e/../{MARK}"),
    "absolute": of_names(f"/tmp/{MARK}", f"//host/{MARK}", f"\\\\host\\{MARK}", f"/{MARK}", f"file:///tmp/{MARK}"),
    "drives": of_names(f"C:\\{MARK}", f"c:/{MARK}", f"C:{MARK}", f"\\\\?\\C:\\{MARK}", f"\\\\.\\{MARK}"),
    "a name that begins in the middle": of_names(f"~/{MARK}", f"$HOME/{MARK}", f"%TEMP%\\{MARK}"),
    "a NUL in the name": of_names(f"cats/a.png\0/../../{MARK}", f"cats\0/{MARK}", "\0"),
    "links": lambda: zipped(
        [of_kind("cats/etc", stat.S_IFLNK, b"/etc"), of_kind("cats/up", stat.S_IFLNK, b"../../.."), *plain(f"cats/up/{MARK}")]
    ),
    "a link to itself": lambda: zipped([of_kind("cats/me", stat.S_IFLNK, b"me"), of_kind("loop", stat.S_IFLNK, b".")]),
    "a link that is a folder": lambda: zipped([of_kind("out/", stat.S_IFLNK, b"/tmp"), *plain(f"out/{MARK}")]),
    "pipes, sockets and devices": lambda: zipped(
        [of_kind(f"cats/{at}.png", kind) for at, kind in enumerate((stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK))]
    ),
    "device names": of_names("cats/CON", "NUL.png", "cats/aux.png", "COM1", "lpt9.txt", "cats/prn/1.png", "CONIN$"),
    "streams": of_names("cats/a.png:evil", "cats/a.png::$DATA", "cats:evil/1.png"),
    "long names": of_names("x" * 4_000, "cats/" + "y" * 4_000 + ".png", "猫" * 1_300, "a/" * 2_000 + "b.png"),
    "longest name": lambda: zipped([(zipfile.ZipInfo("z" * 65_535), b"x")]),
    "a thousand folders deep": of_names("d/" * 1_000 + "x.png"),
    "names of dots and spaces": of_names("...", "cats/...", " ", "cats/ ", ". .", ".", "..", "cats/.."),
    "no name": of_names("", "/", "//", "\\"),
    "control signs": of_names("cats/\r\n\x1b[2J.png", "cats/\x07.png", "\x7f/1.png", "cats/\u202egnp.exe", "cats/\ufeff.png"),
    "lone halves of letters": lambda: changed(
        zipped([(zipfile.ZipInfo("cats/é\u00e9.png"), b"x")]), {30: b"cats/\xed\xa0"}, {46: b"cats/\xed\xa0"}
    ),
    "markup": of_names("cats/<script>alert(1)</script>.png", "<img src=x onerror=alert(1)>/1.png", "cats/[x](javascript:1).png"),
    "formulas": of_names("=cmd|' /C calc'!A0/1.png", "+1/1.png", "@SUM(1)/1.png"),
    "the same name many times": of_names(*["cats/a.png"] * 500),
    "the same name in other letters": of_names("cats/K.png", "cats/\u212a.png", "Cats/k.png", "cats/ﬁ.png", "cats/fi.png"),
    "a file that is a folder": of_names("cats/x", "cats/x/y.png", "dogs", "dogs/x.png", "birds/", "birds"),
    "10,000 entries": lambda: packed({f"c{at % 3}/{at}.png": b"x" for at in range(10_000)}).getvalue(),
    "2,000 folders": lambda: packed({f"{at}/1.png": b"x" for at in range(2_000)}).getvalue(),
    "65,536 empty entries": lambda: packed({f"cats/{at}": b"" for at in range(65_536)}, zipfile.ZIP_STORED).getvalue(),
    "many duplicates of one picture": lambda: packed(
        {f"{'cats' if at % 2 else 'dogs'}/{at}.png": picture(0) for at in range(300)}
    ).getvalue(),
    "bomb in one file": lambda: zeros([2 * 10**8]),
    "bomb of overlapping entries": lambda: overlapping(20_000, 10**6),
    "bomb in bombs": lambda: packed({"cats/1.zip": zeros([10**8]), "dogs/1.zip": zeros([10**8])}).getvalue(),
    "zips in zips": quine,
    "a comment as long as can be": lambda: good()[:-2] + struct.pack("<H", 0xFFFF) + b"PK\5\6" * 0x3FFF + b"PK\5",
    "encrypted": lambda: changed(good(), {6: b"\1\0"}, {8: b"\1\0"}),
    "encrypted throughout": lambda: good().replace(b"PK\3\4\x14\0\0\0", b"PK\3\4\x14\0\1\0").replace(
        b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"
    ),
    "encrypted by AES": lambda: changed(good(), {6: b"\1\0\x63\0"}, {8: b"\1\0\x63\0"}),
    "encrypted list": lambda: changed(good(), {6: b"\0\x20"}, {8: b"\0\x20"}),
    "half": lambda: good()[: len(good()) // 2],
    "without its end": lambda: good()[:-1],
    "without its beginning": lambda: good()[100:],
    "a picture before it": lambda: picture(1) + good(),
    "wrong checksum": lambda: changed(good(), {14: b"\0\0\0\0"}, {16: b"\0\0\0\0"}),
    "wrong sizes": lambda: changed(good(), {18: b"\1\0\0\0" * 2}, {20: b"\1\0\0\0" * 2}),
    "sizes of 4 GB": lambda: changed(good(), {18: b"\xff" * 8}, {20: b"\xff" * 8}),
    "a place beyond the end": lambda: changed(good(), {}, {42: b"\xff\xff\xff\x7f"}),
    "a place before the beginning": lambda: changed(good(), {}, {42: b"\xff\xff\xff\xff"}),
    "another name inside than listed": lambda: changed(zipped(plain("cats/longname.png")), {30: b"../../lo"}, {}),
    "unknown packing": lambda: changed(good(), {8: b"\x63\0"}, {10: b"\x63\0"}),
    "packing of another kind than listed": lambda: changed(good(), {8: b"\0\0"}, {10: b"\0\0"}),
    "LZMA": lambda: packed(pets(), zipfile.ZIP_LZMA).getvalue(),
    "zip64 with 2^63 entries": lambda: zip64(2**63, 10, 0),
    "zip64 with a list of 2^62 bytes": lambda: zip64(12, 2**62, 0),
    "zip64 with a place of 2^63": lambda: zip64(12, 500, 2**63),
    "zip64 that points to itself": lambda: zip64(12, 500, len(good())),
    "extra fields that lie": lambda: zipped([(_with_extra(b"\x01\0\xff\xff" + b"x" * 20), b"x"), (_with_extra(b"up\xff\x7f"), b"x")]),
    "a unicode name that leads out": lambda: zipped([(_with_unicode(f"../../{MARK}"), b"x")]),
    "links beside a label table": lambda: zipped([of_kind("labels.csv", stat.S_IFLNK, b"/etc/passwd")]),
    "gzip": lambda: gzip.compress(bytes(10**7)),
    "tar": lambda: b"cats/1.png".ljust(257, b"\0") + b"ustar".ljust(10**4, b"\0"),
    "nothing": lambda: b"",
    "noise": lambda: np.random.default_rng(0).bytes(10**6),
    "only ends": lambda: b"PK\5\6" * 10_000,
    "only lists": lambda: b"PK\1\2" * 10_000 + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 9, 9, 40_000, 0, 0),
}  # fmt: skip


def _with_extra(extra: bytes) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"cats/{len(extra)}.png")
    info.extra = extra
    return info


def _with_unicode(name: str) -> zipfile.ZipInfo:
    field = struct.pack("<BL", 1, zlib.crc32(b"cats/0.png")) + name.encode()
    info = zipfile.ZipInfo("cats/0.png")
    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
    return info


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, depth: int = 8, colour: int = 2, *more: bytes, rows: int | None = None
) -> bytes:
    """A PNG of zeros, of any size for a few kilobytes."""
    bits = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth
    squeeze, size = zlib.compressobj(1), (1 + (width * bits + 7) // 8) * (height if rows is None else rows)
    parts = [squeeze.compress(bytes(min(10**6, size - done))) for done in range(0, size, 10**6)]
    body = b"".join(parts) + squeeze.flush()
    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def saved(mode: str, size: tuple[int, int], format: str, colour: object = 0, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, format, **options)  # type: ignore[arg-type]
    return out.getvalue()


def frames(format: str, count: int, side: int) -> bytes:
    """An animation."""
    out = io.BytesIO()
    made = [Image.new("RGB", (side, side), (at % 256, at // 256, 0)) for at in range(count)]
    made[0].save(out, format, save_all=True, append_images=made[1:])
    return out.getvalue()


def tiff(width: int, height: int, offset: int, next_page: int, bits: int = 8) -> bytes:
    """A TIFF whose only strip lies at an offset and says it holds everything."""
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, offset),
        (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 0xFFFFFFFF),
    ]  # fmt: skip
    listed = b"".join(struct.pack("<2H2I", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + listed + struct.pack("<I", next_page) + bytes(100)


def broken(format: str, at: float) -> bytes:
    content = bytearray(picture(3, format, (200, 180)))
    content[int(len(content) * at) :] = bytes(len(content) - int(len(content) * at))
    return bytes(content)


ENTITIES = "".join(f'<!ENTITY a{at + 1} "{f"&a{at};" * 10}">' for at in range(10))
PICTURES: dict[str, Maker] = {
    "PNG bomb of 1 bit": lambda: png(60_000, 60_000, 1, 0, rows=99),
    "PNG of 2^31 pixels a side": lambda: png(8, 8)[:16] + struct.pack(">2I", 2**31 - 1, 2**31 - 1) + png(8, 8)[24:],
    "largest PNG in colour": lambda: png(7_000, 7_000, 8, 2),
    "largest PNG with transparency": lambda: png(7_000, 7_000, 8, 6),
    "largest PNG of 16 bits": lambda: png(7_000, 7_000, 16, 2),
    "largest PNG in 65 million greys": lambda: png(8_062, 8_062, 8, 0),
    "PNG of 1 pixel by 60,000,000": lambda: png(60_000_000, 1, 1, 0),
    "PNG of 8 by 8,000,000": lambda: png(8, 8_000_000, 8, 0),
    "PNG without pixels": lambda: png(100, 100, rows=0),
    "PNG of no size": lambda: png(8, 8)[:16] + bytes(8) + png(8, 8)[24:],
    "PNG with a bomb in its words": lambda: png(100, 100, 8, 2, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8), 1))),
    "PNG with a bomb as colour profile": lambda: png(100, 100, 8, 2, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8), 1))),
    "PNG with a chunk of 4 GB": lambda: png(100, 100)[:33] + b"\xff\xff\xff\xffIDAT" + bytes(100),
    "PNG with wrong checksums": lambda: png(100, 100).replace(b"IDAT", b"IDAT\0"),
    "PNG with a palette too short": lambda: png(100, 100, 8, 3, chunk(b"PLTE", b"\0\0\0")),
    "animated PNG that lies": lambda: png(100, 100, 8, 2, chunk(b"acTL", struct.pack(">2I", 2**31 - 1, 0))),
    "half a PNG": lambda: broken("PNG", 0.5),
    "largest JPEG": lambda: saved("RGB", (8_062, 8_062), "JPEG"),
    "largest progressive JPEG": lambda: saved("RGB", (8_062, 8_062), "JPEG", progressive=True),
    "JPEG of CMYK": lambda: saved("CMYK", (6_000, 6_000), "JPEG", (1, 2, 3, 4)),
    "JPEG of 65,535 pixels a side": lambda: _jpeg_of(65_535, 65_535),
    "JPEG of no height": lambda: _jpeg_of(100, 0),
    "half a JPEG": lambda: broken("JPEG", 0.5),
    "JPEG with an endless note": lambda: saved("RGB", (100, 100), "JPEG")[:2] + b"\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\1\3\0\1\0\0\0\6\0\0\0" * 5_000,
    "WebP of 16,383 pixels a side": lambda: _webp_of(16_383, 16_383),
    "large WebP": lambda: saved("RGB", (5_000, 4_000), "WEBP", lossless=True),
    "largest WebP that is read": lambda: saved("RGBA", (3_500, 3_500), "WEBP", lossless=True),
    "half a WebP": lambda: broken("WEBP", 0.5),
    "animated WebP": lambda: frames("WEBP", 600, 64),
    "large AVIF": lambda: saved("RGB", (4_000, 4_000), "AVIF", speed=10),
    "half an AVIF": lambda: broken("AVIF", 0.5),
    "AVIF whose boxes are endless": lambda: b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + struct.pack(">I4sQ", 1, b"meta", 2**63 - 1),
    "TIFF of 2^32 pixels a side": lambda: tiff(2**32 - 1, 2**32 - 1, 8, 0),
    "TIFF with a strip beyond the end": lambda: tiff(1_000, 1_000, 2**31, 0),
    "TIFF in a circle": lambda: tiff(100, 100, 8, 8),
    "large TIFF, packed": lambda: saved("RGB", (7_000, 7_000), "TIFF", compression="tiff_lzw"),
    "deep TIFF": lambda: saved("F", (6_000, 6_000), "TIFF", compression="tiff_deflate"),
    "half a TIFF": lambda: broken("TIFF", 0.5),
    "GIF of 65,535 pixels a side": lambda: b"GIF89a" + struct.pack("<2H3B", 65_535, 65_535, 0x80, 0, 0) + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\2\2\x4c\1\0;",
    "animated GIF": lambda: frames("GIF", 3_000, 32),
    "GIF whose frame lies outside": lambda: b"GIF89a" + struct.pack("<2H3B", 64, 64, 0x80, 0, 0) + bytes(6) + struct.pack("<c4HB", b",", 60_000, 60_000, 64, 64, 0) + b"\2\2\x4c\1\0;",
    "BMP of negative size": lambda: b"BM" + struct.pack("<IHHIIiiHHIIIIII", 60, 0, 0, 54, 40, -50_000, -50_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "JPEG 2000 of 2^32 pixels a side": lambda: saved("RGB", (64, 64), "JPEG2000", no_jp2=True).replace(struct.pack(">II", 64, 64), b"\x7f\xff\xff\xff" * 2, 1),
    "large JPEG 2000": lambda: saved("RGB", (3_000, 3_000), "JPEG2000"),
    "PPM of 99,999 pixels a side": lambda: b"P6 99999 99999 255\n" + bytes(1_000),
    "PPM in endless digits": lambda: b"P3 " + b"9" * 10**6 + b" 8 255\n",
    "SVG of a billion laughs": lambda: f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a0 "ha">{ENTITIES}]><svg>&a10;</svg>'.encode(),
    "SVG that asks the net": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("//evil.example")</script><image href="http://evil.example/p.png"/></svg>',
    "SVG of a file": lambda: b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(%pipe%touch /tmp/" + MARK.encode() + b") (w) file\n",
    "HEIC": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    "icon of the wrong size": lambda: b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0\xff\xff\xff\xff\x16\0\0\0" + bytes(50),
    "film": lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(10**6),
    "zeros": lambda: bytes(10**6),
    "the longest file": lambda: picture(1) + bytes(50 * 10**6 - 10_000),
}  # fmt: skip


def _jpeg_of(width: int, height: int) -> bytes:
    content = bytearray(saved("RGB", (64, 64), "JPEG"))
    at = content.find(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">2H", height, width)
    return bytes(content)


def _webp_of(width: int, height: int) -> bytes:
    content = bytearray(saved("RGB", (64, 64), "WEBP"))
    at = content.find(b"\x9d\x01\x2a") + 3
    content[at : at + 4] = struct.pack("<2H", width, height)
    return bytes(content)


MOST = 50 * 10**6 - 1_000
ROWS = b"".join(b"%d,%d,yes\n%d,%d,no\n" % (at, 7 * at % 31, at, 5 * at % 17) for at in range(40))
NAMED = b"age,size,bought\n"


def wide(columns: int, rows: int, cell: bytes = b"1") -> bytes:
    names = b",".join(b"c%d" % at for at in range(columns))
    return (
        names
        + b"\n"
        + b"".join(b",".join([cell] * (columns - 1)) + b",%d\n" % (at % 2) for at in range(rows))
    )


TABLES: dict[str, Maker] = {
    "NUL bytes": lambda: NAMED + ROWS.replace(b"yes", b"y\0s"),
    "NUL bytes alone": lambda: bytes(10**6),
    "a million columns": lambda: wide(10**6, 2),
    "a million names, short rows": lambda: wide(10**6, 1)[: 8 * 10**6] + b"\n1,2\n" * 100,
    "one line of 50 MB": lambda: b"a" * MOST,
    "one row of 50 MB": lambda: b"a,b\n" + b"1," * (MOST // 2),
    "only quotation marks": lambda: b'"' * MOST,
    "only separators": lambda: b"," * MOST,
    "only line ends": lambda: b"\n" * MOST,
    "200,000 cells": lambda: b",".join(b"c%d" % at for at in range(20)) + b"\n" + b"".join(b"%d," % at * 19 + b"%d\n" % (at % 2) for at in range(10_000)),
    "200,000 cells that differ": lambda: b",".join(b"c%d" % at for at in range(20)) + b"\n" + b"".join(b"%d.5," % at * 19 + b"%d\n" % (at % 2) for at in range(10_000)),
    "12 million rows": lambda: b"a,b\n" + b"1,0\n1,1\n" * (MOST // 8),
    "300,000 different rows": lambda: b"a,b,c\n" + b"".join(b"%d,%d.5,%d\n" % (at, at, at % 2) for at in range(300_000)),
    "a million blank lines": lambda: NAMED + b"\n" * (10**6 - 200) + ROWS,
    "1,000 columns": lambda: wide(1_000, 2_000),
    "texts that all differ": lambda: b"a,b\n" + b"".join(b"n%dx,%d\n" % (at, at % 2) for at in range(300_000)),
    "an unclosed quotation mark": lambda: NAMED + b'1,2,"yes\n' + ROWS,
    "an unclosed quotation mark, 50 MB": lambda: NAMED + b'"' + ROWS * (MOST // len(ROWS) - 1),
    "text after a quotation mark": lambda: NAMED + b'1,"2"x,yes\n' + ROWS,
    "quotation marks in quotation marks": lambda: NAMED + b'1,"' + b'""' * 10**6 + b'",yes\n' + ROWS,
    "a cell beyond the reader's limit": lambda: NAMED + b"1," + b"9" * 200_000 + b",yes\n" + ROWS,
    "old line ends": lambda: (NAMED + ROWS).replace(b"\n", b"\r"),
    "mixed line ends": lambda: (NAMED + ROWS).replace(b"\n", b"\r\n", 20).replace(b"no\n", b"no\r"),
    "line breaks in cells": lambda: NAMED + ROWS.replace(b"yes", b'"ye\ns"'),
    "a line that names the separator": lambda: b"sep=;\n" + (NAMED + ROWS).replace(b",", b";"),
    "lines above the header": lambda: b"Sales 2024,,\n\n,,\n" + NAMED + ROWS,
    "no header": lambda: ROWS,
    "rows longer than the header": lambda: NAMED + ROWS.replace(b"yes", b"yes,1"),
    "separators at the ends": lambda: (NAMED + ROWS).replace(b"\n", b",,,\n"),
    "blank ends": lambda: NAMED + ROWS + b",,\n" * 1_000 + b"\n" * 10_000,
    "a header alone": lambda: NAMED,
    "a mark alone": lambda: b"\xef\xbb\xbf",
    "spaces alone": lambda: b" " * 10**6,
    "formulas": lambda: b"=cmd|' /C calc'!A0,@x,bought\n" + ROWS.replace(b"yes", b"=1+1").replace(b"no", b"-2+3"),
    "names of formats": lambda: b"{0.__class__},%s%n,__dict__\n" + ROWS.replace(b"yes", b"{label}"),
    "numbers without end": lambda: NAMED + b"1e999999,1,yes\n-1e999999,nan,no\ninf,-inf,yes\n" + ROWS,
    "numbers of 10,000 digits": lambda: NAMED + b"9" * 10_000 + b"," + b"9" * 60 + b",yes\n" + ROWS,
    "numbers at the edge": lambda: NAMED + b"1.7e308,5e-324,yes\n-1.7e308,4.9e-324,no\n" * 20,
    "cells that make patterns slow": lambda: NAMED + (b"1" * 59 + b"x," + b"1 " * 29 + b"x,yes\n" + b"'" * 59 + b",1,no\n") * 20_000,
    "names that make patterns slow": lambda: b"_" * 100_000 + b"," + b"a " * 50_000 + b",bought\n" + ROWS,
    "the same names": lambda: b"a,a,a\n" + ROWS,
    "names that differ by spaces": lambda: b"a,a ,\xc2\xa0a\n" + ROWS,
    "50,000 labels": lambda: b"a,b\n" + b"".join(b"%d,l%d\n" % (at % 7, at) for at in range(50_000)),
    "labels that only seem alike": lambda: b"a,b\n" + "".join(f"{at},ﬁ{'İ' * (at % 3)}\n{at},FI\n" for at in range(40)).encode(),
    "UTF-16 cut short": lambda: (NAMED + ROWS).decode().encode("utf-16")[:-1],
    "UTF-16 that is none": lambda: b"\xff\xfe" + NAMED + ROWS,
    "UTF-32": lambda: (NAMED + ROWS).decode().encode("utf-32"),
    "UTF-7": lambda: NAMED + b"+ADw-script+AD4-,1,yes\n" + ROWS,
    "lone halves of letters": lambda: NAMED + b"\xed\xa0\x80,1,yes\n" + ROWS,
    "bytes of no encoding": lambda: NAMED + bytes(range(128, 256)) + b",1,yes\n" + ROWS,
    "noise": lambda: np.random.default_rng(0).bytes(10**6),
    "a zip": good,
    "a workbook": lambda: packed({"xl/workbook.xml": b"x", "[Content_Types].xml": b"x"}).getvalue(),
    "an old workbook": lambda: b"\xd0\xcf\x11\xe0" + bytes(10**4),
    "gzip": lambda: gzip.compress(NAMED + ROWS),
    "a picture": lambda: picture(0),
    "a web page": lambda: b"<html><table><tr><td>1</td><td>2</td></tr></table></html>\n" * 100,
    "JSON": lambda: json.dumps([{"a": 1, "b": "yes"}] * 50).encode(),
    "a pickle": lambda: pickle.dumps(Evil()),
    "marks that turn text around": lambda: "a\u202e,b\u2066,bought\n".encode() + ROWS,
    "too much": lambda: b"a,b\n" * (13 * 10**6),
}  # fmt: skip


class Evil:
    """Reading this as a pickle would make a file."""

    def __reduce__(self) -> tuple:
        return open, (f"/tmp/{MARK}", "w")


def torch_saved(value: object) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(value, out)
    return out.getvalue()


def safetensors(header: object, content: bytes = bytes(64), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def tensor(dtype: object = "F32", shape: object = (4, 4), offsets: object = (0, 64)) -> dict:
    return {"weight": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def script() -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(4, 4)), out)
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, header=np.array([Evil()], dtype=object))
    return out.getvalue()


WEIGHTS: dict[str, tuple[str, Maker]] = {
    "a pickle": (".pt", lambda: pickle.dumps(Evil())),
    "a pickle inside": (".pth", lambda: torch_saved({"weight": Evil()})),
    "a whole network": (".bin", lambda: torch_saved(torch.nn.Linear(4, 4))),
    "TorchScript": (".pt", script),
    "objects in npz": (".pt", npz),
    "objects in npy": (".ckpt", lambda: b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60 + b"\n" + pickle.dumps(Evil())),
    "half": (".pth", lambda: torch_saved({"weight": torch.zeros(4, 4)})[:200]),
    "nothing": (".pt", lambda: b""),
    "noise": (".pth", lambda: np.random.default_rng(0).bytes(10_000)),
    "a list of itself": (".pt", lambda: torch_saved(_circle())),
    "numbers that are none": (".pt", lambda: torch_saved({"weight": torch.full((4, 4), float("nan")), "bias": "x"})),
    "a header of 2^63 bytes": (".safetensors", lambda: safetensors({}, length=2**63)),
    "a header of 99 MB": (".safetensors", lambda: safetensors({}, length=99 * 2**20)),
    "a header that is none": (".safetensors", lambda: safetensors(b"\xff" * 100)),
    "a header that is a list": (".safetensors", lambda: safetensors([1, 2, 3])),
    "a header nested without end": (".safetensors", lambda: safetensors(b"[" * 10**6)),
    "numbers outside the file": (".safetensors", lambda: safetensors(tensor(offsets=(0, 2**62)))),
    "numbers before the file": (".safetensors", lambda: safetensors(tensor(offsets=(-64, 0)))),
    "another shape than numbers": (".safetensors", lambda: safetensors(tensor(shape=(2**31, 2**31)))),
    "a shape without numbers": (".safetensors", lambda: safetensors(tensor(shape=(2**31, 2**31), offsets=(0, 0)))),
    "a shape that is no shape": (".safetensors", lambda: safetensors(tensor(shape="4x4"))),
    "an unknown type": (".safetensors", lambda: safetensors(tensor(dtype="F8_E4M3"))),
    "no facts": (".safetensors", lambda: safetensors({"weight": None})),
    "ten thousand names": (".safetensors", lambda: safetensors({f"w{at}": tensor()["weight"] for at in range(10_000)})),
}  # fmt: skip


def _circle() -> list:
    held: list = []
    held.append(held)
    return held


def idx(kind: int, dimensions: int, shape: tuple[int, ...], content: bytes) -> bytes:
    return bytes((0, 0, kind, dimensions)) + b"".join(struct.pack(">I", one) for one in shape) + content


def idx_zip(images: bytes, labels: bytes, packed_by: Callable[[bytes], bytes] = bytes) -> bytes:
    end = "" if packed_by is bytes else ".gz"
    return packed(
        {
            f"train-images-idx3-ubyte{end}": packed_by(images),
            f"train-labels-idx1-ubyte{end}": packed_by(labels),
        }
    ).getvalue()


def labelled(table: str, *more: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    """Pictures in a row, with a table that says what is on each."""
    flat = [(zipfile.ZipInfo(f"{at}.png"), picture(at)) for at in range(12)]
    return packed_entries([(zipfile.ZipInfo("labels.csv"), table.encode()), *flat, *more]).getvalue()


def texts(count: int, one: Callable[[int], bytes]) -> bytes:
    return packed({f"{'ham' if at % 2 else 'spam'}/{at}.txt": one(at) for at in range(count)}).getvalue()


TWELVE = bytes(at % 3 for at in range(12))
SETS: dict[str, Maker] = {
    "idx of 2^32 pictures": lambda: idx_zip(idx(8, 3, (2**32 - 1, 2**32 - 1, 2**32 - 1), bytes(100)), idx(8, 1, (12,), TWELVE)),
    "idx of fewer numbers than said": lambda: idx_zip(idx(8, 3, (12, 28, 28), bytes(100)), idx(8, 1, (12,), TWELVE)),
    "idx of no pictures": lambda: idx_zip(idx(8, 3, (0, 28, 28), b""), idx(8, 1, (0,), b"")),
    "idx of empty pictures": lambda: idx_zip(idx(8, 3, (12, 0, 28), b""), idx(8, 1, (12,), TWELVE)),
    "idx of another type": lambda: idx_zip(idx(14, 3, (12, 28, 28), bytes(12 * 784 * 8)), idx(8, 1, (12,), TWELVE)),
    "idx of five dimensions": lambda: idx_zip(idx(8, 255, (12,) * 255, b""), idx(8, 1, (12,), TWELVE)),
    "idx with a bomb": lambda: idx_zip(idx(8, 3, (12, 28, 28), bytes(3 * 10**8)), idx(8, 1, (12,), TWELVE), lambda one: gzip.compress(one, 1)),
    "idx to the limit": lambda: idx_zip(idx(8, 3, (250_000, 28, 28), bytes(196 * 10**6)), idx(8, 1, (250_000,), bytes(range(250)) * 1_000), lambda one: gzip.compress(one, 1)),
    "idx of damaged gzip": lambda: idx_zip(idx(8, 3, (12, 28, 28), bytes(12 * 784)), idx(8, 1, (12,), TWELVE), lambda one: gzip.compress(one)[:-9]),
    "labels of files outside": lambda: labelled("file,label\n" + "".join(f"../../../etc/passwd,a\n/etc/hosts,b\n..\\{at}.png,c\n" for at in range(6))),
    "labels of files here and outside": lambda: labelled("file,label\n../secret.txt,a\n" + "".join(f"{at}.png,{'ab'[at % 2]}\n" for at in range(12))),
    "labels that are paths": lambda: labelled("file,label\n" + "".join(f"{at}.png,../{'ab'[at % 2]}\n" for at in range(12))),
    "labels in an endless cell": lambda: labelled("file,label\n0.png,\"" + "x" * 10**6),
    "a label of 100,000 letters": lambda: labelled("file,label\n" + "".join(f"{at}.png,{'ab'[at % 2] * 100_000}\n" for at in range(12))),
    "2,000 tiny pictures": lambda: packed({f"c{at % 2}/{at}.png": png(8, 8) for at in range(2_000)}).getvalue(),
}  # fmt: skip
TEXTS: dict[str, Maker] = {
    "99 MB of texts in wide letters": lambda: texts(99, lambda at: "猫🐈 ".encode() + b"ab cd " * 166_000),
    "99 MB of one word": lambda: texts(99, lambda at: b"w" * 999_000),
    "texts in wide letters to the limit": lambda: texts(24, lambda at: "猫🐈 ".encode() + b"abcdefgh%d ijklmn " % at * 50_000),
    "words that all differ": lambda: texts(30, lambda at: b" ".join(b"w%dx%d" % (at, one) for one in range(50_000))),
    "mails in mails": lambda: texts(24, _nested_mail),
    "a mail of 2,000 parts": lambda: texts(24, lambda at: b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: text/plain\n\nhello there\n" * 2_000 + b"--b--\n"),
    "a mail in an unknown letter set": lambda: texts(24, lambda at: b"Subject: =?evil?B?////?=\nContent-Type: text/plain; charset=\"../../etc\"\nContent-Transfer-Encoding: base64\n\n" + b"/" * 1_000),
    "HTML without end": lambda: texts(24, lambda at: b"Subject: x\nContent-Type: text/html\n\n" + b"<" * 30_000 + b"<a " * 10_000),
    "texts of NUL bytes": lambda: texts(24, lambda at: bytes(10_000)),
    "noise": lambda: texts(24, lambda at: np.random.default_rng(at).bytes(10_000)),
    "one letter marked 40,000 times": lambda: texts(24, lambda at: b"e" + "\u0301".encode() * 40_000),
}  # fmt: skip


def _nested_mail(at: int) -> bytes:
    content = b"Subject: x\n\nhello\n"
    for level in range(100):
        content = b"Subject: x\nContent-Type: multipart/mixed; boundary=b%d\n\n--b%d\nContent-Type: message/rfc822\n\n%b\n--b%d--\n" % (
            level, level, content, level,
        )  # fmt: skip
    return content
