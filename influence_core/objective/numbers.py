"""At the border of the library: whatever holds numbers becomes tensors of one type on one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import DataError, ShapeError

Numbers = Tensor | np.ndarray | Sequence[Any]
"""What a tensor is made of: a tensor, an array, a table, a list."""


class Tensors(NamedTuple):
    """The parts of an objective as tensors of one floating-point type on one device."""

    x: Tensor
    y: Tensor
    l2: Tensor
    weights: Tensor


def tensors(x: Numbers, y: Numbers, l2: float | Numbers, weights: Numbers | None) -> Tensors:
    """The parts of an objective, from whatever holds their numbers; ``x`` decides on type and device.

    Args:
        x: ``(n, d)``.
        y: ``(n,)``; whole numbers of any type become int64.
        l2: A number or ``(p,)``.
        weights: ``(n,)``; ``1/n`` each where there are none.

    Raises:
        ShapeError: If ``x`` is neither float32 nor float64.
        DataError: If something does not hold numbers.

    >>> parts = tensors(np.eye(2), np.array([0, 1], dtype=np.int32), 0.1, None)
    >>> parts.x.dtype, parts.y.dtype, parts.weights
    (torch.float64, torch.int64, tensor([0.5000, 0.5000], dtype=torch.float64))
    """
    inputs = as_tensor("x", x)
    if inputs.dtype not in (torch.float32, torch.float64):
        raise ShapeError(
            f"x must be float64 or float32, but is {str(inputs.dtype).removeprefix('torch.')}; make it float64, which "
            "curvature needs."
        )
    n = len(inputs) if inputs.ndim else 0
    uniform = inputs.new_full((n,), 1 / max(1, n))
    given = uniform if weights is None else as_tensor("weights", weights).to(inputs)
    penalty = inputs.new_tensor(l2) if isinstance(l2, float | int) else as_tensor("l2", l2).to(inputs)
    return Tensors(inputs, as_labels(y, inputs.device), penalty, given)


def as_tensor(name: str, value: Numbers) -> Tensor:
    """A tensor as it is; of anything else a tensor, without a copy where that is safe; a memory map stays on the disk."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, np.memmap) and not value.flags.writeable and value.flags.c_contiguous:
        return torch.from_numpy(_readable(value))
    try:
        array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
        return torch.as_tensor(array if array.flags.writeable else array.copy())
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers in rows of one length: {error}") from error


def _readable(value: np.memmap) -> np.ndarray:
    """The same part of the same file, in a way that PyTorch takes; what is written there never reaches the file."""
    if value.filename is None:  # of a file without a name
        return np.array(value)
    whole = value
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    start = value.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return np.memmap(value.filename, value.dtype, "c", whole.offset + start, value.shape)


def as_labels(y: Numbers, device: torch.device) -> Tensor:
    """Whole numbers as int64; anything else as it is, for the check to refuse."""
    labels = as_tensor("y", y).to(device)
    return labels if labels.is_floating_point() or labels.is_complex() else labels.long()
