"""Files of weights as programs write them: of PyTorch or safetensors, with whatever stands around the weights taken off.

Reading one runs no code of the file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from influence_core.errors import DataError

SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
"""Of files of weights, in the order in which they are looked for."""
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "network", "net", "weights", "params")
"""Under which training programs keep the weights beside what else they keep."""
MAX_NAMED = 3
"""Weights that a message names."""
MAX_HEADER = 100 * 2**20
"""Bytes of a safetensors header, as its own library limits it."""
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def load_into(network: nn.Module, path: str | Path, optional: Collection[str] = ()) -> None:
    """Load a file of weights into a network.

    Wrappers are taken off: ``{"state_dict": ...}`` and its like, and ``module.``, ``model.`` or what else stands before
    every name. All weights of the network must be there, and no others.

    Args:
        network: Gets them, in its own type and on its own device.
        path: A file of ``torch.save`` or of safetensors.
        optional: Names that may be in the file and are not looked at.

    Raises:
        DataError: No such file, damaged, no weights in it, or those of another network; the message says what to do.
    """
    path = Path(path)
    wanted = network.state_dict()
    found = _matching(_by_name(_read(path), path.name), wanted)
    given = {name: one for name, one in found.items() if name not in optional}
    differences = {
        "lacks": [name for name, one in wanted.items() if isinstance(one, Tensor) and name not in given],
        "also has": [name for name in given if name not in wanted],
        "has another shape of": [
            name for name, one in given.items() if name in wanted and one.shape != wanted[name].shape
        ],
    }
    words = [f"{what} {_some(names)}" for what, names in differences.items() if names]
    if words:
        raise DataError(f"The weights {path.name} are those of another network: the file {', '.join(words)}.")
    network.load_state_dict(given, strict=False)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return _safetensors(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(
            f"The weights {path.name} could not be read: {error.strerror}. Check the file's name."
        ) from error
    except Exception as error:  # a damaged file makes torch raise nearly anything
        raise DataError(
            f"The weights {path.name} could not be read: the file is damaged, or holds more than weights (a whole network, "
            "whose code would run). Save network.state_dict() alone."
        ) from error


def _by_name(found: Any, title: str) -> dict[str, Tensor]:
    """The weights inside what a training program saved."""
    while isinstance(found, Mapping):
        inside = next((found[one] for one in WRAPPERS if isinstance(found.get(one), Mapping)), None)
        if inside is None:
            break
        found = inside
    weights = found.items() if isinstance(found, Mapping) else ()
    by_name = {str(name): one for name, one in weights if isinstance(one, Tensor)}
    if not by_name:
        raise DataError(
            f"{title} holds no weights by name. Save network.state_dict() in it, alone or as “state_dict”."
        )
    return by_name


def _matching(weights: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """Without what wrappers put before the names: of several, the one with most weights is the network."""
    whole = weights
    while not any(name in wanted for name in weights):
        inside: dict[str, dict[str, Tensor]] = {}
        for name, one in weights.items():
            first, dot, rest = name.partition(".")
            if dot:
                inside.setdefault(first, {})[rest] = one
        if not inside:
            return whole
        weights = max(inside.values(), key=len)
    return weights


def _safetensors(path: Path) -> dict[str, Tensor]:
    """Eight bytes of length, a header in JSON, and the numbers, which the header finds."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= MAX_HEADER:
            raise ValueError("no header")
        header = json.loads(file.read(length))
        content = bytearray(file.read())
    header.pop("__metadata__", None)
    return {name: _tensor(content, facts) for name, facts in header.items()}


def _tensor(content: bytearray, facts: Mapping[str, Any]) -> Tensor:
    start, stop = facts["data_offsets"]
    kind, shape = TYPES[facts["dtype"]], facts["shape"]
    if not 0 <= start <= stop <= len(content):
        raise ValueError("numbers outside the file")
    if start == stop:
        return torch.empty(shape, dtype=kind)
    numbers = torch.frombuffer(content, dtype=torch.uint8, count=stop - start, offset=start)
    return numbers.clone().view(kind).reshape(shape)
