"""What makes a picture the same picture: its coarse shape in light and colour, by which copies are known again.

A copy that was resized, saved again with loss or mirrored keeps its low spatial frequencies; what is not a copy does not
share them. They are the first coefficients of the cosine transform, without the mean; each is divided by the root of its
usual size in the data, so that neither the few largest nor the many smallest decide, and every picture is made a unit vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.data import DataSet

FREQUENCIES = 12
"""Waves across and down a picture's lightness that count; of its colours half as many."""
LIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)
"""How much red, green and blue add to it."""
TOGETHER = 1_000


@dataclass(frozen=True, eq=False)
class Signatures:
    """Of ``m`` pictures.

    Attributes:
        upright: ``(m, s)`` unit rows; 0 for a picture of one tone.
        mirrored: ``(m, s)`` of the same pictures, left and right exchanged.
    """

    upright: Tensor
    mirrored: Tensor


def of_pictures(pictures: np.ndarray) -> Signatures:
    """The signatures of pictures ``(m, h, w)`` grey or ``(m, h, w, 3)`` in colour, of any scale of brightness."""
    blocks = [pictures[at : at + TOGETHER] for at in range(0, len(pictures), TOGETHER)]
    upright = np.concatenate([_waves(one) for one in blocks])
    mirrored = np.concatenate([_waves(one[:, :, ::-1]) for one in blocks])
    usual = upright.std(0)
    scale = np.divide(1.0, np.sqrt(usual), out=np.zeros_like(usual), where=usual > 1e-6 * usual.max())
    return Signatures(_unit(upright * scale), _unit(mirrored * scale))


def seen(data: DataSet) -> np.ndarray:
    """All pictures of a data set as a person sees them, small: those to train on, then those to test on."""
    if data.pictures is not None:
        return data.pictures.thumbs([*data.train.ids.tolist(), *data.test.ids.tolist()])
    assert data.image_shape is not None
    return torch.cat([data.train.x, data.test.x]).numpy().reshape(-1, *data.image_shape)


def _waves(pictures: np.ndarray) -> np.ndarray:
    """``(b, s)`` the first coefficients of lightness and colours, without their means."""
    p = pictures.astype(np.float32)
    if p.ndim == 3:
        return _low(p, FREQUENCIES)
    light = p @ LIGHTNESS
    colours = [_low(p[..., one] - light, FREQUENCIES // 2) for one in (0, 2)]
    return np.concatenate([_low(light, FREQUENCIES), *colours], 1)


def _low(channel: np.ndarray, count: int) -> np.ndarray:
    from scipy.fft import dctn  # takes a moment to import

    found = dctn(channel, axes=(1, 2), norm="ortho")[:, :count, :count]
    return found.reshape(len(channel), -1)[:, 1:]


def _unit(rows: np.ndarray) -> Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rows))
