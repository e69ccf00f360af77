"""Frozen networks that turn photographs into features: one small interface, differentiable down to the pixels.

A backbone sees a square picture as ``(b, 3, side, side)`` brightness values in 0..255, the scale of a file, whatever its
own network expects: so one unit is one step of an 8-bit picture everywhere, and an attack can say how small it is.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from influence_core.store.digest import digest

PACKAGED = "efficientnet-lite0"
"""Its weights come with its package: the default, and the only one that needs no download."""
FORMAT = 2
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
