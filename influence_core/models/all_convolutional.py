"""The paper's all-convolutional network (section 4.2): 2,616 parameters on 28 x 28 digits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

INPUT_SHAPE = (1, 28, 28)


class AllConvolutional(nn.Module):
    """Six convolutions without padding, ``tanh`` after each, a spatial mean and a linear layer.

    28 -> 26 -> 12 -> 10 -> 4 -> 2 -> 2 pixels a side; ``(b, 1, 28, 28) -> (b, 10)``.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        sizes = [(1, 8, 3, 1), (8, 8, 3, 2), (8, 8, 3, 1), (8, 8, 3, 2), (8, 8, 3, 1), (8, 10, 1, 1)]
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, k, stride=s) for i, o, k, s in sizes)
        self.linear = nn.Linear(10, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs before the softmax, ``(b, classes)``."""
        for convolution in self.convolutions:
            x = torch.tanh(convolution(x))
        return self.linear(x.mean((2, 3)))


def build(classes: int, seed: int) -> AllConvolutional:
    """A network with the paper's initialisation: normal cut at two deviations, ``2 / sqrt(fan_in)``, biases 0.

    Args:
        classes: Outputs.
        seed: Of the draw; no global generator is touched.
    """
    network = AllConvolutional(classes)
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = layer.weight[0].numel()
            std = (2.0 if isinstance(layer, nn.Conv2d) else 1.0) / fan_in**0.5
            nn.init.trunc_normal_(layer.weight, 0.0, std, -2 * std, 2 * std, generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return network


def penalty(network: nn.Module, l2: float) -> Tensor:
    """``l2`` for every weight and 0 for every bias, ``(p,)``: the paper's network penalises weights only."""
    parts = [
        torch.full((p.numel(),), l2 if p.ndim > 1 else 0.0, dtype=torch.float64) for p in network.parameters()
    ]
    return torch.cat(parts)
