"""Photographs as data sets, as studies, and on Explain: distances in pixels, maps through the network."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from influence_core import data
from influence_core.data.readers import picture_sets
from influence_core.data.sets import imagenette, photos
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import explain, pixels, questions
from influence_core.models import backbones
from influence_core.models.backbones import packaged_features
from influence_core.store import Store
from influence_core.studies import find, open_study
from tests.toy_photos import SIDE, toy_photo_study


@pytest.fixture(scope="module")
def packaged():
    return data.load("photos")


def test_the_packaged_photos_are_900_and_300_of_each_class(packaged):
    assert packaged.class_names == ("dog", "frog")
    assert_array_equal(np.bincount(packaged.train.y), [900, 900])
    assert_array_equal(np.bincount(packaged.test.y), [300, 300])
    assert_array_equal(packaged.train.ids, np.arange(1800))
    assert "stand-in" in packaged.stand_in
    assert packaged.pictured


def test_a_packaged_photo_is_the_same_in_x_and_as_picture(packaged):
    picture = packaged.pictures.read(1801, 32)
    assert picture.shape == (32, 32, 3)
    at = packaged.test.position(1801)
    assert_allclose(packaged.test.x[at].numpy().reshape(32, 32, 3), picture / 255, rtol=1e-6)
    assert packaged.pictures.read(5, 224).shape == (224, 224, 3)


def test_no_packaged_photo_is_trained_and_tested_on(packaged):
    thumbs = packaged.pictures.thumbs(range(2400)).reshape(2400, -1)
    assert not set(map(bytes, thumbs[:1800])) & set(map(bytes, thumbs[1800:]))


def test_a_damaged_package_is_said(tmp_path, monkeypatch):
    broken = tmp_path / "photos.webp"
    broken.write_bytes(photos.PACKAGED.read_bytes()[:1000])
    shutil.copy(photos.PACKAGED.with_suffix(".json"), tmp_path / "photos.json")
    monkeypatch.setattr(photos, "PACKAGED", broken)
    with pytest.raises(DataError, match=r"assets/photos\.webp.*missing or damaged"):
        photos.load()


def test_pixel_distances_are_those_of_thumbnails(packaged):
    found = picture_sets.pixel_distances(packaged.pictures, packaged.pictures.read(7, 32), [3, 7])
    by_hand = np.linalg.norm(
        packaged.pictures.read(3, 32).astype(float) - packaged.pictures.read(7, 32).astype(float)
    )
    assert_allclose(found, [by_hand / 255, 0], rtol=1e-6, atol=1e-9)


def _write_folder(root: Path, counts: dict[str, int]) -> Path:
    generator = np.random.default_rng(0)
    for split, count in counts.items():
        for name in imagenette.CLASSES.values():
            folder = root / split / name
            folder.mkdir(parents=True)
            for at in range(count):
                noise = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
                Image.fromarray(noise).save(folder / f"{at:03}.JPEG")
    return root


def test_springers_and_tench_are_read_in_the_order_of_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(imagenette, "COUNTS", {"train": 3, "val": 2})
    root = _write_folder(tmp_path / imagenette.INSIDE, {"train": 4, "val": 2})
    for folder in (root, tmp_path):
        found = imagenette.load(str(folder))
        assert found.class_names == ("springer", "tench")
        assert_array_equal(found.train.y, [0, 0, 0, 1, 1, 1])
        assert_array_equal(found.test.ids, [6, 7, 8, 9])
        assert found.pictures.read(4, 16).shape == (16, 16, 3)
    assert imagenette.missing_files(str(tmp_path)) == []


def test_missing_springers_are_said(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="does not ship with the app"):
        imagenette.load()
    assert len(imagenette.missing_files(str(tmp_path))) == 4
    monkeypatch.setattr(imagenette, "COUNTS", {"train": 5, "val": 2})
    _write_folder(tmp_path, {"train": 4, "val": 2})
    with pytest.raises(DataError, match="at least 5 pictures.*found 4"):
        imagenette.load(str(tmp_path))


def test_a_file_that_is_no_picture_is_named(tmp_path):
    bad = tmp_path / "cat.jpg"
    bad.write_text("<html>")
    with pytest.raises(DataError, match=r"cat\.jpg: .*not a readable picture"):
        picture_sets.FilePictures.open([bad])


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_real_springers_and_tench(shared_data):
    found = imagenette.load(str(shared_data / "imagenette2-320"))
    assert (len(found.train), len(found.test)) == (1800, 600)
    assert_array_equal(np.bincount(found.train.y), [900, 900])


@pytest.mark.slow
def test_the_packaged_photos_open_without_a_look_at_them(monkeypatch):
    """Their features ship: the network looks at four of them only, and says of others what the file says."""
    network = backbones.build(backbones.PACKAGED)
    looked = []
    whole = packaged_features.extract
    monkeypatch.setattr(packaged_features, "extract", lambda *args: looked.append(args[2]) or whole(*args))
    study = open_study(find("dog-or-frog"))
    assert [len(ids) for ids in looked] == [backbones.BATCH]
    some = [7, 1234, 2399]
    fresh = backbones.extract(network, study.data.pictures, some)
    kept = backbones.shipped(network, study.data.pictures, some)
    assert_allclose(kept, fresh, rtol=0, atol=1e-4 * float(fresh.max()))
    assert_array_equal(study.data.test.x[-1].numpy(), kept[-1].double().numpy())


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["another network", "other pictures", "missing", "damaged"])
def test_features_that_do_not_fit_are_not_taken(packaged, tmp_path, monkeypatch, fault):
    network, pictures = backbones.build(backbones.PACKAGED), packaged.pictures
    file = tmp_path / "photos-features.npz"
    if fault == "another network":
        network = backbones.build(backbones.PACKAGED, random_seed=0)
    elif fault == "other pictures":
        pictures = picture_sets.SheetPictures(255 - pictures.pictures)
    else:
        if fault == "damaged":
            file.write_bytes(packaged_features.FEATURES.read_bytes()[:100_000])
        monkeypatch.setattr(packaged_features, "FEATURES", file)
    assert backbones.shipped(network, pictures, range(6)) is None


def test_packed_features_come_back_bit_for_bit():
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).relu()
    assert_array_equal(packaged_features.unpacked(packaged_features.packed(x), (7, 5)).numpy(), x.numpy())


def test_features_are_computed_once(tmp_path, monkeypatch):
    """A study of 12 pictures; the second opening reads features and parameters from the store."""
    small = picture_sets.data_set(
        "photos",
        "Few",
        picture_sets.SheetPictures(photos.load().pictures.pictures[:12]),
        photos.load().pictures and np.arange(12) % 2,
        np.arange(12) < 8,
        ("a", "b"),
    )
    monkeypatch.setitem(data.CATALOGUE, "photos", data.DataRow("photos", lambda folder, progress: small, ""))
    store = Store(tmp_path)
    first = open_study(find("dog-or-frog"), store)
    assert first.data.train.x.shape == (8, 1280)
    assert first.data.image_shape is None and first.data.pictured
    monkeypatch.setattr("influence_core.models.backbones.extract", None)
    second = open_study(find("dog-or-frog"), store)
    assert second.from_store
    assert_array_equal(first.data.train.x, second.data.train.x)
    found = first.features(small.pictures.read(8, 224))
    assert_allclose(found, first.data.test.x[0], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def study():
    return toy_photo_study()


@pytest.fixture(scope="module")
def answer(study):
    return explain.run(study, questions.ask(study, int(study.data.test.ids[3])))


def test_distance_is_of_pixels_not_of_features(study, answer):
    picture, other = (study.data.pictures.read(one, SIDE).astype(float) for one in (43, 5))
    assert_allclose(answer.distance[5], np.linalg.norm(picture - other) / 255, rtol=1e-6)


def test_a_photo_of_ones_own_is_asked_about_like_a_test_photo(study, answer):
    photo = study.data.pictures.read(43, SIDE)
    own = explain.run(study, questions.ask_about_photo(study, photo, answer.label))
    assert own.test_id is None
    assert own.photo is not None
    assert_allclose(own.scores, answer.scores, rtol=1e-5)  # features of photos are float32
    assert_allclose(own.distance, answer.distance, rtol=1e-6)


def test_a_study_of_photos_is_asked_by_the_picture(study):
    with pytest.raises(DataError, match="ask about one by its picture"):
        questions.ask_about(study, torch.zeros(6))


def test_a_study_of_drawings_takes_no_photo(one_or_seven):
    with pytest.raises(UnsupportedError, match="does not look at photographs"):
        questions.ask_about_photo(one_or_seven, np.zeros((8, 8, 3), np.uint8))


def test_the_pixel_map_is_the_slope_of_the_forecast(study, answer):
    """The change of -w_i s . grad l(features(pixels)) for a small brightening of one place, by central differences."""
    train_id = int(answer.ids[np.abs(answer.scores).argmax()])
    at = answer.position(train_id)
    found = pixels.run(study, answer, train_id)
    assert found.loss_change.shape == (SIDE, SIDE)
    base = torch.from_numpy(found.picture.astype(np.float64)).permute(2, 0, 1)[None]
    s, y = torch.from_numpy(answer.s), study.objective.y[at : at + 1]

    def forecast(image):
        features = study.backbone.features(image)
        return -float(study.objective.gradients(study.theta, features, y)[0] @ s) / study.objective.n

    for row, column in ((0, 0), (3, 5), (7, 2)):
        step = torch.zeros_like(base)
        step[0, :, row, column] = 1e-3
        slope = 255 * (forecast(base + step) - forecast(base - step)) / 2e-3
        assert_allclose(found.loss_change[row, column], slope, rtol=1e-5, atol=1e-12)


def test_the_map_of_a_test_photo_is_the_slope_of_its_own_loss(study, answer):
    found = pixels.of_test(study, answer)
    base = torch.from_numpy(found.picture.astype(np.float64)).permute(2, 0, 1)[None]
    y = torch.tensor([answer.label])
    for row, column in ((0, 0), (3, 5), (7, 2)):
        step = torch.zeros_like(base)
        step[0, :, row, column] = 1e-3
        up, down = (
            float(study.objective.losses(study.theta, study.backbone.features(one), y)[0])
            for one in (base + step, base - step)
        )
        assert_allclose(found.loss_change[row, column], 255 * (up - down) / 2e-3, rtol=1e-4, atol=1e-10)
