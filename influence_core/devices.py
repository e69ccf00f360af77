"""Where the arithmetic happens, and how precisely."""

from __future__ import annotations

import torch

from influence_core.errors import DataError

NAMES = ("auto", "cpu", "cuda", "mps")
FLOAT64_LIMIT = 20_000
"""Up to so many parameters everything is float64, where the device has it."""


def available() -> tuple[str, ...]:
    """The device names that this machine can serve."""
    found = ["auto", "cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(found)


def choose(name: str, dim: int, is_network: bool) -> tuple[torch.device, torch.dtype]:
    """Device and floating-point type for a model of ``dim`` parameters.

    "auto" takes CUDA where there is one, else the CPU; MPS has no float64, so it serves float32 networks only and
    only when it is named. On CUDA the shortened TF32 products are switched off: curvature needs every digit.

    Raises:
        DataError: If there is no such device here, or it cannot serve this model.
    """
    if name not in NAMES:
        raise DataError(f"There is no device '{name}'; choose one of {', '.join(available())}.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in available():
        raise DataError(f"This machine has no {name} device; choose one of {', '.join(available())}.")
    if name == "mps":
        if not is_network:
            raise DataError("MPS has no float64, which linear models need; choose cpu.")
        return torch.device("mps"), torch.float32
    if name == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name), torch.float64 if dim <= FLOAT64_LIMIT else torch.float32
