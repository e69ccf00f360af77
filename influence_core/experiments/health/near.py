"""Pairs of examples that are nearly equal, in blocks of matrix products: pictures by signature, texts by common words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.context import Context
from influence_core.experiments.health.signatures import Signatures

ALIKE = 0.9
"""The least correlation of two copies' signatures, and the least share of two copies' words that both have."""
CROWD, CLOSER = 20, 0.3
"""A copy lies closer than this share of the distance at which either picture has its 20th neighbour: pictures that are all
alike, such as the digit 1, are not copies for being alike."""
FEW_WORDS = 5
"""A text of fewer words is a copy only of its equal."""
BLOCK = 1_000


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs that are nearly equal.

    Attributes:
        first: ``(k,)`` positions.
        second: ``(k,)`` positions, each larger than its first.
        mirrored: ``(k,)`` whether they are nearer with left and right of one exchanged.
    """

    first: np.ndarray
    second: np.ndarray
    mirrored: np.ndarray


def pictures(signatures: Signatures, context: Context) -> Pairs:
    """Pictures nearly equal, upright or mirrored.

    With correlations ``c``, distances are ``sqrt(2 - 2 c)``, the smaller of upright and mirrored. A pair counts where ``c``
    is at least ``ALIKE`` and the distance at most ``CLOSER`` times that from either picture to its ``CROWD``-th neighbour.

    Args:
        signatures: Of ``m`` pictures.
        context: Told how far it is.
    """
    upright, both = signatures.upright, (signatures.upright, signatures.mirrored)
    crowd = min(CROWD, max(1, len(upright) // 2))
    kept, usual = [], []
    for start, stop in _blocks(len(upright)):
        straight, turned = (upright[start:stop] @ one.T for one in both)
        found = torch.maximum(straight, turned)
        found[torch.arange(stop - start), torch.arange(start, stop)] = -1
        usual.append(_distance(found.topk(min(crowd, len(upright)), dim=1).values[:, -1]))
        rows, columns = (found >= ALIKE).nonzero(as_tuple=True)
        c, is_turned = found[rows, columns], turned[rows, columns] > straight[rows, columns]
        kept.append((rows + start, columns, _distance(c), is_turned))
        context.report(stop / len(upright), f"{stop:,} of {len(upright):,} pictures compared")
    first, second, far, is_turned = (torch.cat(one) for one in zip(*kept, strict=True))
    reach = CLOSER * torch.cat(usual)
    close = (first < second) & (far <= torch.minimum(reach[first], reach[second]))
    return Pairs(first[close].numpy(), second[close].numpy(), is_turned[close].numpy())


def texts(counts: Tensor, context: Context) -> Pairs:
    """Texts that share at least ``ALIKE`` of their words: ``sum min(a, b) / sum max(a, b)`` of their counts.

    Args:
        counts: ``(m, words)`` how often each word stands in each text.
        context: Told how far it is.
    """
    counts = counts.float()
    sizes, directions = counts.sum(1), torch.nn.functional.normalize(counts.sqrt())
    found = [(torch.zeros(0, dtype=torch.long),) * 2]
    for start, stop in _blocks(len(counts)):
        # sum sqrt(a b) >= sum min(a, b) >= ALIKE max(|a|, |b|), so that no pair is missed
        rows, columns = (directions[start:stop] @ directions.T >= ALIKE).nonzero(as_tuple=True)
        rows = rows + start
        asked = (rows < columns) & (torch.minimum(sizes[rows], sizes[columns]) >= FEW_WORDS)
        rows, columns = rows[asked], columns[asked]
        alike = _in_parts(lambda a, b: _shared(counts[a], counts[b]), rows, columns) >= ALIKE
        found.append((rows[alike], columns[alike]))
        context.report(stop / len(counts), f"{stop:,} of {len(counts):,} texts compared")
    first, second = (torch.cat(one).numpy() for one in zip(*found, strict=True))
    return Pairs(first, second, np.zeros(len(first), bool))


def _blocks(count: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def _distance(correlation: Tensor) -> Tensor:
    return (2 - 2 * correlation).clamp_min(0).sqrt()


def _shared(a: Tensor, b: Tensor) -> Tensor:
    return torch.minimum(a, b).sum(1) / torch.maximum(a, b).sum(1)


def _in_parts(work: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    parts = [work(a, b) for a, b in zip(first.split(BLOCK), second.split(BLOCK), strict=True)]
    return torch.cat([torch.zeros(0), *parts])
