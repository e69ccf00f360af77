"""A Gaussian kernel on pixels as features: a linear model on them is the kernel machine (section 5.1's SVM).

``k(x, x') = exp(-gamma ||x - x'||^2)`` for pictures of a brightness of -1..1. With ``K = L L'`` over training and test pictures,
the rows of the lower triangle ``L`` are features whose products are the kernel; those of the test pictures need only
their columns of the training pictures, because no model that was trained on the others reaches further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from influence_core.data.examples import Pictures
from influence_core.errors import UnsupportedError
from influence_core.progress import Progress, part, report
from influence_core.store import NO_STORE, Store
from influence_core.store.digest import digest

NAME = "rbf"
"""What a study names as its backbone to get these features."""
SIDE = 224
"""Rows and columns at which pictures are compared ..."""
PAPER_SIDE = 299
"""... and those of the paper: squared distances are scaled to it, so that the same kernel sees as far at any side."""
GAMMA = 0.05 / 1800
"""The paper's ``0.05 / n`` at its own ``n``: which distance is near belongs to the pixels, not to their number."""
MOST = 6_000
"""Pictures at most: their pixels stay in memory as bytes, 0.9 GB, and so does the kernel, 0.3 GB."""
COLUMNS = 4_096
"""Pixels of every picture that are held as floating point at once."""
ROWS = 512
JITTER = 1e-10
TINY = 1e-15
HALF = 127.5


@dataclass(frozen=True, eq=False)
class KernelFeatures:
    """The kernel trick by features.

    Attributes:
        train: ``(n, n)`` float64, lower triangular, ``train @ train.T = K`` of the training pictures.
        test: ``(t, n)`` float64, ``test @ train.T = K`` of test against training pictures.
        jitter: Added to the diagonal of ``K`` of the training pictures; 0 unless two of them are alike.
    """

    train: Tensor
    test: Tensor
    jitter: float


def features(
    pictures: Pictures,
    train_ids: Sequence[int],
    test_ids: Sequence[int],
    side: int = SIDE,
    gamma: float = GAMMA,
    store: Store = NO_STORE,
    progress: Progress | None = None,
) -> KernelFeatures:
    """Features of training and test pictures, computed once for the same pictures.

    Args:
        pictures: The photographs.
        train_ids: ``n`` of them to train on.
        test_ids: ``t`` of them to ask about.
        side: Rows and columns at which they are compared.
        gamma: Of the kernel.
        store: Where features are kept.
        progress: Called for each block of pixels.

    Raises:
        UnsupportedError: More pictures than fit in memory.
        DataError: A picture can no longer be read.
    """
    m = len(train_ids) + len(test_ids)
    if m > MOST:
        raise UnsupportedError(
            f"A kernel compares every two pictures: expected at most {MOST:,}, got {m:,}. Choose fewer pictures."
        )
    ids = [torch.tensor(one) for one in (train_ids, test_ids)]
    key = digest("kernel features", pictures.digest, *ids, side, gamma)
    kept = store.get(key)
    if kept is not None:
        train, test = (torch.as_tensor(kept.arrays[name]) for name in ("train", "test"))
        return KernelFeatures(train, test, float(kept.meta["jitter"]))
    squared = _squared_distances(pictures, [*train_ids, *test_ids], len(train_ids), side, progress)
    found = from_kernel(torch.exp(-gamma * squared), len(train_ids))
    report(progress, 1.0, f"{m:,} pictures compared")
    arrays = {"train": found.train.numpy(), "test": found.test.numpy()}
    store.put(key, arrays, {"jitter": found.jitter})
    return found


def from_kernel(kernel: Tensor, n: int) -> KernelFeatures:
    """Features out of a kernel; a jitter enters only where pictures that are alike leave it without a Cholesky factor.

    Args:
        kernel: ``(n + t, n)`` of all pictures against the training pictures; above its diagonal nothing is read.
        n: Training pictures.
    """
    jitter = 0.0
    train, failed = torch.linalg.cholesky_ex(kernel[:n])
    while failed:
        jitter = 10 * jitter or JITTER
        train, failed = torch.linalg.cholesky_ex(kernel[:n] + jitter * torch.eye(n, dtype=kernel.dtype))
    test = torch.linalg.solve_triangular(train, kernel[n:].T, upper=False).T
    return KernelFeatures(train, test.contiguous(), jitter)


def features_of(
    photo: np.ndarray,
    pictures: Pictures,
    train_ids: Sequence[int],
    train: Tensor,
    gamma: float = GAMMA,
    progress: Progress | None = None,
) -> Tensor:
    """Features ``(n,)`` of one more picture: ``L^-1 k``, with its kernel ``k`` against the training pictures.

    Args:
        photo: ``(side, side, 3)`` uint8, at the side at which all are compared.
        pictures: The photographs.
        train_ids: ``n`` of them, the training pictures.
        train: ``(n, n)`` their features ``L``.
        gamma: As in ``features``.
        progress: Called while they are read.

    Raises:
        DataError: A picture can no longer be read.
    """
    side, mine = photo.shape[0], photo.reshape(-1).astype(np.float64)
    squared = torch.empty(len(train_ids), 1, dtype=torch.float64)
    for at, one in enumerate(train_ids):
        report(progress, at / len(train_ids), f"{at:,} of {len(train_ids):,} pictures compared")
        apart = pictures.read(one, side).reshape(-1) - mine
        squared[at] = float(apart @ apart)
    kernel = torch.exp(-gamma * (PAPER_SIDE / side / HALF) ** 2 * squared)
    return torch.linalg.solve_triangular(train, kernel, upper=False)[:, 0]


def distances(train: Tensor, one: Tensor, gamma: float = GAMMA) -> np.ndarray:
    """Euclidean pixel distances ``(n,)`` that the features remember, ``d^2 = -log(k) / gamma``, as at the paper's side.

    Args:
        train: ``(n, n)`` features of the training pictures.
        one: ``(n,)`` features of a test picture.
        gamma: As in ``features``; at the paper's even black and white are apart by no more than ``k = 1e-13``.
    """
    return (-(train @ one).clamp(TINY, 1.0).log() / gamma).sqrt().numpy()


def jitter_of(train: Tensor) -> float:
    """What was added to the kernel's diagonal, whose own value is 1, to get these features ``(n, n)``; 0 for none."""
    added = float(train[0, 0] ** 2) - 1
    return added if added > JITTER / 2 else 0.0


def _squared_distances(
    pictures: Pictures, ids: Sequence[int], n: int, side: int, progress: Progress | None
) -> Tensor:
    """``(m, n)`` of all pictures to the first ``n``, below the diagonal, at a brightness of -1..1 and the paper's side.

    The products of bytes and their sums are whole numbers below 2^53, so that float64 holds every one exactly.
    """
    pixels = _read(pictures, ids, side, part(progress, 0.0, 0.3))
    m, width = pixels.shape
    products = torch.zeros(m, n, dtype=torch.float64)
    lengths = torch.zeros(m, dtype=torch.float64)
    for start in range(0, width, COLUMNS):
        report(progress, 0.3 + 0.7 * start / width, f"{start:,} of {width:,} brightness values compared")
        block = torch.from_numpy(pixels[:, start : start + COLUMNS]).double()
        lengths += (block * block).sum(1)
        for row in range(0, m, ROWS):
            last = min(row + ROWS, n)  # a Cholesky factor asks for nothing above the diagonal
            products[row : row + ROWS, :last].addmm_(block[row : row + ROWS], block[:last].T)
    return (lengths[:, None] + lengths[:n] - 2 * products) * (PAPER_SIDE / side / HALF) ** 2


def _read(pictures: Pictures, ids: Sequence[int], side: int, progress: Progress | None) -> np.ndarray:
    """The pixels ``(m, 3 side^2)`` as bytes."""
    pixels = np.empty((len(ids), 3 * side * side), np.uint8)
    for at, one in enumerate(ids):
        report(progress, at / len(ids), f"{at:,} of {len(ids):,} pictures read")
        pixels[at] = pictures.read(one, side).reshape(-1)
    return pixels
