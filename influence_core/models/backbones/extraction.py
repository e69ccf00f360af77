"""Photographs turned into features by a backbone, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from influence_core.data.examples import Pictures
from influence_core.models.backbones.backbone import Backbone
from influence_core.progress import Progress, report

BATCH = 4
"""Small enough for a processor's cache: sixteen at a time take half as long again."""


def extract(
    backbone: Backbone,
    pictures: Pictures,
    ids: Sequence[int],
    progress: Progress | None = None,
) -> Tensor:
    """Features of pictures, a batch at a time.

    Args:
        backbone: The network, on any device.
        pictures: The photographs.
        ids: ``m`` of them.
        progress: Called before each batch.

    Returns:
        ``(m, d)`` float32 on the CPU.

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
    """Features of one batch.

    Args:
        backbone: The network, on any device.
        pictures: ``b`` of them, ``(side, side, 3)`` uint8 each.

    Returns:
        ``(b, d)`` float32 on the CPU.
    """
    stack = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return backbone.features(stack.to(backbone.like)).float().cpu()
