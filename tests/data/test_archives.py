"""An uploaded zip: every attack is reported, stays inside its folder, and takes little memory."""

import io
import os
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest

from influence_core.data.brought.photo_folder import survey
from influence_core.data.readers import archives
from influence_core.data.readers.archives import unpack
from influence_core.data.readers.encodings import FOR_NAMES
from influence_core.errors import Cancelled, DataError
from tests.data.test_image_folder import picture

ROOT = Path(__file__).resolve().parents[2]


def packed(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    return packed_entries([(zipfile.ZipInfo(name), content) for name, content in files.items()], compression)


def packed_entries(entries, compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # duplicate names are meant
        for info, content in entries:
            archive.writestr(info, content, compression)
    file.seek(0)
    return file


def pets(count: int = 6, top: str = "") -> dict[str, bytes]:
    return {
        f"{top}{label}/{at}.png": picture(at + 50 * (label == "cats"))
        for label in ("cats", "dogs")
        for at in range(count)
    }


@pytest.fixture
def place(tmp_path):
    """Where to unpack; afterwards nothing may lie beside it."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret.txt").write_text("untouched")
    yield home / "own"
    assert [one.name for one in tmp_path.iterdir() if one != home] == ["secret.txt"]
    assert (tmp_path / "secret.txt").read_text() == "untouched"
    assert [one.name for one in home.iterdir()] in ([], ["own"])


def inside(place: Path) -> dict[str, bytes]:
    """Every plain file that was unpacked; nothing else but folders may be there."""
    found = {}
    for path in place.rglob("*"):
        assert not path.is_symlink() and (path.is_dir() or path.is_file())
        if path.is_file():
            found[path.relative_to(place).as_posix()] = path.read_bytes()
    return found


def reasons(report) -> dict[str, int]:
    return {one.reason: one.count for one in report.skipped}


def test_what_was_packed_comes_out(place):
    report = unpack(packed(pets()), place)
    assert inside(place) == pets()
    assert (report.folder, report.files, report.skipped) == (place, 12, ())
    assert report.size == sum(map(len, pets().values()))
    assert len(survey(report.folder).files) == 12


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_on_disk(place, tmp_path_factory, compression):
    path = tmp_path_factory.mktemp("sent") / "pets.zip"
    path.write_bytes(packed(pets(), compression).getvalue())
    assert unpack(path, place).files == 12


@pytest.mark.parametrize("top", ["pets/", "a/b/"])
def test_a_folder_that_wraps_all_is_stepped_into(place, top):
    extra = {
        "__MACOSX/._pets": b"x",
        f"{top}.DS_Store": b"x",
        f"{top}cats/Thumbs.db": b"x",
        "@eaDir/x/y": b"x",
    }
    report = unpack(packed(extra | pets(top=top)), place)
    assert report.folder == place / top
    assert inside(report.folder) == pets()
    assert [(one.reason, one.count) for one in report.skipped] == [("hidden files", 4)]


def test_a_single_class_is_not_stepped_into(place):
    report = unpack(packed({"cats/1.png": picture(1)}), place)
    assert report.folder == place
    with pytest.raises(DataError, match="only one: “cats”"):
        survey(report.folder)


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def pipe(name: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFIFO | 0o644) << 16
    return info, b""


def plain(*names: str) -> list[tuple[zipfile.ZipInfo, bytes]]:
    return [(zipfile.ZipInfo(name), b"evil") for name in names]


LEADS_OUT = "names that lead out of the folder"
ATTACKS = {
    "..": (plain("../evil.txt", "cats/../../evil.txt", "..", "cats/.."), {LEADS_OUT: 4}),
    "Windows' ..": (plain("..\\evil.txt", "cats\\..\\..\\evil.txt"), {LEADS_OUT: 2}),
    "absolute": (plain("/evil.txt", "//host/evil.txt", "\\\\host\\evil.txt"), {LEADS_OUT: 3}),
    "drives": (plain("C:\\evil.txt", "c:/evil.txt", "C:evil.txt"), {LEADS_OUT: 3}),
    "links": (
        [link("cats/etc", "/etc"), link("cats/up.png", "../../../secret.txt"), *plain("cats/etc/passwd")],
        {"links and special files": 2},
    ),
    "special files": ([pipe("cats/pipe.png")], {"links and special files": 1}),
    "nested": (
        plain("cats/more.zip", "more.ZIP", "a.tar.gz", "b.7z", "c.rar"),
        {"archives inside the archive": 5},
    ),
    "long": (
        plain("cats/" + "x" * 201 + ".png", "é" * 101, "a/" * 4 + "x" * 500, "?" * 67),
        {"names that are too long": 4},
    ),
    "deep": (plain("a/" * 8 + "x.png"), {"files more than 8 folders deep": 1}),
    "twice": (
        plain("cats/a.png", "cats/a.png", "cats//a.png", "cats/./a.png"),
        {"names that were there before": 3},
    ),
    "capitals": (plain("cats/a.png", "Cats/A.png", "CATS/a.PNG"), {"names that were there before": 2}),
    "a file and a folder": (
        plain("cats/a.png", "cats/a.png/b.png", "birds/x/y.png", "birds/x", "Birds"),
        {"names that were there before": 3},
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_reported_and_stay_inside(place, name):
    entries, wanted = ATTACKS[name]
    good = [(zipfile.ZipInfo(one), content) for one, content in pets().items()]
    report = unpack(packed_entries([*entries, *good]), place)
    assert reasons(report) == wanted
    assert pets().items() <= inside(place).items() or any(one.isupper() for one in inside(place))


def test_signs_that_some_computer_forbids_are_replaced_by_their_look_alikes(place):
    names = ["cats/NUL", "con.png", "cats/a:b.png", "a\x01b", "cats/dot. ", 'x"<y>|*/what?', "Com1.txt/x. "]
    assert unpack(packed(dict.fromkeys(names, b"x")), place).skipped == ()
    assert sorted(inside(place)) == sorted(
        [
            "cats/_NUL",
            "_con.png",
            "cats/a：b.png",
            "a_b",
            "cats/dot__",
            "x＂＜y＞｜＊/what？",
            "_Com1.txt/x__",
        ]
    )


OF_OTHER_COMPUTERS = {
    "cp866": ["Кошки/Мурка.png", "Собаки/Жучка.png"],
    "gb18030": ["小猫/一.png", "小狗/二.png"],
    "cp949": ["고양이/하나.png", "강아지/둘.png"],
    "cp932": ["表示/能力.png", "予定/ソ.png", "十人/構成.png"],
    "cp852": ["Źrebięta/Żabcia.png", "Kočičky/Říčka.png"],
    "cp437": ["Kätzchen/größer.png", "Hündchen/süß.png"],
}
"""Those of cp932 have a backslash as second byte."""


@pytest.mark.parametrize("slash", "/\\")
@pytest.mark.parametrize("encoding", OF_OTHER_COMPUTERS)
def test_names_of_other_computers_are_decoded_before_they_are_cut_into_folders(place, encoding, slash):
    names = OF_OTHER_COMPUTERS[encoding]
    sent = packed_raw([one.replace("/", slash).encode(encoding) for one in names])
    report = unpack(sent, place)
    assert sorted(inside(place)) == sorted(names)
    assert (report.skipped, report.encoding) == ((), encoding)


@pytest.mark.parametrize("encoding", [*OF_OTHER_COMPUTERS, "utf-8"])
def test_what_the_names_are_in_every_encoding_is_told(place, encoding):
    names = OF_OTHER_COMPUTERS.get(encoding, ["Żółw/1.png", "Świnka/2.png"])
    report = unpack(packed_raw([one.encode(encoding) for one in names]), place)
    first, shown = report.readings[0]
    parts = [part for one in names for part in one.removesuffix(".png").split("/") if not part.isascii()]
    assert first == encoding and shown.split(", ")[0].removesuffix(".png") == parts[0]
    assert sorted(dict(report.readings)) == sorted(FOR_NAMES), "and all the others, to choose from"


def test_a_chosen_encoding_is_that_of_all_names_that_do_not_say_theirs(tmp_path):
    raw = [one.encode("cp866") for one in OF_OTHER_COMPUTERS["cp866"]]
    entries = packed_raw(raw)
    guess = unpack(entries, tmp_path / "guess").readings[0][0]
    report = unpack(entries, tmp_path / "chosen", encoding="koi8_r")
    assert (guess, report.encoding, report.readings[0][0]) == ("cp866", "koi8_r", "cp866")
    assert sorted(inside(tmp_path / "chosen")) == sorted(one.decode("koi8_r") for one in raw)
    said = packed({"猫/1.png": b"x", "собака/1.png": b"x"})
    assert unpack(said, tmp_path / "said", encoding="cp932").encoding == ""
    assert sorted(inside(tmp_path / "said")) == ["собака/1.png", "猫/1.png"], "they say that they are UTF-8"
    with pytest.raises(DataError, match="no encoding 'klingon'"):
        unpack(entries, tmp_path / "none", encoding="klingon")


class RawName(zipfile.ZipInfo):
    def _encodeFilenameFlags(self):  # noqa: N802  # zipfile's
        return self.raw, 0


def packed_raw(names: list[bytes], extra: bytes = b"") -> io.BytesIO:
    """A zip whose names are these bytes, without a word about their encoding."""
    infos = []
    for name in names:
        info = RawName(name.decode("cp437"))
        info.raw, info.extra = name, extra
        infos.append((info, b"x"))
    return packed_entries(infos)


def test_a_name_that_is_said_twice_is_read_where_it_is_unicode(place):
    raw, name = b"?.png", "猫.png"
    field = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    unpack(packed_raw([raw], struct.pack("<HH", 0x7075, len(field)) + field), place)
    assert list(inside(place)) == [name]


def test_a_readme_beside_the_only_folder_is_skipped_and_said(place):
    beside = {"lies mich.txt": b"x", "export/LICENCE": b"x"}
    report = unpack(packed(beside | pets(top="export/tiere/")), place)
    assert report.folder == place / "export/tiere"
    assert reasons(report) == {"files outside the classes' folders": 2}
    assert len(survey(report.folder).files) == 12


def test_one_folder_in_two_spellings_is_one(place):
    unpack(packed({"Cats/1.png": b"1", "cats/2.png": b"2", "cats/sub/3.png": b"3"}), place)
    assert sorted(inside(place)) == ["Cats/1.png", "Cats/2.png", "Cats/sub/3.png"]


def test_unicode_names_in_both_ways_of_writing_them(place):
    unpack(packed(dict.fromkeys(["猫/1 🐈.png", "собаки/Рекс.png", "cats/Ka\u0308the.png"], b"x")), place)
    assert sorted(inside(place)) == ["cats/K\u00e4the.png", "собаки/Рекс.png", "猫/1 🐈.png"]


def test_utf8_names_that_do_not_say_so(place):
    content = bytearray(packed({"猫/1.png": b"x", "dogs/1.png": b"x"}).getvalue())
    at = content.find(b"PK\x01\x02")
    content[6:8] = content[at + 8 : at + 10] = struct.pack("<H", 0)  # as some programs pack
    unpack(io.BytesIO(bytes(content)), place)
    assert sorted(inside(place)) == ["dogs/1.png", "猫/1.png"]


def test_encrypted_files_are_reported(place):
    content = bytearray(packed({"cats/1.png": b"x"} | {"dogs/1.png": b"y"}).getvalue())
    at = content.find(b"PK\x01\x02")
    content[6] |= 1
    content[at + 8] |= 1
    report = unpack(io.BytesIO(bytes(content)), place)
    assert reasons(report) == {"encrypted files": 1}
    assert inside(place) == {"dogs/1.png": b"y"}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_unpacked_piece_by_piece_is_reported(place, method):
    with pytest.raises(DataError, match="No file could be unpacked.*2 × files packed in a rare way"):
        unpack(packed({"a/1.png": b"x", "b/1.png": b"x"}, method), place)


def test_damaged_files_are_reported(place):
    content = bytearray(
        packed({"cats/1.png": bytes(range(256)), "dogs/1.png": b"good"}, zipfile.ZIP_STORED).getvalue()
    )
    content[100] ^= 0xFF
    report = unpack(io.BytesIO(bytes(content)), place)
    assert reasons(report) == {"damaged files": 1}
    assert inside(place) == {"dogs/1.png": b"good"}


def test_flipped_bytes_give_files_or_a_message(tmp_path):
    content = packed(pets(2)).getvalue()
    for at in range(0, len(content), 13):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        into = tmp_path / str(at)
        try:
            unpack(io.BytesIO(bytes(damaged)), into)
            inside(into)
        except DataError:
            assert not into.exists()
    assert all(one.name.isdigit() for one in tmp_path.iterdir())


BROKEN = {
    "text": (lambda: io.BytesIO(b"this is no zip"), "not a zip"),
    "nothing": (lambda: io.BytesIO(b""), "not a zip"),
    "HTML": (lambda: io.BytesIO(b"<!doctype html>" * 10_000), "not a zip"),
    "half": (lambda: io.BytesIO(packed(pets()).getvalue()[:-200]), "not a zip.*incomplete"),
    "no files": (lambda: packed({}), "No file could be unpacked from the zip: it is empty"),
    "folders only": (lambda: packed({"cats/": b"", "dogs/": b""}), "it is empty"),
    "bad names only": (lambda: packed({"../a.png": b"x"}), "1 × names that lead out"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_archives_are_refused_in_words(place, name):
    make, message = BROKEN[name]
    with pytest.raises(DataError, match=message):
        unpack(make(), place)
    assert not place.exists()


def test_a_missing_file_and_a_folder_that_is_there(place, tmp_path_factory):
    with pytest.raises(DataError, match="No such file"):
        unpack(tmp_path_factory.mktemp("sent") / "none.zip", place)
    unpack(packed(pets()), place)
    with pytest.raises(DataError, match="could not be unpacked.*not empty"):
        unpack(packed({"other/1.png": b"x"}), place)
    assert inside(place) == pets()


def test_cancelling_leaves_nothing(place):
    def stop(fraction, message):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        unpack(packed(pets()), place, stop)
    assert not place.exists()


def test_a_full_disk_is_said(place, monkeypatch):
    def full(self, *args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives._Run, "take", full)
    with pytest.raises(DataError, match="the disk is full"):
        unpack(packed(pets()), place)
    assert not place.exists()


def test_a_large_file_is_left_out_and_the_total_is_counted(place, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES_A_FILE", 2_000_000)
    report = unpack(packed({"cats/1.png": bytes(2_000_001), "dogs/1.png": bytes(2_000_000)}), place)
    assert reasons(report) == {"files of more than 2 MB": 1}
    assert sorted(inside(place)) == ["dogs/1.png"]
    monkeypatch.setattr(archives, "MAX_BYTES", 5_000_000)
    with pytest.raises(DataError, match="more than 0.005 GB"):
        unpack(packed({f"cats/{at}.png": bytes(1_999_999) for at in range(3)}), place.with_name("bomb"))


def test_a_header_that_lies_about_sizes_is_not_believed(place, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1_000_000)
    content = bytearray(packed({"cats/1.png": bytes(3_000_000)}).getvalue())
    at = content.find(b"PK\x01\x02")
    content[22:26] = content[at + 24 : at + 28] = struct.pack("<I", 10)
    with pytest.raises(DataError, match="No file could be unpacked.*damaged|more than 0.001 GB"):
        unpack(io.BytesIO(bytes(content)), place)
    assert not place.exists()


def test_too_many_files_are_refused(place, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 11)
    with pytest.raises(DataError, match="too many files; at most 11"):
        unpack(packed(pets()), place)


# ---------------------------------------------------------------------------------------- bombs, each in a process

MEASURED = """
import resource, sys, time
from pathlib import Path
from influence_core.data.readers.archives import unpack
from influence_core.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.monotonic()
try:
    print(unpack(Path(sys.argv[1]), Path(sys.argv[2])).skipped)
except DataError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.monotonic() - start)
"""


def measured(path: Path, into: Path) -> tuple[str, float, float]:
    """What unpacking says, its megabytes of memory, and its seconds."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path), str(into)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    said, numbers = run.stdout.strip().rsplit("\n", 1)
    kilobytes, seconds = map(float, numbers.split())
    return said, kilobytes / 1000, seconds


def bomb(path: Path, gigabytes: float) -> Path:
    """A zip of a few megabytes that would unpack to many gigabytes of zeros."""
    zeros = bytes(10**7)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("cats/1.png", "w", force_zip64=True) as file:
            for _ in range(round(gigabytes * 100)):
                file.write(zeros)
        archive.writestr("dogs/1.png", b"dog")
    return path


def crowd(path: Path, entries: int) -> Path:
    """A zip of very many empty files, written by hand."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    with path.open("wb") as file:
        file.write(local)
        one = (
            struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
            + b"cats/00"
        )
        file.write(one * entries)
        size, start = entries * 53, len(local)
        file.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, start))
        file.write(struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1))
        file.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is measured in kilobytes on Linux")
@pytest.mark.slow
def test_a_million_entries_are_refused_before_they_are_read(place, tmp_path_factory):
    path = crowd(tmp_path_factory.mktemp("sent") / "crowd.zip", 10**6)
    said, megabytes, seconds = measured(path, place)
    assert "too many files; at most 25,000" in said
    assert megabytes < 20 and seconds < 5
    assert not place.exists()


def test_the_handmade_crowd_is_a_real_archive(tmp_path):
    with zipfile.ZipFile(crowd(tmp_path / "crowd.zip", 1000)) as archive:
        assert len(archive.infolist()) == 1000  # so that the refusal above is not for being damaged


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is measured in kilobytes on Linux")
@pytest.mark.slow
def test_a_bomb_ends_early_in_little_memory(place, tmp_path_factory):
    path = bomb(tmp_path_factory.mktemp("sent") / "bomb.zip", 0.4)
    said, megabytes, seconds = measured(path, place)
    assert "files of more than 50 MB" in said
    assert megabytes < 20 and seconds < 10
    assert inside(place) == {"dogs/1.png": b"dog"}


@pytest.mark.slow
def test_a_bomb_of_ten_gigabytes_and_one_of_many_files(place, tmp_path_factory):
    sent = tmp_path_factory.mktemp("sent")
    said, megabytes, seconds = measured(bomb(sent / "bomb.zip", 10), place)
    assert "files of more than 50 MB" in said and megabytes < 20 and seconds < 10
    with zipfile.ZipFile(sent / "many.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for at in range(220):
            archive.writestr(f"cats/{at}.png", bytes(49 * 10**6))
    said, megabytes, seconds = measured(sent / "many.zip", place.with_name("many"))
    assert "more than 2 GB" in said and megabytes < 20 and seconds < 60
    assert not place.with_name("many").exists()


def test_files_may_not_be_run(place):
    info = zipfile.ZipInfo("cats/run.sh")
    info.external_attr = (stat.S_IFREG | 0o4777) << 16
    unpack(packed_entries([(info, b"#!/bin/sh")]), place)
    assert not os.access(place / "cats" / "run.sh", os.X_OK)
