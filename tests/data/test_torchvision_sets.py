"""Data sets of torchvision by name, out of tiny made-up files in torchvision's own layout; nothing is ever fetched unasked."""

import bz2
import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from numpy.testing import assert_array_equal

from influence_core.data.brought import own, torchvision_sets
from influence_core.data.brought.torchvision_sets import SETS, find
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError
from influence_core.studies import StudySpec, download_of, open_study
from influence_core.studies import find as find_study
from influence_core.studies import own as own_studies
from tests.data.test_idx_files import idx

CLASSES = 10


def pictures(
    n: int, shape: tuple[int, ...], seed: int = 0, classes: int = CLASSES
) -> tuple[np.ndarray, np.ndarray]:
    """Class ``k`` is bright in its own rows."""
    labels = (np.arange(n) * 7 % classes).astype(np.uint8)
    pixels = np.random.default_rng(seed).integers(0, 90, (n, *shape)).astype(np.uint8)
    for at, label in enumerate(labels):
        pixels[at, 2 * label : 2 * label + 2] += 140
    return pixels, labels


def fashion(folder: Path, kind: str = "FashionMNIST") -> None:
    raw = folder / kind / "raw"
    raw.mkdir(parents=True)
    for name, n, seed in (("train", 120, 0), ("t10k", 40, 1)):
        grey, labels = pictures(n, (28, 28), seed)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(grey))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))


def _with_md5(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def cifar(folder: Path, monkeypatch) -> np.ndarray:
    """Six files of twelve pictures; torchvision unpickles only what has the sum it knows, so it is told theirs."""
    kind, base = import_torchvision().datasets.CIFAR10, folder / "cifar-10-batches-py"
    colours, labels = pictures(72, (32, 32, 3))
    sums = []
    for at, name in enumerate([*(f"data_batch_{at}" for at in range(1, 6)), "test_batch"]):
        of = slice(12 * at, 12 * at + 12)
        content = {"data": colours[of].transpose(0, 3, 1, 2).reshape(12, -1), "labels": labels[of].tolist()}
        sums.append([name, _with_md5(base / name, pickle.dumps(content))])
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    meta = _with_md5(base / "batches.meta", pickle.dumps({"label_names": names}))
    monkeypatch.setattr(kind, "train_list", sums[:5])
    monkeypatch.setattr(kind, "test_list", sums[5:])
    monkeypatch.setattr(kind, "meta", {"filename": "batches.meta", "key": "label_names", "md5": meta})
    return colours


def test_fashion_mnist_is_read_with_its_split_and_its_names(tmp_path):
    fashion(tmp_path)
    found = own.survey("torchvision:FashionMNIST", None, str(tmp_path))
    assert found.class_names[:3] == ("T-shirt/top", "Trouser", "Pullover")
    assert (found.is_train.sum(), (~found.is_train).sum()) == (120, 40)
    grey, labels = pictures(120, (28, 28))
    assert_array_equal(found.labels[:120], labels)
    assert_array_equal(found.pictures.read(7, 28)[..., 1], grey[7])
    assert (found.files[7], found.files[120]) == ("train/7", "test/0")
    assert found.title == "Fashion-MNIST: 120 + 40 pictures"


def test_cifar_is_read_in_colour(tmp_path, monkeypatch):
    colours = cifar(tmp_path, monkeypatch)
    found = find("cifar-10").read(str(tmp_path))
    assert found.class_names == (
        *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    )
    assert_array_equal(found.pictures.thumbs(range(72)), colours)
    assert (found.is_train.sum(), found.thumbs.shape) == (60, (72, 32, 32, 3))


def test_a_changed_file_of_cifar_is_never_unpickled(tmp_path, monkeypatch):
    cifar(tmp_path, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_2").write_bytes(
        b"cos\nsystem\n(S'touch %s'\ntR." % bytes(tmp_path / "ran")
    )
    with pytest.raises(DataError, match="CIFAR-10 .*damaged or not its own.*fetch them again"):
        find("CIFAR10").read(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_svhn_usps_and_stl_are_read_as_they_come(tmp_path, monkeypatch):
    datasets = import_torchvision().datasets
    sums = {}
    for split, n in (("train", 40), ("test", 20)):
        colours, labels = pictures(n, (32, 32, 3))
        path = tmp_path / f"{split}_32x32.mat"
        scipy.io.savemat(
            path, {"X": colours.transpose(1, 2, 3, 0), "y": np.where(labels == 0, 10, labels)[:, None]}
        )
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        sums[split] = ["", path.name, md5]
        lines = [
            f"{label + 1} "
            + " ".join(f"{at + 1}:{value / 127.5 - 1:.6f}" for at, value in enumerate(one.ravel()))
            for one, label in zip(*pictures(n, (16, 16), classes=8), strict=True)
        ]
        (tmp_path / ("usps.bz2" if split == "train" else "usps.t.bz2")).write_bytes(
            bz2.compress("\n".join(lines).encode())
        )
    monkeypatch.setattr(datasets.SVHN, "split_list", sums)
    svhn, usps = find("SVHN").read(str(tmp_path)), find("usps").read(str(tmp_path))
    assert svhn.class_names == tuple("0123456789") and usps.class_names == tuple("01234567")
    assert_array_equal(svhn.pictures.thumbs(range(40)), pictures(40, (32, 32, 3))[0])
    assert_array_equal(svhn.labels[40:], pictures(20, (32, 32, 3))[1])
    assert (
        abs(usps.pictures.read(3, 16)[..., 0].astype(int) - pictures(40, (16, 16), classes=8)[0][3]).max()
        <= 1
    )

    base = tmp_path / "stl10_binary"
    base.mkdir()
    (base / "class_names.txt").write_text("\n".join(f"kind {at}" for at in range(CLASSES)))
    listed = {}
    for part in ("train", "test"):
        colours, labels = pictures(20, (96, 96, 3))
        (base / f"{part}_X.bin").write_bytes(colours.transpose(0, 3, 2, 1).tobytes())
        (base / f"{part}_y.bin").write_bytes((labels + 1).tobytes())
        listed[part] = [
            [name, hashlib.md5((base / name).read_bytes(), usedforsecurity=False).hexdigest()]
            for name in (f"{part}_X.bin", f"{part}_y.bin")
        ]
    (base / "unlabeled_X.bin").write_bytes(b"")
    monkeypatch.setattr(datasets.STL10, "train_list", listed["train"])
    monkeypatch.setattr(datasets.STL10, "test_list", listed["test"])
    stl = find("stl-10").read(str(tmp_path))
    assert stl.class_names[3] == "kind 3"
    assert_array_equal(stl.pictures.thumbs([5])[0], pictures(20, (96, 96, 3))[0][5])


def test_letters_stand_upright_and_are_called_by_their_names(tmp_path):
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 60), ("test", 30)):
        grey, labels = pictures(n, (28, 28))
        (raw / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(
            idx(grey.swapaxes(1, 2))
        )  # as NIST has them
        (raw / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(idx(labels + np.uint8(1)))
    found = find("emnist letters").read(str(tmp_path))
    assert found.class_names == tuple("abcdefghij")  # and no class "N/A", which torchvision has for 0
    assert_array_equal(found.pictures.read(4, 28)[..., 0], pictures(60, (28, 28))[0][4])


@pytest.mark.parametrize("name", SETS)
def test_what_is_missing_is_named_and_nothing_is_fetched(name, tmp_path, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("asked the internet"))
    with pytest.raises(DataError, match=rf"is not in .*{SETS[name].source}") as error:
        SETS[name].read(str(tmp_path))
    assert SETS[name].files[0] in str(error.value)
    assert hasattr(import_torchvision().datasets, SETS[name].kind or name)
    with pytest.raises(DataError, match="Name the folder"):
        SETS[name].read(None)


def test_packed_files_are_to_be_unpacked(tmp_path):
    fashion(tmp_path)
    path = tmp_path / SETS["FashionMNIST"].files[0]
    path.rename(f"{path}.gz")
    with pytest.raises(
        DataError, match="Fashion-MNIST is not unpacked in .*: unzip .*train-images-idx3-ubyte.gz"
    ):
        find("FashionMNIST").read(str(tmp_path))


def test_a_download_happens_only_when_it_is_asked_for(tmp_path, monkeypatch):
    asked = []

    def answer(url, *_, **__):
        asked.append(url)
        raise OSError("no route")

    monkeypatch.setattr("urllib.request.urlopen", answer)
    known = download_of(find_study("torchvision:FashionMNIST"))
    assert known.missing(str(tmp_path)) == list(SETS["FashionMNIST"].files) and not asked
    assert known.source == "31 MB, from Zalando"
    with pytest.raises(
        DataError, match="(?s)Fashion-MNIST could not be downloaded.*or put these files there yourself"
    ):
        known.fetch(str(tmp_path))
    assert asked
    fashion(tmp_path / "there")
    assert known.missing(str(tmp_path / "there")) == []


def test_nobody_elses_names_are_taken():
    with pytest.raises(
        DataError, match="no data set “Kinetics” of torchvision here; choose one of MNIST, FashionMNIST"
    ):
        find("Kinetics")
    assert download_of(find_study("digits")) is None
    assert len({torchvision_sets._plain(one.name) for one in SETS.values()}) == len(SETS)


def test_a_study_of_a_name_learns_and_keeps_the_official_numbers(tmp_path, monkeypatch):
    fashion(tmp_path)
    monkeypatch.setattr(own_studies, "TRAINED_ON", 60)
    monkeypatch.setattr(own_studies, "TESTED_ON", 20)
    study = open_study(find_study("torchvision:fashion-mnist"), folder=str(tmp_path))
    assert (study.spec.name, len(study.data.train), len(study.data.test)) == (
        "torchvision:FashionMNIST",
        60,
        20,
    )
    assert study.predictions.accuracy == 1
    assert study.data.train.ids.max() < 120 <= study.data.test.ids.min()
    counts = torch.bincount(study.data.train.y)
    assert counts.tolist() == [6] * CLASSES, "of each class its share"
    at = int(study.data.train.ids[5])
    assert_array_equal((study.data.train.x[5] * 255).round().numpy(), pictures(120, (28, 28))[0][at].ravel())
    assert study.data.file(at) == "", "a place in a set is no file"


def test_all_of_a_set_can_be_asked_for(tmp_path, monkeypatch):
    fashion(tmp_path)
    monkeypatch.setattr(own_studies, "TRAINED_ON", 60)
    monkeypatch.setattr(own_studies, "TESTED_ON", 20)
    study = open_study(find_study("torchvision:fashion-mnist:all"), folder=str(tmp_path))
    assert study.spec.name == find_study(study.spec.name).name == "torchvision:FashionMNIST:all"
    assert len(study.data.train) == 120 and "all pictures" in study.spec.title
    assert sorted(study.data.train.ids.tolist()) == list(range(120))
    assert study.key != open_study(find_study("torchvision:FashionMNIST"), folder=str(tmp_path)).key


def test_the_draw_follows_the_seed(tmp_path):
    fashion(tmp_path)
    spec = StudySpec(
        "mine", "Mine", own.PHOTOS, "softmax", 0.01, n_train=30, n_test=20, source="torchvision:FashionMNIST"
    )
    drawn = [
        own.load(spec.data, spec.source, None, str(tmp_path), seed, most=(30, 20)).train.ids.tolist()
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
