"""Data sets: what they refuse, what a selection keeps, and the paper's counts on the official MNIST."""

import hashlib
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.data import CATALOGUE, DataSet, Examples, about, load
from influence_core.data.sets import digits, mnist
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import Cancelled, DataError, InfluenceError, ShapeError
from influence_core.progress import part, report


def examples(n: int = 6, d: int = 4, classes: int = 3) -> Examples:
    x = torch.rand(n, d, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    return Examples(x, torch.arange(n) % classes, torch.arange(n) * 10)


def data_set(train: Examples | None = None, test: Examples | None = None, **changes: object) -> DataSet:
    fields = {"name": "toy", "title": "Toy", "class_names": ("a", "b", "c"), "image_shape": (2, 2)}
    return DataSet(train=train or examples(), test=test or examples(3), **{**fields, **changes})


X, Y, IDS = torch.zeros(3, 2), torch.tensor([0, 1, 1]), torch.arange(3)

BAD_EXAMPLES = {
    "x of one dimension": (torch.zeros(3), Y, IDS, ShapeError, r"shape \(n, d\)"),
    "x of three dimensions": (torch.zeros(3, 2, 2), Y, IDS, ShapeError, "Flatten"),
    "x of bytes": (torch.zeros(3, 2, dtype=torch.uint8), Y, IDS, ShapeError, "double"),
    "y too short": (X, Y[:2], IDS, ShapeError, "Expected y"),
    "y as a column": (X, Y[:, None], IDS, ShapeError, "Expected y"),
    "y of floats": (X, Y.double(), IDS, ShapeError, "int64"),
    "ids too long": (X, Y, torch.arange(4), ShapeError, "Expected ids"),
    "no examples": (X[:0], Y[:0], IDS[:0], DataError, "at least one example"),
    "no features": (X[:, :0], Y, IDS, DataError, "one feature"),
    "NaN": (torch.full_like(X, torch.nan), Y, IDS, DataError, "finite"),
    "one infinity": (X.index_fill(0, torch.tensor(1), -torch.inf), Y, IDS, DataError, "finite"),
    "negative label": (X, Y - 1, IDS, DataError, "labels from 0, got -1"),
    "repeated id": (X, Y, IDS // 2, DataError, "repeated ids"),
}


@pytest.mark.parametrize("name", BAD_EXAMPLES)
def test_bad_examples_are_refused(name: str) -> None:
    x, y, ids, error, message = BAD_EXAMPLES[name]
    with pytest.raises(error, match=message):
        Examples(x, y, ids)


def test_one_nan_anywhere_is_noticed() -> None:
    for position in range(0, 600, 7):
        x = torch.rand(600, dtype=torch.float64)
        x[position] = torch.nan
        with pytest.raises(DataError, match="finite"):
            Examples(x.reshape(100, 6), torch.zeros(100, dtype=torch.int64), torch.arange(100))


def test_take_keeps_order_and_ids() -> None:
    all_of_them = examples()
    for positions in ([4, 0], torch.tensor([4, 0]), torch.tensor([4, 0], dtype=torch.int32)):
        taken = all_of_them.take(positions)
        assert len(taken) == 2
        assert taken.ids.tolist() == [40, 0]
        assert_close(taken.x, all_of_them.x[[4, 0]])
        assert_close(taken.y, all_of_them.y[[4, 0]])
        assert [taken.position(40), taken.position(0)] == [0, 1]


BAD_POSITIONS = {
    "none": ([], DataError, "got none"),
    "beyond the end": ([0, 6], DataError, "0..5, got 6"),
    "from the end": ([-1], DataError, "got -1"),
    "a mask": ([True] * 6, ShapeError, "bool"),
    "fractions": ([0.5], ShapeError, "float"),
    "a table": ([[0], [1]], ShapeError, r"\(2, 1\)"),
}


@pytest.mark.parametrize("name", BAD_POSITIONS)
def test_bad_positions_are_refused(name: str) -> None:
    positions, error, message = BAD_POSITIONS[name]
    with pytest.raises(error, match=message):
        examples().take(positions)


def test_a_missing_id_names_the_valid_ones() -> None:
    with pytest.raises(
        DataError, match="no example with id 7.*6 ids between 0 and 50: 0, 10, 20, 30, 40, ..."
    ):
        examples().position(7)
    with pytest.raises(DataError, match="the ids 0 to 4999"):
        load("digits").train.position(5000)


def test_the_rows_of_many_ids_in_their_order() -> None:
    assert examples().positions([50, 0, 30, 0]).tolist() == [
        examples().position(one) for one in (50, 0, 30, 0)
    ]
    assert examples().positions([]).tolist() == []
    for absent in (7, -1, 60):
        with pytest.raises(DataError, match=f"no example with id {absent}"):
            examples().positions([0, absent])


BAD_DATA_SETS = {
    "other width in test": ({"test": examples(3, d=5)}, ShapeError, "train and test, got 4 and 5"),
    "other picture": ({"image_shape": (2, 3)}, ShapeError, "6 pixels"),
    "label without name": ({"class_names": ("a", "b")}, DataError, "Label 2 has no name"),
    "one class": ({"train": examples(classes=1)}, DataError, "two classes"),
}


@pytest.mark.parametrize("name", BAD_DATA_SETS)
def test_bad_data_sets_are_refused(name: str) -> None:
    changes, error, message = BAD_DATA_SETS[name]
    with pytest.raises(error, match=message):
        data_set(**changes)


def test_keep_classes_renumbers_by_position() -> None:
    kept = data_set().keep_classes((2, 0))
    assert kept.class_names == ("c", "a")
    assert kept.train.y.tolist() == [1, 0, 1, 0]
    assert kept.train.ids.tolist() == [0, 20, 30, 50]
    assert kept.test.ids.tolist() == [0, 20]
    assert_close(kept.train.x, examples().x[[0, 2, 3, 5]])


@pytest.mark.parametrize("classes", [(), (1,), (1, 1), (0, 3), (-1, 0)])
def test_keep_classes_refuses_what_is_no_choice(classes: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="two or more different classes out of 0..2"):
        data_set().keep_classes(classes)


def test_keep_classes_names_a_class_without_examples() -> None:
    with pytest.raises(DataError, match="no example of class 2"):
        data_set(test=examples(2)).keep_classes((0, 2))


def test_first_keeps_the_order() -> None:
    few = data_set().first(4, 2)
    assert few.train.ids.tolist() == [0, 10, 20, 30]
    assert few.test.ids.tolist() == [0, 10]
    assert len(data_set().first(n_test=1).train) == 6
    for count in (0, -1, 7):
        with pytest.raises(DataError, match="1 to 6 training"):
            data_set().first(count)
    with pytest.raises(DataError, match="two classes"):
        data_set().first(1)


def test_content_follows_every_part_and_nothing_else() -> None:
    original = data_set()
    assert original.content == data_set(name="other", title="Other").content
    train = original.train
    x, y, ids = train.x.clone(), train.y.clone(), train.ids.clone()
    x[3, 2] += 1e-15
    y[5] = 0
    ids[0] = 1
    changed = [
        Examples(x, train.y, train.ids),
        Examples(train.x, y, train.ids),
        Examples(train.x, train.y, ids),
    ]
    contents = {data_set(each).content for each in changed} | {
        data_set(test=each).content for each in changed
    }
    assert len(contents | {original.content}) == 7


def test_the_packaged_digits() -> None:
    data = load("digits")
    assert (data.name, data.image_shape, data.class_names) == ("digits", (28, 28), tuple("0123456789"))
    assert data.train.x.shape == data.test.x.shape == (5000, 784)
    assert data.train.x.dtype == torch.float64
    assert (data.train.x.min(), data.train.x.max()) == (0, 1)
    assert data.train.ids.tolist() == list(range(5000))
    assert data.test.ids.tolist() == list(range(5000, 10000))
    everything = torch.cat([data.train.y, data.test.y])
    assert everything.bincount().tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert data.content == load("digits").content
    assert "stand-in for full MNIST" in data.stand_in


def test_ones_against_sevens() -> None:
    data = load("digits")
    pair = data.keep_classes((7, 1))
    assert pair.class_names == ("7", "1")
    for label, digit in enumerate((7, 1)):
        of_pair, of_all = pair.train.ids[pair.train.y == label], data.train.ids[data.train.y == digit]
        assert_close(of_pair, of_all)


def test_a_damaged_package_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = digits.PACKAGED.read_bytes()
    for name, damaged in {"missing": None, "short": content[:1000], "text": b"hello", "empty": b""}.items():
        monkeypatch.setattr(digits, "PACKAGED", tmp_path / name)
        if damaged is not None:
            (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DataError, match="missing or damaged"):
            load("digits")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match="'letters'.*digits, mnist"):
        load("letters")
    assert list(CATALOGUE)[:2] == ["digits", "mnist"]
    assert all(row.about.endswith((".", "?")) for row in CATALOGUE.values()), (
        "every data set has its sentence"
    )
    assert [about(name)[:6] for name in ("mnist", "own-texts", "letters")] == ["All of", "Texts ", ""]


def test_progress_is_told_and_can_stop() -> None:
    told: list[tuple[float, str]] = []
    load("digits", progress=lambda fraction, message: told.append((fraction, message)))
    assert [fraction for fraction, _ in told] == [0.0, 1.0]

    def stop(fraction: float, message: str) -> None:
        raise Cancelled(message)

    with pytest.raises(Cancelled):
        load("digits", progress=stop)


def test_a_part_of_the_progress_maps_into_the_whole() -> None:
    told: list[float] = []
    inner = part(part(lambda fraction, message: told.append(fraction), 0.5, 1.0), 0.5, 1.0)
    for fraction in (0.0, 0.5, 1.0, 1.5):
        report(inner, fraction, "")
    assert told == [0.75, 0.875, 1.0, 1.0]
    assert part(None, 0, 1) is None
    report(None, 0.5, "nobody listens")


def test_errors_are_also_what_python_calls_them() -> None:
    assert issubclass(DataError, InfluenceError) and issubclass(DataError, ValueError)


def test_mnist_without_a_folder_or_files_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Name the folder"):
        load("mnist")
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / mnist.FILES[0]).write_bytes(b"")
    with pytest.raises(DataError, match="did not find: train-labels.*t10k-images.*t10k-labels") as caught:
        load("mnist", str(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_damaged_mnist_files_say_what_to_do(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    header = bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    for content in (b"", b"not an idx file", header, header + bytes(1000)):
        for name in mnist.FILES:
            (raw / name).write_bytes(content)
        with pytest.raises(DataError, match="damaged or not MNIST"):
            load("mnist", str(tmp_path))


def test_download_is_explicit_and_explains_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    class Unreachable:
        def __init__(self, root: str, train: bool, download: bool) -> None:
            asked.append((root, download))
            raise URLError("no route to host")

    monkeypatch.setattr(import_torchvision().datasets, "MNIST", Unreachable)
    with pytest.raises(DataError, match="no route to host.*\n.*internet connection.*t10k-labels"):
        mnist.download(str(tmp_path))
    assert asked == [(str(tmp_path), True)]
    with pytest.raises(DataError, match="did not find"):
        load("mnist", str(tmp_path))
    assert len(asked) == 1


@pytest.mark.slow
def test_torchvision_is_imported_only_when_needed() -> None:
    script = (
        "import sys, influence_core.data as data\n"
        "data.load('digits')\n"
        "assert 'torchvision' not in sys.modules\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from influence_core.data.torchvision_import import import_torchvision\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    modules = list(pool.map(lambda _: import_torchvision(), range(8)))\n"
        "assert all(module is sys.modules['torchvision'] for module in modules)\n"
        "modules[0].models.inception_v3, modules[0].datasets.MNIST, modules[0].transforms\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root, timeout=120)


@pytest.fixture(scope="module")
def cached_mnist() -> dict[str, DataSet]:
    return {}


@pytest.fixture
def official(shared_data: Path, cached_mnist: dict[str, DataSet]) -> DataSet:
    if not cached_mnist:
        cached_mnist["mnist"] = load("mnist", str(shared_data))
    return cached_mnist["mnist"]


@pytest.mark.shared_data
def test_mnist_is_the_official_one(official: DataSet, shared_data: Path) -> None:
    images = (shared_data / "MNIST" / "raw" / "train-images-idx3-ubyte").read_bytes()
    assert hashlib.md5(images).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
    assert official.train.x.shape == (55_000, 784)
    assert official.test.x.shape == (10_000, 784)
    assert official.train.ids[[0, -1]].tolist() == [5000, 59_999]
    assert official.test.ids[[0, -1]].tolist() == [0, 9999]
    assert int(official.test.y[8]) == 5
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(60_000, 784)
    for id in (5000, 31_415, 59_999):
        x = official.train.x[official.train.position(id)]
        np.testing.assert_array_equal(x.numpy(), pixels[id] / 255)


@pytest.mark.shared_data
def test_the_papers_ones_and_sevens(official: DataSet) -> None:
    pair = official.keep_classes((7, 1))
    assert len(pair.train) == 11_894
    assert pair.train.y.bincount().tolist() == [5715, 6179]
    assert len(pair.test) == 2163
    assert int(pair.test.ids[30]) == 111
    assert pair.class_names[int(pair.test.y[30])] == "7"
    with pytest.raises(DataError, match="id 4999"):
        official.train.position(4999)


@pytest.mark.shared_data
def test_the_packaged_digits_are_mnist_training_images(official: DataSet, shared_data: Path) -> None:
    images = (shared_data / "MNIST" / "raw" / "train-images-idx3-ubyte").read_bytes()[16:]
    known = {images[start : start + 784] for start in range(0, len(images), 784)}
    packaged = load("digits")
    for each in (packaged.train, packaged.test):
        assert all(row.tobytes() in known for row in (each.x * 255).round().byte().numpy())
