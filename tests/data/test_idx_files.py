"""Data sets in idx files, as Fashion-MNIST comes."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from influence_core.data.brought import own
from influence_core.data.brought.photo_folder import survey
from influence_core.data.readers import idx_files
from influence_core.errors import DataError
from influence_core.experiments import explain, pixels, questions
from influence_core.studies import StudySpec, open_study
from tests.data.test_archives import packed
from tests.data.test_image_folder import skipped


def idx(values: np.ndarray) -> bytes:
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def _pictures(n: int, shape=(12, 12), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Class 3 is bright above, class 5 below."""
    labels = np.resize([3, 5, 5], n).astype(np.uint8)
    grey = np.random.default_rng(seed).integers(0, 90, (n, *shape)).astype(np.uint8)
    grey[labels == 3, : shape[0] // 2] += 120
    grey[labels == 5, shape[0] // 2 :] += 120
    return grey, labels


def data_set_files(pack: bool = True, shape=(12, 12)) -> dict[str, bytes]:
    """The four files, 60 pictures to train on and 24 to test on."""
    files = {}
    for name, n, seed in (("train", 60, 0), ("t10k", 24, 1)):
        grey, labels = _pictures(n, shape, seed)
        files[f"{name}-images-idx3-ubyte"], files[f"{name}-labels-idx1-ubyte"] = idx(grey), idx(labels)
    return {f"{name}.gz": gzip.compress(one) for name, one in files.items()} if pack else files


def _write(root: Path, files: dict[str, bytes]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name).write_bytes(content)
    return root


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("wrapped", ["", "FashionMNIST/raw"])
def test_idx_files_are_a_data_set_with_its_split(tmp_path, pack, wrapped):
    _write(tmp_path / wrapped, {**data_set_files(pack), "README.md": b"fashion"})
    found = survey(tmp_path)
    assert found.class_names == ("3", "5")
    assert (found.is_train.sum(), (~found.is_train).sum()) == (60, 24)
    grey, labels = _pictures(60)
    assert_array_equal(found.labels[:60], labels == 5)
    assert_array_equal(found.pictures.read(7, 12), np.repeat(grey[7][..., None], 3, 2))
    assert found.files[60] == "t10k-images-idx3-ubyte/0"
    assert skipped(found) == {"files beside the idx files": (1, ("README.md",))}


def test_oblong_pictures_of_one_part_by_other_names(tmp_path):
    grey, labels = _pictures(40, (14, 10))
    _write(
        tmp_path,
        {
            "emnist-letters-train-images.idx3-ubyte": idx(grey),
            "emnist-letters-train-labels.idx1-ubyte": idx(labels),
        },
    )
    found = survey(tmp_path)
    assert found.thumbs.shape == (40, 10, 10, 3) and found.is_train.sum() == 32
    assert_array_equal(found.thumbs[3, ..., 0], grey[3, 2:12])


def test_a_model_is_trained_on_their_brightness_and_explained(tmp_path):
    _write(tmp_path, data_set_files())
    spec = StudySpec("mine", "Mine", own.PHOTOS, "logistic", 0.01, source=f"{own.IN_FOLDER}{tmp_path}")
    study = open_study(spec, folder=str(tmp_path))
    assert study.data.image_shape == (12, 12) and study.data.train.x.shape == (60, 144)
    assert study.predictions.accuracy == 1
    answer = explain.run(study, questions.ask(study, test_id=int(study.data.test.ids[0])))
    assert pixels.run(study, answer, 4).loss_change.shape == (12, 12)
    photo = study.data.pictures.read(4, 12)
    np.testing.assert_allclose(study.features(photo), study.data.train.x[4])


def test_they_are_read_from_a_zip_and_offered(tmp_path):
    from influence_core.data.readers.archives import unpack

    made = unpack(packed(data_set_files()), tmp_path / "made")
    assert (made.files, made.skipped) == (4, ())
    assert len(survey(made.folder).files) == 84
    assert tmp_path / "made" in own.offered(str(tmp_path))


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
HUGE = bytes((0, 0, 8, 3)) + b"\xff" * 12


def _zeros(n: int) -> bytes:
    return idx(np.zeros(n, np.uint8))


BAD = {
    "no labels": (lambda f: f.pop(LABELS), f"{IMAGES} needs its labels, {LABELS}"),
    "no pictures": (lambda f: [f.pop(one) for one in list(f) if "images" in one], "none of pictures"),
    "cut short": (lambda f: f.update({IMAGES: f[IMAGES][:-1]}), f"{IMAGES} is damaged"),
    "another thing": (lambda f: f.update({LABELS: b"<html>"}), f"{LABELS} is damaged"),
    "no gzip": (lambda f: f.update({f"{TEST_LABELS}.gz": b"<html>"}) or f.pop(TEST_LABELS), "t10k.*damaged"),
    "other labels": (lambda f: f.update({LABELS: _zeros(3)}), "60 pictures, but .* 3 labels"),
    "one class": (
        lambda f: f.update({LABELS: _zeros(60), TEST_LABELS: _zeros(24)}),
        "84 pictures of 1 class;",
    ),
    "far too many": (lambda f: f.update({IMAGES: HUGE}), "more than 200 MB"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_idx_files_are_refused_in_words(tmp_path, name):
    spoil, words = BAD[name]
    files = data_set_files(pack=False)
    spoil(files)
    with pytest.raises(DataError, match=words) as refusal:
        survey(_write(tmp_path, files))
    assert str(tmp_path) not in str(refusal.value)


def test_links_are_not_followed(tmp_path):
    _write(tmp_path / "elsewhere", data_set_files())
    for one in (tmp_path / "elsewhere").iterdir():
        (tmp_path / "mine" / "raw").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / "raw" / one.name).symlink_to(one)
    with pytest.raises(DataError, match="Expected two sub-folders of pictures or more"):
        survey(tmp_path / "mine")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(idx_files, "MAX_BYTES", 1_000)
    with pytest.raises(DataError, match="Keep fewer"):
        survey(_write(tmp_path, data_set_files()))
