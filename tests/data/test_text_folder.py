"""A folder of the user's own texts: what is read, and what is refused in words."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from influence_core import studies
from influence_core.data import load
from influence_core.data.readers import text_bytes, text_files, text_folder
from influence_core.errors import Cancelled, DataError
from tests import toy_mails

HAM, SPAM = "ham", "spam"


def write(root: Path, n: int = 100) -> Path:
    """n made-up mails in texts/ham and texts/spam."""
    made, labels = toy_mails.texts(n)
    for at, (text, label) in enumerate(zip(made, labels, strict=True)):
        folder = root / "texts" / (SPAM if label else HAM)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{at:04d}.txt").write_text(f"Subject: {text}", encoding="utf-8")
    return root


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def test_words_of_the_texts_are_counted(folder):
    data = load("text-folder", str(folder))
    assert data.class_names == (HAM, SPAM)
    assert (len(data.train), len(data.test)) == (80, 20)
    assert (data.kind, data.image_shape, data.stand_in) == ("e-mail", None, "")
    files = sorted((folder / "texts" / HAM).iterdir()) + sorted((folder / "texts" / SPAM).iterdir())
    content = [path.read_text().removeprefix("Subject: ") for path in files]
    counter = CountVectorizer(token_pattern="[a-z]{2,}", stop_words=list(ENGLISH_STOP_WORDS), min_df=5)
    counter.fit([content[id] for id in data.train.ids])
    assert data.feature_names == tuple(counter.get_feature_names_out())
    for examples in (data.train, data.test):
        expected = counter.transform([content[id] for id in examples.ids]).toarray()
        assert_array_equal(examples.x.numpy(), expected)
        assert_array_equal(examples.y.numpy(), [int(files[id].parent.name == SPAM) for id in examples.ids])
    assert sorted(data.train.ids.tolist() + data.test.ids.tolist()) == list(range(100))


def test_the_shuffle_is_seeded_and_mixes(folder):
    first, second = load("text-folder", str(folder)), load("text-folder", str(folder))
    assert first.content == second.content
    assert first.train.ids.tolist() != sorted(first.train.ids.tolist())
    assert first.test.y.double().mean() == 0.5


def test_a_record_is_subject_text_and_file(folder):
    data = load("text-folder", str(folder))
    path = folder / "texts" / HAM / "0000.txt"
    subject, text = path.read_text().split("\n", 1)
    assert dict(data.record(0)) == {
        "subject": subject.removeprefix("Subject: "),
        "text": text,
        "file": os.path.join(HAM, "0000.txt"),
    }


def test_the_study_trains_on_it(tmp_path):
    folder = write(tmp_path, 400)
    study = studies.open_study(studies.find("text-folder"), folder=str(folder))
    assert study.gradient_norm <= 1e-10
    answers = study.probabilities(study.data.test.x).argmax(1)
    assert (answers == study.data.test.y.numpy()).mean() > 0.8


def test_texts_that_are_not_utf8_are_read_as_what_they_are_and_line_ends_do_not_count(folder):
    path = folder / "texts" / HAM / "0000.txt"
    path.write_bytes("Subject: Grüße café\r\nkernel patch".encode("cp1252"))
    assert load("text-folder", str(folder)).record(0) == {
        "subject": "Grüße café",
        "text": "kernel patch",
        "file": os.path.join(HAM, "0000.txt"),
    }
    path.write_bytes(b"\xef\xbb\xbfSubject: kernel\nlinux")
    assert load("text-folder", str(folder)).record(0)["subject"] == "kernel"
    path.write_bytes("hello world".encode("utf-16"))
    assert load("text-folder", str(folder)).record(0)["subject"] == "hello world"


def test_an_empty_file_is_left_out_and_the_other_ids_stay(folder):
    before = load("text-folder", str(folder))
    (folder / "texts" / HAM / "0000.txt").write_bytes(b"")
    after = load("text-folder", str(folder))
    ids = after.train.ids.tolist() + after.test.ids.tolist()
    assert sorted(ids) == list(range(1, 100))
    assert after.record(7) == before.record(7)


def test_hidden_folders_and_a_readme_are_not_read_and_folders_in_folders_are(folder):
    (folder / "texts" / ".git").mkdir()
    (folder / "texts" / ".git" / "config").write_text("kernel")
    (folder / "texts" / HAM / "0000.txt").unlink()
    (folder / "texts" / HAM / "2001" / "01").mkdir(parents=True)
    (folder / "texts" / HAM / "2001" / "01" / "a.txt").write_text("Subject: kernel\nlinux")
    (folder / "texts" / "README").write_text("about these texts")
    found = text_folder.survey(folder / "texts")
    assert found.class_names == (HAM, SPAM)
    assert len(found.ids) == 100
    assert "ham/2001/01/a.txt" in found.records.names
    assert {one.reason: one.examples for one in found.skipped} == {
        "hidden files of the system": (".git",),
        "files outside the classes' folders": ("README",),
    }


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere")
    (secret / "secret.txt").write_text("password password password")
    (folder / "texts" / HAM / "9999.txt").symlink_to(secret / "secret.txt")
    (folder / "texts" / "extra").symlink_to(secret, target_is_directory=True)
    (folder / "texts" / SPAM / "inside.txt").symlink_to(folder / "texts" / SPAM / "0001.txt")
    data = load("text-folder", str(folder))
    assert data.class_names == (HAM, SPAM)
    everything = data.train.ids.tolist() + data.test.ids.tolist()
    assert len(everything) == 101
    assert not any("password" in "".join(data.record(id).values()) for id in everything)


def test_a_link_to_the_texts_themselves_is_fine(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("linked")
    (other / "texts").symlink_to(folder / "texts", target_is_directory=True)
    assert load("text-folder", str(other)).content == load("text-folder", str(folder)).content


def empty(root: Path) -> None:
    for path in (root / "texts" / HAM).iterdir():
        path.write_bytes(b"")


def one_class(root: Path) -> None:
    for path in (root / "texts" / SPAM).iterdir():
        path.unlink()
    (root / "texts" / SPAM).rmdir()


def no_folders(root: Path) -> None:
    one_class(root)
    (root / "texts" / HAM).rename(root / "ham")


def all_different(root: Path) -> None:
    for path in (root / "texts").glob("*/*"):
        path.write_text("42 the and " + "".join(chr(ord("a") + int(digit)) for digit in path.stem))


def few(root: Path) -> None:
    for path in (root / "texts").glob("*/*"):
        if int(path.stem) >= 19:
            path.unlink()


def one_left(root: Path) -> None:
    for path in sorted((root / "texts" / HAM).iterdir())[1:]:
        path.unlink()


BAD_FOLDERS = {
    "no sub-folders": (no_folders, "two classes or more.*found none"),
    "one class": (one_class, "two classes or more.*found only one: “ham”"),
    "an empty class": (empty, r"found only one: “spam” \(not used: 50 × texts without a word\)"),
    "too few texts": (few, "at least 20 are needed"),
    "no words left": (all_different, "No word stands in at least 5 of the 80 texts"),
    "one text in a class": (one_left, "“ham” has one text, but one is needed to train on and one to test on"),
}


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_bad_folders_are_refused_in_words(folder, name):
    spoil, message = BAD_FOLDERS[name]
    spoil(folder)
    with pytest.raises(DataError, match=message) as refused:
        load("text-folder", str(folder))
    assert str(folder) not in str(refused.value)


NO_TEXTS = {
    "picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "document": b"PK\x03\x04 word and word",
    "one NUL byte": b"Subject: a mail\nthat holds one\0 as one of Enron's does",
    "too large": b"hello " * 200_000,
    "no word": b"42 ...",
}


@pytest.mark.parametrize("name", NO_TEXTS)
def test_one_bad_file_is_skipped_counted_and_named(folder, name):
    before = load("text-folder", str(folder))
    (folder / "texts" / SPAM / "zzzz.txt").write_bytes(NO_TEXTS[name])
    found = text_folder.survey(folder / "texts")
    assert [(one.count, one.examples) for one in found.skipped] == [(1, ("spam/zzzz.txt",))]
    assert load("text-folder", str(folder)).content == before.content


def test_too_many_megabytes_are_refused(folder, monkeypatch):
    monkeypatch.setattr(text_bytes, "MAX_BYTES", 10**3)
    with pytest.raises(DataError, match="more than 0 MB"):
        load("text-folder", str(folder))


def test_texts_that_take_too_much_memory_are_refused(folder, monkeypatch):
    """One wide letter makes a text four times as long in memory as on the disk."""
    monkeypatch.setattr(text_bytes, "MAX_MEMORY", 10**6)
    load("text-folder", str(folder))
    (folder / "texts" / SPAM / "wide.txt").write_text("🐈" + "a" * 300_000, encoding="utf-8")
    with pytest.raises(DataError, match="take more than 1 MB of memory: one byte a letter, up to four"):
        load("text-folder", str(folder))


def test_a_file_of_300_megabytes_is_skipped_before_it_is_read_whole(folder):
    with (folder / "texts" / HAM / "large.txt").open("wb") as file:
        file.truncate(300 * 10**6)  # a hole: takes no room on the disk
    found = text_folder.survey(folder / "texts")
    assert [(one.reason, one.count) for one in found.skipped] == [("files of more than 1 MB", 1)]


def test_too_many_files_are_refused(folder, monkeypatch):
    monkeypatch.setattr(text_files, "TEXTS", replace(text_files.TEXTS, files=99))
    with pytest.raises(DataError, match="holds more than 99 files or mails; at most so many"):
        load("text-folder", str(folder))


def test_a_missing_folder_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match="Name the one that holds “texts”"):
        load("text-folder")
    with pytest.raises(DataError, match="for example ham/0001.txt.*No such file"):
        load("text-folder", str(tmp_path))
    (tmp_path / "texts").write_text("a file")
    with pytest.raises(DataError, match="Not a directory"):
        load("text-folder", str(tmp_path))


def test_a_file_that_may_not_be_read_is_skipped_and_named(folder, monkeypatch):
    opened = Path.open

    def refuse(self, *args, **named):
        if self.name == "0000.txt":
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **named)

    monkeypatch.setattr(Path, "open", refuse)  # a test may run as root, who may read everything
    found = text_folder.survey(folder / "texts")
    assert [(one.reason, one.examples) for one in found.skipped] == [
        ("files that could not be read", ("ham/0000.txt",))
    ]


def test_a_name_that_is_no_text_can_be_shown(folder):
    path = os.fsencode(folder / "texts" / HAM) + b"/\xff\xfe.txt"
    try:
        with open(path, "wb") as file:
            file.write(b"Subject: kernel\nlinux patch")
    except OSError:
        pytest.skip("this file system refuses such names")
    data = load("text-folder", str(folder))
    names = [data.record(id)["file"] for id in data.train.ids.tolist() + data.test.ids.tolist()]
    assert os.path.join(HAM, "??.txt") in names
    assert all(name.encode() for name in names)


def test_the_most_frequent_words_are_kept_where_there_are_too_many(folder, monkeypatch):
    monkeypatch.setattr(text_folder, "MAX_WORDS", 8)
    data, whole = load("text-folder", str(folder)), None
    monkeypatch.undo()
    whole = load("text-folder", str(folder))
    kept = np.isin(whole.feature_names, data.feature_names)
    totals = whole.train.x.sum(0).numpy()
    assert len(data.feature_names) == 8
    assert totals[kept].min() >= totals[~kept].max()


def test_reading_can_be_stopped(folder):
    told = []
    load("text-folder", str(folder), lambda fraction, message: told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0

    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        load("text-folder", str(folder), stop)
