"""Frozen networks that turn photographs into features: one small interface, differentiable down to the pixels.

A backbone sees a square picture as ``(b, 3, side, side)`` brightness values in 0..255, the scale of a file, whatever its
own network expects: so one unit is one step of an 8-bit picture everywhere, and an attack can say how small it is.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from influence_core.models.backbones import trial
from influence_core.store.digest import digest

PACKAGED = "efficientnet-lite0"
"""Its weights come with its package: the default, and the only one that needs no download."""
FORMAT = 3
"""Raised when networks are cut, scaled or pooled in another way: features that were kept are then computed again."""


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
        content: Hex digest of the name, the width, the weights, what is done to the pictures and the features of a few fixed
            ones: equal digests give equal features, and any edit of the network's code gives another.
    """

    name: str
    side: int
    width: int
    mean: Tensor
    scale: Tensor
    network: nn.Module
    content: str

    def features(self, pixels: Tensor) -> Tensor:
        """Features ``(b, d)`` of pictures ``(b, 3, side, side)`` in 0..255; gradients reach the pixels.

        Raises:
            ShapeError: The network gives something else for these.
            DataError: It gives no finite numbers.
        """
        return self.network(self.scaled(pixels))

    def scaled(self, pixels: Tensor) -> Tensor:
        """Pictures on the scale that the network takes."""
        mean, scale = (one.to(pixels).view(3, 1, 1) for one in (self.mean, self.scale))
        return (pixels - mean) / scale

    def to(self, device: str | torch.device) -> Backbone:
        """The same on a device; one that is there already is itself, another is a copy that nobody else uses."""
        if self.like.device == torch.device(device):
            return self
        return replace(self, network=copy.deepcopy(self.network).to(device))

    @property
    def like(self) -> Tensor:
        """A tensor whose type and device its pictures must share."""
        return trial.like(self.network, self.mean)


def frozen(name: str, side: int, mean: Tensor, scale: Tensor, network: nn.Module) -> Backbone:
    """A backbone of any network, which is set to evaluation, gets no gradients and is tried on a few pictures.

    Args:
        name: In the catalogue.
        side: Rows and columns of its pictures.
        mean: ``(3,)`` subtracted from brightness in 0..255 ...
        scale: ``(3,)`` ... before it is divided by this.
        network: ``(b, 3, side, side)`` to one row a picture, or to maps, of which the mean over all places is taken. It is
            asked in its own type (half, bfloat16, float, double) and need not have parameters.

    Raises:
        InfluenceError: It cannot be used; one sentence says why and what to do.
    """
    trial.check_parts(name, side, mean, scale, network)
    flat = _Flat(trial.at_rest(name, network)).eval()
    backbone = Backbone(name, side, 0, mean, scale, flat, "")
    alone, together = trial.try_backbone(
        name, flat.network, backbone.scaled(trial.probes(side).to(backbone.like))
    )
    width = together.shape[1]
    content = digest(FORMAT, name, side, width, mean, scale, trial.weights(network), alone, together)
    return replace(backbone, width=width, content=content)


class _Flat(nn.Module):
    """A network whose output is one row a picture, or a sentence that says why not."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return trial.features(self.network(x), len(x))
