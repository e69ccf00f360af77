"""A folder of the user's own photographs: what is used, what is skipped, and what is refused in words."""

import hashlib
import os
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from influence_core.data.brought import photo_folder
from influence_core.data.brought.photo_folder import survey
from influence_core.data.readers import image_folder, photographs
from influence_core.data.readers.photographs import read_photo
from influence_core.errors import Cancelled, DataError
from influence_core.store import Store
from tests.data.test_pictures import half, save


def picture(seed: int, format: str = "PNG", size: tuple[int, int] = (24, 20)) -> bytes:
    """A coarse random picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return save(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC), format)


def fill(root: Path, classes: dict[str, int], start: int = 0) -> Path:
    """Pictures 000.png, 001.png, ... in a sub-folder for each class."""
    for label, count in classes.items():
        (root / label).mkdir(parents=True, exist_ok=True)
        for at in range(count):
            (root / label / f"{at:03d}.png").write_bytes(picture(start))
            start += 1
    return root


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "pets", {"cats": 20, "dogs": 10})


def skipped(found) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {one.reason: (one.count, one.examples) for one in found.skipped}


def test_every_picture_is_read_in_the_order_of_the_names(folder):
    found = survey(folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    assert found.class_names == ("cats", "dogs")
    assert list(found.files) == files
    assert_array_equal(found.labels, [0] * 20 + [1] * 10)
    assert found.labels.dtype == np.int64
    assert (found.thumbs.shape, found.thumbs.dtype) == ((30, 64, 64, 3), np.uint8)
    for id in (0, 7, 29):
        assert_array_equal(found.thumbs[id], read_photo(folder / files[id], 64))
        assert_array_equal(found.pictures.read(id, 48), read_photo(folder / files[id], 48))
    assert_array_equal(found.pictures.thumbs([7, 0]), found.thumbs[[7, 0]])
    assert (found.title, found.skipped) == ("30 photos of your own", ())


def test_four_fifths_of_each_class_are_trained_on_by_a_seeded_shuffle(folder):
    first, second = survey(folder), survey(str(folder))
    assert_array_equal(first.is_train, second.is_train)
    assert [first.is_train[first.labels == label].sum() for label in (0, 1)] == [16, 8]
    assert not first.is_train[:16].all()  # shuffled


def test_a_class_of_one_picture_is_trained_on(tmp_path):
    found = survey(fill(tmp_path, {"cats": 12, "yeti": 1}))
    assert found.is_train[found.labels == 1].tolist() == [True]


@pytest.mark.parametrize("test", ["val", "test"])
def test_folders_for_training_and_testing_are_the_split(tmp_path, test):
    fill(tmp_path / "train", {"cats": 8, "dogs": 7})
    fill(tmp_path / test, {"cats": 2, "dogs": 3, "yetis": 4}, start=50)
    fill(tmp_path / "other", {"cats": 1})
    found = survey(tmp_path)
    assert found.class_names == ("cats", "dogs")
    assert_array_equal(found.is_train, [name.startswith("train/") for name in found.files])
    assert (found.is_train.sum(), (~found.is_train).sum()) == (15, 5)
    for id, name in enumerate(found.files):
        assert found.class_names[found.labels[id]] == name.split("/")[1]
        assert_array_equal(found.thumbs[id], read_photo(tmp_path / name, 64))
    assert skipped(found) == {
        "pictures of a class without any to train on": (
            4,
            tuple(f"{test}/yetis/00{at}.png" for at in range(3)),
        ),
        f"folders beside train and {test}": (1, ("other",)),
    }


def test_classes_called_train_and_bus_are_classes(tmp_path):
    assert survey(fill(tmp_path, {"train": 6, "bus": 6})).class_names == ("bus", "train")


def test_what_is_skipped_is_counted_and_named(folder):
    cats = folder / "cats"
    (folder / "README.txt").write_text("about these pets")
    (folder / ".git").mkdir()
    (cats / ".DS_Store").write_bytes(b"\0")
    (cats / "page.png").write_text("<html><script>alert(1)</script></html>")
    (cats / "notes.txt").write_text("five cats")
    (cats / "cut.png").write_bytes(half(picture(5, size=(200, 200))))
    (cats / "cut.jpg").write_bytes(half(picture(6, "JPEG", size=(200, 200))))
    (cats / "nothing.png").write_bytes(b"")
    (cats / "dot.png").write_bytes(save(Image.new("L", (1, 1))))
    (cats / "more").mkdir()
    (cats / "more" / "lost.png").write_bytes(picture(7))
    with (cats / "film.mp4").open("wb") as film:
        film.truncate(60 * 10**6)
    (folder / "empty class").mkdir()
    found = survey(folder)
    assert len(found.files) == 30 and found.class_names == ("cats", "dogs")
    assert skipped(found) == {
        "no readable pictures": (2, ("cats/notes.txt", "cats/page.png")),
        "damaged or incomplete pictures": (2, ("cats/cut.jpg", "cats/cut.png")),
        "empty files": (1, ("cats/nothing.png",)),
        "files of more than 50 MB": (1, ("cats/film.mp4",)),
        "pictures of less than 8 pixels a side": (1, ("cats/dot.png",)),
        "folders inside a class's folder": (1, ("cats/more",)),
        "files outside the classes' folders": (1, ("README.txt",)),
    }


def test_many_skipped_files_are_counted_and_three_are_named(folder):
    for at in range(10):
        (folder / "dogs" / f"z{at}.txt").write_text("no picture")
    assert skipped(survey(folder)) == {
        "no readable pictures": (10, ("dogs/z0.txt", "dogs/z1.txt", "dogs/z2.txt"))
    }


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path):
    secret = fill(tmp_path / "elsewhere", {"private": 3})
    (folder / "cats" / "aaa.png").symlink_to(secret / "private" / "000.png")
    (folder / "private").symlink_to(secret / "private", target_is_directory=True)
    (folder / "cats" / "nowhere.png").symlink_to(folder / "none.png")
    (folder / "cats" / "self.png").symlink_to(folder / "cats" / "self.png")
    (folder / "cats" / "zzz.png").symlink_to(folder / "dogs" / "000.png")
    found = survey(folder)
    assert found.class_names == ("cats", "dogs")
    assert len(found.files) == 31 and "cats/zzz.png" in found.files
    assert found.pictures.read(20, 8).shape == (8, 8, 3)
    assert skipped(found)["links that lead out of the folder or nowhere"] == (
        4,
        ("private", "cats/aaa.png", "cats/nowhere.png"),
    )


def test_a_link_to_the_folder_itself_is_fine(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert survey(tmp_path / "link").pictures.digest == survey(folder).pictures.digest


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_does_not_hang(folder):
    os.mkfifo(folder / "cats" / "pipe.png")
    assert skipped(survey(folder)) == {"no plain files": (1, ("cats/pipe.png",))}


def test_unicode_names_and_names_that_are_no_text(folder):
    (folder / "cats").rename(folder / "猫")
    (folder / "猫" / "000.png").rename(folder / "猫" / "Käthe 🐈.png")
    try:
        with open(os.fsencode(folder / "dogs") + b"/\xff\xfe.png", "wb") as file:
            file.write(picture(99))
    except OSError:
        pytest.skip("this file system refuses such names")
    found = survey(folder)
    assert found.class_names == ("dogs", "猫")
    assert found.files[10] == "dogs/??.png"
    assert_array_equal(found.pictures.read(10, 64), read_photo(picture(99), 64))
    assert "猫/Käthe 🐈.png" in found.files


def test_the_digest_is_of_names_and_content(folder, tmp_path):
    before = survey(folder).pictures.digest
    shutil.copytree(folder, tmp_path / "copy")
    assert survey(tmp_path / "copy").pictures.digest == before
    (folder / "cats" / "000.png").rename(folder / "cats" / "0000.png")
    renamed = survey(folder).pictures.digest
    (folder / "dogs" / "000.png").write_bytes(picture(77))
    assert len({before, renamed, survey(folder).pictures.digest}) == 3


def test_a_picture_that_went_away_is_named(folder):
    found = survey(folder)
    (folder / "cats" / "003.png").unlink()
    with pytest.raises(DataError, match="cats/003.png was there and can no longer be used.*No such file"):
        found.pictures.read(3, 32)
    (folder / "cats" / "004.png").write_text("<html>")
    with pytest.raises(DataError, match="cats/004.png was there.*not a readable picture"):
        found.pictures.read(4, 32)


def test_progress_is_told_for_each_picture_and_cancel_stops(folder):
    told = []
    survey(folder, lambda fraction, message: told.append((fraction, message)))
    assert len(told) == 31
    assert [one for one, _ in told] == sorted(one for one, _ in told)
    assert told[-1] == (1.0, "30 pictures are read")

    def stop(fraction, message):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        survey(folder, stop)


def test_a_store_spares_the_second_reading_until_a_file_changes(folder, tmp_path, monkeypatch):
    (folder / "cats" / "page.png").write_text("<html>")
    store = Store(tmp_path / "store")
    first = survey(folder, store=store)
    with monkeypatch.context() as patch:
        patch.setattr(photo_folder, "read_file", lambda path: pytest.fail(f"read {path} again"))
        again = survey(folder, store=store)
    assert_array_equal(again.thumbs, first.thumbs)
    assert_array_equal(again.is_train, first.is_train)
    assert (again.files, again.skipped, again.pictures.digest) == (
        first.files,
        first.skipped,
        first.pictures.digest,
    )
    (folder / "cats" / "000.png").write_bytes(picture(500))
    changed = survey(folder, store=store)
    assert changed.pictures.digest == survey(folder).pictures.digest != first.pictures.digest
    assert_array_equal(changed.thumbs[0], read_photo(picture(500), 64))


def spoil(root: Path, content: bytes) -> None:
    for path in root.rglob("*.png"):
        path.write_bytes(content)


BAD = {
    "one class": (
        lambda root: shutil.rmtree(root / "dogs"),
        "two sub-folders of pictures or more.*only one: “cats”.*Sort",
    ),
    "empty": (lambda root: [shutil.rmtree(root / one) for one in ("cats", "dogs")], "but found none"),
    "no pictures": (lambda root: spoil(root, b"text"), "found none.*not used: 30 × no readable pictures"),
    "one class of no pictures": (lambda root: spoil(root / "dogs", b"GIF89a"), "only one: “cats”"),
    "all damaged": (lambda root: spoil(root, half(picture(0, size=(99, 99)))), "30 × damaged or incomplete"),
    "nothing": (shutil.rmtree, "could not be opened: No such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_folders_are_refused_in_words(folder, name):
    make_bad, message = BAD[name]
    make_bad(folder)
    with pytest.raises(DataError, match=message):
        survey(folder)


def test_too_few_too_many_or_nothing_to_test_on(folder, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="Only 9 pictures can be used; at least 10"):
        survey(fill(tmp_path / "few", {"cats": 5, "dogs": 4}))
    fill(tmp_path / "split" / "train", {"cats": 8, "dogs": 7})
    (tmp_path / "split" / "val" / "cats").mkdir(parents=True)
    with pytest.raises(DataError, match="no picture to test on"):
        survey(tmp_path / "split")
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(DataError, match="Not a directory"):
        survey(file)
    monkeypatch.setattr(image_folder, "PICTURES", replace(image_folder.PICTURES, classes=1))
    with pytest.raises(DataError, match="2 sub-folders; at most 1 classes"):
        survey(folder)
    monkeypatch.undo()
    monkeypatch.setattr(image_folder, "PICTURES", replace(image_folder.PICTURES, files=29))
    with pytest.raises(DataError, match="more than 29 files"):
        survey(folder)
    monkeypatch.undo()
    monkeypatch.setattr(photo_folder, "MAX_FOLDER_BYTES", 1000)
    with pytest.raises(DataError, match="Keep fewer"):
        survey(folder)


@pytest.mark.shared_data
def test_real_photographs(shared_data, tmp_path):
    source = shared_data / "imagenette2-320" / "val"
    for label in ("n01440764", "n02102040"):
        (tmp_path / label).mkdir()
        for path in sorted((source / label).iterdir())[:15]:
            shutil.copy(path, tmp_path / label)
    found = survey(tmp_path)
    assert (len(found.files), found.skipped) == (30, ())
    hashes = {hashlib.sha256(found.thumbs[id].tobytes()).hexdigest() for id in range(30)}
    assert len(hashes) == 30


@pytest.mark.slow
def test_thumbnails_are_held_once(tmp_path, monkeypatch):
    """There may be 20,000 of them, which is 245 MB."""
    monkeypatch.setattr(photographs, "MAX_BYTES", 10**5)  # so much room is made to read a file
    count, content = 1_000, picture(0, size=(9, 9))
    for at in range(count):
        path = tmp_path / "pets" / ("cats" if at % 2 else "dogs") / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if at else b"no picture")  # so that those that are left have to move up
    tracemalloc.start()
    found = survey(tmp_path / "pets")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.thumbs.nbytes == (count - 1) * 64 * 64 * 3
    assert most < 1.5 * found.thumbs.nbytes
