"""Networks that people bring: an edit is another network, and what cannot be used is refused in one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from influence_core import studies
from influence_core.context import Context
from influence_core.data import CATALOGUE, DataRow
from influence_core.data.readers.picture_sets import SheetPictures, data_set
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError, InfluenceError
from influence_core.experiments import explain, questions
from influence_core.models import backbones
from influence_core.models.backbones import Backbone, frozen
from influence_core.store import NO_STORE, Store

SIDE = 16
MEAN, SCALE = torch.full((3,), 127.0), torch.full((3,), 64.0)


class Small(nn.Module):
    """Two convolutions, of which `forward` makes features in a way that `edit` names."""

    def __init__(self, edit: str = "", stride: int = 2) -> None:
        super().__init__()
        self.edit = edit
        self.first, self.second = nn.Conv2d(3, 6, 3, stride), nn.Conv2d(6, 8, 3, padding=1)
        generator = torch.Generator().manual_seed(5)
        for one in self.parameters():
            nn.init.normal_(one, 0.0, 0.3, generator=generator)

    def forward(self, x):
        edit = self.edit
        if edit == "colours":
            x = x.flip(1)
        if edit == "mirrored":
            x = x.flip(3)
        if edit == "the dark only":
            x = torch.where(x.mean((1, 2, 3), keepdim=True) < -1, 2 * x, x)
        x = torch.tanh(self.first(x)) if edit == "activation" else torch.relu(self.first(x))
        x = x if edit == "cut before" else self.second(x)
        if edit == "clamped":
            x = x.clamp(max=6)
        if edit == "maximum":
            return x.amax((2, 3))
        found = x.mean((2, 3))
        return found[:, :7] if edit == "narrower" else found


EDITS = {
    "as it was": Small(),
    "stride": Small(stride=1),
    **{
        name: Small(name)
        for name in (
            "colours",
            "mirrored",
            "the dark only",
            "activation",
            "cut before",
            "clamped",
            "maximum",
            "narrower",
        )
    },
}


def mine(network, side: int = SIDE, mean=MEAN, scale=SCALE) -> Backbone:
    return frozen("mine", side, mean, scale, network)


@pytest.fixture
def photos(monkeypatch):
    """A study of forty small pictures, dark ones among them, on the network that is called "mine"."""
    pictures = np.random.default_rng(3).integers(0, 256, (40, SIDE, SIDE, 3)).astype(np.uint8)
    pictures[::3] //= 8
    made = data_set(
        "forty", "Forty", SheetPictures(pictures), np.arange(40) % 2, np.arange(40) < 30, ("even", "odd")
    )
    monkeypatch.setitem(CATALOGUE, "forty", DataRow("forty", lambda *_: made, "Forty pictures."))
    return studies.StudySpec("forty-mine", "Forty", "forty", "logistic", 0.01, backbone="mine")


def test_nine_edits_without_a_change_of_weights_are_nine_other_answers(photos, tmp_path, monkeypatch):
    store, seen, keys, answers = Store(tmp_path), {}, set(), {}
    for name, network in EDITS.items():
        monkeypatch.setitem(backbones.OWN, "mine", lambda network=network: mine(network))
        kept, fresh = (
            studies.open_study(photos, store).data.train.x,
            studies.open_study(photos).data.train.x,
        )
        assert torch.equal(kept, fresh), name
        assert torch.equal(studies.open_study(photos, store).data.train.x, fresh)
        seen[name] = kept
        keys.add(backbones.build("mine").content)
        answers[name] = [
            explain.run(one, questions.ask(one, test_id=30), context=context).scores
            for one, context in (
                (studies.open_study(photos, store), Context(store)),
                (studies.open_study(photos), Context(NO_STORE)),
            )
        ]
    assert len(seen) == len(keys) == 10
    weights = [network.state_dict() for network in EDITS.values()]
    assert all(torch.equal(one[name], other[name]) for one in weights for other in weights for name in one)
    for name, (kept, fresh) in answers.items():
        assert_allclose(kept, fresh, rtol=1e-9, atol=1e-12, err_msg=name)
        assert [one for one, (x, _) in answers.items() if np.abs(x - kept).max() < 1e-9] == [name]
    for name, other in seen.items():
        assert [one for one, x in seen.items() if _same(x, other)] == [name]


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and float((one - other).abs().max()) < 1e-6


def test_the_same_network_built_again_is_the_same():
    assert mine(Small()).content == mine(Small()).content
    assert mine(Small()).content != frozen("other", SIDE, MEAN, SCALE, Small()).content


def test_weights_that_a_state_dict_leaves_out_are_weights():
    class Hidden(Small):
        def __init__(self, value):
            super().__init__()
            self.register_buffer("threshold", torch.tensor(value), persistent=False)

        def forward(self, x):
            return torch.where(x > self.threshold, x, 0 * x).mean((2, 3))

    assert mine(Hidden(50.0)).content != mine(Hidden(60.0)).content  # no probe is so bright


# --------------------------------------------------------------------------------------- read right


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_is_asked_in_its_own_type(dtype):
    backbone, plain = mine(Small().to(dtype)), mine(Small())
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.uint8))
    found = backbones.features_of(backbone, pictures)
    assert backbone.like.dtype == dtype and found.dtype == torch.float32
    assert_close(found, backbones.features_of(plain, pictures), rtol=0.05, atol=0.05)


def test_a_network_without_parameters_has_features():
    backbone = mine(nn.AvgPool2d(SIDE))
    picture = np.full((SIDE, SIDE, 3), 191, np.uint8)
    assert_close(backbones.features_of(backbone, [picture]), torch.ones(1, 3))
    assert backbone.to("cpu") is backbone


class Extra(Small):
    """Keeps a word with its weights."""

    def get_extra_state(self):
        return {"version": 2}

    def set_extra_state(self, state):
        pass


@pytest.mark.parametrize("network", [Extra(), nn.Sequential(nn.Dropout(0.5), Small()).train()])
def test_extra_state_and_a_dropout_layer_in_training_mode_are_no_matter(network):
    assert mine(network).width == 8


# ----------------------------------------------------------------------------------------- refused


class Gives(nn.Module):
    """A function of the features."""

    def __init__(self, function, before: nn.Module | None = None) -> None:
        super().__init__()
        self.inside, self.function = before or Small(), function

    def forward(self, x):
        return self.function(self.inside(x))


def _noise(x):
    return x + torch.randn_like(x)


class LeftOn(nn.Module):
    """Its dropout is on whatever the mode."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop.train()(x)


REFUSED = {
    "tuple": (Gives(lambda f: (f, f)), "returns a tuple.*wrap it"),
    "dict": (Gives(lambda f: {"features": f}), "returns a dict.*wrap it"),
    "nothing": (Gives(lambda f: None), "returns a NoneType.*wrap it"),
    "squeezed": (Gives(lambda f: f[:, :1].squeeze()), r"outputs of shape \(4,\) for 4 pictures.*flatten\(1\)"),
    "squeezed alone": (Gives(lambda f: f.squeeze(0)), r"shape \(8,\) for 1 picture,.*flatten\(1\)"),
    "mean of the batch": (Gives(lambda f: f.mean(0)), r"shape \(8,\) for 4.*flatten\(1\)"),
    "token rows": (Gives(lambda f: f[:, None].expand(-1, 5, -1)), r"shape \(4, 5, 8\).*one token.*mean\(1\)"),
    "no features": (Gives(lambda f: f[:, :0]), r"shape \(4, 0\)"),
    "integers": (Gives(lambda f: (10 * f).long()), r"whole numbers \(torch.int64\).*before argmax"),
    "a vote": (Gives(lambda f: f > 0), r"whole numbers \(torch.bool\)"),
    "complex": (Gives(torch.fft.fft), r"complex numbers \(torch.complex64\).*abs\(\)"),
    "not finite": (Gives(lambda f: (-f.abs()).log()), "not finite"),
    "functional dropout": (Gives(F.dropout), "Gives.*random outputs.*F.dropout"),
    "noise": (nn.Sequential(Gives(_noise)), "The layer '0'.*random outputs"),
    "dropout left on": (nn.Sequential(Small(), LeftOn()), "The layer '1.drop' .Dropout. gives random outputs"),
    "batch statistics": (
        nn.Sequential(Small(), nn.BatchNorm1d(8, track_running_stats=False)),
        "The layer '1' .BatchNorm1d. does not look at each example by itself.*running statistics",
    ),
    "centred in the batch": (Gives(lambda f: f - f.mean(0)), "does not look at each example by itself"),
    "another size": (nn.Sequential(nn.Flatten(), nn.Linear(5, 2)), "The layer '1' .Linear. stops at.*check side"),
    "mixed types": (nn.Sequential(Small(), nn.Linear(8, 2).half()), "The layer '1'.*one type"),
    "a lazy layer": (nn.LazyConv2d(4, 3), "layers without weights yet"),
    "a network of no device": (nn.Conv2d(3, 2, 1, device="meta"), "layers without weights yet"),
    "an exported program": (
        torch.export.export(Small().eval(), (torch.zeros(4, 3, SIDE, SIDE),)).module(),
        "cannot be set to evaluation: bring the module itself",
    ),
    "state dict": (Small().state_dict(), "OrderedDict, which is weights alone.*load_state_dict"),
    "class": (Small, r"the class Small: call it, Small\(\)"),
    "function": (torch.tanh, "call it in the forward of a module"),
    "text": ("resnet", "a str: give the network itself"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(name):
    network, words = REFUSED[name]
    with pytest.raises(InfluenceError, match=f"^Network “mine”.*{words}") as refusal:
        mine(network)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"side": 0}, "side must be a whole number"),
        ({"side": 16.0}, "side must be a whole number"),
        ({"mean": torch.zeros(1)}, "mean must be a tensor of three numbers"),
        ({"scale": [1, 2, 3]}, "scale must be a tensor"),
        ({"scale": torch.tensor([1.0, 0.0, 1.0])}, "scale must not be 0"),
    ],
)
def test_what_surrounds_a_network_is_looked_at(parts, words):
    with pytest.raises(DataError, match=words):
        mine(Small(), **parts)


def _module(tmp_path: Path, body: str) -> Path:
    file = tmp_path / "my_study.py"
    file.write_text(
        "import torch\nfrom influence_core import studies\nfrom influence_core.models import backbones\n"
        f"def build():\n    {body}\n"
        "backbones.OWN['mine'] = build\n"
        "studies.CATALOGUE['cats'] = studies.StudySpec('cats', 'Cats', 'photos', 'logistic', 0.001, backbone='mine')\n"
    )
    return file


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return torch.nn.Flatten()", "gives a Flatten, but a backbone is needed: return backbones.frozen"),
        ("return torch.load('/nowhere/my weights.pth')", "No such file or directory: my weights.pth. Fix"),
        ("return 1 / 0", "ZeroDivisionError"),
        (
            "return backbones.frozen('mine', 8, torch.zeros(3), torch.ones(3), torch.nn.Dropout2d())",
            None,
        ),
    ],
)
def test_a_module_whose_network_fails_is_said(tmp_path, body, words, monkeypatch):
    monkeypatch.setitem(backbones.OWN, "mine", None)
    monkeypatch.setitem(studies.CATALOGUE, "cats", None)
    studies.load_module(str(_module(tmp_path, body)))
    if words is None:
        assert backbones.build("mine").width == 3
        return
    with pytest.raises(DataError, match=f"Network “mine”.*{words}") as refusal:
        backbones.build("mine")
    assert "/nowhere" not in str(refusal.value)


@pytest.mark.slow
def test_the_command_line_says_it_in_one_line_and_ends_with_2(tmp_path):
    file = _module(
        tmp_path,
        "return backbones.frozen('mine', 8, torch.zeros(3), torch.ones(3), torch.nn.AdaptiveMaxPool2d(1, True))",
    )
    ran = subprocess.run(
        [sys.executable, "-m", "influence_core", "explain", "--study", "cats"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={"INFLUENCE_EXPLORER_MODULE": str(file), "INFLUENCE_EXPLORER_CACHE": str(tmp_path), "PATH": ""},
    )
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1 and ran.stderr.startswith(
        "error: Network “mine”: The module returns a tuple"
    )


# --------------------------------------------------------------------------------- files of weights


def _safe(weights: dict[str, torch.Tensor]) -> bytes:
    """As the safetensors library writes them."""
    types = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64"}
    header, content = {"__metadata__": {"format": "pt"}}, b""
    for name, one in weights.items():
        raw = one.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        offsets = [len(content), len(content) + len(raw)]
        header[name] = {"dtype": types[one.dtype], "shape": list(one.shape), "data_offsets": offsets}
        content += raw
    words = json.dumps(header).encode()
    return len(words).to_bytes(8, "little") + words + content


def _drawn() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))


WRAPPED = {
    "plain": lambda w: w,
    "DataParallel": lambda w: {f"module.{name}": one for name, one in w.items()},
    "compiled inside DataParallel": lambda w: {f"module._orig_mod.{name}": one for name, one in w.items()},
    "checkpoint": lambda w: {"epoch": 3, "state_dict": w, "optimizer": {"lr": 0.1}},
    "checkpoint of a model": lambda w: {
        "model": {f"model.{name}": one for name, one in w.items()},
        "best": 0.9,
    },
    "Lightning": lambda w: {
        "state_dict": {"loss.weight": torch.ones(2)} | {f"net.{name}": one for name, one in w.items()}
    },
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrappers_around_weights_are_taken_off(kind, tmp_path):
    source, target = _drawn(), _drawn()
    torch.save(WRAPPED[kind](source.state_dict()), tmp_path / "w.pt")
    backbones.load_into(target, tmp_path / "w.pt")
    for name, one in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], one)


def test_safetensors_are_read_without_their_library(tmp_path):
    source, target = nn.Linear(3, 2).bfloat16(), nn.Linear(3, 2)
    weights = {f"module.{name}": one.detach() for name, one in source.state_dict().items()}
    (tmp_path / "w.safetensors").write_bytes(_safe(weights))
    backbones.load_into(target, tmp_path / "w.safetensors")
    assert torch.equal(target.weight, source.weight.float())


@pytest.mark.slow
def test_a_classifier_trained_anew_is_read_for_its_features(tmp_path):
    network = import_torchvision().models.resnet18(weights=None, num_classes=7)
    file = tmp_path / "weights" / "resnet18.safetensors"
    file.parent.mkdir()
    file.write_bytes(_safe(network.state_dict()))
    found = backbones.build("resnet18", str(tmp_path))
    network.fc = nn.Identity()
    pictures = [np.full((224, 224, 3), 90, np.uint8)]
    again = frozen("resnet18", 224, found.mean, found.scale, network)
    assert_close(backbones.features_of(found, pictures), backbones.features_of(again, pictures))


BAD_FILES = {
    "cut short": (lambda file: file.write_bytes(_safe({"weight": torch.ones(9)})[:-8]), "damaged"),
    "no header": (lambda file: file.write_bytes(b"\xff" * 40), "damaged"),
    "a page": (lambda file: file.write_bytes(b"<html>not found</html>"), "damaged"),
    "empty": (lambda file: file.write_bytes(b""), "damaged"),
    "nothing": (lambda file: None, "No such file"),
    "no weights": (lambda file: file.write_bytes(_safe({})), "no weights by name"),
    "another's": (
        lambda file: file.write_bytes(_safe({"weight": torch.ones(4, 3), "scale": torch.ones(1)})),
        "another network: the file lacks bias, also has scale, has another shape of weight",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_no_weights_of_this_network_are_refused(name, tmp_path):
    write, words = BAD_FILES[name]
    write(tmp_path / "w.safetensors")
    with pytest.raises(DataError, match=f"w.safetensors .*{words}") as refusal:
        backbones.load_into(nn.Linear(3, 2), tmp_path / "w.safetensors")
    assert str(tmp_path) not in str(refusal.value)


def test_a_whole_network_in_a_file_is_refused_without_running_it(tmp_path):
    torch.save(nn.Linear(3, 2), tmp_path / "w.pt")
    with pytest.raises(DataError, match="w.pt could not be read: .*Save network.state_dict"):
        backbones.load_into(nn.Linear(3, 2), tmp_path / "w.pt")
