"""A network is tried on a few fixed pictures before it is used: what it says of them is part of what it is.

The same weights in other code are another network. So its name, its width and its features of these pictures, one alone
and all in a batch, enter the digest under which features are kept; the same few passes find what cannot be used at all.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from influence_core.errors import DataError, InfluenceError, ShapeError, UnsupportedError
from influence_core.watch import Watch, alike, culprit, depends_on_the_batch, gives_random_outputs, quoted

LARGEST_SIDE = 4_096
BLOCK = 8
"""Pixels a side of the coarse probe's patches."""


def probes(side: int) -> Tensor:
    """Four pictures that differ in what an edited network may look at: noise, a ramp, the dark, and bright patches.

    Args:
        side: Rows and columns.

    Returns:
        ``(4, 3, side, side)`` float32 whole numbers in 0..255, the same on every machine.
    """
    generator = torch.Generator().manual_seed(0)

    def noise(low: int, high: int, size: int = side) -> Tensor:
        return torch.randint(low, high, (3, size, size), generator=generator).float()

    steps = torch.arange(side) * 255 // max(side - 1, 1)
    rows, columns = steps[:, None].expand(side, side), steps.expand(side, side)
    patches = noise(160, 256, -(-side // BLOCK)).repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)
    ramp = torch.stack([columns, rows, 255 - (rows + columns) // 2]).float()
    return torch.stack([noise(0, 256), ramp, noise(0, 40), patches[:, :side, :side]])


def check_parts(name: str, side: int, mean: Tensor, scale: Tensor, network: nn.Module) -> None:
    """Refuse what cannot be a backbone before it is asked anything.

    Raises:
        DataError: ``network`` is no network, ``side`` no number of pixels, ``mean`` or ``scale`` not one number a colour.
    """
    if not isinstance(network, nn.Module):
        raise DataError(f"Network “{name}”: expected a torch.nn.Module, got {_what_instead(network)}.")
    if any(is_lazy(one) or one.is_meta for one in (*network.parameters(), *network.buffers())):
        raise DataError(
            f"Network “{name}” has layers without weights yet: build it with all its sizes and load its weights first."
        )
    if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= LARGEST_SIDE:
        raise DataError(f"Network “{name}”: side must be a whole number from 1 to {LARGEST_SIDE:,}.")
    for word, one in (("mean", mean), ("scale", scale)):
        if not (isinstance(one, Tensor) and one.shape == (3,) and bool(torch.isfinite(one).all())):
            raise DataError(
                f"Network “{name}”: {word} must be a tensor of three numbers, for red, green and blue in 0..255."
            )
    if not bool((scale != 0).all()):
        raise DataError(f"Network “{name}”: scale must not be 0, for the pictures are divided by it.")


def _what_instead(network: Any) -> str:
    kind = type(network).__name__
    if isinstance(network, dict):
        return f"a {kind}, which is weights alone: build the network and load them with load_state_dict"
    if isinstance(network, type):
        return f"the class {network.__name__}: call it, {network.__name__}(), to make a network of it"
    if callable(network):
        return f"a {kind}: call it in the forward of a module, and give that"
    return f"a {kind}: give the network itself"


def at_rest(name: str, network: nn.Module) -> nn.Module:
    """The network in evaluation and without gradients.

    Raises:
        UnsupportedError: It has no such mode.
    """
    try:
        network.eval()
        for one in network.parameters():
            one.requires_grad_(False)
        return network
    except Exception as error:  # whatever anybody's network raises
        raise UnsupportedError(
            f"Network “{name}” cannot be set to evaluation: bring the module itself in the place of an exported program "
            f"(PyTorch says: {quoted(error)})."
        ) from error


def like(network: nn.Module, otherwise: Tensor) -> Tensor:
    """A tensor whose type and device a network's pictures must share: its first parameter, or buffer, of real numbers."""
    for one in (*network.parameters(), *network.buffers()):
        if one.is_floating_point():
            return one
    return otherwise


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, those too that a state dict leaves out; what else a module keeps shows in its features."""
    return {
        name: one.detach() if one.layout == torch.strided else one.detach().to_dense()
        for name, one in (*network.named_parameters(), *network.named_buffers())
    }


def try_backbone(name: str, network: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Ask a network about the probes in its own type.

    Args:
        name: In the catalogue.
        network: In evaluation mode.
        pixels: ``(4, 3, side, side)`` the probes, as the network takes them.

    Returns:
        ``(1, d)`` its features of the first alone, and ``(4, d)`` of all in a batch.

    Raises:
        ShapeError: It does not take the pictures, or does not give one row a picture.
        DataError: Its features are no finite numbers.
        UnsupportedError: It draws random numbers, or what it says depends on the batch.
    """
    try:
        with torch.no_grad():
            return _try(network, pixels)
    except InfluenceError as error:
        raise type(error)(f"Network “{name}”: {error}") from error


def _try(network: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    first, together = _run(network, pixels)
    again, repeated = _run(network, pixels)
    drawing = next((call.name for call in first.calls if call.drew), None)
    if drawing or together.shape != repeated.shape or not alike(together, repeated):
        raise gives_random_outputs(drawing or culprit(first, again))
    single, alone = _run(network, pixels[:1])
    if alone.shape[1] != together.shape[1] or not alike(alone, together[:1]):
        raise depends_on_the_batch(culprit(single, first))
    return alone, together


def _run(network: nn.Module, pixels: Tensor) -> tuple[Watch, Tensor]:
    with Watch(network, pixels) as watch:
        try:
            found = network(pixels)
        except Exception as error:  # whatever anybody's network raises
            layer, _ = watch.stopped_in or ("The module", network)
            if len(pixels) == 1:
                raise depends_on_the_batch(layer) from error
            raise ShapeError(
                f"{layer} stops at pictures of shape {tuple(pixels.shape)} in {pixels.dtype}: check side, and that the "
                f"module works in evaluation, in one type and on one device (PyTorch says: {quoted(error)})."
            ) from error
    return watch, features(found, len(pixels))


def features(found: Any, b: int) -> Tensor:
    """What a network gave as one row a picture: of maps, the mean over all places.

    Args:
        found: Its output.
        b: Pictures that it was asked about.

    Returns:
        ``(b, d)``.

    Raises:
        ShapeError: It is anything but a tensor of one row, or one stack of maps, a picture.
        DataError: It is made of other than finite real numbers.
    """
    if not isinstance(found, Tensor):
        raise ShapeError(
            f"The module returns a {type(found).__name__}, but one tensor of features is needed: wrap it in a module "
            "that returns the one that counts."
        )
    if found.ndim not in (2, 4) or len(found) != b or not found.numel():
        raise ShapeError(
            f"The module gives outputs of shape {tuple(found.shape)} for {b} picture{'s' * (b > 1)}, but ({b}, d) is needed, "
            f"or maps ({b}, d, rows, columns): {_remedy(found, b)}."
        )
    if found.is_complex():
        raise DataError(
            f"The module gives complex numbers ({found.dtype}), but features are real: return their abs(), or view_as_real "
            "and flatten(1)."
        )
    if not found.is_floating_point():
        raise DataError(
            f"The module gives whole numbers ({found.dtype}), but features are real: return what comes before argmax, "
            "rounding or a comparison."
        )
    if not bool(torch.isfinite(found).all()):
        raise DataError(
            "The module's features are not finite numbers: check its weights, mean and scale, or use a wider type."
        )
    return found.mean((2, 3)) if found.ndim == 4 else found


def _remedy(found: Tensor, b: int) -> str:
    if found.ndim == 3 and len(found) == b:
        return "return one token, or the mean over all, found.mean(1)"
    if found.ndim < 2 or len(found) != b:
        return "use flatten(1) in the place of squeeze() or of a mean over the batch"
    return "use flatten(1)"
