"""The layers of an objective, and what flows through them: all that EK-FAC reads of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from influence_core.errors import UnsupportedError
from influence_core.losses import Loss
from influence_core.network import ROWS, NetworkObjective
from influence_core.objective import LinearObjective, Objective
from influence_core.progress import Progress, report

Flow = tuple[Tensor, list[Tensor], Iterator[list[Tensor]]]
"""Of a chunk of examples: weights ``(b,)``; each layer's ``a (b, T, i)``; and for each ``m`` each layer's ``g_m (b, T, o)``."""


class Layers(Protocol):
    """The layers of an objective."""

    positions: list[Tensor]
    """Of each layer, where its parameters ``(o, i)`` stand in ``theta``."""

    def flows(self, theta: Tensor, progress: Progress | None) -> Iterator[Flow]:
        """What flows through the layers, for the training examples chunk by chunk."""
        ...


def layers_of(objective: Objective) -> Layers:
    """The layers of an objective.

    Raises:
        UnsupportedError: If they are not all linear or plain convolutions, each with parameters of its own.
    """
    if isinstance(objective, LinearObjective):
        return OneLayer(objective)
    if isinstance(objective, NetworkObjective):
        return NetworkLayers(objective)
    raise UnsupportedError(f"EK-FAC does not know the layers of a {type(objective).__name__}.")


class OneLayer:
    """A linear objective: one layer without bias, whose weight stands in ``theta`` transposed."""

    def __init__(self, objective: LinearObjective) -> None:
        self.objective = objective
        self.positions = [torch.arange(objective.dim).view(-1, objective.loss.outputs).T]

    def flows(self, theta: Tensor, progress: Progress | None) -> Iterator[Flow]:
        """``a`` is the example itself, and ``g_m`` is ``r_m``."""
        o = self.objective
        for rows in o.chunks(o.n, o.x.shape[1]):
            report(progress, rows.start / o.n, "EK-FAC: reading the examples")
            roots = _roots(o.loss, o.outputs(theta, o.x[rows]), o.y[rows])
            yield o.weights[rows], [o.x[rows, None]], ([r[:, None]] for r in roots)


class NetworkLayers:
    """The layers of a network, in the order of their parameters."""

    def __init__(self, objective: NetworkObjective) -> None:
        self.objective = objective
        indices, start = {}, 0
        for name, parameter in objective.parameters.items():
            indices[name] = torch.arange(start, start + parameter.numel()).view(len(parameter), -1)
            start += parameter.numel()
        self.layers = objective.layers
        self.positions = [_positions(name, layer, indices) for name, layer in self.layers.items()]

    def flows(self, theta: Tensor, progress: Progress | None) -> Iterator[Flow]:
        """``a`` and ``g_m`` at every position of every layer."""
        o = self.objective
        for start in range(0, o.n, ROWS):
            report(progress, start / o.n, "EK-FAC: reading the examples")
            rows = slice(start, start + ROWS)
            f, seen = o.traced(theta, o.x[rows])
            inputs = [_inputs(layer, seen[name][0]) for name, layer in self.layers.items()]
            yield (
                o.weights[rows],
                inputs,
                self._gradients(f, o.y[rows], [seen[name][1] for name in self.layers]),
            )

    def _gradients(self, f: Tensor, y: Tensor, outputs: list[Tensor]) -> Iterator[list[Tensor]]:
        for r in _roots(self.objective.loss, f.detach(), y):
            found = torch.autograd.grad(f, outputs, r, retain_graph=True)
            yield [_output_gradients(layer, g) for layer, g in zip(self.layers.values(), found, strict=True)]


def _positions(name: str, layer: nn.Module, indices: dict[str, Tensor]) -> Tensor:
    """``(o, i)``, the bias as the last input; refuses what is no plain linear or convolutional layer of its own."""
    plain = type(layer) is nn.Linear or (
        type(layer) is nn.Conv2d
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )
    if not plain:
        raise UnsupportedError(
            f"EK-FAC knows linear layers and plain convolutions (no groups, zero padding given in numbers); '{name}' is "
            f"neither: {layer}. Choose another solver."
        )
    own = [f"{name}.{one}" if name else one for one, _ in layer.named_parameters(recurse=False)]
    if not indices.keys() >= set(own):
        raise UnsupportedError(
            f"EK-FAC needs whole layers of their own, but '{name}' shares its parameters, or some of them are frozen."
        )
    return torch.cat([indices[one].view(len(indices[own[0]]), -1) for one in own], 1)


def _inputs(layer: nn.Module, x: Tensor) -> Tensor:
    """``a (b, T, i)``: what each position of the layer sees, and 1 for the bias."""
    if isinstance(layer, nn.Conv2d):
        assert not isinstance(layer.padding, str), "refused before"
        a = F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride).mT
    else:
        a = x.reshape(len(x), -1, x.shape[-1])
    return a if layer.bias is None else torch.cat([a, a.new_ones(*a.shape[:2], 1)], 2)


def _output_gradients(layer: nn.Module, g: Tensor) -> Tensor:
    """The gradient with respect to a layer's output as ``(b, T, o)``."""
    return g.flatten(2).mT if isinstance(layer, nn.Conv2d) else g.reshape(len(g), -1, g.shape[-1])


def _roots(loss: Loss, f: Tensor, y: Tensor) -> Tensor:
    """``r (c, b, c)`` with ``d2l/df2 = sum_m r_m r_m'``."""
    eye = torch.eye(f.shape[1], dtype=f.dtype, device=f.device).expand(len(f), -1, -1)
    values, vectors = torch.linalg.eigh(loss.curvature(f, y)(eye))
    return (vectors * values.clamp_min(0).sqrt()[:, None]).movedim(2, 0)
