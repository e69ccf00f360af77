"""One name for a content: equal parts give equal digests, and any changed byte gives another."""

import hashlib
import struct
from typing import Any

import numpy as np
import torch
from torch import Tensor

from influence_core.errors import UnsupportedError


def digest(*parts: Any) -> str:
    """The sha256, in hex, of the parts in their order; every byte is read, never a sample.

    Each part enters with its type and length, so ("ab", "c") differs from ("a", "bc"), and 1 from 1.0 and
    True. Arrays enter with element type, shape and values, not with device or memory layout; a tensor
    differs from an array.

    Args:
        parts: tensors, numpy arrays and scalars, str, bytes, bool, int, float, None, and tuples, lists and
            dicts of these. The order of a dict's keys does not count.

    Raises:
        UnsupportedError: a part of any other type.

    >>> digest("ab", "c") == digest("a", "bc")
    False
    >>> digest({"k": 1, "l2": 0.5}) == digest({"l2": 0.5, "k": 1})
    True
    """
    hasher = hashlib.sha256()
    for part in parts:
        _add(hasher, part)
    return hasher.hexdigest()


def _add(hasher: Any, part: Any) -> None:
    """Feed one part, by its type."""
    match part:
        case None:
            _feed(hasher, "none")
        case Tensor():
            _feed(hasher, "tensor", f"{part.dtype} {tuple(part.shape)}", _tensor_bytes(part))
        case np.ndarray() | np.generic():
            _feed(hasher, "array", f"{_describe(part.dtype)} {part.shape}", _array_bytes(np.asarray(part)))
        case bool() | int():
            _feed(hasher, type(part).__name__, str(part))
        case float():
            _feed(hasher, "float", struct.pack("<d", part))
        case str():
            _feed(hasher, "str", part)
        case bytes():
            _feed(hasher, "bytes", part)
        case tuple() | list():
            _feed(hasher, type(part).__name__, *(digest(item) for item in part))
        case dict():
            _feed(hasher, "dict", *sorted(digest(key) + digest(value) for key, value in part.items()))
        case _:
            raise UnsupportedError(
                f"A digest cannot be made of {type(part).__name__}. Give tensors, arrays, text, numbers, "
                "or tuples, lists and dicts of these."
            )


def _feed(hasher: Any, tag: str, *contents: Any) -> None:
    """Feed a tag and its contents, counted and each with its length, so that no two sequences look alike."""
    hasher.update(f"{tag}:{len(contents)};".encode())
    for content in contents:
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        hasher.update(f"{len(data)}:".encode())
        hasher.update(data)


def _describe(dtype: np.dtype) -> str:
    """An element type with its byte order and field names; objects have no bytes of their own."""
    if dtype.hasobject:
        raise UnsupportedError("A digest cannot be made of an array of objects. Convert it first.")
    return str(dtype.descr)


def _array_bytes(array: np.ndarray) -> Any:
    """The values in row order, without a copy where they already lie so."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8) if flat.nbytes else b""


def _tensor_bytes(tensor: Tensor) -> Any:
    """The values in row order; torch's own bytes, because numpy lacks some of its types."""
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy() if flat.numel() else b""
