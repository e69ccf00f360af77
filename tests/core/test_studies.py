"""From a spec to a trained study: what names it, where it is kept, and what the catalogue promises."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import data, studies
from influence_core.data import Examples
from influence_core.data.sets import mnist
from influence_core.errors import Cancelled, DataError
from influence_core.models import all_convolutional, backbones
from influence_core.store import Store
from influence_core.studies import CATALOGUE, FAMILIES, StudySpec, find, open_study, readiness, sizes
from influence_core.training import AdamSchedule
from tests import references

SMALL = StudySpec("small", "Small", "digits", "softmax", 0.5, (3, 5, 8), n_train=60)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def gradient_norm(study):
    """Of a linear study, by the references."""
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    kind, weights = study.spec.model, references.uniform(len(x))
    return references.gradient_norm(study.theta.numpy(), x, y, weights, study.spec.l2, kind)


# ----------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize(
    "spec", [SMALL, replace(SMALL, model="logistic", classes=(7, 1))], ids=lambda s: s.model
)
def test_training_ends_at_the_optimum(spec):
    study = open_study(spec)
    assert gradient_norm(study) <= spec.gradient_norm
    assert study.gradient_norm <= spec.gradient_norm
    assert (len(study.data.train), study.objective.n) == (60, 60)
    assert study.data.class_names == tuple(str(one) for one in spec.classes)
    assert study.theta.dtype == torch.float64
    assert not study.from_store
    assert study.seconds > 0


def test_probabilities_follow_the_parameters():
    study = open_study(SMALL)
    x = study.data.test.x[:5].numpy()
    outputs = np.exp(x @ study.theta.numpy().reshape(784, 3))
    assert_allclose(study.probabilities(study.data.test.x[:5]), outputs / outputs.sum(1, keepdims=True))


def test_sizes_are_known_without_training():
    study = open_study(SMALL)
    assert sizes(SMALL) == (len(study.data.train), len(study.theta)) == (60, 3 * 784)


def test_cancelling_stops_the_training(store):
    def stop(fraction, message):
        if fraction > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        open_study(SMALL, store, progress=stop)
    assert store.size() == 0


# ---------------------------------------------------------------------------------------------- the store


def test_a_stored_study_is_the_same_to_the_last_bit(store):
    first, again = open_study(SMALL, store), open_study(SMALL, store)
    assert (first.from_store, again.from_store) == (False, True)
    assert again.key == first.key
    assert_array_equal(again.theta.numpy(), first.theta.numpy())
    assert again.seconds == first.seconds
    assert gradient_norm(again) <= SMALL.gradient_norm
    assert_allclose(again.gradient_norm, first.gradient_norm, rtol=1e-6)


def test_the_gradient_norm_of_stored_parameters_is_computed_anew(store):
    study = open_study(SMALL, store)
    store.put(study.key, {"theta": study.theta.numpy() + 0.01}, {"seconds": 1.0})
    moved = open_study(SMALL, store)
    assert_allclose(moved.gradient_norm, gradient_norm(moved), rtol=1e-6, atol=1e-12)
    assert moved.gradient_norm > 1e-3 or not moved.from_store


def test_parameters_of_another_size_are_not_used(store):
    study = open_study(SMALL, store)
    store.put(study.key, {"theta": np.zeros(7)}, {"seconds": 1.0})
    again = open_study(SMALL, store)
    assert not again.from_store
    assert_array_equal(again.theta.numpy(), study.theta.numpy())


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-200], lambda content: b""], ids=["cut short", "emptied"]
)
def test_a_damaged_study_is_trained_again(store, damage):
    first = open_study(SMALL, store)
    (file,) = store.folder.glob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    again = open_study(SMALL, store)
    assert not again.from_store
    assert_array_equal(again.theta.numpy(), first.theta.numpy())
    assert any("damaged" in notice for notice in store.notices())
    assert open_study(SMALL, store).from_store


def test_what_a_killed_process_left_is_not_taken_for_a_study(store):
    study = open_study(SMALL, store)
    (file,) = store.folder.glob("*.npz")
    file.rename(file.with_name(f"{study.key}-half.tmp"))
    assert not open_study(SMALL, store).from_store


def test_a_store_without_room_costs_time_only(tmp_path):
    store = Store(tmp_path, limit_bytes=100)
    assert [open_study(SMALL, store).from_store for _ in range(2)] == [False, False]
    assert any("larger than the store's limit" in notice for notice in store.notices())


# ------------------------------------------------------------------------------------------------ the key


def one_pixel(examples: Examples) -> Examples:
    x = examples.x.clone()
    x[0, 0] = 0.5
    return replace(examples, x=x)


def test_equal_specs_give_equal_keys(monkeypatch):
    key = open_study(SMALL).key
    assert open_study(replace(SMALL)).key == key
    packaged = data.load("digits")
    copied = replace(packaged, train=replace(packaged.train, x=packaged.train.x.clone()))
    monkeypatch.setitem(data.CATALOGUE, "digits", data.DataRow("digits", lambda folder, progress: copied, ""))
    assert open_study(SMALL).key == key


@pytest.mark.parametrize(
    "changes",
    [{"l2": 0.6}, {"seed": 1}, {"n_train": 61}, {"classes": (5, 3, 8)}, {"gradient_norm": 1e-9}],
    ids=str,
)
def test_another_spec_gives_another_key(store, changes):
    first, other = open_study(SMALL, store), open_study(replace(SMALL, **changes), store)
    assert other.key != first.key
    assert not other.from_store


@pytest.mark.parametrize("part", ["train", "test"])
def test_one_pixel_gives_another_key(store, monkeypatch, part):
    first = open_study(SMALL, store)
    packaged = data.load("digits").keep_classes(SMALL.classes)
    edited = replace(packaged, **{part: one_pixel(getattr(packaged, part))})
    monkeypatch.setitem(data.CATALOGUE, "digits", data.DataRow("digits", lambda folder, progress: edited, ""))
    other = open_study(replace(SMALL, classes=None), store)
    monkeypatch.setitem(
        data.CATALOGUE, "digits", data.DataRow("digits", lambda folder, progress: packaged, "")
    )
    unedited = open_study(replace(SMALL, classes=None), store)
    assert len({first.key, other.key, unedited.key}) == 3
    assert not other.from_store and not unedited.from_store


# ---------------------------------------------------------------------------------------------- a network


def test_the_same_seed_gives_the_same_network(store):
    """A few steps of Adam on twenty digits, and no more: the target is met from the start."""
    spec = StudySpec(
        "tiny",
        "Tiny",
        "digits",
        "all-convolutional",
        0.001,
        n_train=20,
        gradient_norm=1e3,
        schedule=AdamSchedule(steps=3, batch=10, rate=1e-3),
        damping=0.01,
    )
    first, again, other = open_study(spec), open_study(spec), open_study(replace(spec, seed=1))
    assert first.objective.dim == 2_616
    assert not first.objective.is_convex
    assert_array_equal(again.theta.numpy(), first.theta.numpy())
    assert (again.key, again.from_store) == (first.key, False)
    assert other.key != first.key
    assert np.abs(other.theta.numpy() - first.theta.numpy()).max() > 0.01


# ------------------------------------------------------------------------------------------ the catalogue


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_row_of_the_catalogue(name):
    spec = find(name)
    assert spec.name == name
    assert spec.data in data.CATALOGUE
    assert spec.model in FAMILIES and spec.model != "svm", "every page shows probabilities"
    assert spec.l2 > 0
    if spec.is_network:
        assert spec.schedule is not None and spec.damping > 0
    else:
        assert spec.schedule is None and spec.damping == 0 and spec.gradient_norm <= 1e-10
    if spec.data in ("digits", "mnist"):
        assert (len(spec.classes or ()) == 2) == (spec.model == "logistic")
    if spec.whole:
        assert (
            replace(find(spec.whole), name=spec.name, title=spec.title, data=spec.data, whole=spec.whole)
            == spec
        )
    assert not spec.source, "uploads are not in the catalogue"


def test_the_catalogue_as_a_whole():
    assert next(iter(CATALOGUE)) == "digits"
    assert {"digits", "one-or-seven", "digits-network"} <= set(CATALOGUE)
    titles = [spec.title for spec in CATALOGUE.values()]
    assert len(set(titles)) == len(titles)
    contents = [{**asdict(spec), "name": "", "title": ""} for spec in CATALOGUE.values()]
    assert all(one not in contents[:at] for at, one in enumerate(contents))
    assert all_convolutional.INPUT_SHAPE == (1, 28, 28)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="no study 'mnits'.*digits, one-or-seven"):
        find("mnits")


# -------------------------------------------------------------------------------------------- full MNIST


@pytest.mark.parametrize("name", ["mnist", "mnist-one-or-seven", "mnist-network"])
def test_missing_mnist_names_the_files_and_the_remedy(name, tmp_path):
    with pytest.raises(DataError) as caught:
        open_study(find(name), folder=str(tmp_path))
    message = str(caught.value)
    assert all(file in message for file in mnist.FILES)
    assert str(tmp_path / "MNIST" / "raw") in message
    assert "download" in message
    with pytest.raises(DataError, match="Name the folder that holds MNIST/raw"):
        open_study(find(name))


@pytest.mark.slow
@pytest.mark.shared_data
def test_one_or_seven_of_full_mnist(shared_data, store):
    study = open_study(find("mnist-one-or-seven"), store, str(shared_data))
    assert (study.objective.n, len(study.data.test)) == (11_894, 2_163)
    assert study.data.class_names == ("7", "1")
    assert gradient_norm(study) <= 1e-10
    assert study.gradient_norm <= 1e-10
    assert open_study(study.spec, store, str(shared_data)).from_store


def test_the_packaged_network_is_what_its_spec_trains_to():
    study = open_study(find("digits-network"))
    assert study.from_store, "run `python -m influence_core precompute digits-network`"
    assert study.gradient_norm <= study.spec.gradient_norm
    assert study.objective.dim == 2_616


def test_a_study_module_of_ones_own_is_the_one_in_contributing(tmp_path, monkeypatch):
    """The guide's module, verbatim: its study opens with its own network's features."""
    guide = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = guide.split("```python\n# my_study.py\n")[1].split("```")[0]
    file = tmp_path / "my_study.py"
    file.write_text(code, encoding="utf-8")
    monkeypatch.setitem(studies.CATALOGUE, "dog-or-frog-mine", find("dog-or-frog"))  # gone afterwards
    monkeypatch.setitem(backbones.OWN, "mine", None)  # gone afterwards
    monkeypatch.setenv(studies.MODULE_VARIABLE, str(file))
    studies.load_module()
    study = studies.open_study(studies.find("dog-or-frog-mine"))
    assert study.data.train.x.shape == (1800, 16)
    assert study.backbone is not None and study.backbone.name == "mine"


NO_MODEL = "from influence_core.studies import StudySpec as S; S('mine', 'Mine', 'digits', 'lasso', 0.1)"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "FileNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        (NO_MODEL, "DataError: There is no model “lasso”; choose one of softmax, logistic, svm"),
    ],
    ids=["no file", "an error", "no model"],
)
def test_a_study_module_that_fails_is_said(tmp_path, code, words):
    file = tmp_path / "mine.py"
    if code:
        file.write_text(code)
    with pytest.raises(DataError, match=f"could not be run: {words}"):
        studies.load_module(str(file))


# ------------------------------------------------------------------------------------------ ready or not


def test_a_study_is_marked_ready_with_its_time_or_as_needing_data(store, tmp_path, monkeypatch):
    monkeypatch.setattr(readiness, "FIRST_TIME", {"small": 300.0, "mnist": 60.0, "quick": readiness.QUICK})
    folder = str(tmp_path)
    assert readiness.mark(SMALL, store, folder) == "about 5 min"
    study = open_study(SMALL, store)
    readiness.note(study, store)
    assert readiness.mark(SMALL, store, folder) == "ready"
    store.remove(store.path(study.key))
    assert readiness.mark(SMALL, store, folder) == "about 5 min", "its parameters were forgotten"
    readiness.note(open_study(SMALL, store), store)
    assert readiness.mark(SMALL, store, folder) == "ready", "and are there again"
    assert readiness.mark(replace(SMALL, l2=0.7), store, folder) == "about 5 min", "another study"
    assert readiness.mark(replace(SMALL, name="quick"), store, folder) == "ready"
    assert readiness.mark(replace(SMALL, name="mine"), store, folder) == "", "nobody knows"
    assert readiness.mark(CATALOGUE["mnist"], store, folder) == "needs data"
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in mnist.FILES:
        (raw / name).touch()
    assert readiness.mark(CATALOGUE["mnist"], store, folder) == "about 60 s"
    assert readiness.mark(CATALOGUE["text-folder"], store, folder) == "needs data"
    (tmp_path / "texts").mkdir()
    assert readiness.mark(CATALOGUE["text-folder"], store, folder) != "needs data"


def test_opening_times_are_of_studies_that_there_are(store):
    assert "digits" in readiness.FIRST_TIME and set(readiness.FIRST_TIME) <= set(CATALOGUE)
    untimed = replace(CATALOGUE["digits"], name="untimed")
    assert readiness.mark(untimed, store, "nowhere") == ""


def test_marks_read_and_compute_nothing(store, monkeypatch):
    monkeypatch.setattr(data.catalogue, "load", None)
    monkeypatch.setattr(Store, "get", None)
    for spec in CATALOGUE.values():
        readiness.mark(spec, store, "nowhere")
